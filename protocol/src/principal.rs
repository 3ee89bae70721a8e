//! Who may be a member, who may hold a conversation, and who did something.
//!
//! On the wire each is one string: `organization`, `team:front-desk`, `teammate:ada`, `service:twilio`.
//! Contacts and services are no principals: the types leave no way to give them access (product 2.1).

use std::fmt;
use std::str::FromStr;

use compact_str::CompactString;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::id::{InvalidId, TeamId, TeammateId};

/// One entry of an access list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Principal {
    /// Every active teammate (R48).
    Organization,
    /// Every active teammate who is in the team now (R60).
    Team(TeamId),
    /// One teammate.
    Teammate(TeammateId),
}

/// Who holds a conversation: a teammate or a team, never both (R4).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Assignee {
    /// A team's mailbox.
    Team(TeamId),
    /// A teammate's mailbox.
    Teammate(TeammateId),
}

/// What a command assigns a conversation to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AssignTo {
    /// Back to the shared mailbox (R19).
    Nobody,
    /// Into this mailbox.
    Assignee(Assignee),
}

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actor {
    /// A teammate, by a session of theirs.
    Teammate(TeammateId),
    /// The back office or an automation, under its own name (R25).
    Service(String),
    /// Someone outside, as the back office delivered it.
    Contact,
}

/// Which mailbox a conversation is in: exactly one (R5).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mailbox {
    /// Open, assigned to nobody.
    Shared,
    /// Open, held by a team.
    Team(TeamId),
    /// Open, held by a teammate.
    Teammate(TeammateId),
    /// A conversation between teammates: in its members' team section, outside the mailboxes.
    Internal,
    /// Archived: in no mailbox (R10).
    None,
}

impl From<Assignee> for Principal {
    fn from(assignee: Assignee) -> Self {
        match assignee {
            Assignee::Team(id) => Self::Team(id),
            Assignee::Teammate(id) => Self::Teammate(id),
        }
    }
}

impl From<Assignee> for Mailbox {
    fn from(assignee: Assignee) -> Self {
        match assignee {
            Assignee::Team(id) => Self::Team(id),
            Assignee::Teammate(id) => Self::Teammate(id),
        }
    }
}

/// Text that names no such thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    expected: &'static str,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.expected)
    }
}

impl std::error::Error for Unreadable {}

fn id<T: FromStr<Err = InvalidId>>(text: &str, expected: &'static str) -> Result<T, Unreadable> {
    text.parse().map_err(|InvalidId| Unreadable { expected })
}

impl FromStr for Principal {
    type Err = Unreadable;
    fn from_str(text: &str) -> Result<Self, Unreadable> {
        const EXPECTED: &str = "`organization`, `team:ID` or `teammate:ID`";
        match text.split_once(':') {
            None if text == "organization" => Ok(Self::Organization),
            Some(("team", rest)) => id(rest, EXPECTED).map(Self::Team),
            Some(("teammate", rest)) => id(rest, EXPECTED).map(Self::Teammate),
            _ => Err(Unreadable { expected: EXPECTED }),
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Organization => f.write_str("organization"),
            Self::Team(id) => write!(f, "team:{id}"),
            Self::Teammate(id) => write!(f, "teammate:{id}"),
        }
    }
}

impl FromStr for Assignee {
    type Err = Unreadable;
    fn from_str(text: &str) -> Result<Self, Unreadable> {
        const EXPECTED: &str = "`team:ID` or `teammate:ID`";
        match text.split_once(':') {
            Some(("team", rest)) => id(rest, EXPECTED).map(Self::Team),
            Some(("teammate", rest)) => id(rest, EXPECTED).map(Self::Teammate),
            _ => Err(Unreadable { expected: EXPECTED }),
        }
    }
}

impl fmt::Display for Assignee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Team(id) => write!(f, "team:{id}"),
            Self::Teammate(id) => write!(f, "teammate:{id}"),
        }
    }
}

impl FromStr for AssignTo {
    type Err = Unreadable;
    fn from_str(text: &str) -> Result<Self, Unreadable> {
        if text == "nobody" {
            return Ok(Self::Nobody);
        }
        text.parse()
            .map(Self::Assignee)
            .map_err(|Unreadable { .. }| Unreadable { expected: "`nobody`, `team:ID` or `teammate:ID`" })
    }
}

impl fmt::Display for AssignTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => f.write_str("nobody"),
            Self::Assignee(assignee) => assignee.fmt(f),
        }
    }
}

impl FromStr for Actor {
    type Err = Unreadable;
    fn from_str(text: &str) -> Result<Self, Unreadable> {
        const EXPECTED: &str = "`teammate:ID`, `service:NAME` or `contact`";
        match text.split_once(':') {
            None if text == "contact" => Ok(Self::Contact),
            Some(("teammate", rest)) => id(rest, EXPECTED).map(Self::Teammate),
            Some(("service", rest)) => Ok(Self::Service(rest.into())),
            _ => Err(Unreadable { expected: EXPECTED }),
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Teammate(id) => write!(f, "teammate:{id}"),
            Self::Service(name) => write!(f, "service:{name}"),
            Self::Contact => f.write_str("contact"),
        }
    }
}

impl FromStr for Mailbox {
    type Err = Unreadable;
    fn from_str(text: &str) -> Result<Self, Unreadable> {
        const EXPECTED: &str = "`shared`, `team:ID`, `teammate:ID`, `internal` or `none`";
        match text.split_once(':') {
            None if text == "shared" => Ok(Self::Shared),
            None if text == "internal" => Ok(Self::Internal),
            None if text == "none" => Ok(Self::None),
            Some(("team", rest)) => id(rest, EXPECTED).map(Self::Team),
            Some(("teammate", rest)) => id(rest, EXPECTED).map(Self::Teammate),
            _ => Err(Unreadable { expected: EXPECTED }),
        }
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shared => f.write_str("shared"),
            Self::Team(id) => write!(f, "team:{id}"),
            Self::Teammate(id) => write!(f, "teammate:{id}"),
            Self::Internal => f.write_str("internal"),
            Self::None => f.write_str("none"),
        }
    }
}

macro_rules! as_text {
    ($($name:ident)*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                CompactString::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                String::schema()
            }
        }

        impl utoipa::ToSchema for $name {}
    )*};
}

as_text! { Principal Assignee AssignTo Actor Mailbox }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_one_string_and_reads_back() {
        fn both_ways<T: FromStr<Err = Unreadable> + fmt::Display>(texts: &[&str]) {
            for text in texts {
                assert_eq!(text.parse::<T>().map(|t| t.to_string()).as_deref(), Ok(*text));
            }
            for bad in ["", "team:", "teammate", "team:a b", "everyone", "contact:x"] {
                assert!(bad.parse::<T>().is_err(), "{bad}");
            }
        }
        both_ways::<Principal>(&["organization", "team:desk", "teammate:ada"]);
        both_ways::<Assignee>(&["team:desk", "teammate:ada"]);
        both_ways::<AssignTo>(&["nobody", "team:desk", "teammate:ada"]);
        both_ways::<Actor>(&["teammate:ada", "service:twilio", "contact"]);
        both_ways::<Mailbox>(&["shared", "team:desk", "teammate:ada", "internal", "none"]);
    }
}
