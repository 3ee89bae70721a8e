//! The nodes that share a database, as the database knows them: who lives, and how far each has come. No clock of
//! theirs is compared with another: whether a node goes on is seen from its numbers.

use async_trait::async_trait;
use rotunda_protocol::id::OrganizationId;

use super::StoreError;
use crate::domain::event::Seq;
use crate::domain::node::NodeId;

/// A node's sign of life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// Which node.
    pub node: NodeId,
    /// One more than in its beat before.
    pub number: u64,
    /// The newest beat after which the node has asked how far all its organizations are, and has applied all of it
    /// since; 0 before the first.
    pub applied: u64,
}

/// The list of nodes.
#[async_trait]
pub trait Nodes {
    /// Notes durably that a node lives. One that is late, and has a lower number than what is known, changes nothing.
    ///
    /// Whoever reads the list and does not find the node, or finds a lower number, knows that what this node asks
    /// after its beat has everything in it that is durable now.
    async fn beat(&self, beat: Beat) -> Result<(), StoreError>;

    /// The numbers of the newest events of organizations, but for those that there are not: one query for all of
    /// them, as of a moment after this was called.
    async fn heads(&self, organizations: &[OrganizationId])
    -> Result<Vec<(OrganizationId, Seq)>, StoreError>;

    /// The newest beats of all nodes that were not forgotten, sorted by node, as of a moment after this was called.
    async fn nodes(&self) -> Result<Vec<Beat>, StoreError>;

    /// Forgets a node, unless it has beaten since the beat with this number.
    async fn forget(&self, node: &NodeId, number: u64) -> Result<(), StoreError>;
}
