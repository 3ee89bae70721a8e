//! Setting up an organization and looking at it whole.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use rotunda_protocol::command::{Command, NewOrganization, Outcome};
use rotunda_protocol::id::OrganizationId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Door;
use super::caller::Caller;
use super::extract::{Asked, At, Whole, json, page_of};
use super::idempotency;
use super::problem::Problem;
use crate::domain::event::{Event, Seq};
use crate::hub::back_office::Directory;

/// The most events of one page.
const EVENTS_MAX: u32 = 1000;

/// Set up an organization with its teammates, teams and endpoints.
///
/// A repeat with the same key, or without a key and with the same body, is answered with the first result.
#[utoipa::path(
    put, path = "/v1/organizations/{organization}", tag = "organization", security(("service" = [])),
    params(
        ("organization" = OrganizationId, Path, description = "Its id from now on"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 64 characters; follows from the body when absent"),
    ),
    request_body = NewOrganization,
    responses(
        (status = 200, description = "It is set up", body = Outcome),
        (status = "default", description = "It is not", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn provision(
    State(door): State<Door>,
    caller: Caller,
    At(organization): At<OrganizationId>,
    headers: HeaderMap,
    Whole(body): Whole,
) -> Result<Json<Outcome>, Problem> {
    let new: NewOrganization = json(&body)?;
    let key = idempotency::given_or_derived(&headers, &organization, &body)?;
    Ok(Json(door.hub.call(&organization, caller.actor(), key, Command::Provision(new)).await?))
}

/// What an organization consists of besides its conversations.
#[utoipa::path(
    get, path = "/v1/organizations/{organization}", tag = "organization", security(("service" = [])),
    params(("organization" = OrganizationId, Path, description = "Which")),
    responses(
        (status = 200, description = "Itself, its teammates with their roles, its teams, its endpoints", body = Directory),
        (status = "default", description = "A problem", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn directory(
    State(door): State<Door>,
    _: Caller,
    At(organization): At<OrganizationId>,
) -> Result<Json<Directory>, Problem> {
    Ok(Json(door.hub.directory(&organization).await?))
}

/// Which events to read.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsAfter {
    /// Events with a number above this; 0 begins with the first.
    #[serde(default)]
    after: u64,
    /// How many at most; 1 to 1000.
    #[serde(default = "page")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: u32,
}

fn page() -> u32 {
    100
}

/// An entry of the log.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Logged {
    /// Its number, from 1, without gaps.
    #[schema(value_type = u64)]
    seq: Seq,
    /// When, by whom, and what is different from then on.
    #[schema(value_type = Object)]
    event: Event,
}

/// A page of the log.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Events {
    /// The events, in order; none when there are no newer ones yet.
    events: Vec<Logged>,
    /// What to send as `after` for the next page.
    next: u64,
}

impl Events {
    fn after(after: u64, events: Vec<(Seq, Event)>) -> Self {
        let next = events.last().map_or(after, |(Seq(seq), _)| *seq);
        Self { events: events.into_iter().map(|(seq, event)| Logged { seq, event }).collect(), next }
    }
}

/// The organization's log as it is stored, for exports and audits.
#[utoipa::path(
    get, path = "/v1/organizations/{organization}/events", tag = "organization", security(("service" = [])),
    params(("organization" = OrganizationId, Path, description = "Which"), EventsAfter),
    responses(
        (status = 200, description = "A page of it", body = Events),
        (status = "default", description = "A problem", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn events(
    State(door): State<Door>,
    _: Caller,
    At(organization): At<OrganizationId>,
    Asked(EventsAfter { after, limit }): Asked<EventsAfter>,
) -> Result<Json<Events>, Problem> {
    let events = door.hub.events(&organization, Seq(after), page_of(limit, EVENTS_MAX)?).await?;
    Ok(Json(Events::after(after, events)))
}

#[cfg(test)]
mod tests {
    use rotunda_protocol::principal::Actor;

    use super::*;

    #[test]
    fn a_page_says_where_the_next_one_begins() {
        let event = Event { at: 1, by: Actor::Contact, changes: vec![] };
        let page = Events::after(6, vec![(Seq(7), event.clone()), (Seq(8), event)]);
        assert_eq!((page.events.len(), page.next), (2, 8));
        assert_eq!(Events::after(8, vec![]).next, 8);
    }
}
