//! The load-test harness.

#[cfg_attr(not(test), expect(dead_code, reason = "the commands that use it are not written yet"))]
mod report;

fn main() {}
