//! Pages of the archive, and what changed in it.
//!
//! What a teammate may see of it is the archive of their endpoints and of the principals that they are: each
//! of them is one range of an index that is sorted by activity. A page merges the beginnings of the ranges,
//! so that it costs its own length times the number of ranges.

use std::collections::BTreeSet;

use rotunda_protocol::Millis;
use rotunda_protocol::conversation::Mark;
use rotunda_protocol::id::{OrganizationId, TeammateId};
use rotunda_protocol::principal::Principal;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection, SqlitePool};

use super::decode::{self, Columns};
use super::fault::Fault;
use super::read::select_conversations;
use super::statements::json;
use crate::domain::conversation::Conversation;
use crate::domain::event::Seq;
use crate::store::{ArchivedQuery, ChangedSince};

/// Ranges that one statement merges; SQLite allows 500.
const RANGES_MAX: usize = 100;

/// A row of a page, as far as it is sorted.
type Key = (Millis, String);

pub(super) async fn page(
    readers: &SqlitePool,
    organization: &OrganizationId,
    query: &ArchivedQuery,
) -> Result<Vec<(Conversation, Seq, Mark)>, Fault> {
    let mut snapshot = readers.begin().await?;
    let mut keys = BTreeSet::new();
    for ranges in ranges(query).chunks(RANGES_MAX) {
        keys.extend(merged(&mut snapshot, organization, query, ranges).await?);
    }
    let page: Vec<_> = keys.into_iter().rev().take(query.limit as usize).map(|(_, id)| id).collect();
    if page.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(select_conversations!(
        ", marks.read, marks.starred, marks.mark_rev",
        "LEFT JOIN marks ON marks.organization = c.organization AND marks.conversation = c.id \
         AND marks.teammate = $3 \
         WHERE c.organization = $1 AND c.id IN (SELECT value FROM json_each($2)) \
         ORDER BY c.activity_at DESC, c.id DESC"
    ))
    .bind(organization.as_str())
    .bind(json(&page)?)
    .bind(query.teammate.as_str())
    .fetch_all(&mut *snapshot)
    .await?;
    rows.iter().map(with_mark).collect()
}

/// A conversation with the mark that stands beside it.
fn with_mark(row: &SqliteRow) -> Result<(Conversation, Seq, Mark), Fault> {
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
async fn merged(
    connection: &mut SqliteConnection,
    organization: &OrganizationId,
    query: &ArchivedQuery,
    ranges: &[Range<'_>],
) -> Result<Vec<Key>, Fault> {
    let mut statement = QueryBuilder::<Sqlite>::new("");
    for (index, range) in ranges.iter().enumerate() {
        statement.push(if index == 0 { "SELECT * FROM (" } else { " UNION SELECT * FROM (" });
        push_range(&mut statement, organization, query, range);
        statement.push(")");
    }
    statement.push(" ORDER BY 1 DESC, 2 DESC LIMIT ").push_bind(query.limit);
    Ok(statement.build_query_as().persistent(false).fetch_all(connection).await?)
}

fn push_range(
    statement: &mut QueryBuilder<Sqlite>,
    organization: &OrganizationId,
    query: &ArchivedQuery,
    range: &Range<'_>,
) {
    let (activity, id) = match range {
        Range::Endpoint(endpoint) => {
            statement.push("SELECT activity_at, id FROM conversations WHERE state = 'archived'");
            statement.push(" AND endpoint = ").push_bind(*endpoint);
            ("activity_at", "id")
        }
        Range::Member(principal, only) => {
            statement.push(
                "SELECT archived_activity, conversation FROM conversation_members m \
                 WHERE archived_activity IS NOT NULL AND principal = ",
            );
            statement.push_bind(principal.to_string());
            if let Some(endpoint) = only {
                statement.push(
                    " AND EXISTS (SELECT 1 FROM conversations c WHERE c.organization = m.organization \
                     AND c.id = m.conversation AND c.endpoint = ",
                );
                statement.push_bind(*endpoint).push(")");
            }
            ("archived_activity", "conversation")
        }
    };
    statement.push(" AND organization = ").push_bind(organization.as_str());
    if let Some(after) = &query.after {
        statement.push(format_args!(" AND ({activity}, {id}) < ("));
        statement.push_bind(after.activity_at).push(", ").push_bind(after.conversation.as_str()).push(")");
    }
    statement.push(format_args!(" ORDER BY {activity} DESC, {id} DESC LIMIT ")).push_bind(query.limit);
}

/// What changed, as of one moment; none if there is more than `limit` of anything.
pub(super) async fn changed_since(
    readers: &SqlitePool,
    organization: &OrganizationId,
    teammate: &TeammateId,
    since: Seq,
    limit: u32,
) -> Result<Option<ChangedSince>, Fault> {
    let mut snapshot = readers.begin().await?;
    let mut changes = Changes { snapshot: &mut snapshot, organization, teammate, since, limit };
    let Some(archived) = changes.of(ARCHIVED_CHANGED, with_mark).await? else { return Ok(None) };
    let Some(departed) = changes.of(DEPARTED, |row| row.parsed("conversation")).await? else {
        return Ok(None);
    };
    let marked = |row: &SqliteRow| Ok((row.parsed("conversation")?, decode::mark(row)?));
    let Some(marked) = changes.of(MARKED, marked).await? else { return Ok(None) };
    Ok(Some(ChangedSince { archived, departed, marked }))
}

/// Whose changes are asked for.
struct Changes<'a> {
    snapshot: &'a mut SqliteConnection,
    organization: &'a OrganizationId,
    teammate: &'a TeammateId,
    since: Seq,
    limit: u32,
}

impl Changes<'_> {
    /// What a statement finds; none if that is too much.
    async fn of<T>(
        &mut self,
        statement: &'static str,
        decode: impl Fn(&SqliteRow) -> Result<T, Fault>,
    ) -> Result<Option<Vec<T>>, Fault> {
        let rows = sqlx::query(statement)
            .bind(self.organization.as_str())
            .bind(self.teammate.as_str())
            .bind(self.since.0.cast_signed())
            .bind(i64::from(self.limit) + 1)
            .fetch_all(&mut *self.snapshot)
            .await?;
        if rows.len() > self.limit as usize {
            return Ok(None);
        }
        rows.iter().map(decode).collect::<Result<_, _>>().map(Some)
    }
}

const ARCHIVED_CHANGED: &str = select_conversations!(
    ", marks.read, marks.starred, marks.mark_rev",
    "LEFT JOIN marks ON marks.organization = c.organization AND marks.conversation = c.id \
     AND marks.teammate = $2 \
     WHERE c.organization = $1 AND c.state = 'archived' AND c.changed > $3 ORDER BY c.changed, c.id LIMIT $4"
);
const DEPARTED: &str = "SELECT DISTINCT conversation FROM departures \
                        WHERE organization = $1 AND teammate = $2 AND seq > $3 LIMIT $4";
const MARKED: &str = "SELECT conversation, read, starred, mark_rev FROM marks \
                      WHERE organization = $1 AND teammate = $2 AND changed > $3 ORDER BY changed LIMIT $4";
