//! Whether a request was signed by Twilio: HMAC-SHA1, with the account's auth token, over the address that
//! Twilio called and all form fields.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::hmac;
use data_encoding::BASE64;
use rotunda_protocol::id::{InvalidId, OrganizationId};

/// A Twilio account's auth token, and which organization's webhooks it is good for.
#[derive(Clone)]
pub struct TwilioToken {
    /// Only this organization's; every one's when absent.
    organization: Option<OrganizationId>,
    key: hmac::Key,
}

impl fmt::Debug for TwilioToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.organization {
            Some(organization) => write!(f, "{organization}:…"),
            None => f.write_str("…"),
        }
    }
}

/// Text that is no auth token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a Twilio auth token is given as TOKEN, or as ORGANIZATION:TOKEN if it is one organization's own account"
)]
pub struct InvalidTwilioToken;

impl FromStr for TwilioToken {
    type Err = InvalidTwilioToken;

    fn from_str(text: &str) -> Result<Self, InvalidTwilioToken> {
        let (organization, token) = match text.split_once(':') {
            Some((organization, token)) => {
                (Some(organization.parse().map_err(|InvalidId| InvalidTwilioToken)?), token)
            }
            None => (None, text),
        };
        if token.is_empty() {
            return Err(InvalidTwilioToken);
        }
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.as_bytes());
        Ok(Self { organization, key })
    }
}

impl TwilioToken {
    /// May sign for this organization: one account cannot speak for another's.
    pub fn is_for(&self, organization: &OrganizationId) -> bool {
        self.organization.as_ref().is_none_or(|own| own == organization)
    }

    /// Twilio signed this with the token.
    pub fn has_signed(&self, signature: &str, url: &str, form: &[(String, String)]) -> bool {
        let Ok(tag) = BASE64.decode(signature.as_bytes()) else { return false };
        hmac::verify(&self.key, signed(url, form).as_bytes(), &tag).is_ok()
    }
}

/// What is signed: the address, then every field's name and value in order of the names, each pair once.
fn signed(url: &str, form: &[(String, String)]) -> String {
    let mut fields: Vec<_> = form.iter().collect();
    fields.sort_unstable();
    fields.dedup();
    fields.into_iter().fold(url.to_owned(), |text, (name, value)| text + name + value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";

    fn form(caller: &str) -> Vec<(String, String)> {
        [
            ("Digits", "1234"),
            ("To", "+18005551212"),
            ("CallSid", "CA1234567890ABCDE"),
            ("From", caller),
            ("Caller", caller),
        ]
        .map(|(name, value)| (name.into(), value.into()))
        .into()
    }

    #[test]
    fn the_examples_of_twilio_s_documents_hold() {
        let token: TwilioToken = "12345".parse().unwrap();
        for (caller, signature) in [
            ("+12349013030", "0/KCTR6DLpKmkAf8muzZqo1nDgQ="),
            ("+14158675310", "GvWf1cFY/Q7PnoempGyD5oXAezc="),
        ] {
            assert!(token.has_signed(signature, URL, &form(caller)), "{caller}");
        }
    }

    #[test]
    fn anything_else_does_not() {
        let (signature, right) = ("0/KCTR6DLpKmkAf8muzZqo1nDgQ=", form("+12349013030"));
        let token: TwilioToken = "12345".parse().unwrap();
        assert!(!"12346".parse::<TwilioToken>().unwrap().has_signed(signature, URL, &right), "other token");
        assert!(
            !token.has_signed(signature, "http://mycompany.com/myapp.php?foo=1&bar=2", &right),
            "other URL"
        );
        assert!(!token.has_signed(signature, URL, &form("+12349013031")), "other field");
        for other in ["", "=", "not base64", "0/KCTR6DLpKmkAf8muzZqo1nDg=="] {
            assert!(!token.has_signed(other, URL, &right), "{other}");
        }
    }

    #[test]
    fn a_token_may_be_one_organization_s_own() {
        let (practice, other) = ("practice".parse().unwrap(), "other".parse().unwrap());
        let own: TwilioToken = "practice:12345".parse().unwrap();
        assert!(own.is_for(&practice) && !own.is_for(&other));
        let shared: TwilioToken = "12345".parse().unwrap();
        assert!(shared.is_for(&practice) && shared.is_for(&other));
        assert_eq!(format!("{own:?} {shared:?}"), "practice:… …");
        for bad in ["", "practice:", "a b:12345"] {
            assert_eq!(bad.parse::<TwilioToken>().unwrap_err(), InvalidTwilioToken);
        }
    }
}
