//! How long to wait before connecting again, and whether to.

use std::time::Duration;

use aws_lc_rs::rand;
use rotunda_protocol::close::CloseCode;

/// The first wait, and the longest.
const WAIT_MIN: Duration = Duration::from_millis(200);
const WAIT_MAX: Duration = Duration::from_secs(10);

/// What to do after a connection has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Connect again at once.
    Now,
    /// Connect again after a while.
    Later,
    /// Connecting again cannot help before something has changed.
    Never,
}

impl Next {
    /// What a close code's range says; without one of ours the network failed, and later is right.
    pub(super) fn after(code: Option<u16>) -> Self {
        match code {
            Some(4000..=4099) => Self::Now,
            Some(4200..=4299) => Self::Never,
            Some(_) | None => Self::Later,
        }
    }
}

/// The hub's name for a close code.
pub(super) fn name(code: u16) -> &'static str {
    CloseCode::ALL
        .into_iter()
        .find(|known| known.number() == code)
        .map_or("no code of this hub", CloseCode::name)
}

/// Waits that double, so that a hub that is down is not run over when it comes back.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// A connection was greeted: the next wait is short again.
    pub(super) fn reset(&mut self) {
        self.attempts = 0;
    }

    /// How long to wait now: between half and all of the doubled time, so that many clients do not come at once.
    pub(super) fn wait(&mut self) -> Duration {
        let whole = WAIT_MIN.saturating_mul(1 << self.attempts.min(16)).min(WAIT_MAX);
        self.attempts = self.attempts.saturating_add(1);
        whole / 2 + (whole / 2).mul_f64(random_fraction())
    }
}

fn random_fraction() -> f64 {
    let mut byte = [0; 1];
    // Without randomness the wait is the longer one, which does no harm.
    rand::fill(&mut byte).map_or(1.0, |()| f64::from(byte[0]) / 255.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_of_a_close_code_says_what_to_do() {
        for code in CloseCode::ALL {
            let expected = match code.number() / 100 {
                40 => Next::Now,
                41 => Next::Later,
                _ => Next::Never,
            };
            assert_eq!(Next::after(Some(code.number())), expected, "{}", code.name());
            assert_eq!(name(code.number()), code.name());
        }
        assert_eq!(Next::after(None), Next::Later);
        assert_eq!(Next::after(Some(1006)), Next::Later);
    }

    #[test]
    fn waits_double_up_to_a_limit_and_begin_anew() {
        let mut backoff = Backoff::default();
        for exponent in 0..40 {
            let whole = WAIT_MIN.saturating_mul(1 << exponent.min(16)).min(WAIT_MAX);
            let wait = backoff.wait();
            assert!(wait >= whole / 2 && wait <= whole, "{wait:?} of {whole:?}");
        }
        backoff.reset();
        assert!(backoff.wait() <= WAIT_MIN);
    }
}
