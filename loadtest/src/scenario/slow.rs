//! `slow`: a share of the sessions stops reading for a while, again and again, while people work. The others must not
//! notice, and who was slow must end up with everything.

use std::rc::Rc;

use clap::Args;
use rotunda_protocol::command::Command;
use rotunda_protocol::principal::Mailbox;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::{Size, day};
use crate::client::session::{Order, Session};
use crate::load::acts::some_row;
use crate::load::mix::{Act, Mix};
use crate::load::pace;
use crate::load::stage::Stage;
use crate::picture::rows::Place;

pub(crate) const SIZE: Size = Size { sessions: 200, seconds: 20.0, rate_per_session: 1.0 };
/// Long notes in a second, and how long they are: the protocol allows 16 KiB.
const LETTERS_PER_S: f64 = 40.0;
const LETTER_WORDS: usize = 2_500;
/// Times that a slow session stops reading in a run.
const STOPS: u32 = 2;

/// A share of the sessions stops reading, while people work.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
#[expect(clippy::unsafe_derive_deserialize, reason = "what is unsafe is not of this type")]
pub(crate) struct Slow {
    /// How many of a hundred sessions are slow
    #[arg(long, value_name = "PERCENT", default_value_t = 10, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) share: u8,
}

impl Slow {
    pub(crate) async fn play(&self, stage: &Stage) {
        let mix = Mix::default().without(Act::Away);
        let slow: Vec<_> = stage.sessions.iter().filter(|session| session.is_slow).cloned().collect();
        tokio::join!(day::work(stage, &mix), stop(stage, &slow), letters(stage, &slow));
        stage.figure("slow_sessions", f64::from(u32::try_from(slow.len()).unwrap_or(u32::MAX)));
    }

    /// How many of so many sessions are slow.
    pub(crate) fn slow_of(&self, sessions: usize) -> usize {
        (sessions * usize::from(self.share) / 100).max(1)
    }
}

/// Has the slow open a conversation, and then stop reading.
async fn stop(stage: &Stage, slow: &[Rc<Session>]) {
    let turn = stage.time / STOPS;
    for _ in 0..STOPS {
        // The same one, if they may see it: so each of them is sent all letters.
        let shared = slow.first().and_then(|first| some_row(first, |row| row.mailbox == Mailbox::Shared));
        for session in slow {
            let held = |place: &Place| session.held.borrow().picture.rows.contains_key(place);
            if let Some(place) = shared.as_ref().map(|(place, _)| *place).filter(held) {
                session.open(place);
            }
            // So much of the turn that there is time to catch up before the next.
            session.order(Order::Deaf(turn.mul_f64(0.7)));
        }
        sleep(turn).await;
    }
}

/// Teammates write long notes to what the slow have open: what waits for those is soon more than any buffer takes.
async fn letters(stage: &Stage, slow: &[Rc<Session>]) {
    pace::evenly(&stage.world, LETTERS_PER_S, stage.time, |meant| {
        let session = &slow[stage.world.below(slow.len())];
        let Some(place) = session.held.borrow().opened() else { return };
        let conversation = session.organization.reader.borrow().rows.id(place).clone();
        let writes = |other: &&Rc<Session>| {
            !other.is_slow && other.is_ready() && other.held.borrow().picture.rows.contains_key(&place)
        };
        let sessions = session.organization.sessions.borrow();
        if let Some(writer) = sessions.iter().find(writes) {
            writer.call(meant, Command::PostNote { conversation, body: "long ".repeat(LETTER_WORDS) });
        }
    })
    .await;
}
