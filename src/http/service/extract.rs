//! Reading a request: its path, its query, its body. What cannot be read becomes a problem that names the place.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// The largest body of a request, in bytes: an organization of some thousand teammates and endpoints.
pub(super) const BODY_BYTES_MAX: usize = 1024 * 1024;

/// The ids in a path.
pub(super) struct At<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(ids) = Path::from_request_parts(parts, state).await.map_err(|rejection| {
            Problem::bad_request(rejection.body_text(), "Correct the address; see /openapi.json.")
        })?;
        Ok(Self(ids))
    }
}

/// The fields of a query.
pub(super) struct Asked<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(fields) = Query::from_request_parts(parts, state).await.map_err(|rejection| {
            Problem::bad_request(rejection.body_text(), "Correct what follows the `?`; see /openapi.json.")
        })?;
        Ok(Self(fields))
    }
}

/// A body, whole. Its content type is not asked: what reads it says what it expected.
pub(super) struct Whole(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Whole {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        Bytes::from_request(request, state).await.map(Self).map_err(|rejection| unread(&rejection))
    }
}

fn unread(rejection: &BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::too_large(BODY_BYTES_MAX);
    }
    Problem::bad_request("The body did not arrive whole", "Send it again.")
}

/// A JSON body.
pub(super) struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let Whole(bytes) = Whole::from_request(request, state).await?;
        json(&bytes).map(Self)
    }
}

/// The value that a JSON body stands for.
pub(super) fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| {
        Problem::bad_request(
            format!("The body cannot be read: {error}"),
            "Send JSON as /openapi.json describes it.",
        )
    })
}

#[cfg(test)]
mod tests {
    use rotunda_protocol::command::Inbound;

    use super::*;

    #[test]
    fn a_body_that_cannot_be_read_says_where() {
        for (body, place) in [("", "line 1"), ("{", "line 1"), (r#"{"to":"x"}"#, "missing field `from`")] {
            let problem = json::<Inbound>(body.as_bytes()).unwrap_err();
            assert_eq!(problem.status, 400);
            assert!(problem.title.contains(place), "{}", problem.title);
        }
    }
}
