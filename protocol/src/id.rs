//! Ids: short text that either the back office chose or the hub made.
//!
//! An id is 1 to 64 characters of `A-Z a-z 0-9 . _ -`. Ids made by the hub have 24 characters and
//! sort by the time they were made; nothing else may be read from them.

use std::fmt;
use std::str::FromStr;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The longest id, in characters: room for any UUID or e-mail-like name, small enough for an index key.
pub const ID_LENGTH_MAX: usize = 64;

/// Text that is no id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidId;

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an id has 1 to {ID_LENGTH_MAX} characters of A-Z a-z 0-9 . _ -")
    }
}

impl std::error::Error for InvalidId {}

fn checked(text: CompactString) -> Result<CompactString, InvalidId> {
    let valid = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if text.is_empty() || text.len() > ID_LENGTH_MAX || !text.bytes().all(valid) {
        return Err(InvalidId);
    }
    Ok(text)
}

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(try_from = "CompactString", into = "CompactString")]
        #[schema(value_type = String, pattern = "^[A-Za-z0-9._-]{1,64}$")]
        pub struct $name(CompactString);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<CompactString> for $name {
            type Error = InvalidId;
            fn try_from(text: CompactString) -> Result<Self, InvalidId> {
                checked(text).map(Self)
            }
        }

        impl From<$name> for CompactString {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                checked(CompactString::new(text)).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

id! {
    /// A practice: everything that shares one log.
    OrganizationId;
    /// A person who works at an organization.
    TeammateId;
    /// A named group of teammates.
    TeamId;
    /// A phone number or secure link by which contacts reach the organization.
    EndpointId;
    /// Someone outside.
    ContactId;
    /// A thread.
    ConversationId;
    /// The hub's side of one socket.
    SessionId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_short_plain_text() {
        for good in ["ada", "front-desk", "cv_1.2", &"x".repeat(ID_LENGTH_MAX)] {
            assert_eq!(TeammateId::from_str(good).unwrap().as_str(), good);
        }
        for bad in ["", "a b", "a:b", "é", "a/b", &"x".repeat(ID_LENGTH_MAX + 1)] {
            assert_eq!(TeammateId::from_str(bad), Err(InvalidId));
            assert!(serde_json::from_value::<TeammateId>(bad.into()).is_err());
        }
    }
}
