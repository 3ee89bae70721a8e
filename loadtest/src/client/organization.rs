//! An organization of the run, as the generator knows it: its shape, what was shown of it, its sessions.

use std::cell::RefCell;
use std::rc::Rc;

use rotunda_protocol::command::{Done, Outcome};
use rotunda_protocol::id::{EndpointId, OrganizationId};
use tokio::sync::Notify;

use super::world::World;
use crate::client::reader::Reader;
use crate::client::session::Session;
use crate::clock::Nanos;
use crate::practice::Share;

/// An organization.
pub(crate) struct Organization {
    pub(crate) id: OrganizationId,
    pub(crate) share: Share,
    pub(crate) reader: RefCell<Reader>,
    pub(crate) sessions: RefCell<Vec<Rc<Session>>>,
    /// The endpoint whose rows sessions note the time of.
    pub(crate) watched: Option<EndpointId>,
    /// Notes of one session beyond which they are checked at once.
    pub(crate) notes_max: usize,
    /// A session has that many.
    pub(crate) full: Notify,
}

impl Organization {
    /// A command came to something: a row that sessions are shown, or have been.
    pub(crate) fn made(&self, world: &World, outcome: &Outcome, meant: Nanos) {
        let Done::Conversation { conversation, rev, .. } = &outcome.done else { return };
        let read = self.reader.borrow_mut().rows.announce(conversation, *rev, meant);
        let mut meter = world.meter.borrow_mut();
        for read in read {
            meter.latency(meant, read);
        }
    }
}
