//! Session ids: 24 characters that sort by the time they were made.

use data_encoding::BASE32_DNSSEC;
use rotunda_protocol::Millis;
use rotunda_protocol::id::SessionId;

/// A new id: 48 bits of time, in milliseconds, and 72 random ones.
pub(super) fn mint(now: Millis) -> SessionId {
    let mut bytes = [0; 15];
    bytes[..6].copy_from_slice(&now.to_be_bytes()[2..]);
    aws_lc_rs::rand::fill(&mut bytes[6..]).expect("the system has randomness");
    BASE32_DNSSEC.encode(&bytes).parse().expect("base32 is plain text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_differ() {
        let (earlier, later) = (mint(1_700_000_000_000), mint(1_700_000_000_001));
        assert!(earlier < later);
        assert_eq!(earlier.as_str().len(), 24);
        assert_ne!(mint(1), mint(1));
    }
}
