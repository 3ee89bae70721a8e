//! What a session does with answers: lists go on to their next page, commands are timed, whoever asked is told.

use rotunda_protocol::ask::Ask;
use rotunda_protocol::command::Outcome;
use rotunda_protocol::frame::ClientFrame;
use tokio::sync::oneshot;

use super::line::Line;
use super::session::{Order, Session, Waiting, What, page};
use crate::clock::Nanos;
use crate::picture;
use crate::picture::news::{Answer, Told};

impl Session {
    /// Asks for the lists that are shown, if they have to be.
    pub(super) async fn show_lists(&self, line: &mut Line) {
        if !std::mem::take(&mut self.held.borrow_mut().picture.must_list) {
            return;
        }
        for mailbox in self.shown_lists() {
            self.held.borrow_mut().lists_due += 1;
            self.ask_now(page(mailbox.clone(), None), What::Shown(mailbox), line).await;
        }
    }

    async fn ask_now(&self, ask: Ask, what: What, line: &mut Line) {
        let number = self.world.next_ref();
        self.expect(number, Waiting { again: None, meant: Nanos::now(), what });
        line.send(&ClientFrame::Ask { r#ref: self.world.name_of_ref(number), ask }).await;
    }

    pub(super) async fn answered(&self, r#ref: &str, answer: &Answer, now: Nanos, line: &mut Line) {
        let number = self.world.number_of_ref(r#ref);
        let Some(waiting) = number.and_then(|number| self.held.borrow_mut().waiting.remove(&number)) else {
            return;
        };
        match (waiting.what, answer) {
            (What::Command { revokes, answered }, answer) => {
                self.command_answered(waiting.meant, now, revokes, answer);
                if let Some(to) = answered {
                    tell(to, now);
                }
            }
            (What::Shown(mailbox), Answer::Told(told @ Told::List { next, .. })) => {
                self.take_told(told);
                match next {
                    Some(next) => {
                        self.ask_now(page(mailbox.clone(), Some(next.clone())), What::Shown(mailbox), line)
                            .await;
                    }
                    None => self.held.borrow_mut().lists_due -= 1,
                }
            }
            // What one may see changed meanwhile: the same again.
            (What::Shown(mailbox), _) => {
                self.ask_now(page(mailbox.clone(), None), What::Shown(mailbox), line).await;
            }
            (What::Fresh { mailbox, mut rows, to }, Answer::Told(told @ Told::List { rows: more, next })) => {
                let held = &mut *self.held.borrow_mut();
                picture::note_told(told, &mut held.notes);
                rows.extend(more.iter().map(|(place, version, mark)| (*place, version.row.rev, *mark)));
                let number = next.as_ref().map(|_| self.world.next_ref());
                if let (Some(next), Some(number)) = (next, number) {
                    let ask = page(mailbox.clone(), Some(next.clone()));
                    let what = What::Fresh { mailbox, rows, to };
                    held.waiting.insert(number, Waiting { again: None, meant: now, what });
                    let frame = ClientFrame::Ask { r#ref: self.world.name_of_ref(number), ask };
                    self.order(Order::Send(Box::new(frame)));
                } else {
                    tell(to, rows);
                }
            }
            (What::Open, Answer::Told(told)) => self.take_told(told),
            (What::Counts(to), Answer::Told(Told::Counts(counts))) => {
                tell(to, counts.iter().map(|count| count.conversations).sum());
            }
            // Whoever waits hears nothing, and asks again.
            (What::Fresh { .. } | What::Open | What::Counts(_), _) => {}
        }
    }

    fn take_told(&self, told: &Told) {
        let held = &mut *self.held.borrow_mut();
        held.picture.take(told, &mut held.notes);
    }

    fn command_answered(&self, meant: Nanos, now: Nanos, revokes: bool, answer: &Answer) {
        let mut meter = self.world.meter.borrow_mut();
        match answer {
            Answer::Done(done) => {
                meter.done(meant, now);
                if revokes && meter.on {
                    meter.revocation.record(now.since(meant));
                }
                drop(meter);
                self.organization.made(&self.world, &Outcome::from(done.clone()), meant);
            }
            Answer::Refused(refusal) => meter.refused(refusal.code()),
            Answer::Told(_) | Answer::Renewed => {}
        }
    }
}

/// Tells whoever asked, if they still wait.
fn tell<T>(to: oneshot::Sender<T>, value: T) {
    drop(to.send(value));
}
