//! The list of nodes: processes that share the file.

use rotunda_protocol::id::OrganizationId;
use sqlx::{SqliteConnection, SqlitePool};

use super::decode::Columns;
use super::fault::Fault;
use super::statements::json;
use crate::domain::event::Seq;
use crate::domain::node::NodeId;
use crate::store::nodes::Round;

/// A change of the list, for the writer.
#[derive(Debug)]
pub(super) enum Change {
    /// The node lives, and this is the number of its newest beat.
    Beat(NodeId, u64),
    /// The node has gone, if this is still its number.
    Forget(NodeId, u64),
}

impl Change {
    /// One statement, and so a transaction of its own.
    pub(super) async fn write(&self, connection: &mut SqliteConnection) -> Result<(), Fault> {
        let (statement, node, number) = match self {
            Self::Beat(node, number) => (
                "INSERT INTO nodes (id, number) VALUES ($1, $2) \
                 ON CONFLICT (id) DO UPDATE SET number = excluded.number",
                node,
                number,
            ),
            Self::Forget(node, number) => ("DELETE FROM nodes WHERE id = $1 AND number = $2", node, number),
        };
        sqlx::query(statement).bind(node.as_str()).bind(number.cast_signed()).execute(connection).await?;
        Ok(())
    }
}

/// How far organizations are, and who lives.
pub(super) async fn round(readers: &SqlitePool, organizations: &[OrganizationId]) -> Result<Round, Fault> {
    let rows =
        sqlx::query("SELECT id, head FROM organizations WHERE id IN (SELECT value FROM json_each($1))")
            .bind(json(&organizations)?)
            .fetch_all(readers)
            .await?;
    let heads = rows.iter().map(|row| Ok((row.parsed("id")?, Seq(row.number("head")?))));
    Ok(Round { heads: heads.collect::<Result<_, Fault>>()?, nodes: all(readers).await? })
}

pub(super) async fn all(readers: &SqlitePool) -> Result<Vec<(NodeId, u64)>, Fault> {
    let rows = sqlx::query("SELECT id, number FROM nodes ORDER BY id").fetch_all(readers).await?;
    rows.iter().map(|row| Ok((NodeId::new(&row.text("id")?), row.number("number")?))).collect()
}
