//! Pages of the archive, and what changed in it.
//!
//! What a teammate may see of it is the archive of their endpoints and of the principals that they are: each
//! of them is one range of an index that is sorted by activity. A page merges the beginnings of the ranges,
//! so that it costs its own length times the number of ranges.

use std::collections::BTreeSet;

use rotunda_protocol::Millis;
use rotunda_protocol::conversation::Mark;
use rotunda_protocol::id::{ConversationId, OrganizationId, TeammateId};
use rotunda_protocol::principal::Principal;
use sqlx::{AssertSqlSafe, SqlSafeStr};

use super::decode;
use super::dialect::{Columns, Dialect, Value};
use super::fault::Fault;
use super::read::{self, asked};
use super::statements::json;
use crate::domain::conversation::Conversation;
use crate::domain::event::Seq;
use crate::store::{ArchivedQuery, ChangedSince};

/// Ranges that one statement merges; SQLite allows 500.
const RANGES_MAX: usize = 100;

/// A row of a page, as far as it is sorted.
type Key = (Millis, ConversationId);

/// A page, as of the moment that a connection shows.
pub(in crate::store) async fn page<C: Dialect>(
    snapshot: &mut C,
    organization: &OrganizationId,
    query: &ArchivedQuery,
) -> Result<Vec<(Conversation, Seq, Mark)>, Fault> {
    let mut keys = BTreeSet::new();
    for ranges in ranges(query).chunks(RANGES_MAX) {
        keys.extend(merged(snapshot, organization, query, ranges).await?);
    }
    let page: Vec<_> = keys.into_iter().rev().take(query.limit as usize).map(|(_, id)| id).collect();
    if page.is_empty() {
        return Ok(Vec::new());
    }
    let values =
        vec![organization.as_str().into(), Value::Json(json(&page)?), query.teammate.as_str().into()];
    asked(snapshot, C::TEXTS.archived, values).await?.iter().map(with_mark).collect()
}

/// A conversation with the mark that stands beside it.
fn with_mark(row: &impl Columns) -> Result<(Conversation, Seq, Mark), Fault> {
    let (conversation, changed) = decode::conversation(row)?;
    Ok((conversation, changed, decode::mark(row)?))
}

/// A range of an index: archived conversations, newest activity first.
enum Range<'a> {
    /// Through an endpoint.
    Endpoint(&'a str),
    /// With a member, if need be only those through an endpoint.
    Member(&'a Principal, Option<&'a str>),
}

fn ranges(query: &ArchivedQuery) -> Vec<Range<'_>> {
    let members = query.members.iter();
    match &query.only_endpoint {
        None => {
            let endpoints = query.endpoints.iter().map(|endpoint| Range::Endpoint(endpoint.as_str()));
            endpoints.chain(members.map(|member| Range::Member(member, None))).collect()
        }
        Some(only) if query.endpoints.contains(only) => vec![Range::Endpoint(only.as_str())],
        // Those who were added to its conversations one by one: few, so looking at each is cheap.
        Some(only) => members.map(|member| Range::Member(member, Some(only.as_str()))).collect(),
    }
}

/// The first keys of these ranges together.
async fn merged<C: Dialect>(
    snapshot: &mut C,
    organization: &OrganizationId,
    query: &ArchivedQuery,
    ranges: &[Range<'_>],
) -> Result<Vec<Key>, Fault> {
    let mut asking = Asking::default();
    for (index, range) in ranges.iter().enumerate() {
        asking.push(if index == 0 { "SELECT * FROM (" } else { " UNION SELECT * FROM (" });
        asking.push_range::<C>(organization, query, range);
        asking.push(") AS r");
    }
    asking.push(" ORDER BY 1 DESC, 2 DESC LIMIT ").bind::<C>(query.limit);
    let rows = snapshot.fetch(AssertSqlSafe(asking.text).into_sql_str(), false, asking.values).await?;
    rows.iter().map(|row| Ok((row.millis("activity")?, row.parsed("id")?))).collect()
}

/// A statement while it is put together.
#[derive(Default)]
struct Asking<'a> {
    text: String,
    values: Vec<Value<'a>>,
}

impl<'a> Asking<'a> {
    fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    fn bind<C: Dialect>(&mut self, value: impl Into<Value<'a>>) -> &mut Self {
        self.values.push(value.into());
        self.text += &C::placeholder(self.values.len()).to_string();
        self
    }

    fn push_range<C: Dialect>(
        &mut self,
        organization: &'a OrganizationId,
        query: &'a ArchivedQuery,
        range: &Range<'a>,
    ) {
        let words = match range {
            Range::Endpoint(endpoint) => {
                self.push(C::TEXTS.archived_through.select).bind::<C>(*endpoint);
                &C::TEXTS.archived_through
            }
            Range::Member(principal, only) => {
                self.push(C::TEXTS.archived_with.select).bind::<C>(principal.to_string());
                if let Some(endpoint) = only {
                    self.push(
                        " AND EXISTS (SELECT 1 FROM conversations c WHERE c.organization = m.organization \
                         AND c.id = m.conversation AND c.endpoint = ",
                    );
                    self.bind::<C>(*endpoint).push(")");
                }
                &C::TEXTS.archived_with
            }
        };
        self.push(" AND organization = ").bind::<C>(organization.as_str());
        if let Some(after) = &query.after {
            self.push(&format!(" AND ({}, {}) < (", words.activity, words.id));
            self.bind::<C>(after.activity_at).push(", ").bind::<C>(after.conversation.as_str()).push(")");
        }
        self.push(&format!(" ORDER BY {} DESC, {} DESC LIMIT ", words.activity, words.id));
        self.bind::<C>(query.limit);
    }
}

/// What changed, as of one moment; none if there is more than `limit` of anything.
pub(in crate::store) async fn changed_since<C: Dialect>(
    snapshot: &mut C,
    organization: &OrganizationId,
    teammate: &TeammateId,
    since: Seq,
    limit: u32,
) -> Result<Option<ChangedSince>, Fault> {
    let head = read::head(snapshot, organization).await?;
    let mut changes = Changes { snapshot, organization, teammate, since, limit };
    let Some(archived) = changes.of(C::TEXTS.archived_changed, with_mark).await? else { return Ok(None) };
    let departed = changes.of(C::TEXTS.departed, |row| row.parsed("conversation")).await?;
    let Some(departed) = departed else { return Ok(None) };
    let marked =
        changes.of(C::TEXTS.marked, |row| Ok((row.parsed("conversation")?, decode::mark(row)?))).await?;
    let Some(marked) = marked else { return Ok(None) };
    Ok(Some(ChangedSince { head, archived, departed, marked }))
}

/// Whose changes are asked for.
struct Changes<'a, C> {
    snapshot: &'a mut C,
    organization: &'a OrganizationId,
    teammate: &'a TeammateId,
    since: Seq,
    limit: u32,
}

impl<C: Dialect> Changes<'_, C> {
    /// What a statement finds; none if that is too much.
    async fn of<T>(
        &mut self,
        statement: &'static str,
        decode: impl Fn(&C::Row) -> Result<T, Fault>,
    ) -> Result<Option<Vec<T>>, Fault> {
        let values = vec![
            self.organization.as_str().into(),
            self.teammate.as_str().into(),
            self.since.0.into(),
            Value::from(i64::from(self.limit) + 1),
        ];
        let rows = asked(self.snapshot, statement, values).await?;
        if rows.len() > self.limit as usize {
            return Ok(None);
        }
        rows.iter().map(decode).collect::<Result<_, _>>().map(Some)
    }
}
