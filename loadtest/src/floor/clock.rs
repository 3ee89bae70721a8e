//! The clocks of the floor. The monotonic one is the same in every process of a machine.

use rustix::io;
use rustix::thread::clock_nanosleep_absolute;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;

/// Nanoseconds since the machine's clock began.
pub(super) fn now() -> u64 {
    nanoseconds(clock_gettime(ClockId::Monotonic))
}

/// Processor time of this process, in nanoseconds: all its threads, in the kernel and outside.
pub(super) fn cpu() -> u64 {
    nanoseconds(clock_gettime(ClockId::ProcessCPUTime))
}

/// Sleeps until a moment of the monotonic clock; not at all if it has passed.
pub(super) fn sleep_until(at: u64) -> io::Result<()> {
    // Both fit: they are seconds since the machine was started, and less than a second.
    let time = Timespec {
        tv_sec: i64::try_from(at / SECOND).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(at % SECOND).unwrap_or_default(),
    };
    loop {
        match clock_nanosleep_absolute(ClockId::Monotonic, &time) {
            Err(io::Errno::INTR) => {}
            slept => return slept,
        }
    }
}

fn nanoseconds(time: Timespec) -> u64 {
    // These clocks begin at 0.
    u64::try_from(time.tv_sec).unwrap_or_default() * SECOND + u64::try_from(time.tv_nsec).unwrap_or_default()
}
