//! What topics are called in Redis.
//!
//! Ids and the names of nodes have only `A-Z a-z 0-9 . _ -`, so nothing has to be escaped. Who a topic is about
//! stands in braces: a cluster places a channel by that part alone, so all of an organization is in one place.

use crate::bus::Topic;
use crate::domain::node::NodeId;

/// The names of channels.
pub(super) struct Names {
    /// Other installations on the same Redis have other database numbers, and so do not hear this one.
    prefix: String,
}

impl Names {
    /// Names with the number of a database.
    pub(super) fn new(number: i64) -> Self {
        Self { prefix: if number == 0 { "rotunda".into() } else { format!("rotunda-{number}") } }
    }

    /// The channel of a topic.
    pub(super) fn channel(&self, topic: &Topic) -> String {
        let prefix = &self.prefix;
        match topic {
            Topic::Log(organization) => format!("{prefix}:log:{{{organization}}}"),
            Topic::Presence(organization) => format!("{prefix}:presence:{{{organization}}}"),
            Topic::Node(node) => format!("{prefix}:node:{{{node}}}"),
        }
    }

    /// A channel that a node talks to itself on. There are any number of them, all over a cluster.
    pub(super) fn probe(&self, node: &NodeId, number: u32) -> String {
        format!("{}:probe:{{{node}:{number}}}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use redis::cluster_routing::Slot;

    use super::*;
    use crate::bus::contract::{log, presence};

    #[test]
    fn every_topic_has_a_channel_of_its_own() {
        let names = Names::new(0);
        assert_eq!(names.channel(&log("o-1.a_B")), "rotunda:log:{o-1.a_B}");
        assert_eq!(names.channel(&presence("o")), "rotunda:presence:{o}");
        assert_eq!(names.channel(&Topic::Node(NodeId::new("n"))), "rotunda:node:{n}");
        assert_eq!(names.probe(&NodeId::new("n"), 2), "rotunda:probe:{n:2}");
        assert_eq!(Names::new(3).channel(&log("o")), "rotunda-3:log:{o}");
    }

    #[test]
    fn an_organization_is_in_one_place() {
        let names = Names::new(0);
        for organization in ["o", "north", "x.1"] {
            let slots = [log(organization), presence(organization)].map(|t| Slot::for_key(names.channel(&t)));
            assert_eq!(slots[0], slots[1]);
        }
    }
}
