//! What was found wrong, counted, with the first cases in words.

use crate::report::Verdict;

/// The most cases that are told in words.
const CASES_MAX: usize = 20;

/// A kind of wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    Lost,
    Duplicated,
    Leaked,
    Diverged,
}

impl Wrong {
    fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Duplicated => "duplicated",
            Self::Leaked => "leaked",
            Self::Diverged => "diverged",
        }
    }
}

impl Verdict {
    /// Something was held against the log.
    pub(crate) fn checked(&mut self) {
        self.checked += 1;
    }

    /// Something is wrong.
    pub(crate) fn found(&mut self, wrong: Wrong, case: impl FnOnce() -> String) {
        *match wrong {
            Wrong::Lost => &mut self.lost,
            Wrong::Duplicated => &mut self.duplicated,
            Wrong::Leaked => &mut self.leaked,
            Wrong::Diverged => &mut self.diverged,
        } += 1;
        if self.cases.len() < CASES_MAX {
            self.cases.push(format!("{}: {}", wrong.name(), case()));
        }
    }

    /// Another part's findings.
    pub(crate) fn add(&mut self, other: Self) {
        self.checked += other.checked;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.leaked += other.leaked;
        self.diverged += other.diverged;
        self.cases.extend(other.cases);
        self.cases.truncate(CASES_MAX);
    }
}
