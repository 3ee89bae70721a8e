//! The one place that reads clocks: the one on the wall, and one that only goes forward. Everything above gets its time
//! from here or as an argument.

use std::time::{SystemTime, UNIX_EPOCH};

use rotunda_protocol::Millis;
use rustix::time::{ClockId, clock_gettime};

/// Milliseconds since 1970-01-01 UTC by this node's clock. Orders nothing: nodes' clocks differ.
#[expect(clippy::disallowed_methods, reason = "this is the edge that time enters at")]
pub fn now_millis() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}

/// On Linux the monotonic clock stands still while the machine sleeps.
#[cfg(target_os = "linux")]
const STEADY: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const STEADY: ClockId = ClockId::Monotonic;

/// Milliseconds since some moment, by a clock that is never set and runs while the machine sleeps. For what lasts, on
/// this machine.
pub fn steady_millis() -> Millis {
    let now = clock_gettime(STEADY);
    now.tv_sec * 1_000 + now.tv_nsec / 1_000_000
}
