//! The list of nodes: processes that share the database.

use rotunda_protocol::id::OrganizationId;
use sqlx::SqlSafeStr;

use super::dialect::{Columns, Dialect, Value};
use super::fault::Fault;
use super::read::asked;
use super::statements::json;
use crate::domain::event::Seq;
use crate::domain::node::NodeId;
use crate::store::nodes::Round;

/// A change of the list.
#[derive(Debug)]
pub(in crate::store) enum Change {
    /// The node lives, and this is the number of its newest beat.
    Beat(NodeId, u64),
    /// The node has gone, if this is still its number.
    Forget(NodeId, u64),
}

impl Change {
    /// One statement, and so a transaction of its own.
    pub(in crate::store) async fn write<C: Dialect>(&self, connection: &mut C) -> Result<(), Fault> {
        let (statement, node, number) = match self {
            Self::Beat(node, number) => (
                "INSERT INTO nodes (id, number) VALUES ($1, $2) \
                 ON CONFLICT (id) DO UPDATE SET number = excluded.number",
                node,
                number,
            ),
            Self::Forget(node, number) => ("DELETE FROM nodes WHERE id = $1 AND number = $2", node, number),
        };
        let values = vec![node.as_str().into(), (*number).into()];
        connection.execute(statement.into_sql_str(), true, values).await?;
        Ok(())
    }
}

/// How far organizations are, and who lives.
pub(in crate::store) async fn round<C: Dialect>(
    connection: &mut C,
    organizations: &[OrganizationId],
) -> Result<Round, Fault> {
    Ok(Round { heads: heads(connection, &organizations).await?, nodes: all(connection).await? })
}

/// The heads of those organizations that there are, all as of one moment.
pub(in crate::store) async fn heads<C: Dialect>(
    connection: &mut C,
    organizations: &impl serde::Serialize,
) -> Result<Vec<(OrganizationId, Seq)>, Fault> {
    let rows = asked(connection, C::TEXTS.heads, vec![Value::Json(json(organizations)?)]).await?;
    rows.iter().map(|row| Ok((row.parsed("id")?, Seq(row.number("head")?)))).collect()
}

/// All nodes, sorted.
pub(in crate::store) async fn all<C: Dialect>(connection: &mut C) -> Result<Vec<(NodeId, u64)>, Fault> {
    let rows = asked(connection, "SELECT id, number FROM nodes ORDER BY id", Vec::new()).await?;
    rows.iter().map(|row| Ok((NodeId::new(&row.text("id")?), row.number("number")?))).collect()
}
