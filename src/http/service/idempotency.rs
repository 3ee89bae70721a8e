//! What makes a repeated request harmless: its key becomes the command's `ref`, and a `ref` happens once.

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::{HeaderMap, HeaderValue};
use data_encoding::BASE32_NOPAD;
use rotunda_protocol::frame::{REF_LENGTH_MAX, Ref};
use rotunda_protocol::id::OrganizationId;

use super::problem::Problem;

/// The header that carries the key.
pub(super) const HEADER: &str = "idempotency-key";

/// The key of a request that must have one.
pub(super) fn required(headers: &HeaderMap) -> Result<Ref, Problem> {
    given(headers)?.ok_or_else(|| {
        Problem::bad_request(
            "The Idempotency-Key header is missing",
            "Send the provider's own id of what is delivered as Idempotency-Key, so that a repeat is harmless.",
        )
    })
}

/// The key of a request, or one that follows from its content.
pub(super) fn given_or_derived(
    headers: &HeaderMap,
    organization: &OrganizationId,
    body: &[u8],
) -> Result<Ref, Problem> {
    Ok(given(headers)?.unwrap_or_else(|| derived(organization, body)))
}

/// A key as the header has it, bare or as the quoted string that the header's draft standard asks for.
fn given(headers: &HeaderMap) -> Result<Option<Ref>, Problem> {
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(unusable());
    }
    key(value).map(Some).ok_or_else(unusable)
}

fn key(value: &HeaderValue) -> Option<Ref> {
    let text = value.to_str().ok()?.trim();
    let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let usable = !bare.is_empty() && bare.len() <= REF_LENGTH_MAX && !bare.contains(['"', '\\']);
    usable.then(|| bare.into())
}

fn unusable() -> Problem {
    Problem::bad_request(
        "The Idempotency-Key header cannot be used",
        format!(
            "Send one key of 1 to {REF_LENGTH_MAX} visible ASCII characters without quotes or backslashes."
        ),
    )
}

fn derived(organization: &OrganizationId, body: &[u8]) -> Ref {
    // The zero byte is in no id: two pairs never run together into the same text.
    let content = [organization.as_str().as_bytes(), &[0], body].concat();
    format!("body:{}", BASE32_NOPAD.encode(digest(&SHA256, &content).as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (HEADER.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_key_is_read_bare_or_quoted() {
        for text in ["SM123", "\"SM123\"", " SM123 "] {
            assert_eq!(required(&with(&[text])).unwrap(), "SM123");
        }
    }

    #[test]
    fn a_key_that_cannot_be_a_ref_is_refused() {
        let long: &'static str = "x".repeat(REF_LENGTH_MAX + 1).leak();
        for text in ["", "\"\"", "a\"b", "\"a", long] {
            assert_eq!(required(&with(&[text])).unwrap_err().status, 400, "{text}");
        }
        assert_eq!(required(&with(&["a", "b"])).unwrap_err().status, 400, "two keys");
        assert_eq!(required(&with(&[])).unwrap_err().status, 400, "none");
    }

    #[test]
    fn without_a_key_the_content_is_the_key() {
        let (one, other) = ("one".parse().unwrap(), "other".parse().unwrap());
        let none = with(&[]);
        let key = |organization, body| given_or_derived(&none, organization, body).unwrap();
        assert_eq!(key(&one, b"{}"), key(&one, b"{}"));
        assert_ne!(key(&one, b"{}"), key(&other, b"{}"));
        assert_ne!(key(&one, b"{}"), key(&one, b"{ }"));
        assert!(key(&one, b"{}").len() <= REF_LENGTH_MAX);
        assert_eq!(given_or_derived(&with(&["mine"]), &one, b"{}").unwrap(), "mine");
    }
}
