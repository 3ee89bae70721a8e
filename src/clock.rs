//! The one place that reads the clock on the wall. Everything above gets its time from here or as an argument.

use std::time::{SystemTime, UNIX_EPOCH};

use rotunda_protocol::Millis;

/// Milliseconds since 1970-01-01 UTC by this node's clock. Orders nothing: nodes' clocks differ.
#[expect(clippy::disallowed_methods, reason = "this is the edge that time enters at")]
pub fn now_millis() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}
