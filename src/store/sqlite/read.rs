//! Questions that are answered from rows by their keys: a whole organization, events, items, and what
//! deciding needs.

use std::collections::BTreeMap;
use std::ops::Range;

use rotunda_protocol::id::{ConversationId, OrganizationId};
use rotunda_protocol::item::Item;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, SqlitePool};

use super::decode::{self, Columns};
use super::fault::Fault;
use super::statements::json;
use crate::domain::event::{Event, Seq};
use crate::store::{Found, Image, Needs, Stored};

/// `SELECT` a conversation with its members and tags. Other tables and `WHERE` follow.
macro_rules! select_conversations {
    ($columns:literal, $rest:literal) => {
        concat!(
            "SELECT c.*, \
             (SELECT json_group_array(m.principal) FROM conversation_members m \
              WHERE m.organization = c.organization AND m.conversation = c.id) AS members, \
             (SELECT json_group_array(t.tag) FROM conversation_tags t \
              WHERE t.organization = c.organization AND t.conversation = c.id) AS tags",
            $columns,
            " FROM conversations c ",
            $rest
        )
    };
}
pub(super) use select_conversations;

/// Everything that an organization's room holds in memory, as of one moment.
pub(super) async fn image(
    readers: &SqlitePool,
    organization: &OrganizationId,
) -> Result<Option<Image>, Fault> {
    let mut snapshot = readers.begin().await?;
    let found = sqlx::query("SELECT * FROM organizations WHERE id = $1")
        .bind(organization.as_str())
        .fetch_optional(&mut *snapshot)
        .await?;
    let Some(found) = found else { return Ok(None) };
    let image = Image {
        epoch: found.number("epoch")?,
        cursor_key: decode::bytes("cursor_key", found.try_get("cursor_key")?)?,
        head: Seq(found.number("head")?),
        profile: decode::profile(&found)?,
        profile_changed: Seq(found.number("profile_changed")?),
        teammates: all(&mut snapshot, organization, TEAMMATES, decode::teammate).await?,
        teams: all(&mut snapshot, organization, TEAMS, decode::team).await?,
        endpoints: all(&mut snapshot, organization, ENDPOINTS, decode::endpoint).await?,
        tags: all(&mut snapshot, organization, TAGS, |row| row.text("name")).await?,
        conversations: all(&mut snapshot, organization, OPEN, decode::conversation).await?,
        marks: all(&mut snapshot, organization, OPEN_MARKS, |row| {
            Ok((row.parsed("conversation")?, row.parsed("teammate")?, decode::mark(row)?))
        })
        .await?,
    };
    Ok(Some(image))
}

const TEAMMATES: &str = "SELECT * FROM teammates WHERE organization = $1 ORDER BY id";
const TEAMS: &str = "SELECT *, (SELECT json_group_array(m.teammate) FROM team_members m \
                     WHERE m.organization = teams.organization AND m.team = teams.id) AS members \
                     FROM teams WHERE organization = $1 ORDER BY id";
const ENDPOINTS: &str = "SELECT *, (SELECT json_group_array(m.principal) FROM endpoint_members m \
                         WHERE m.organization = endpoints.organization AND m.endpoint = endpoints.id) \
                         AS members FROM endpoints WHERE organization = $1 ORDER BY id";
const TAGS: &str = "SELECT name FROM tags WHERE organization = $1 ORDER BY name";
const OPEN: &str = select_conversations!("", "WHERE c.organization = $1 AND c.state = 'open' ORDER BY c.id");
const OPEN_MARKS: &str = "SELECT m.* FROM conversations c \
                          JOIN marks m ON m.organization = c.organization AND m.conversation = c.id \
                          WHERE c.organization = $1 AND c.state = 'open' ORDER BY c.id, m.teammate";

/// All rows that a statement finds for an organization.
async fn all<T>(
    connection: &mut SqliteConnection,
    organization: &OrganizationId,
    statement: &'static str,
    decode: impl Fn(&SqliteRow) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let rows = sqlx::query(statement).bind(organization.as_str()).fetch_all(connection).await?;
    rows.iter().map(decode).collect()
}

pub(super) async fn events(
    readers: &SqlitePool,
    organization: &OrganizationId,
    after: Seq,
    limit: u32,
) -> Result<Vec<(Seq, Event)>, Fault> {
    let rows = sqlx::query(
        "SELECT seq, at, by, body FROM events WHERE organization = $1 AND seq > $2 ORDER BY seq LIMIT $3",
    )
    .bind(organization.as_str())
    .bind(after.0.cast_signed())
    .bind(limit)
    .fetch_all(readers)
    .await?;
    rows.iter().map(decode::event).collect()
}

pub(super) async fn items(
    readers: &SqlitePool,
    organization: &OrganizationId,
    conversation: &ConversationId,
    numbers: Range<u32>,
    limit: u32,
) -> Result<Vec<(Item, Seq)>, Fault> {
    let rows = sqlx::query(
        "SELECT * FROM items WHERE organization = $1 AND conversation = $2 AND number >= $3 AND number < $4 \
         ORDER BY number DESC LIMIT $5",
    )
    .bind(organization.as_str())
    .bind(conversation.as_str())
    .bind(numbers.start)
    .bind(numbers.end)
    .bind(limit)
    .fetch_all(readers)
    .await?;
    rows.iter().rev().map(decode::item).collect()
}

/// What deciding needs, as of one moment.
pub(super) async fn find(
    readers: &SqlitePool,
    organization: &OrganizationId,
    needs: Needs,
) -> Result<Found, Fault> {
    let mut snapshot = readers.begin().await?;
    let head: Option<i64> = sqlx::query_scalar("SELECT head FROM organizations WHERE id = $1")
        .bind(organization.as_str())
        .fetch_optional(&mut *snapshot)
        .await?;
    let head = Seq(head.unwrap_or_default().cast_unsigned());
    let mut found = Found { head, ..Found::default() };
    if !needs.refs.is_empty() {
        found.refs = each(&mut snapshot, organization, REFS, json(&needs.refs)?, decode::ref_record).await?;
    }
    let mut conversations = needs.conversations;
    if !needs.threads.is_empty() {
        let threads = json(&needs.threads)?;
        let ids = each(&mut snapshot, organization, THREADS, threads, |row| row.parsed("id")).await?;
        conversations.extend(ids);
    }
    if !conversations.is_empty() {
        found.conversations = stored(&mut snapshot, organization, json(&conversations)?).await?;
    }
    if !needs.contacts.is_empty() {
        let addresses = json(&needs.contacts)?;
        found.contacts = each(&mut snapshot, organization, CONTACTS, addresses, decode::contact).await?;
    }
    Ok(found)
}

const REFS: &str = "SELECT actor, ref, fingerprint, done FROM refs WHERE organization = $1 \
                    AND (actor, ref) IN (SELECT value ->> 0, value ->> 1 FROM json_each($2))";
const THREADS: &str = "SELECT id FROM conversations WHERE organization = $1 \
                       AND (endpoint, contact_address) IN (SELECT value ->> 0, value ->> 1 FROM json_each($2))";
const CONTACTS: &str = "SELECT id, name, address FROM contacts WHERE organization = $1 \
                        AND address IN (SELECT value FROM json_each($2))";
const BY_ID: &str = select_conversations!(
    "",
    "WHERE c.organization = $1 AND c.id IN (SELECT value FROM json_each($2)) ORDER BY c.id"
);
const MARKS: &str = "SELECT * FROM marks WHERE organization = $1 \
                     AND conversation IN (SELECT value FROM json_each($2)) ORDER BY conversation, teammate";

/// All rows that a statement finds for each of `keys`, a JSON array: however many, the statement is the same.
async fn each<T>(
    connection: &mut SqliteConnection,
    organization: &OrganizationId,
    statement: &'static str,
    keys: String,
    decode: impl Fn(&SqliteRow) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let rows = sqlx::query(statement).bind(organization.as_str()).bind(keys).fetch_all(connection).await?;
    rows.iter().map(decode).collect()
}

/// Conversations with everybody's marks.
async fn stored(
    connection: &mut SqliteConnection,
    organization: &OrganizationId,
    ids: String,
) -> Result<Vec<Stored>, Fault> {
    let conversations = each(connection, organization, BY_ID, ids.clone(), decode::conversation).await?;
    let marks = each(connection, organization, MARKS, ids, |row| {
        Ok((row.parsed::<ConversationId>("conversation")?, row.parsed("teammate")?, decode::mark(row)?))
    })
    .await?;
    let mut marks_of = BTreeMap::<_, Vec<_>>::new();
    for (conversation, teammate, mark) in marks {
        marks_of.entry(conversation).or_default().push((teammate, mark));
    }
    let stored = conversations.into_iter().map(|(conversation, changed)| {
        let marks = marks_of.remove(&conversation.id).unwrap_or_default();
        Stored { conversation, changed, marks }
    });
    Ok(stored.collect())
}
