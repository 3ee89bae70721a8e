//! Redis servers of one's own: a single one, or a cluster.
