//! What a session does with answers: lists go on to their next page, commands are timed, whoever asked is told.

use rotunda_protocol::ask::{Ask, RowKey};
use rotunda_protocol::command::{Done, Outcome};
use rotunda_protocol::frame::{ClientFrame, Signal};
use rotunda_protocol::refusal::Refusal;
use tokio::sync::oneshot;

use super::line::Line;
use super::session::{Order, Session, Waiting, What, page};
use crate::clock::Nanos;
use crate::picture;
use crate::picture::news::{Answer, Told};
use crate::picture::note::Note;
use crate::picture::rows::Place;

impl Session {
    /// Does what the picture wants done: lists that have to be read, marks that were not told, views that are over.
    pub(super) async fn follow_up(&self, line: &mut Line) {
        let (must_list, unmarked, left) = {
            let picture = &mut self.held.borrow_mut().picture;
            if !picture.must_list && picture.unmarked.is_empty() && picture.left.is_empty() {
                return;
            }
            let lists = std::mem::take(&mut picture.must_list);
            (lists, std::mem::take(&mut picture.unmarked), std::mem::take(&mut picture.left))
        };
        for place in left {
            let conversation = self.organization.reader.borrow().rows.id(place).clone();
            line.send(&ClientFrame::Signal { signal: Signal::Close { conversation } }).await;
        }
        if must_list {
            for mailbox in self.shown_lists() {
                self.held.borrow_mut().lists_due += 1;
                self.ask_now(page(mailbox.clone(), None), What::Shown(mailbox), line).await;
            }
        }
        for place in unmarked {
            self.ask_mark(place, line).await;
        }
    }

    /// Asks for a row whose mark was not told: the one that is next after a moment later than its own.
    async fn ask_mark(&self, place: Place, line: &mut Line) {
        let Some(version) = self.held.borrow().picture.rows.get(&place).cloned() else { return };
        let row = &version.row;
        let after = RowKey { activity_at: row.activity_at + 1, conversation: row.id.clone() };
        let ask = Ask::List { mailbox: row.mailbox.clone(), endpoint: None, after: Some(after), limit: 1 };
        self.held.borrow_mut().lists_due += 1;
        self.ask_now(ask, What::Mark(place, row.rev), line).await;
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
                self.question_refused(answer);
                self.ask_now(page(mailbox.clone(), None), What::Shown(mailbox), line).await;
            }
            (What::Mark(place, rev), answer) => {
                self.held.borrow_mut().lists_due -= 1;
                if let Answer::Told(told) = answer {
                    self.take_told(told);
                }
                self.question_refused(answer);
                // It has moved meanwhile, and was pushed without a mark once more; or what one may see has changed.
                let refused = matches!(answer, Answer::Refused(_));
                let held = &mut *self.held.borrow_mut();
                let again =
                    held.picture.rows.get(&place).is_some_and(|version| refused || version.row.rev > rev);
                let missing = again && !held.picture.marks.contains_key(&place);
                held.picture.unmarked.extend(missing.then_some(place));
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
            (What::Open(place), answer) => self.opened(place, answer),
            (What::Counts(to), Answer::Told(Told::Counts(counts))) => {
                tell(to, counts.iter().map(|count| count.conversations).sum());
            }
            // Whoever waits hears nothing.
            (What::Fresh { .. } | What::Counts(_), answer) => self.question_refused(answer),
        }
    }

    fn opened(&self, place: Place, answer: &Answer) {
        self.held.borrow_mut().opening = None;
        if let Answer::Told(told) = answer {
            return self.take_told(told);
        }
        let held = &mut *self.held.borrow_mut();
        held.notes.push(Note::Closed(place));
        if matches!(answer, Answer::Refused(Refusal::NotFound)) {
            held.notes.push(Note::Hidden(place));
        } else {
            self.question_refused(answer);
        }
    }

    /// A question that may be asked was not answered. That what one may see changed meanwhile is no fault.
    fn question_refused(&self, answer: &Answer) {
        if let Answer::Refused(refusal) = answer
            && !matches!(refusal, Refusal::AccessChanged | Refusal::Unavailable)
        {
            self.world.meter.borrow_mut().refused_questions += 1;
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
                if let Done::Conversation { conversation, .. } | Done::Marked { conversation } = done {
                    let place = self.organization.reader.borrow_mut().rows.place(conversation);
                    self.held.borrow_mut().notes.push(Note::About(place));
                }
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
