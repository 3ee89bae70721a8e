//! What an organization's log says happened, in what order, and who could see each of it.

use std::collections::HashMap;

use rotunda_protocol::conversation::{Conversation, Mark, Was};
use rotunda_protocol::id::{ConversationId, TeammateId};
use rotunda_protocol::item::Item;
use rotunda_protocol::principal::Mailbox;

use super::log::{Change, Logged, Row};
use super::sight::{List, ListNumber, Seq, Sight};
use crate::picture::note::Shown;
use crate::picture::rows::{Place, Rows, content};

/// A row changed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Changed {
    pub(crate) seq: Seq,
    pub(crate) place: Place,
    pub(crate) rev: u64,
}

/// The revs of a conversation whose rows are kept whole: pushes are behind the log by a few.
const ROWS_KEPT: usize = 64;

/// A conversation's history.
#[derive(Debug)]
struct History {
    id: ConversationId,
    /// Rows in order, `rev` 1 first, each with its number among the organization's changes.
    rows: Vec<(usize, Option<Box<Row>>)>,
    /// The events of its items with what tells them from others, number 1 first.
    items: Vec<(Seq, u64)>,
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

impl History {
    fn of(id: &ConversationId) -> Self {
        Self { id: id.clone(), rows: Vec::new(), items: Vec::new(), lists: Vec::new() }
    }
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
                Change::Item(item) => {
                    self.item(&item, rows)?;
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
        let history = self.histories.entry(place).or_insert_with(|| History::of(&row.id));
        if row.rev != history.rows.len() as u64 + 1 {
            return Err(format!("row {} of {} follows {}", row.rev, row.id, history.rows.len()));
        }
        if history.lists.last().is_none_or(|(_, before)| *before != list) {
            history.lists.push((self.head, list));
        }
        let changed = Changed { seq: self.head, place, rev: row.rev };
        let past = history.rows.len().checked_sub(ROWS_KEPT);
        if let Some((_, past)) = past.and_then(|past| history.rows.get_mut(past)) {
            *past = None;
        }
        history.rows.push((self.changes.len(), Some(Box::new(row))));
        self.changes.push(changed);
        Ok(())
    }

    fn item(&mut self, item: &Item, rows: &mut Rows) -> Result<(), String> {
        let (id, number) = (&item.conversation, item.number);
        let history = self.histories.entry(rows.place(id)).or_insert_with(|| History::of(id));
        if number as usize != history.items.len() + 1 {
            return Err(format!("item {number} of {id} follows {}", history.items.len()));
        }
        history.items.push((self.head, content(item)));
        Ok(())
    }

    /// Where among the changes a row came about.
    pub(crate) fn change_of(&self, place: Place, rev: u64) -> Option<usize> {
        let rows = &self.histories.get(&place)?.rows;
        let (change, _) = rows.get(usize::try_from(rev).ok()?.checked_sub(1)?)?;
        Some(*change)
    }

    /// The event that made an item, if there is one with just this content.
    pub(crate) fn item_of(&self, place: Place, shown: Shown) -> Option<Seq> {
        let items = &self.histories.get(&place)?.items;
        let (seq, content) = items.get((shown.number as usize).checked_sub(1)?)?;
        (*content == shown.content).then_some(*seq)
    }

    /// A conversation's id.
    pub(crate) fn name(&self, place: Place) -> String {
        let history = self.histories.get(&place);
        history
            .map_or_else(|| format!("a conversation ({place}) of no log"), |history| history.id.to_string())
    }

    /// How many items a conversation has.
    pub(crate) fn items(&self, place: Place) -> u32 {
        let items = self.histories.get(&place).map_or(0, |history| history.items.len());
        u32::try_from(items).unwrap_or(u32::MAX)
    }

    /// A row that was shown is what the log says. What is long past is believed.
    pub(crate) fn agrees(&self, place: Place, shown: &Conversation) -> bool {
        self.row_of(place, shown.rev).is_none_or(|row| row.as_shown() == *shown)
    }

    /// What was told of a row before a change is what the log says.
    pub(crate) fn was(&self, place: Place, rev: u64, was: &Was) -> bool {
        self.row_of(place, rev).is_none_or(|row| {
            let row = row.as_shown();
            let before = (&row.mailbox, &row.assignee, &row.tags, &row.endpoint);
            (&was.mailbox, &was.assignee, &was.tags, &was.endpoint) == before
        })
    }

    fn row_of(&self, place: Place, rev: u64) -> Option<&Row> {
        let rows = &self.histories.get(&place)?.rows;
        rows.get(usize::try_from(rev).ok()?.checked_sub(1)?)?.1.as_deref()
    }

    /// The newest `rev` of a conversation.
    pub(crate) fn newest(&self, place: Place) -> u64 {
        self.histories.get(&place).map_or(0, |history| history.rows.len() as u64)
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
            let row = history.rows.last()?.1.as_ref()?;
            let shown = row.mailbox() == *mailbox && self.saw_at(teammate, *place, self.head);
            shown.then_some((*place, row.rev))
        })
    }

    /// What a teammate keeps about a conversation.
    pub(crate) fn mark(&self, teammate: &TeammateId, place: Place) -> Mark {
        self.marks.get(&(teammate.clone(), place)).copied().unwrap_or_default()
    }
}
