//! Every row that anybody was shown, once. Sessions hold numbers that lead here.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;
use std::rc::Rc;

use foldhash::fast::FixedState;
use rotunda_protocol::conversation::Conversation;
use rotunda_protocol::id::ConversationId;
use rotunda_protocol::item::Item;

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

/// What tells an item, all of it, from another.
pub(crate) fn content(item: &Item) -> u64 {
    let bytes = serde_json::to_vec(item).expect("an item can be written");
    FixedState::default().hash_one(bytes)
}

/// Revs of a conversation that are remembered even if nobody holds them: pushes are behind each other by a few.
const VERSIONS_KEPT: u64 = 64;

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

    /// How many conversations were shown or read of.
    pub(crate) fn len(&self) -> usize {
        self.conversations.len()
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

    /// Forgets rows that nobody holds and that are long past, so that they do not grow with the run.
    pub(crate) fn forget(&mut self) {
        for (_, versions) in &mut self.conversations {
            let Some((newest, _)) = versions.last_key_value() else { continue };
            let from = newest.saturating_sub(VERSIONS_KEPT);
            versions.retain(|rev, version| {
                *rev >= from || Rc::strong_count(version) > 1 || version.differs.get()
            });
        }
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
