//! New ids: 24 characters that sort by the time they were made and cannot be guessed.

use aws_lc_rs::rand;
use data_encoding::BASE32_DNSSEC;
use rotunda_protocol::Millis;

/// 6 bytes of time, 9 of randomness: 24 characters exactly.
const ID_BYTES: usize = 15;
const TIME_BYTES: usize = 6;

/// A new id.
pub fn mint(now: Millis) -> String {
    let mut bytes = [0; ID_BYTES];
    bytes[..TIME_BYTES].copy_from_slice(&now.to_be_bytes()[8 - TIME_BYTES..]);
    rand::fill(&mut bytes[TIME_BYTES..]).expect("the system has randomness");
    BASE32_DNSSEC.encode(&bytes)
}

#[cfg(test)]
mod tests {
    use rotunda_protocol::id::ConversationId;

    use super::*;

    #[test]
    fn ids_are_ids_differ_and_sort_by_time() {
        let (first, again, later) = (mint(1_000), mint(1_000), mint(2_000));
        assert_eq!(first.len(), 24);
        assert!(first.parse::<ConversationId>().is_ok());
        assert_ne!(first, again);
        assert!(first < later && again < later);
    }
}
