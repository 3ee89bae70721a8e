//! Positions as clients hold them: opaque, so that nobody can read from them how much happened out of sight.
//!
//! One AES block holds the number of the event, the log's epoch and a salt; two cursors of the same position
//! differ, so that not even "nothing happened" can be read from them.

use aws_lc_rs::cipher::{AES_128, DecryptingKey, DecryptionContext, EncryptingKey, UnboundCipherKey};
use aws_lc_rs::rand;
use data_encoding::BASE64URL_NOPAD;
use rotunda_protocol::frame::Cursor;

use crate::domain::event::Seq;

/// Bytes of each of the two numbers in a cursor.
const NUMBER_BYTES: usize = 6;
/// Bytes of a cursor before it is written as text.
const BLOCK_BYTES: usize = 16;

/// Makes and reads the cursors of one organization.
pub(super) struct Cursors {
    epoch: [u8; NUMBER_BYTES],
    encrypt: EncryptingKey,
    decrypt: DecryptingKey,
}

impl Cursors {
    /// For a log that began with this epoch and key.
    pub(super) fn new(epoch: u64, key: [u8; 16]) -> Self {
        let key = || UnboundCipherKey::new(&AES_128, &key).expect("the key has the cipher's length");
        Self {
            epoch: number(epoch),
            encrypt: EncryptingKey::ecb(key()).expect("the cipher has this mode"),
            decrypt: DecryptingKey::ecb(key()).expect("the cipher has this mode"),
        }
    }

    /// What tells its log from others of the same organization's name.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch.iter().fold(0, |epoch, byte| epoch << 8 | u64::from(*byte))
    }

    /// It is the log with this epoch.
    pub(super) fn are_of(&self, epoch: u64) -> bool {
        self.epoch == number(epoch)
    }

    /// The cursor of a position.
    pub(super) fn write(&self, seq: Seq) -> Cursor {
        let mut block = [0; BLOCK_BYTES];
        block[..NUMBER_BYTES].copy_from_slice(&number(seq.0));
        block[NUMBER_BYTES..2 * NUMBER_BYTES].copy_from_slice(&self.epoch);
        rand::fill(&mut block[2 * NUMBER_BYTES..]).expect("the system has randomness");
        self.encrypt.encrypt(&mut block).expect("one block can be encrypted");
        BASE64URL_NOPAD.encode(&block)
    }

    /// The position of a cursor; none if this log never gave it.
    pub(super) fn read(&self, cursor: &str) -> Option<Seq> {
        let mut block = BASE64URL_NOPAD.decode(cursor.as_bytes()).ok().filter(|b| b.len() == BLOCK_BYTES)?;
        let block = self.decrypt.decrypt(&mut block, DecryptionContext::None).ok()?;
        let mut seq = [0; 8];
        seq[8 - NUMBER_BYTES..].copy_from_slice(&block[..NUMBER_BYTES]);
        (block[NUMBER_BYTES..2 * NUMBER_BYTES] == self.epoch).then_some(Seq(u64::from_be_bytes(seq)))
    }
}

fn number(value: u64) -> [u8; NUMBER_BYTES] {
    let bytes = value.to_be_bytes();
    let mut low = [0; NUMBER_BYTES];
    low.copy_from_slice(&bytes[8 - NUMBER_BYTES..]);
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_in_its_own_log_only() {
        let ours = Cursors::new(7, [1; 16]);
        let other_epoch = Cursors::new(8, [1; 16]);
        let other_key = Cursors::new(7, [2; 16]);
        for seq in [Seq(0), Seq(1), Seq((1 << 48) - 1)] {
            let cursor = ours.write(seq);
            assert_eq!(ours.read(&cursor), Some(seq));
            assert_eq!(other_epoch.read(&cursor), None);
            assert_eq!(other_key.read(&cursor), None);
        }
        for garbage in ["", "x", "????", "AAAAAAAAAAAAAAAAAAAAAA", &"A".repeat(1000)] {
            assert_eq!(ours.read(garbage), None, "{garbage}");
        }
    }

    #[test]
    fn cursors_of_one_position_differ() {
        let cursors = Cursors::new(7, [1; 16]);
        assert_ne!(cursors.write(Seq(5)), cursors.write(Seq(5)));
    }
}
