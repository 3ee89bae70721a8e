//! Every row that anybody was shown, once. Sessions hold numbers that lead here.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use rotunda_protocol::conversation::Conversation;
use rotunda_protocol::id::ConversationId;

use crate::clock::Nanos;

/// A conversation's place in its organization's table.
pub(crate) type Place = u32;

/// A row as it was after one change, as the first session that read it was shown it.
#[derive(Debug)]
pub(crate) struct Version {
    /// The row.
    pub(crate) row: Conversation,
    /// Another session was shown something else under the same `rev`.
    pub(crate) differs: Cell<bool>,
    /// When what made it was meant to be sent, once that is known.
    meant: Cell<Option<Nanos>>,
    /// When sessions read it, while that is not known.
    read: RefCell<Vec<Nanos>>,
}

/// All rows of an organization.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    places: HashMap<ConversationId, Place>,
    conversations: Vec<(ConversationId, BTreeMap<u64, Rc<Version>>)>,
    /// Answers that came before the rows that they announce.
    announced: HashMap<(Place, u64), Nanos>,
}

impl Rows {
    /// A conversation's place.
    pub(crate) fn place(&mut self, id: &ConversationId) -> Place {
        if let Some(place) = self.places.get(id) {
            return *place;
        }
        let place = Place::try_from(self.conversations.len()).expect("fewer than 4 billion conversations");
        self.places.insert(id.clone(), place);
        self.conversations.push((id.clone(), BTreeMap::new()));
        place
    }

    /// The conversation at a place.
    pub(crate) fn id(&self, place: Place) -> &ConversationId {
        &self.conversations[place as usize].0
    }

    /// Keeps a row that was shown. Whoever shows another one under the same `rev` is remembered.
    pub(crate) fn keep(&mut self, row: &Conversation) -> (Place, Rc<Version>) {
        let place = self.place(&row.id);
        let versions = &mut self.conversations[place as usize].1;
        if let Some(version) = versions.get(&row.rev) {
            if version.row != *row {
                version.differs.set(true);
            }
            return (place, Rc::clone(version));
        }
        let version = Rc::new(Version {
            row: row.clone(),
            differs: Cell::new(false),
            meant: Cell::new(self.announced.remove(&(place, row.rev))),
            read: RefCell::default(),
        });
        versions.insert(row.rev, Rc::clone(&version));
        (place, version)
    }

    /// Rows that were shown to different sessions as different things, by name.
    pub(crate) fn differing(&self) -> Vec<String> {
        let versions =
            self.conversations.iter().flat_map(|(id, versions)| versions.values().map(move |v| (id, v)));
        let differing = versions.filter(|(_, version)| version.differs.get());
        differing.map(|(id, version)| format!("row {} of {id}", version.row.rev)).collect()
    }

    /// What made a row was meant to be sent then. Gives when sessions have read it so far.
    pub(crate) fn announce(&mut self, id: &ConversationId, rev: u64, meant: Nanos) -> Vec<Nanos> {
        let place = self.place(id);
        if let Some(version) = self.conversations[place as usize].1.get(&rev) {
            version.meant.set(Some(meant));
            return version.read.take();
        }
        self.announced.insert((place, rev), meant);
        Vec::new()
    }
}

impl Version {
    /// A session has read it. Says when what made it was meant to be sent, or keeps the moment until that is known.
    pub(crate) fn read_at(&self, now: Nanos) -> Option<Nanos> {
        let meant = self.meant.get();
        if meant.is_none() {
            self.read.borrow_mut().push(now);
        }
        meant
    }
}
