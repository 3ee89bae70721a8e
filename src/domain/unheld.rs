//! What has changed that memory does not hold: archived conversations, marks, and who was left out of what. Who is
//! caught up from a position after all of that needs nothing from the database, however many come at once.

use imbl::OrdMap;
use rotunda_protocol::id::TeammateId;

use super::event::{Change, Event, Seq};

/// The newest changes of what memory does not hold. A clone is a snapshot and costs nothing.
#[derive(Debug, Clone, Default)]
pub struct Unheld {
    /// Of anything that any teammate may have to be told.
    of_all: Seq,
    /// Of what only this teammate has to be told.
    of_one: OrdMap<TeammateId, Seq>,
}

impl Unheld {
    /// After loading up to a position nothing is known of what changed before.
    pub fn loaded(head: Seq) -> Self {
        Self { of_all: head, of_one: OrdMap::new() }
    }

    /// Takes in an event, by its number.
    pub fn apply(&mut self, event: &Event, seq: Seq) {
        for change in &event.changes {
            match change {
                Change::Conversation(change) => {
                    if change.after.is_archived() {
                        self.of_all = seq;
                    }
                    for teammate in &change.departed {
                        self.of_one.insert(teammate.clone(), seq);
                    }
                }
                Change::Mark { teammate, .. } => {
                    self.of_one.insert(teammate.clone(), seq);
                }
                Change::Organization(_)
                | Change::Teammate(_)
                | Change::Team(_)
                | Change::Endpoint(_)
                | Change::Contact(_)
                | Change::Tag { .. }
                | Change::Item(_) => {}
            }
        }
    }

    /// Nothing of it has changed for a teammate after a position.
    pub fn is_known(&self, teammate: &TeammateId, since: Seq) -> bool {
        since >= self.of_all && self.of_one.get(teammate).is_none_or(|changed| since >= *changed)
    }
}

#[cfg(test)]
mod tests {
    use rotunda_protocol::conversation::Mark;
    use rotunda_protocol::principal::Actor;

    use super::*;

    fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
        text.parse().unwrap()
    }

    #[test]
    fn what_happened_before_loading_is_not_known_and_a_mark_concerns_only_its_owner() {
        let (ada, ben) = (id("ada"), id("ben"));
        let mut unheld = Unheld::loaded(Seq(5));
        assert!(!unheld.is_known(&ada, Seq(4)) && unheld.is_known(&ada, Seq(5)));
        let event = |change| Event { at: 0, by: Actor::Contact, changes: vec![change] };
        unheld.apply(&event(Change::Tag { name: "new".into() }), Seq(6));
        assert!(unheld.is_known(&ada, Seq(5)));
        let mark = Mark { read: 1, starred: false, rev: 1 };
        let marked = Change::Mark { teammate: id("ada"), conversation: id("c"), mark };
        unheld.apply(&event(marked), Seq(7));
        assert!(!unheld.is_known(&ada, Seq(6)) && unheld.is_known(&ben, Seq(6)));
        assert!(unheld.is_known(&ada, Seq(7)));
    }
}
