//! When something that ended is to be started again.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

/// How long it is away: enough to see how the others go on without it.
pub(crate) const AFTER: Duration = Duration::from_secs(10);

/// Whether something has ended, and when.
#[derive(Debug, Default)]
pub(crate) struct Revival {
    since: Option<Instant>,
}

impl Revival {
    /// It has ended and been away long enough. Says so once when it has ended.
    pub(crate) fn is_due(&mut self, name: &str, pid: u32, ended: Option<ExitStatus>) -> bool {
        let Some(status) = ended else { return false };
        match self.since {
            None => {
                self.since = Some(Instant::now());
                println!(
                    "{name} (pid {pid}) has ended: {status}. It is started again in {} s.",
                    AFTER.as_secs()
                );
                false
            }
            Some(since) if since.elapsed() < AFTER => false,
            Some(_) => {
                self.since = None;
                true
            }
        }
    }
}
