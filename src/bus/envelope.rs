//! What nodes say to each other, as bytes: a version, who says it, then MessagePack with named fields. Two releases
//! may meet on the bus, so what a node cannot read it looks up in the log; it never guesses.

use bytes::Bytes;
use rotunda_protocol::id::OrganizationId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::domain::event::Seq;
use crate::domain::node::NodeId;
use crate::domain::presence::Report;

/// Raised when what is said means something else than before. Additions that others may ignore need no new one.
const VERSION: u8 = 1;
/// Events of a batch that are carried along, in bytes: with more, the log is the shorter way.
const EVENTS_BYTES_MAX: usize = 1 << 20;

/// What became durable together. `E` is an event, or a reference to one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct News<E> {
    /// Tells the log from others of the same organization's name: several databases may share a bus.
    pub epoch: u64,
    /// The number of the event before.
    pub after: Seq,
    /// The number of the last one.
    pub head: Seq,
    /// All of them; none if they are too large to be carried along.
    pub events: Vec<E>,
}

/// What a node says of its sessions in an organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// As in [`News`].
    pub epoch: u64,
    /// Higher than in anything that it said before.
    pub number: u64,
    /// Who is where.
    pub report: Report,
}

/// What one node tells another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "note", rename_all = "snake_case")]
pub enum Note {
    /// Say when you have applied this.
    Confirm {
        /// The number of the question.
        question: u64,
        /// Of which organization …
        organization: OrganizationId,
        /// … up to which event.
        seq: Seq,
    },
    /// It is so.
    Confirmed {
        /// The number of the question.
        question: u64,
        /// How many sessions lost something by it; none if the node does not have the organization in memory.
        sessions: Option<u32>,
    },
}

/// Bytes that are no message of this release.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Another release speaks another version.
    #[error("it is of version {0}, and this release speaks version {VERSION}")]
    Version(u8),
    /// Nothing that is known.
    #[error("{0}")]
    Content(#[from] rmp_serde::decode::Error),
    /// Not even who says it.
    #[error("it is cut short")]
    Cut,
    /// From something that is no node.
    #[error("its sender has no name: {0}")]
    Name(std::str::Utf8Error),
}

/// A batch that became durable; without its events if they are too large.
pub fn news<E: Serialize>(from: &NodeId, mut news: News<E>) -> Bytes {
    let bytes = encode(from, &news);
    if bytes.len() <= EVENTS_BYTES_MAX {
        return bytes;
    }
    news.events.clear();
    encode(from, &news)
}

/// A node's message as bytes.
pub fn encode<M: Serialize>(from: &NodeId, message: &M) -> Bytes {
    let from = from.as_str().as_bytes();
    let length = u8::try_from(from.len()).expect("a node's name is short");
    let mut bytes = vec![VERSION, length];
    bytes.extend_from_slice(from);
    let mut serializer = rmp_serde::Serializer::new(&mut bytes).with_struct_map();
    message.serialize(&mut serializer).expect("messages can always be encoded");
    bytes.into()
}

/// A node's message from its bytes, and whose it is.
pub fn decode<M: DeserializeOwned>(bytes: &[u8]) -> Result<(NodeId, M), Unreadable> {
    match bytes {
        [VERSION, length, rest @ ..] => {
            let (from, message) = rest.split_at_checked(usize::from(*length)).ok_or(Unreadable::Cut)?;
            let from = std::str::from_utf8(from).map_err(Unreadable::Name)?;
            Ok((NodeId::new(from), rmp_serde::from_slice(message)?))
        }
        [] | [VERSION] => Err(Unreadable::Cut),
        [other, ..] => Err(Unreadable::Version(*other)),
    }
}

/// Whether a message is this node's own. Nothing but its beginning is looked at.
pub fn is_from(node: &NodeId, bytes: &[u8]) -> bool {
    let name = node.as_str().as_bytes();
    match bytes {
        [VERSION, length, rest @ ..] => usize::from(*length) == name.len() && rest.starts_with(name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use rotunda_protocol::principal::Actor;
    use serde_json::json;

    use super::*;
    use crate::domain::event::{Change, Event};

    fn node() -> NodeId {
        NodeId::new("n1")
    }

    fn event(tag: &str) -> Event {
        Event { at: 7, by: Actor::Contact, changes: vec![Change::Tag { name: tag.into() }] }
    }

    #[test]
    fn news_read_back() {
        let events = [event("urgent"), event("new")];
        let told =
            news(&node(), News { epoch: 9, after: Seq(3), head: Seq(5), events: events.iter().collect() });
        let (from, heard): (_, News<Event>) = decode(&told).unwrap();
        assert_eq!(from, node());
        assert_eq!(heard, News { epoch: 9, after: Seq(3), head: Seq(5), events: events.into() });
        assert!(is_from(&node(), &told) && !is_from(&NodeId::new("n2"), &told) && !is_from(&node(), b"\x01"));
    }

    #[test]
    fn what_is_too_large_is_left_to_the_log() {
        let events = vec![event(&"x".repeat(EVENTS_BYTES_MAX))];
        let told = news(&node(), News { epoch: 9, after: Seq(3), head: Seq(4), events });
        let (_, heard): (_, News<Event>) = decode(&told).unwrap();
        assert_eq!(heard, News { epoch: 9, after: Seq(3), head: Seq(4), events: vec![] });
    }

    #[test]
    fn what_another_release_says_is_not_guessed_at() {
        let unknown = json!({
            "epoch": 9, "after": 3, "head": 4,
            "events": [{ "at": 7, "by": "contact", "changes": [{ "change": "moon_phase", "phase": 1 }] }],
        });
        let told = encode(&node(), &unknown);
        assert!(matches!(decode::<News<Event>>(&told), Err(Unreadable::Content(_))));
        let mut newer = told.to_vec();
        newer[0] = VERSION + 1;
        assert!(matches!(decode::<News<Event>>(&newer), Err(Unreadable::Version(_))));
        for cut in [&[][..], &[VERSION], &[VERSION, 3, b'n']] {
            assert!(matches!(decode::<News<Event>>(cut), Err(Unreadable::Cut)));
        }
        for garbage in [&[VERSION, 1, 0xff, 0][..], &[VERSION, 0, 0xc1], b"\x01hello", &[0xff; 40]] {
            assert!(decode::<News<Event>>(garbage).is_err());
        }
    }

    #[test]
    fn notes_read_back() {
        let confirm = Note::Confirm { question: 1, organization: "o".parse().unwrap(), seq: Seq(4) };
        for note in [confirm, Note::Confirmed { question: 1, sessions: Some(2) }] {
            assert_eq!(decode::<Note>(&encode(&node(), &note)).unwrap(), (node(), note));
        }
    }
}
