//! Delivering, commanding, asking: what happens to an organization's conversations.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use rotunda_protocol::ask::{Ask, HISTORY_LIMIT_MAX, Told};
use rotunda_protocol::command::{Command, Inbound, Outcome};
use rotunda_protocol::conversation::Conversation;
use rotunda_protocol::frame::{REF_LENGTH_MAX, Ref};
use rotunda_protocol::id::{ConversationId, OrganizationId, TeammateId};
use rotunda_protocol::item::Item;
use rotunda_protocol::refusal::Refusal;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Door;
use super::caller::Caller;
use super::extract::{Asked, At, Body, page_of};
use super::idempotency;
use super::problem::Problem;

/// Deliver something that came in from a contact.
///
/// The contact and the conversation begin with the first delivery. A repeat with the same key is answered
/// with the first result.
#[utoipa::path(
    post, path = "/v1/organizations/{organization}/inbound", tag = "conversations", security(("service" = [])),
    params(
        ("organization" = OrganizationId, Path, description = "Whose"),
        ("Idempotency-Key" = String, Header, description = "1 to 64 characters: the provider's id of what is delivered"),
    ),
    request_body = Inbound,
    responses(
        (status = 200, description = "It is durable, and on its way to everybody who may see it", body = Outcome),
        (status = "default", description = "It was not done", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn inbound(
    State(door): State<Door>,
    caller: Caller,
    At(organization): At<OrganizationId>,
    headers: HeaderMap,
    Body(inbound): Body<Inbound>,
) -> Result<Json<Outcome>, Problem> {
    let key = idempotency::required(&headers)?;
    Ok(Json(door.hub.call(&organization, caller.actor(), key, Command::Receive(inbound)).await?))
}

/// A command with its key.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Call {
    /// The service's name for it, 1 to 64 bytes. The same `ref` with the same command is done once.
    r#ref: Ref,
    /// What to do.
    command: Command,
}

/// Run any command as the service.
///
/// The event's author is the service itself; nobody can act as a teammate here.
#[utoipa::path(
    post, path = "/v1/organizations/{organization}/commands", tag = "conversations", security(("service" = [])),
    params(("organization" = OrganizationId, Path, description = "Where")),
    request_body = Call,
    responses(
        (status = 200, description = "It is durable", body = Outcome),
        (status = "default", description = "It was not done; `refusal` says why", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn command(
    State(door): State<Door>,
    caller: Caller,
    At(organization): At<OrganizationId>,
    Body(Call { r#ref, command }): Body<Call>,
) -> Result<Json<Outcome>, Problem> {
    if r#ref.is_empty() || r#ref.len() > REF_LENGTH_MAX {
        return Err(Refusal::invalid("ref", "has 1 to 64 bytes").into());
    }
    Ok(Json(door.hub.call(&organization, caller.actor(), r#ref, command).await?))
}

/// A question, and as whom it is asked.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Question {
    /// The teammate whose eyes are used: the answer has what they may see, and nothing else.
    r#as: TeammateId,
    /// What to tell.
    ask: Ask,
}

/// Read what a teammate may see, as they would be told in a session.
#[utoipa::path(
    post, path = "/v1/organizations/{organization}/asks", tag = "conversations", security(("service" = [])),
    params(("organization" = OrganizationId, Path, description = "Where")),
    request_body = Question,
    responses(
        (status = 200, description = "What the teammate is told", body = Told),
        (status = "default", description = "A problem", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn ask(
    State(door): State<Door>,
    _: Caller,
    At(organization): At<OrganizationId>,
    Body(Question { r#as, ask }): Body<Question>,
) -> Result<Json<Told>, Problem> {
    Ok(Json(door.hub.ask(&organization, &r#as, ask).await?))
}

/// A conversation's row, archived or not, whoever may see it.
#[utoipa::path(
    get, path = "/v1/organizations/{organization}/conversations/{conversation}", tag = "conversations", security(("service" = [])),
    params(
        ("organization" = OrganizationId, Path, description = "Whose"),
        ("conversation" = ConversationId, Path, description = "Which"),
    ),
    responses(
        (status = 200, description = "The row", body = Conversation),
        (status = "default", description = "A problem", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn conversation(
    State(door): State<Door>,
    _: Caller,
    At((organization, conversation)): At<(OrganizationId, ConversationId)>,
) -> Result<Json<Conversation>, Problem> {
    Ok(Json(door.hub.conversation(&organization, &conversation).await?))
}

/// Which items to read.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ItemsBefore {
    /// Items with a lower number than this; the newest when absent.
    before: Option<u32>,
    /// How many at most; 1 to 200.
    #[serde(default = "page")]
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: u16,
}

fn page() -> u16 {
    50
}

/// A page of a conversation's items.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Items {
    /// The items, oldest first.
    items: Vec<Item>,
    /// What to send as `before` for the page of older ones; none when this page has the first item.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u32>,
}

impl From<Vec<Item>> for Items {
    fn from(items: Vec<Item>) -> Self {
        let next = items.first().map(|oldest| oldest.number).filter(|number| *number > 1);
        Self { items, next }
    }
}

/// A conversation's items, newest page first, whoever may see them.
#[utoipa::path(
    get, path = "/v1/organizations/{organization}/conversations/{conversation}/items", tag = "conversations", security(("service" = [])),
    params(
        ("organization" = OrganizationId, Path, description = "Whose"),
        ("conversation" = ConversationId, Path, description = "Which"),
        ItemsBefore,
    ),
    responses(
        (status = 200, description = "A page of them", body = Items),
        (status = "default", description = "A problem", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn items(
    State(door): State<Door>,
    _: Caller,
    At((organization, conversation)): At<(OrganizationId, ConversationId)>,
    Asked(ItemsBefore { before, limit }): Asked<ItemsBefore>,
) -> Result<Json<Items>, Problem> {
    let limit = page_of(limit, HISTORY_LIMIT_MAX)?;
    Ok(Json(door.hub.items(&organization, &conversation, before, limit).await?.into()))
}

#[cfg(test)]
mod tests {
    use rotunda_protocol::item::Content;
    use rotunda_protocol::principal::Actor;

    use super::*;

    fn item(number: u32) -> Item {
        Item {
            conversation: "cv".parse().unwrap(),
            number,
            by: Actor::Contact,
            at: 0,
            content: Content::Note { body: String::new() },
        }
    }

    #[test]
    fn a_page_says_where_older_items_are() {
        assert_eq!(Items::from(vec![item(3), item(4)]).next, Some(3));
        assert_eq!(Items::from(vec![item(1), item(2)]).next, None);
        assert_eq!(Items::from(vec![]).next, None);
    }
}
