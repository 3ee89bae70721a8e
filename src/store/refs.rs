//! How long the results of commands are remembered by their `ref`, and how they are forgotten: by the way, and a
//! few at a time.

use rotunda_protocol::Millis;

use super::rows::Rows;

/// A `ref` is remembered at least this long.
pub(super) const REF_AGE_MAX: Millis = 24 * 60 * 60 * 1000;
/// Old `ref`s are forgotten each time that this many were written …
pub(super) const PRUNE_EVERY: usize = 256;
/// … twice as many at once, so that forgetting keeps up and costs nobody much.
pub(super) const PRUNE_MAX: i64 = 512;

/// From when on `ref`s are remembered, if any are written now.
pub(super) fn remembered_since(rows: &Rows) -> Option<Millis> {
    rows.refs.iter().map(|(_, _, at)| at - REF_AGE_MAX).max()
}
