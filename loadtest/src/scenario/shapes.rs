//! Practices of realistic sizes, and who of them is connected with what.

use rotunda_protocol::id::OrganizationId;

use crate::practice::{Practice, PracticeKind, Seat, Share};

/// Teammates of practices, as they follow one another: most are small, some are not.
const SIZES: [usize; 8] = [3, 8, 5, 12, 20, 4, 40, 8];
/// Conversations that a practice has from the start, for each teammate.
const CONVERSATIONS_PER_TEAMMATE: usize = 6;
/// The most of them, for making them takes time.
const CONVERSATIONS_MAX: usize = 400;
/// The most sessions that one teammate has.
const SESSIONS_EACH_MAX: usize = 20;
/// The most teammates that an organization takes.
const TEAMMATES_MAX: usize = 5_000;

/// The id of an organization of a run by its number.
pub(crate) fn organization(run: &str, number: usize) -> OrganizationId {
    format!("{run}-{number}").parse().expect("an id")
}

/// Practices with so many sessions in all: every teammate has the web page open, and every other one a phone as well.
/// A number of organizations makes them all alike.
pub(crate) fn practices(run: &str, sessions: usize, organizations: Option<usize>) -> Vec<Share> {
    let mut shares = Vec::new();
    let mut left = sessions;
    while left > 0 {
        let number = shares.len();
        let seats = match organizations {
            Some(all) => left.div_ceil(all.saturating_sub(number).max(1)),
            None => SIZES[number % SIZES.len()] * 3 / 2,
        };
        let seats = seats.min(left);
        left -= seats;
        let teammates = (seats * 2).div_ceil(3).max(2);
        let conversations = (teammates * CONVERSATIONS_PER_TEAMMATE).min(CONVERSATIONS_MAX);
        let practice = Practice { teammates, kind: PracticeKind::Real, conversations };
        shares.push(share(run, number, practice, seats));
    }
    shares
}

/// A practice of which everybody is connected once, by turns with each codec.
pub(crate) fn crowd(run: &str, number: usize, sessions: usize, conversations: usize) -> Share {
    let teammates = sessions.clamp(sessions.div_ceil(SESSIONS_EACH_MAX).max(2), TEAMMATES_MAX);
    let practice = Practice { teammates, kind: PracticeKind::Open, conversations };
    share(run, number, practice, sessions)
}

fn share(run: &str, number: usize, practice: Practice, seats: usize) -> Share {
    let seat = |seat: usize| Seat { teammate: seat % practice.teammates, json: seat.is_multiple_of(2) };
    Share { id: organization(run, number), practice, seats: (0..seats).map(seat).collect(), drives: true }
}
