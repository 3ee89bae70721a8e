//! What an organization's log says happened, in what order, and who could see each of it.

use std::collections::HashMap;

use rotunda_protocol::conversation::{Conversation, Mark};
use rotunda_protocol::id::{ConversationId, TeammateId};
use rotunda_protocol::principal::Mailbox;

use super::log::{Change, Logged, Row};
use super::sight::{List, ListNumber, Seq, Sight};
use crate::picture::rows::{Place, Rows};

/// A row changed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Changed {
    pub(crate) seq: Seq,
    pub(crate) place: Place,
    pub(crate) rev: u64,
}

/// A conversation's history.
#[derive(Debug, Default)]
struct History {
    /// Rows in order, `rev` 1 first, each with its number among the organization's changes.
    rows: Vec<(usize, Row)>,
    /// The events of its items, number 1 first.
    items: Vec<Seq>,
    /// From which event on it has which list.
    lists: Vec<(Seq, ListNumber)>,
}

/// The log, replayed as far as it was read.
#[derive(Debug, Default)]
pub(crate) struct Model {
    /// The last event.
    pub(crate) head: Seq,
    pub(crate) sight: Sight,
    /// Every change of a row, in order.
    pub(crate) changes: Vec<Changed>,
    histories: HashMap<Place, History>,
    marks: HashMap<(TeammateId, Place), Mark>,
}

impl Model {
    /// Takes in the next event. Says what is wrong with the log itself, if anything.
    pub(crate) fn take(&mut self, logged: Logged, rows: &mut Rows) -> Result<(), String> {
        if logged.seq != self.head + 1 {
            return Err(format!("after event {} the log goes on with {}", self.head, logged.seq));
        }
        self.head = logged.seq;
        let mut directory = false;
        for change in logged.event.changes {
            match change {
                Change::Teammate { id, role, status } => self.sight.teammate(id, role, status),
                Change::Team { id, members, deleted } => self.sight.team(id, members, deleted),
                Change::Endpoint { id, owner, members } => self.sight.endpoint(id, owner, members),
                Change::Conversation { after } => {
                    self.row(*after, rows)?;
                    continue;
                }
                Change::Item { conversation, number } => {
                    self.item(&conversation, number, rows)?;
                    continue;
                }
                Change::Mark { teammate, conversation, mark } => {
                    self.marks.insert((teammate, rows.place(&conversation)), mark);
                    continue;
                }
                Change::Other => continue,
            }
            directory = true;
        }
        if directory {
            self.sight.look_around(self.head);
        }
        Ok(())
    }

    fn row(&mut self, row: Row, rows: &mut Rows) -> Result<(), String> {
        let place = rows.place(&row.id);
        let list = List { endpoint: row.endpoint.clone(), members: row.members.clone() };
        let list = self.sight.list(list, self.head);
        let history = self.histories.entry(place).or_default();
        if row.rev != history.rows.len() as u64 + 1 {
            return Err(format!("row {} of {} follows {}", row.rev, row.id, history.rows.len()));
        }
        if history.lists.last().is_none_or(|(_, before)| *before != list) {
            history.lists.push((self.head, list));
        }
        let changed = Changed { seq: self.head, place, rev: row.rev };
        history.rows.push((self.changes.len(), row));
        self.changes.push(changed);
        Ok(())
    }

    fn item(&mut self, id: &ConversationId, number: u32, rows: &mut Rows) -> Result<(), String> {
        let items = &mut self.histories.entry(rows.place(id)).or_default().items;
        if number as usize != items.len() + 1 {
            return Err(format!("item {number} of {id} follows {}", items.len()));
        }
        items.push(self.head);
        Ok(())
    }

    /// Where among the changes a row came about.
    pub(crate) fn change_of(&self, place: Place, rev: u64) -> Option<usize> {
        let rows = &self.histories.get(&place)?.rows;
        let (change, _) = rows.get(usize::try_from(rev).ok()?.checked_sub(1)?)?;
        Some(*change)
    }

    /// The event that made an item.
    pub(crate) fn item_of(&self, place: Place, number: u32) -> Option<Seq> {
        self.histories.get(&place)?.items.get((number as usize).checked_sub(1)?).copied()
    }

    /// How many items a conversation has.
    pub(crate) fn items(&self, place: Place) -> u32 {
        let items = self.histories.get(&place).map_or(0, |history| history.items.len());
        u32::try_from(items).unwrap_or(u32::MAX)
    }

    /// A row that was shown is what the log says.
    pub(crate) fn agrees(&self, place: Place, shown: &Conversation) -> bool {
        let rows = self.histories.get(&place).map(|history| &history.rows);
        let place = usize::try_from(shown.rev).ok().and_then(|rev| rev.checked_sub(1));
        let Some((_, logged)) = place.and_then(|place| rows?.get(place)) else { return false };
        shown.mailbox == logged.mailbox()
            && shown.assignee.as_ref() == logged.assignee()
            && shown.endpoint == logged.endpoint
            && shown.members == logged.members
            && shown.tags == logged.tags
            && (shown.items, shown.inbound) == (logged.items, logged.inbound)
            && shown.activity_at == logged.activity_at
    }

    /// A teammate could see a conversation right after an event.
    pub(crate) fn saw_at(&self, teammate: &TeammateId, place: Place, seq: Seq) -> bool {
        let Some(history) = self.histories.get(&place) else { return false };
        let after = history.lists.partition_point(|(from, _)| *from <= seq);
        after > 0 && self.sight.saw_at(teammate, history.lists[after - 1].1, seq)
    }

    /// A teammate could see a conversation at some time from one event on, and before another.
    pub(crate) fn saw_within(&self, teammate: &TeammateId, place: Place, from: Seq, before: Seq) -> bool {
        let mut spans = self.spans(place, from, before);
        spans.any(|(list, from, before)| self.sight.saw_within(teammate, list, from, before))
    }

    /// A teammate could at some time in between not see it.
    pub(crate) fn missed_within(&self, teammate: &TeammateId, place: Place, from: Seq, before: Seq) -> bool {
        let mut spans = self.spans(place, from, before);
        spans.any(|(list, from, before)| self.sight.missed_within(teammate, list, from, before))
    }

    /// Which lists a conversation had in between, each with from when to when.
    fn spans(
        &self,
        place: Place,
        from: Seq,
        before: Seq,
    ) -> impl Iterator<Item = (ListNumber, Seq, Seq)> + '_ {
        let lists = self.histories.get(&place).map_or(&[][..], |history| &history.lists);
        let ends = lists.iter().skip(1).map(|(seq, _)| *seq).chain([Seq::MAX]);
        let spans = lists.iter().zip(ends).map(|((begins, list), ends)| (*list, *begins, ends));
        spans
            .map(move |(list, begins, ends)| (list, begins.max(from), ends.min(before)))
            .filter(|(_, begins, ends)| begins < ends)
    }

    /// When the row after this one came about.
    pub(crate) fn next_of(&self, place: Place, rev: u64) -> Seq {
        self.change_of(place, rev + 1).map_or(Seq::MAX, |change| self.changes[change].seq)
    }

    /// Every conversation that a teammate may see now and that is in a mailbox, with its newest `rev`.
    pub(crate) fn mailbox<'a>(
        &'a self,
        teammate: &'a TeammateId,
        mailbox: &'a Mailbox,
    ) -> impl Iterator<Item = (Place, u64)> + 'a {
        self.histories.iter().filter_map(move |(place, history)| {
            let (_, row) = history.rows.last()?;
            let shown = row.mailbox() == *mailbox && self.saw_at(teammate, *place, self.head);
            shown.then_some((*place, row.rev))
        })
    }

    /// What a teammate keeps about a conversation.
    pub(crate) fn mark(&self, teammate: &TeammateId, place: Place) -> Mark {
        self.marks.get(&(teammate.clone(), place)).copied().unwrap_or_default()
    }
}
