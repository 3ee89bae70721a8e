//! Writing what only grows: events, and the results of commands by their `ref`.

use super::fault::Fault;
use super::statements::{Statements, json};
use crate::store::rows::Rows;

impl<'a> Statements<'a> {
    pub(super) fn logs(&mut self, rows: &'a Rows) -> Result<(), Fault> {
        let mut bodies = Vec::with_capacity(rows.events.len());
        for (_, _, event) in &rows.events {
            bodies.push(json(&event.changes)?);
        }
        self.insert(
            "INSERT INTO events (organization, seq, at, by, body) ",
            rows.events.iter().zip(bodies),
            "",
            |row, ((organization, seq, event), body)| {
                row.push(organization.as_str()).push(seq.0);
                row.push(event.at).push(event.by.to_string()).push(body);
            },
        );
        let mut results = Vec::with_capacity(rows.refs.len());
        for (_, record, _) in &rows.refs {
            results.push(json(&record.done)?);
        }
        self.insert(
            "INSERT INTO refs (organization, actor, ref, fingerprint, done, at) ",
            rows.refs.iter().zip(results),
            "",
            |row, ((organization, record, at), done)| {
                row.push(organization.as_str()).push(record.actor.to_string());
                row.push(record.r#ref.as_str()).push(&record.fingerprint[..]);
                row.push(done).push(*at);
            },
        );
        Ok(())
    }
}
