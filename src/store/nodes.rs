//! The nodes that share a database, as the database knows them: who lives, and how far each has come. No clock of
//! theirs is compared with another: whether a node goes on is seen from its numbers.

use async_trait::async_trait;
use rotunda_protocol::id::OrganizationId;

use super::StoreError;
use crate::domain::event::Seq;
use crate::domain::node::NodeId;

/// A node's sign of life, and what it asks with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// Which node.
    pub node: NodeId,
    /// One more than in its beat before, if the node has applied everything that it was answered then; else the same.
    pub number: u64,
    /// The organizations that it has in memory.
    pub organizations: Vec<OrganizationId>,
}

/// What a beat is answered with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Round {
    /// The numbers of the newest events of the organizations asked for, but for those that there are not.
    pub heads: Vec<(OrganizationId, Seq)>,
    /// All nodes, this one included, each with the number of its newest beat, sorted.
    pub nodes: Vec<(NodeId, u64)>,
}

/// The list of nodes.
#[async_trait]
pub trait Nodes {
    /// Notes durably that a node lives, and *then* reads how far all its organizations are, in one query. So whoever
    /// does not find the node, or finds a lower number, knows that what was durable by then is in its next answer.
    async fn beat(&self, beat: Beat) -> Result<Round, StoreError>;

    /// All nodes that have beaten and were not forgotten, each with the number of its newest beat, sorted.
    async fn nodes(&self) -> Result<Vec<(NodeId, u64)>, StoreError>;

    /// Forgets a node, unless it has beaten since the beat with this number.
    async fn forget(&self, node: &NodeId, number: u64) -> Result<(), StoreError>;
}
