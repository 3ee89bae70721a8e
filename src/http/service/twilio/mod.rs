//! Twilio's webhooks, as Twilio documents them: real phone numbers work on day one.
//!
//! Twilio is believed by its signature, not by a service token. What it has to be told again is answered with
//! an error status, which Twilio shows in its debugger and does not repeat for ever; what was delivered before
//! is answered as delivered.

mod callback;
pub(super) mod signature;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use rotunda_protocol::command::Command;
use rotunda_protocol::id::OrganizationId;
use rotunda_protocol::principal::Actor;
use rotunda_protocol::refusal::Refusal;
use tracing::{debug, warn};

use self::callback::{Delivery, Fields};
use super::Door;
use super::extract;
use super::extract::{At, Form};
use super::problem::{self, Problem};

/// An answer that asks nothing more of Twilio.
const NOTHING_TO_SAY: &str = r#"<?xml version="1.0" encoding="UTF-8"?><Response/>"#;

/// As whom Twilio delivers.
const SERVICE: &str = "twilio";

/// A message came in: the "A message comes in" webhook of a number.
///
/// A number that no endpoint has is answered 404: Twilio's debugger shows it (error 11200), and the hub's log too.
#[utoipa::path(
    post, path = "/v1/organizations/{organization}/twilio/sms", tag = "twilio", security(("twilio" = [])),
    params(("organization" = OrganizationId, Path, description = "Whose number")),
    request_body(content = Object, content_type = "application/x-www-form-urlencoded", description = "MessageSid, From, To, Body, NumMedia, MediaUrl0 …"),
    responses(
        (status = 200, description = "It is durable", body = String, content_type = "text/xml"),
        (status = "default", description = "It was not delivered", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn sms(
    State(door): State<Door>,
    At(organization): At<OrganizationId>,
    uri: Uri,
    headers: HeaderMap,
    Form(form): Form,
) -> Result<Response, Problem> {
    let webhook = Webhook::verified(&door, &organization, &uri, &headers, form)?;
    door.deliver(&organization, callback::sms(&webhook.fields())?).await
}

/// A call has changed: the status callback of a number. Only the end of a call becomes an item, whoever rang.
#[utoipa::path(
    post, path = "/v1/organizations/{organization}/twilio/voice", tag = "twilio", security(("twilio" = [])),
    params(("organization" = OrganizationId, Path, description = "Whose number")),
    request_body(content = Object, content_type = "application/x-www-form-urlencoded", description = "CallSid, From, To, CallStatus, CallDuration, Direction"),
    responses(
        (status = 200, description = "It is durable, or there was nothing to deliver yet", body = String, content_type = "text/xml"),
        (status = "default", description = "It was not delivered", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn voice(
    State(door): State<Door>,
    At(organization): At<OrganizationId>,
    uri: Uri,
    headers: HeaderMap,
    Form(form): Form,
) -> Result<Response, Problem> {
    let webhook = Webhook::verified(&door, &organization, &uri, &headers, form)?;
    match callback::voice(&webhook.fields())? {
        Some(delivery) => door.deliver(&organization, delivery).await,
        None => Ok(nothing_to_say()),
    }
}

/// A voicemail was recorded: the recording status callback, the `action` or the transcription callback of `<Record>`.
///
/// Twilio leaves `From` and `To` out of the first: add them to the callback's address as `?From=…&To=…`.
/// Of several callbacks about one recording, the first that arrives is kept.
#[utoipa::path(
    post, path = "/v1/organizations/{organization}/twilio/recording", tag = "twilio", security(("twilio" = [])),
    params(
        ("organization" = OrganizationId, Path, description = "Whose number"),
        ("From" = Option<String>, Query, description = "Who called, if the form does not say"),
        ("To" = Option<String>, Query, description = "Which number they called, if the form does not say"),
    ),
    request_body(content = Object, content_type = "application/x-www-form-urlencoded", description = "RecordingSid, RecordingUrl, RecordingDuration, RecordingStatus, TranscriptionText"),
    responses(
        (status = 200, description = "It is durable, or there was nothing to deliver yet", body = String, content_type = "text/xml"),
        (status = "default", description = "It was not delivered", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn recording(
    State(door): State<Door>,
    At(organization): At<OrganizationId>,
    uri: Uri,
    headers: HeaderMap,
    Form(form): Form,
) -> Result<Response, Problem> {
    let webhook = Webhook::verified(&door, &organization, &uri, &headers, form)?;
    match callback::recording(&webhook.fields())? {
        Some(delivery) => door.deliver(&organization, delivery).await,
        None => Ok(nothing_to_say()),
    }
}

/// A webhook that Twilio signed.
struct Webhook {
    form: Vec<(String, String)>,
    query: Vec<(String, String)>,
}

impl Webhook {
    fn verified(
        door: &Door,
        organization: &OrganizationId,
        uri: &Uri,
        headers: &HeaderMap,
        form: Vec<(String, String)>,
    ) -> Result<Self, Problem> {
        let tokens: Vec<_> = door.settings.twilio.iter().filter(|token| token.is_for(organization)).collect();
        let public = door.settings.public_url.as_ref().filter(|_| !tokens.is_empty()).ok_or_else(|| {
            Problem::not_configured(
                "Twilio's webhooks are switched off for this organization",
                "Start the hub with --twilio-auth-token and --public-url.",
            )
        })?;
        let signature = headers.get("x-twilio-signature").and_then(|value| value.to_str().ok()).unwrap_or("");
        let url = public.of(uri);
        if !tokens.iter().any(|token| token.has_signed(signature, &url, &form)) {
            warn!(%organization, public_url = %public, "a webhook without a valid Twilio signature was refused");
            return Err(Problem::forbidden(
                "Twilio did not sign this, or not for this address",
                "Compare --twilio-auth-token with the account's, and --public-url with the address in Twilio's console.",
            ));
        }
        Ok(Self { form, query: extract::pairs(uri.query().unwrap_or_default().as_bytes()) })
    }

    fn fields(&self) -> Fields<'_> {
        Fields { form: &self.form, query: &self.query }
    }
}

impl Door {
    async fn deliver(&self, organization: &OrganizationId, delivery: Delivery) -> Result<Response, Problem> {
        let Delivery { key, inbound } = delivery;
        let (actor, to) = (Actor::Service(SERVICE.into()), inbound.to.clone());
        match self.hub.call(organization, actor, key.clone(), Command::Receive(inbound)).await {
            Ok(_) => Ok(nothing_to_say()),
            Err(Refusal::RefReused) => {
                debug!(%organization, key, "delivered before, with other content: the first is kept");
                Ok(nothing_to_say())
            }
            Err(Refusal::NotFound) => {
                warn!(%organization, key, to, "Twilio delivered to a number that no endpoint has");
                Err(Problem::no_endpoint(&to))
            }
            Err(refusal) => {
                warn!(%organization, key, code = refusal.code(), "Twilio's delivery was refused: {}", problem::advice(&refusal));
                Err(refusal.into())
            }
        }
    }
}

fn nothing_to_say() -> Response {
    ([(CONTENT_TYPE, "text/xml; charset=utf-8")], NOTHING_TO_SAY).into_response()
}
