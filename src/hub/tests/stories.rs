//! Single things that once went wrong elsewhere, or that must hold at the hub's edges.
