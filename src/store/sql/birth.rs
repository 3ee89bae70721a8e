//! What a log is born with: nobody can know it before, and it never changes.

use std::sync::Arc;

use super::fault::Fault;

/// What a log is born with.
#[derive(Debug)]
pub(in crate::store) struct Birth {
    /// Tells this log from any other of the same name.
    pub(in crate::store) epoch: u64,
    /// Encrypts its cursors.
    pub(in crate::store) cursor_key: [u8; 16],
}

impl Birth {
    /// Epochs take part in cursors with this many bits.
    const EPOCH_BITS: u32 = 48;

    /// Random.
    pub(in crate::store) fn random() -> Result<Self, Fault> {
        let mut bytes = [0; 24];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|error| Fault::Unavailable(Arc::new(error)))?;
        let (cursor_key, epoch) = bytes.split_at(16);
        let epoch = epoch.iter().fold(0, |epoch, byte| epoch << 8 | u64::from(*byte));
        let epoch = epoch >> (u64::BITS - Self::EPOCH_BITS);
        let cursor_key = cursor_key.try_into().map_err(|error| Fault::unreadable("cursor_key", error))?;
        Ok(Self { epoch, cursor_key })
    }
}
