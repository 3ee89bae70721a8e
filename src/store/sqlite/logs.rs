//! Writing what only grows: the heads of logs, events, and the results of commands by their `ref`.

use std::collections::BTreeMap;

use rotunda_protocol::id::OrganizationId;

use super::fault::Fault;
use super::statements::{Statements, json};
use crate::domain::event::Seq;
use crate::store::rows::Rows;

/// What a log is born with.
#[derive(Debug)]
pub(super) struct Birth {
    pub(super) epoch: u64,
    pub(super) cursor_key: [u8; 16],
}

impl Birth {
    /// Epochs take part in cursors with this many bits.
    const EPOCH_BITS: u32 = 48;

    /// Random.
    pub(super) fn random() -> Result<Self, Fault> {
        let mut bytes = [0; 24];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|error| Fault::Unavailable(std::sync::Arc::new(error)))?;
        let (cursor_key, epoch) = bytes.split_at(16);
        let epoch = epoch.iter().fold(0, |epoch, byte| epoch << 8 | u64::from(*byte));
        let epoch = epoch >> (u64::BITS - Self::EPOCH_BITS);
        let cursor_key = cursor_key.try_into().map_err(|error| Fault::unreadable("cursor_key", error))?;
        Ok(Self { epoch, cursor_key })
    }
}

impl Statements {
    /// Logs that begin, and the heads that logs have from now on. The caller has held the write lock since
    /// it read the old heads.
    pub(super) fn heads(
        &mut self,
        heads: &BTreeMap<&OrganizationId, Seq>,
        births: &BTreeMap<&OrganizationId, Birth>,
    ) {
        self.insert(
            "INSERT INTO organizations (id, head, epoch, cursor_key) ",
            births,
            "",
            |row, (organization, birth)| {
                row.push_bind(organization.as_str()).push_bind(0_i64);
                row.push_bind(birth.epoch.cast_signed()).push_bind(&birth.cursor_key[..]);
            },
        );
        self.update(
            "UPDATE organizations SET head = news.column2 FROM (",
            heads,
            ") AS news WHERE organizations.id = news.column1",
            |row, (organization, head)| {
                row.push_bind(organization.as_str()).push_bind(head.0.cast_signed());
            },
        );
    }

    pub(super) fn logs(&mut self, rows: &Rows) -> Result<(), Fault> {
        let mut bodies = Vec::with_capacity(rows.events.len());
        for (_, _, event) in &rows.events {
            bodies.push(json(&event.changes)?);
        }
        self.insert(
            "INSERT INTO events (organization, seq, at, by, body) ",
            rows.events.iter().zip(bodies),
            "",
            |row, ((organization, seq, event), body)| {
                row.push_bind(organization.as_str()).push_bind(seq.0.cast_signed());
                row.push_bind(event.at).push_bind(event.by.to_string()).push_bind(body);
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
                row.push_bind(organization.as_str()).push_bind(record.actor.to_string());
                row.push_bind(record.r#ref.as_str()).push_bind(&record.fingerprint[..]);
                row.push_bind(done).push_bind(*at);
            },
        );
        Ok(())
    }
}
