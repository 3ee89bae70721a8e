//! Questions that are answered from rows by their keys: a whole organization, events, items, and what
//! deciding needs. The caller sees to it that a connection shows one moment.

use std::collections::BTreeMap;
use std::ops::Range;

use rotunda_protocol::id::{ConversationId, OrganizationId};
use rotunda_protocol::item::Item;
use sqlx::SqlSafeStr;

use super::decode;
use super::dialect::{Columns, Dialect, Value};
use super::fault::Fault;
use super::statements::json;
use crate::domain::event::{Event, Seq};
use crate::store::{Found, Image, Needs, Stored};

/// Everything that an organization's room holds in memory.
pub(in crate::store) async fn image<C: Dialect>(
    snapshot: &mut C,
    organization: &OrganizationId,
) -> Result<Option<Image>, Fault> {
    let Some(found) = row_of(snapshot, organization).await? else { return Ok(None) };
    let texts = C::TEXTS;
    let image = Image {
        epoch: found.number("epoch")?,
        cursor_key: found.bytes("cursor_key")?,
        head: Seq(found.number("head")?),
        profile: decode::profile(&found)?,
        profile_changed: Seq(found.number("profile_changed")?),
        teammates: all(snapshot, organization, texts.teammates, decode::teammate).await?,
        teams: all(snapshot, organization, texts.teams, decode::team).await?,
        endpoints: all(snapshot, organization, texts.endpoints, decode::endpoint).await?,
        tags: all(snapshot, organization, texts.tags, |row| row.string("name")).await?,
        conversations: all(snapshot, organization, texts.open, decode::conversation).await?,
        marks: all(snapshot, organization, texts.open_marks, |row| {
            Ok((row.parsed("conversation")?, row.parsed("teammate")?, decode::mark(row)?))
        })
        .await?,
    };
    Ok(Some(image))
}

/// An organization's own row.
async fn row_of<C: Dialect>(
    snapshot: &mut C,
    organization: &OrganizationId,
) -> Result<Option<C::Row>, Fault> {
    let found = asked(snapshot, C::TEXTS.organization, vec![organization.as_str().into()]).await?;
    Ok(found.into_iter().next())
}

/// Events after one, in order.
pub(in crate::store) async fn events<C: Dialect>(
    connection: &mut C,
    organization: &OrganizationId,
    after: Seq,
    limit: u32,
) -> Result<Vec<(Seq, Event)>, Fault> {
    let values = vec![organization.as_str().into(), after.0.into(), limit.into()];
    asked(connection, C::TEXTS.events, values).await?.iter().map(decode::event).collect()
}

/// The last items of a range, oldest first.
pub(in crate::store) async fn items<C: Dialect>(
    connection: &mut C,
    organization: &OrganizationId,
    conversation: &ConversationId,
    numbers: Range<u32>,
    limit: u32,
) -> Result<Vec<(Item, Seq)>, Fault> {
    let values = vec![
        organization.as_str().into(),
        conversation.as_str().into(),
        numbers.start.into(),
        numbers.end.into(),
        limit.into(),
    ];
    asked(connection, C::TEXTS.items, values).await?.iter().rev().map(decode::item).collect()
}

/// The number of the newest event; 0 without a log.
pub(super) async fn head<C: Dialect>(snapshot: &mut C, organization: &OrganizationId) -> Result<Seq, Fault> {
    let row = row_of(snapshot, organization).await?;
    Ok(Seq(row.map_or(Ok(0), |row| row.number("head"))?))
}

/// What deciding needs.
pub(in crate::store) async fn find<C: Dialect>(
    snapshot: &mut C,
    organization: &OrganizationId,
    needs: Needs,
) -> Result<Found, Fault> {
    let texts = C::TEXTS;
    let mut found = Found { head: head(snapshot, organization).await?, ..Found::default() };
    if !needs.refs.is_empty() {
        let refs = needs.refs.iter().map(|(actor, r#ref)| [actor.to_string(), r#ref.clone()]);
        let refs = pairs::<C>(refs)?;
        found.refs = each(snapshot, organization, texts.refs, refs, decode::ref_record).await?;
    }
    let mut conversations = needs.conversations;
    if !needs.threads.is_empty() {
        let threads = needs.threads.into_iter().map(|(endpoint, address)| [endpoint.to_string(), address]);
        let threads = pairs::<C>(threads)?;
        let ids = each(snapshot, organization, texts.threads, threads, |row| row.parsed("id")).await?;
        conversations.extend(ids);
    }
    if !conversations.is_empty() {
        found.conversations = stored(snapshot, organization, json(&conversations)?).await?;
    }
    if !needs.contacts.is_empty() {
        let addresses: Vec<_> = needs.contacts.into_iter().map(storable::<C>).collect();
        found.contacts =
            each(snapshot, organization, texts.contacts, json(&addresses)?, decode::contact).await?;
    }
    Ok(found)
}

/// Pairs of texts as a JSON array, as the database holds them.
fn pairs<C: Dialect>(pairs: impl Iterator<Item = [String; 2]>) -> Result<String, Fault> {
    json(&pairs.map(|pair| pair.map(storable::<C>)).collect::<Vec<_>>())
}

fn storable<C: Dialect>(text: String) -> String {
    C::storable(text.into()).into_owned()
}

/// Conversations with everybody's marks.
async fn stored<C: Dialect>(
    snapshot: &mut C,
    organization: &OrganizationId,
    ids: String,
) -> Result<Vec<Stored>, Fault> {
    let texts = C::TEXTS;
    let conversations = each(snapshot, organization, texts.by_id, ids.clone(), decode::conversation).await?;
    let marks = each(snapshot, organization, texts.marks, ids, |row| {
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

/// All rows that a statement finds for an organization.
async fn all<C: Dialect, T>(
    snapshot: &mut C,
    organization: &OrganizationId,
    statement: &'static str,
    decode: impl Fn(&C::Row) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    asked(snapshot, statement, vec![organization.as_str().into()]).await?.iter().map(decode).collect()
}

/// All rows that a statement finds for each of `keys`, a JSON array: however many, the statement is the same.
async fn each<C: Dialect, T>(
    snapshot: &mut C,
    organization: &OrganizationId,
    statement: &'static str,
    keys: String,
    decode: impl Fn(&C::Row) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let values = vec![organization.as_str().into(), Value::Json(keys)];
    asked(snapshot, statement, values).await?.iter().map(decode).collect()
}

/// All rows that one of the questions finds; they are asked again and again, so they stay prepared.
pub(super) async fn asked<C: Dialect>(
    connection: &mut C,
    statement: &'static str,
    values: Vec<Value<'_>>,
) -> Result<Vec<C::Row>, Fault> {
    connection.fetch(statement.into_sql_str(), true, values).await
}
