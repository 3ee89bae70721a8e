//! Pins the wire: one golden frame for every variant, in both codecs, compared byte for byte.
//!
//! `ROTUNDA_GOLDEN=write cargo test -p rotunda-protocol` writes the files anew; read the difference
//! before committing it, for every client in the world reads it too.
