//! Reading a request: its path, its query, its body. What cannot be read becomes a problem that names the place.

use std::fmt::Display;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use rotunda_protocol::refusal::Refusal;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use tokio::time::timeout;

use super::problem::Problem;

/// The largest body of a request, in bytes: an organization of some thousand teammates and endpoints.
pub(super) const BODY_BYTES_MAX: usize = 1024 * 1024;

/// From a request's last header to the end of its body: half a body must not hold a descriptor, and Twilio's
/// webhooks are read before it is known whether Twilio sent them.
const BODY_TIME_MAX: Duration = Duration::from_secs(10);

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

/// A body of JSON, not read yet: what has a key of its content needs the bytes.
pub(super) struct Whole(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Whole {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        whole(request, state, JSON).await.map(Self)
    }
}

/// The fields of a form.
pub(super) struct Form(pub Vec<(String, String)>);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        whole(request, state, FORM).await.map(|bytes| Self(pairs(&bytes)))
    }
}

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// The whole body, unless it says that it is something else. One that does not say is tried.
async fn whole<S: Send + Sync>(
    request: Request,
    state: &S,
    expected: &'static str,
) -> Result<Bytes, Problem> {
    if request.headers().get(CONTENT_TYPE).is_some_and(|given| !is(given, expected)) {
        return Err(Problem::other_content_type(expected));
    }
    match timeout(BODY_TIME_MAX, Bytes::from_request(request, state)).await {
        Ok(read) => read.map_err(|rejection| unread(&rejection)),
        Err(_) => Err(Problem::too_slow()),
    }
}

/// A content type is the expected one, whatever its parameters.
fn is(given: &HeaderValue, expected: &str) -> bool {
    let given = given.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    given.trim().eq_ignore_ascii_case(expected)
}

/// The fields of a form or a query.
pub(super) fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).into_owned().collect()
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
    serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        Category::Data => {
            Refusal::Invalid { field: "body".into(), problem: format!("it does not fit: {error}") }.into()
        }
        Category::Io | Category::Syntax | Category::Eof => Problem::bad_request(
            format!("The body is no JSON: {error}"),
            "Send JSON as /openapi.json describes it.",
        ),
    })
}

/// A page's size that was asked for, if it may be asked for.
pub(super) fn page_of<N: Copy + PartialOrd + From<u8> + Display>(limit: N, max: N) -> Result<N, Problem> {
    if limit >= N::from(1) && limit <= max {
        return Ok(limit);
    }
    Err(Refusal::Invalid { field: "limit".into(), problem: format!("1 to {max}") }.into())
}

#[cfg(test)]
mod tests {
    use rotunda_protocol::command::Inbound;

    use super::*;

    #[test]
    fn a_body_that_cannot_be_read_says_where() {
        for (body, status, place) in [
            ("", 400, "line 1"),
            ("{", 400, "line 1"),
            (r#"{"to":"x"}"#, 422, "missing field `from`"),
            (r#"{"to":1}"#, 422, "column 7"),
        ] {
            let problem = json::<Inbound>(body.as_bytes()).unwrap_err();
            assert_eq!(problem.status, status);
            assert!(problem.title.contains(place), "{}", problem.title);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let began = tokio::time::Instant::now();
        let never =
            axum::body::Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
        let Err(problem) = Form::from_request(Request::new(never), &()).await else { panic!("read") };
        assert_eq!((problem.status, began.elapsed()), (408, BODY_TIME_MAX));
    }

    #[test]
    fn a_content_type_has_parameters_and_no_case() {
        for given in ["application/json", "Application/JSON; charset=utf-8", " application/json ;q"] {
            assert!(is(&HeaderValue::from_static(given), JSON), "{given}");
        }
        for given in ["", "text/plain", "application/jsonx", FORM] {
            assert!(!is(&HeaderValue::from_static(given), JSON), "{given}");
        }
    }

    #[test]
    fn a_page_has_a_size_within_its_limit() {
        assert_eq!((page_of(1, 200).unwrap(), page_of(200, 200).unwrap()), (1, 200));
        for limit in [0, 201] {
            assert_eq!(page_of(limit, 200).unwrap_err().title, "limit: 1 to 200");
        }
    }
}
