//! What one transaction writes: the batches of many organizations that fit onto their logs.

use std::collections::{BTreeMap, BTreeSet};

use rotunda_protocol::Millis;
use rotunda_protocol::id::OrganizationId;
use rusqlite::Connection;

use super::writer::Waiting;
use crate::domain::event::Seq;
use crate::store::rows::Rows;
use crate::store::sql::birth::Birth;
use crate::store::sql::fault::Fault;
use crate::store::sql::nodes;
use crate::store::sql::statements::Statements;
use crate::store::{Appended, Batch};

/// What a transaction is going to write.
#[derive(Debug, Default)]
pub(super) struct Commit<'a> {
    heads: BTreeMap<&'a OrganizationId, Seq>,
    births: BTreeMap<&'a OrganizationId, Birth>,
    pub(super) rows: Rows<'a>,
}

impl<'a> Commit<'a> {
    /// Takes a batch in, unless its log has gone on. `heads` are the heads after all that was admitted.
    pub(super) fn admit(
        &mut self,
        batch: &'a Batch,
        heads: &mut BTreeMap<OrganizationId, Seq>,
        now: Millis,
    ) -> Result<Appended, Fault> {
        let organization = &batch.organization;
        let head = heads.get(organization).copied();
        if head.unwrap_or_default() != batch.expected {
            return Ok(Appended::Conflict);
        }
        let new = batch.head();
        if new != batch.expected {
            if head.is_none() {
                self.births.insert(organization, Birth::random()?);
            }
            self.heads.insert(organization, new);
            heads.insert(organization.clone(), new);
        }
        self.rows.add(batch, now);
        Ok(Appended::Committed(new))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.heads.is_empty() && self.rows.refs.is_empty()
    }

    pub(super) fn statements(&self) -> Result<Statements<'_>, Fault> {
        let mut statements = Statements::default();
        self.heads(&mut statements);
        statements.rows(&self.rows)?;
        Ok(statements)
    }

    /// Logs that begin, and the heads that logs have from now on. The writer has held its lock since it read
    /// the old heads.
    fn heads<'s>(&'s self, statements: &mut Statements<'s>) {
        statements.insert(
            "INSERT INTO organizations (id, head, epoch, cursor_key) ",
            &self.births,
            "",
            |row, (organization, birth)| {
                row.push(organization.as_str()).push(0_i64);
                row.push(birth.epoch).push(&birth.cursor_key[..]);
            },
        );
        statements.update(
            "UPDATE organizations SET head = news.column2 FROM (",
            &self.heads,
            ") AS news WHERE organizations.id = news.column1",
            |row, (organization, head)| {
                row.push(organization.as_str()).push(head.0);
            },
        );
    }
}

/// The heads of the logs that a group appends to. Under the lock that `BEGIN IMMEDIATE` took, so that nobody
/// else appends between this and the commit, be it another process.
pub(super) async fn read_heads(
    connection: &mut Connection,
    group: &[Waiting],
) -> Result<BTreeMap<OrganizationId, Seq>, Fault> {
    let organizations: BTreeSet<_> = group.iter().map(|waiting| &waiting.batch.organization).collect();
    Ok(nodes::heads(connection, &organizations).await?.into_iter().collect())
}
