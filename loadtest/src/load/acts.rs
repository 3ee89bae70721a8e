//! What patients and teammates do: each act by one of them, on what they see.

use std::rc::Rc;
use std::time::Duration;

use rotunda_protocol::command::{Command, ConversationUpdate, OnUnseen};
use rotunda_protocol::conversation::{Conversation, ConversationState};
use rotunda_protocol::frame::{ClientFrame, Signal};
use rotunda_protocol::principal::{AssignTo, Assignee, Mailbox};
use rotunda_protocol::push::TypingMode;

use super::mix::Act;
use super::setup::{patient_writes, place_of, text};
use super::stage::Stage;
use crate::client::organization::Organization;
use crate::client::session::{Order, Session};
use crate::clock::Nanos;
use crate::picture::rows::{Place, Version};
use crate::practice::teammate;

/// Rows that are looked at to find one that fits.
const LOOKS: usize = 8;
/// Patients who have never written before, among all who write.
const NEW_PATIENTS: f64 = 0.05;
/// How long somebody is away, on average, and at most: a tunnel, a lift.
const AWAY: Duration = Duration::from_secs(3);
const AWAY_MAX: Duration = Duration::from_secs(6);
/// Of those who go, some go home: their app has forgotten everything when they come back.
const GO_HOME: f64 = 0.2;
/// Of those who open or read something, some try what they may not see.
const CURIOUS: f64 = 0.1;
const TAGS: [&str; 8] = ["refill", "urgent", "billing", "lab", "forms", "call back", "new", "referral"];

impl Stage {
    /// Has something happen somewhere.
    pub(crate) fn act(&self, act: Act, meant: Nanos) {
        let Some(session) = self.anybody() else { return };
        if act == Act::Inbound {
            return self.patient(&session.organization, meant);
        }
        if session.is_slow {
            return;
        }
        if !session.is_ready() {
            self.world.meter.borrow_mut().skipped += 1;
            return;
        }
        match act {
            Act::Inbound => {}
            Act::Claim => claim(&session, meant),
            Act::Reply | Act::Note => write(&session, act, meant),
            Act::Assign => self.assign(&session, meant),
            Act::Tag => self.tag(&session, meant),
            Act::Archive => archive(&session, meant),
            Act::Read => self.read(&session, meant),
            Act::Type => types(&session),
            Act::Open => {
                if let Some(place) = self.somewhere(&session) {
                    session.open(place);
                }
            }
            Act::Away => {
                let forget = self.world.happens(GO_HOME);
                session.order(Order::Cut { away: self.world.around(AWAY).min(AWAY_MAX), forget });
            }
        }
    }

    /// A patient writes to a practice: mostly one who has written before.
    pub(crate) fn patient(&self, organization: &Rc<Organization>, meant: Nanos) {
        let practice = organization.share.practice;
        let known = practice.conversations.max(1);
        let number = if self.world.happens(NEW_PATIENTS) {
            known + self.world.below(1_000_000)
        } else {
            self.world.below(known)
        };
        let (endpoint, patient) = place_of(number, practice.endpoints());
        patient_writes(&self.world, organization, endpoint, patient, meant);
    }

    fn assign(&self, session: &Session, meant: Nanos) {
        let Some((_, version)) = some_row(session, is_open) else { return };
        let number = self.world.below(session.organization.share.practice.teammates);
        let to = AssignTo::Assignee(Assignee::Teammate(teammate(number)));
        let conversation = version.row.id.clone();
        // Who may not see it is given access: that is how one asks a colleague.
        session.call(meant, Command::Assign { conversation, to, grant: true, expect_rev: None });
    }

    /// Says how far somebody has read. Some try it where they may not.
    fn read(&self, session: &Session, meant: Nanos) {
        let Some(place) = self.somewhere(session) else { return };
        let held = session.held.borrow().picture.rows.get(&place).map(|version| version.row.items);
        let conversation = session.organization.reader.borrow().rows.id(place).clone();
        session.call(meant, Command::MarkRead { conversation, number: held.unwrap_or(1) });
    }

    /// A conversation that a session shows; for the curious, any of the organization's.
    fn somewhere(&self, session: &Session) -> Option<Place> {
        let all = session.organization.reader.borrow().rows.len();
        if self.world.happens(CURIOUS) && all > 0 {
            return Place::try_from(self.world.below(all)).ok();
        }
        some_row(session, |row| row.items > 0).map(|(place, _)| place)
    }

    fn tag(&self, session: &Session, meant: Nanos) {
        let Some((_, version)) = some_row(session, |_| true) else { return };
        let conversation = version.row.id.clone();
        let tag = TAGS[self.world.below(TAGS.len())].to_owned();
        let command = if version.row.tags.contains(&tag) {
            Command::RemoveTag { conversation, tag }
        } else {
            Command::AddTag { conversation, tag }
        };
        session.call(meant, command);
    }

    /// Any session of an organization that things happen in.
    pub(crate) fn anybody(&self) -> Option<Rc<Session>> {
        (!self.driven.is_empty()).then(|| Rc::clone(&self.driven[self.world.below(self.driven.len())]))
    }
}

fn is_open(row: &Conversation) -> bool {
    row.state == ConversationState::Open
}

/// A row that a session shows and that fits, if one is soon found.
pub(crate) fn some_row(
    session: &Session,
    fits: impl Fn(&Conversation) -> bool,
) -> Option<(Place, Rc<Version>)> {
    let held = session.held.borrow();
    let rows = &held.picture.rows;
    let skip = session.world.below(rows.len().saturating_sub(LOOKS).max(1));
    let near = rows.iter().skip(skip).chain(rows.iter().take(LOOKS));
    let mut fitting = near.take(2 * LOOKS).filter(|(_, version)| fits(&version.row));
    fitting.next().map(|(place, version)| (*place, Rc::clone(version)))
}

fn claim(session: &Session, meant: Nanos) {
    if let Some((_, version)) = some_row(session, |row| row.mailbox == Mailbox::Shared) {
        session.call(meant, Command::Claim { conversation: version.row.id.clone(), expect_rev: None });
    }
}

fn write(session: &Session, act: Act, meant: Nanos) {
    let Some((_, version)) = some_row(session, is_open) else { return };
    let (conversation, body) = (version.row.id.clone(), text(&session.world));
    let command = if act == Act::Note {
        Command::PostNote { conversation, body }
    } else {
        let (seen, on_unseen) = (version.row.items, OnUnseen::Send);
        Command::Send { conversation, body, seen, on_unseen, stay_archived: false }
    };
    session.call(meant, command);
}

fn archive(session: &Session, meant: Nanos) {
    let Some((_, version)) = some_row(session, is_open) else { return };
    let update = ConversationUpdate {
        archived: Some(true),
        add_tags: vec!["done".into()],
        seen: Some(version.row.items),
        ..ConversationUpdate::default()
    };
    let conversation = version.row.id.clone();
    session.call(meant, Command::Update { conversation, update, expect_rev: None });
}

fn types(session: &Session) {
    let open = session.held.borrow().picture.open;
    let Some(place) = open else { return };
    let conversation = session.organization.reader.borrow().rows.id(place).clone();
    let signal = Signal::Typing { conversation, mode: TypingMode::Reply };
    session.order(Order::Send(Box::new(ClientFrame::Signal { signal })));
}
