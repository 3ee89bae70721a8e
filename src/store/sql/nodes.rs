//! The list of nodes: processes that share the database.

use rotunda_protocol::id::OrganizationId;
use sqlx::SqlSafeStr;

use super::dialect::{Columns, Dialect, Value};
use super::fault::Fault;
use super::read::asked;
use super::statements::json;
use crate::domain::event::Seq;
use crate::domain::node::NodeId;
use crate::store::nodes::Beat;

/// A change of the list.
#[derive(Debug)]
pub(in crate::store) enum Change {
    /// The node lives.
    Beat(Beat),
    /// The node has gone, if it has not beaten since the beat with this number.
    Forget(NodeId, u64),
}

impl Change {
    /// One statement, and so a transaction of its own.
    pub(in crate::store) async fn write<C: Dialect>(&self, connection: &mut C) -> Result<(), Fault> {
        let (statement, values): (_, Vec<Value>) = match self {
            Self::Beat(Beat { node, number, applied }) => (
                "INSERT INTO nodes (id, number, applied) VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET \
                 number = excluded.number, applied = excluded.applied WHERE excluded.number > nodes.number",
                vec![node.as_str().into(), (*number).into(), (*applied).into()],
            ),
            Self::Forget(node, number) => (
                "DELETE FROM nodes WHERE id = $1 AND number <= $2",
                vec![node.as_str().into(), (*number).into()],
            ),
        };
        connection.execute(statement.into_sql_str(), true, values).await?;
        Ok(())
    }
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
pub(in crate::store) async fn all<C: Dialect>(connection: &mut C) -> Result<Vec<Beat>, Fault> {
    let rows = asked(connection, "SELECT id, number, applied FROM nodes ORDER BY id", Vec::new()).await?;
    let beat = |row: &C::Row| {
        let node = NodeId::new(&row.text("id")?);
        Ok(Beat { node, number: row.number("number")?, applied: row.number("applied")? })
    };
    rows.iter().map(beat).collect()
}
