//! How a frame becomes bytes: JSON text or MessagePack maps, the same frames with the same meaning.

use std::fmt;

use serde::{Serialize, de::DeserializeOwned};

/// How deep a frame may be nested: as deep as `serde_json` lets JSON be, and far deeper than any frame is. What
/// reads them recurses, and the stack of a thread that serves connections ends before `rmp_serde`'s own limit.
const DEPTH_MAX: usize = 128;

/// One of the two encodings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Text messages with JSON.
    Json,
    /// Binary messages with MessagePack, structs as maps with their field names.
    MessagePack,
}

/// Bytes that are no such frame.
#[derive(Debug)]
pub struct Malformed(String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Malformed {}

impl Codec {
    /// Both, in the order in which the hub prefers them.
    pub const ALL: [Self; 2] = [Self::MessagePack, Self::Json];

    /// The WebSocket subprotocol that stands for it.
    pub fn subprotocol(self) -> &'static str {
        match self {
            Self::Json => "rotunda.v1.json",
            Self::MessagePack => "rotunda.v1.msgpack",
        }
    }

    /// The codec that a subprotocol stands for.
    pub fn from_subprotocol(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.subprotocol() == name)
    }

    /// A value as bytes.
    ///
    /// # Panics
    /// Never for the types of this crate: none has a map with keys that are no text.
    pub fn encode<T: Serialize>(self, value: &T) -> Vec<u8> {
        let bytes = match self {
            Self::Json => serde_json::to_vec(value).map_err(|e| e.to_string()),
            Self::MessagePack => rmp_serde::to_vec_named(value).map_err(|e| e.to_string()),
        };
        bytes.expect("protocol types can always be encoded")
    }

    /// The value that bytes stand for; there must be nothing behind it.
    pub fn decode<T: DeserializeOwned>(self, bytes: &[u8]) -> Result<T, Malformed> {
        match self {
            Self::Json => serde_json::from_slice(bytes).map_err(|e| Malformed(e.to_string())),
            Self::MessagePack => {
                let mut rest = bytes;
                let mut deserializer = rmp_serde::Deserializer::new(&mut rest);
                deserializer.set_max_depth(DEPTH_MAX);
                let value = T::deserialize(&mut deserializer).map_err(|e| Malformed(e.to_string()))?;
                if rest.is_empty() { Ok(value) } else { Err(Malformed("bytes behind the frame".into())) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::ClientFrame;

    #[test]
    fn what_is_nested_too_deep_is_malformed_in_both() {
        assert!(Codec::Json.decode::<ClientFrame>("[".repeat(60_000).as_bytes()).is_err());
        for start in [b"".as_slice(), b"\x81\xa7command", b"\x82\xa1t\xa4call\xa7command"] {
            let nested = [start, &vec![0x91; 60_000]].concat();
            assert!(Codec::MessagePack.decode::<ClientFrame>(&nested).is_err());
        }
    }
}
