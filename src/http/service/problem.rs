//! What a caller hears when something is wrong: a problem object (RFC 9457) that says what to do about it.

use axum::Json;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use rotunda_protocol::refusal::Refusal;
use serde::Serialize;
use utoipa::ToSchema;

/// How long a caller should wait before trying again, in seconds: a database that was locked or restarted is back by then.
const RETRY_AFTER_SECONDS: u32 = 2;

/// What was wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// A word for programs: a refusal's code, or one of `bad_request`, `unauthorized`, `too_large` …
    #[schema(value_type = String)]
    pub code: &'static str,
    /// What was wrong, in short.
    pub title: String,
    /// What to do about it.
    pub detail: String,
    /// Whether sending the very same again can help.
    pub retry: bool,
    /// The hub's refusal, when there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Box<Refusal>>,
}

impl Problem {
    fn new(
        status: StatusCode,
        code: &'static str,
        title: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            status: status.as_u16(),
            code,
            title: title.into(),
            detail: detail.into(),
            retry: false,
            refusal: None,
        }
    }

    /// 400: the request cannot be read.
    pub fn bad_request(title: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", title, detail)
    }

    /// 401: nobody we know.
    pub fn unauthorized(title: &str, detail: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", title, detail)
    }

    /// 403: known or not, this is not for them.
    pub fn forbidden(title: &str, detail: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", title, detail)
    }

    /// 408: the body did not come in time.
    pub fn too_slow() -> Self {
        let title = "The body did not arrive in time";
        let mut problem =
            Self::new(StatusCode::REQUEST_TIMEOUT, "too_slow", title, "Send it again, all at once.");
        problem.retry = true;
        problem
    }

    /// 413: more than the limit.
    pub fn too_large(bytes_max: usize) -> Self {
        let title = format!("The body is larger than {bytes_max} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", title, "Send less in one request.")
    }

    /// 415: not what is read here.
    pub fn other_content_type(expected: &str) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "other_content_type",
            format!("The body is not {expected}"),
            format!("Send it as {expected}, with the header `Content-Type: {expected}`."),
        )
    }

    /// 501: switched off by the way the hub was started.
    pub fn not_configured(title: &str, detail: &str) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, "not_configured", title, detail)
    }

    /// 404: no such address.
    pub fn no_route() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "no_route",
            "There is nothing at this address",
            "See /openapi.json for every address and what it takes.",
        )
    }

    /// 404: no endpoint of the organization has this address.
    pub fn no_endpoint(address: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            format!("No endpoint of this organization has {address}"),
            "Create the endpoint, or point the number's webhooks at the organization that has it.",
        )
    }

    /// 405: the address is right, the method is not.
    pub fn no_method() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "no_method",
            "This address does not take this method",
            "See /openapi.json for every address and what it takes.",
        )
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let title = if let Refusal::Invalid { field, problem } = &refusal {
            format!("{field}: {problem}")
        } else {
            format!("Refused: {}", refusal.code().replace('_', " "))
        };
        let mut problem = Self::new(status(&refusal), refusal.code(), title, advice(&refusal));
        problem.retry = refusal.retry();
        problem.refusal = Some(Box::new(refusal));
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry = self.retry;
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if retry {
            headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// The HTTP status that comes closest to a refusal.
pub fn status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::NotFound => StatusCode::NOT_FOUND,
        Refusal::Forbidden | Refusal::FeatureDisabled => StatusCode::FORBIDDEN,
        Refusal::Invalid { .. } | Refusal::EndpointRequired | Refusal::RefReused => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        Refusal::AlreadyAssigned { .. }
        | Refusal::AssigneeNotMember
        | Refusal::ConversationArchived
        | Refusal::UnseenActivity { .. }
        | Refusal::Stale { .. }
        | Refusal::LastAdmin
        | Refusal::TransferRequired
        | Refusal::WouldOrphan
        | Refusal::DerivedAccess { .. }
        | Refusal::AlreadyExists => StatusCode::CONFLICT,
        Refusal::TooManyInFlight => StatusCode::TOO_MANY_REQUESTS,
        Refusal::AccessChanged | Refusal::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// What whoever reads a refusal should do about it.
pub fn advice(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::NotFound => {
            "Check the ids and addresses; what one may not see looks the same as what does not exist."
        }
        Refusal::Forbidden => "Have somebody do it who may: an admin, or the endpoint's owner.",
        Refusal::Invalid { .. } => "Correct the field and send it again.",
        Refusal::AlreadyAssigned { .. } => {
            "Leave it to its assignee, or reassign it on purpose with conversation.assign."
        }
        Refusal::AssigneeNotMember => {
            "Choose somebody who may see the conversation, or say `grant` if the policy allows it."
        }
        Refusal::ConversationArchived => {
            "Unarchive it in the same command: conversation.update with `archived: false`."
        }
        Refusal::UnseenActivity { .. } => {
            "Read what was missed, then send again with its newest number as `seen`."
        }
        Refusal::Stale { .. } => "Read the conversation again and decide anew.",
        Refusal::FeatureDisabled => "Switch it on with organization.set, or do without.",
        Refusal::LastAdmin => "Make somebody else an admin first.",
        Refusal::TransferRequired => "Say in `transfer_to` who gets the endpoints they own.",
        Refusal::WouldOrphan => "Leave somebody who may see it, or say `force`.",
        Refusal::DerivedAccess { .. } => {
            "Change the members of the endpoint or the team that the access comes from."
        }
        Refusal::EndpointRequired => "Name the endpoint: several could be used.",
        Refusal::AlreadyExists => "Use what exists, or choose another id or address.",
        Refusal::RefReused => {
            "Use a new key for new content; the same key repeats the very same request only."
        }
        Refusal::TooManyInFlight => "Wait for some answers, then send it again.",
        Refusal::AccessChanged => "Send it again.",
        Refusal::Unavailable => {
            "Send it again, with the same key, after Retry-After seconds: whatever it does, it does once."
        }
    }
}

#[cfg(test)]
mod tests {
    use rotunda_protocol::principal::{Actor, Assignee, Principal};

    use super::*;

    fn every_refusal() -> Vec<Refusal> {
        vec![
            Refusal::NotFound,
            Refusal::Forbidden,
            Refusal::invalid("to", "no such number"),
            Refusal::AlreadyAssigned {
                to: Assignee::Teammate("ada".parse().unwrap()),
                by: Actor::Contact,
                at: 0,
            },
            Refusal::AssigneeNotMember,
            Refusal::ConversationArchived,
            Refusal::UnseenActivity { missed: vec![] },
            Refusal::Stale { rev: 1 },
            Refusal::FeatureDisabled,
            Refusal::LastAdmin,
            Refusal::TransferRequired,
            Refusal::WouldOrphan,
            Refusal::DerivedAccess { from: Principal::Organization },
            Refusal::EndpointRequired,
            Refusal::AlreadyExists,
            Refusal::RefReused,
            Refusal::TooManyInFlight,
            Refusal::AccessChanged,
            Refusal::Unavailable,
        ]
    }

    #[test]
    fn every_refusal_has_a_client_error_or_a_wait() {
        for refusal in every_refusal() {
            let (retry, code) = (refusal.retry(), refusal.code());
            let response = Problem::from(refusal).into_response();
            assert!(response.status().is_client_error() || retry, "{code}: {}", response.status());
            assert_eq!(response.headers().contains_key(RETRY_AFTER), retry, "{code}");
            assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        }
    }

    #[test]
    fn a_few_statuses_are_promised() {
        assert_eq!(status(&Refusal::NotFound), 404);
        assert_eq!(status(&Refusal::Forbidden), 403);
        assert_eq!(status(&Refusal::Stale { rev: 2 }), 409);
        assert_eq!(status(&Refusal::invalid("a", "b")), 422);
        assert_eq!(status(&Refusal::TooManyInFlight), 429);
        assert_eq!(status(&Refusal::Unavailable), 503);
    }

    #[test]
    fn a_problem_names_the_field_and_keeps_the_refusal() {
        let problem = serde_json::to_value(Problem::from(Refusal::invalid("to", "no such number"))).unwrap();
        assert_eq!(problem["title"], "to: no such number");
        assert_eq!(problem["refusal"]["code"], "invalid");
        assert_eq!(problem["status"], 422);
    }

    #[test]
    fn who_is_not_known_is_told_how_to_say_who_they_are() {
        let response = Problem::unauthorized("a", "b").into_response();
        assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer");
    }
}
