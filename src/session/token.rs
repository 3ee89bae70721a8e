//! Session tokens: who one is, signed by the back office. The hub keeps no accounts and makes no tokens of its
//! own; it can sign one with a shared secret, for the command line and the demonstration.

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use rotunda_protocol::Millis;
use rotunda_protocol::id::{OrganizationId, TeammateId};
use serde::{Deserialize, Serialize};

/// How far the back office's clock may be behind or ahead, in milliseconds.
pub const LEEWAY_MS: Millis = 30_000;

/// The shortest secret, in bytes: as long as the hash that it keys.
const SECRET_BYTES_MIN: usize = 32;

/// Whose session it is, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The organization.
    pub organization: OrganizationId,
    /// The teammate, or whoever the token says it is: the hub looks whether there is one.
    pub teammate: TeammateId,
    /// When the session is over unless the token is renewed; the leeway for clocks is in it.
    pub ends_at: Millis,
}

impl Subject {
    /// Both are about the same teammate.
    pub(super) fn is_same_teammate(&self, other: &Self) -> bool {
        self.organization == other.organization && self.teammate == other.teammate
    }
}

/// Why a token is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It was good once: a new one will do.
    #[error("the token has expired")]
    Expired,
    /// Wrong key, algorithm, audience or shape. Not told apart to those who send it.
    #[error("the token cannot be accepted")]
    Rejected,
}

/// Why a key is none.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A secret that can be guessed.
    #[error("a token secret has at least {SECRET_BYTES_MIN} bytes")]
    SecretTooShort,
    /// Neither an Ed25519 nor an RSA public key.
    #[error("the file holds no Ed25519 or RSA public key in PEM format")]
    NotPublicKey(#[source] jsonwebtoken::errors::Error),
}

/// What tokens are checked against: one key, and the one algorithm that goes with it.
pub struct Tokens {
    key: DecodingKey,
    validation: Validation,
    signing: Option<EncodingKey>,
    audience: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: TeammateId,
    org: OrganizationId,
    /// Seconds since 1970-01-01 UTC.
    exp: i64,
    #[serde(default, skip_serializing_if = "Option::is_none", skip_deserializing)]
    aud: Option<String>,
}

impl Tokens {
    /// Tokens signed with a secret that both sides know (HS256).
    pub fn with_secret(secret: &str, audience: Option<String>) -> Result<Self, KeyError> {
        if secret.len() < SECRET_BYTES_MIN {
            return Err(KeyError::SecretTooShort);
        }
        let key = DecodingKey::from_secret(secret.as_bytes());
        let signing = Some(EncodingKey::from_secret(secret.as_bytes()));
        Ok(Self::new(Algorithm::HS256, key, signing, audience))
    }

    /// Tokens signed with the private half of a public key in PEM format: Ed25519 (`EdDSA`) or RSA (RS256).
    pub fn with_public_key(pem: &[u8], audience: Option<String>) -> Result<Self, KeyError> {
        if let Ok(key) = DecodingKey::from_ed_pem(pem) {
            return Ok(Self::new(Algorithm::EdDSA, key, None, audience));
        }
        let key = DecodingKey::from_rsa_pem(pem).map_err(KeyError::NotPublicKey)?;
        Ok(Self::new(Algorithm::RS256, key, None, audience))
    }

    fn new(
        algorithm: Algorithm,
        key: DecodingKey,
        signing: Option<EncodingKey>,
        audience: Option<String>,
    ) -> Self {
        let mut validation = Validation::new(algorithm);
        // Time is checked here, by the hub's clock.
        validation.validate_exp = false;
        validation.set_required_spec_claims(&["exp", "sub"]);
        match &audience {
            Some(audience) => {
                validation.set_audience(&[audience]);
                validation.required_spec_claims.insert("aud".into());
            }
            None => validation.validate_aud = false,
        }
        Self { key, validation, signing, audience }
    }

    /// Who a token says one is, if it is good at `now`.
    pub fn verify(&self, token: &str, now: Millis) -> Result<Subject, TokenError> {
        let claims = jsonwebtoken::decode::<Claims>(token, &self.key, &self.validation)
            .map_err(|error| {
                if !matches!(error.kind(), ErrorKind::InvalidSignature | ErrorKind::InvalidToken) {
                    tracing::debug!(%error, "token rejected");
                }
                TokenError::Rejected
            })?
            .claims;
        let ends_at = claims.exp.saturating_mul(1000).saturating_add(LEEWAY_MS);
        if ends_at <= now {
            return Err(TokenError::Expired);
        }
        Ok(Subject { organization: claims.org, teammate: claims.sub, ends_at })
    }

    /// A token that is good until `expires_at`, to the second; none if only a public key is known here.
    pub fn sign(
        &self,
        organization: &OrganizationId,
        teammate: &TeammateId,
        expires_at: Millis,
    ) -> Option<String> {
        let claims = Claims {
            sub: teammate.clone(),
            org: organization.clone(),
            exp: expires_at.div_euclid(1000),
            aud: self.audience.clone(),
        };
        let key = self.signing.as_ref()?;
        Some(jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, key).expect("a secret can sign"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const SECRET: &str = "a secret that is long enough for this";
    const NOW: Millis = 1_700_000_000_000;
    const SOON: i64 = NOW / 1000 + 60;
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAiYpum6O0BjjcA7dJx3Ku37AAp7f2IMUbd+RAwnc5tJE=
-----END PUBLIC KEY-----
";
    /// Made for this test.
    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJNTCOQIjyHnNqdL1Z3J+RsipgC1TOtaZzqPQRpDcbnJ
-----END PRIVATE KEY-----
";

    fn tokens() -> Tokens {
        Tokens::with_secret(SECRET, None).unwrap()
    }

    fn signed(claims: &Value, header: &Header, key: &EncodingKey) -> String {
        jsonwebtoken::encode(header, claims, key).unwrap()
    }

    fn by_secret(claims: &Value) -> String {
        signed(claims, &Header::default(), &EncodingKey::from_secret(SECRET.as_bytes()))
    }

    fn ada(exp: i64) -> Value {
        json!({ "sub": "ada", "org": "clinic", "exp": exp })
    }

    #[test]
    fn a_signed_token_says_who_and_until_when() {
        let token = tokens().sign(&"clinic".parse().unwrap(), &"ada".parse().unwrap(), NOW + 5_999).unwrap();
        let subject = tokens().verify(&token, NOW).unwrap();
        assert_eq!((subject.organization.as_str(), subject.teammate.as_str()), ("clinic", "ada"));
        assert_eq!(subject.ends_at, NOW + 5_000 + LEEWAY_MS);
    }

    #[test]
    fn a_token_expires_after_the_leeway() {
        let token = by_secret(&ada(NOW / 1000));
        assert!(tokens().verify(&token, NOW + LEEWAY_MS - 1).is_ok());
        assert_eq!(tokens().verify(&token, NOW + LEEWAY_MS), Err(TokenError::Expired));
    }

    #[test]
    fn a_foreign_key_or_a_changed_claim_is_rejected() {
        let foreign = EncodingKey::from_secret(b"some other secret that is long enough");
        let token = signed(&ada(SOON), &Header::default(), &foreign);
        assert_eq!(tokens().verify(&token, NOW), Err(TokenError::Rejected));
        // Whoever has no key learns nothing of expiry either.
        let token = signed(&ada(1), &Header::default(), &foreign);
        assert_eq!(tokens().verify(&token, NOW), Err(TokenError::Rejected));
        for bad in ["", "a.b", "a.b.c", "....", "é"] {
            assert_eq!(tokens().verify(bad, NOW), Err(TokenError::Rejected));
        }
    }

    #[test]
    fn missing_or_unusable_claims_are_rejected() {
        for claims in [
            json!({ "org": "clinic", "exp": SOON }),
            json!({ "sub": "ada", "exp": SOON }),
            json!({ "sub": "ada", "org": "clinic" }),
            json!({ "sub": "", "org": "clinic", "exp": SOON }),
            json!({ "sub": "ada", "org": "a b", "exp": SOON }),
            json!({ "sub": "ada", "org": "clinic", "exp": "tomorrow" }),
        ] {
            assert_eq!(tokens().verify(&by_secret(&claims), NOW), Err(TokenError::Rejected), "{claims}");
        }
    }

    #[test]
    fn the_audience_counts_only_if_one_is_configured() {
        let mut claims = ada(SOON);
        let configured = Tokens::with_secret(SECRET, Some("rotunda".into())).unwrap();
        assert_eq!(configured.verify(&by_secret(&claims), NOW), Err(TokenError::Rejected));
        claims["aud"] = json!(["billing", "rotunda"]);
        assert!(configured.verify(&by_secret(&claims), NOW).is_ok());
        assert!(tokens().verify(&by_secret(&claims), NOW).is_ok());
        claims["aud"] = json!("billing");
        assert_eq!(configured.verify(&by_secret(&claims), NOW), Err(TokenError::Rejected));
        let own = configured.sign(&"clinic".parse().unwrap(), &"ada".parse().unwrap(), NOW).unwrap();
        assert!(configured.verify(&own, NOW).is_ok());
    }

    #[test]
    fn the_algorithm_is_the_keys_own() {
        let encoded = |part: &Value| data_encoding::BASE64URL_NOPAD.encode(part.to_string().as_bytes());
        let none = format!("{}.{}.", encoded(&json!({ "alg": "none", "typ": "JWT" })), encoded(&ada(SOON)));
        assert_eq!(tokens().verify(&none, NOW), Err(TokenError::Rejected));
        let other = Header::new(Algorithm::HS512);
        let token = signed(&ada(SOON), &other, &EncodingKey::from_secret(SECRET.as_bytes()));
        assert_eq!(tokens().verify(&token, NOW), Err(TokenError::Rejected));

        let public = Tokens::with_public_key(PUBLIC.as_bytes(), None).unwrap();
        let by_private = EncodingKey::from_ed_pem(PRIVATE.as_bytes()).unwrap();
        let token = signed(&ada(SOON), &Header::new(Algorithm::EdDSA), &by_private);
        assert!(public.verify(&token, NOW).is_ok());
        assert_eq!(tokens().verify(&token, NOW), Err(TokenError::Rejected));
        assert!(public.sign(&"clinic".parse().unwrap(), &"ada".parse().unwrap(), NOW).is_none());
        // What is public must not serve as a secret.
        let forged = signed(&ada(SOON), &Header::default(), &EncodingKey::from_secret(PUBLIC.as_bytes()));
        assert_eq!(public.verify(&forged, NOW), Err(TokenError::Rejected));
    }

    #[test]
    fn a_weak_secret_or_no_key_is_refused() {
        assert!(matches!(Tokens::with_secret("short", None), Err(KeyError::SecretTooShort)));
        assert!(matches!(Tokens::with_public_key(b"no key", None), Err(KeyError::NotPublicKey(_))));
    }
}
