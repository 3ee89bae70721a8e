//! Holds what one session was shown against the log.
//!
//! The hub pushes an organization's changes in the order of its log. So whoever was pushed one change and then another
//! must have been pushed every change between them that they could see: what is not there is lost. A state takes the
//! place of pushes: what lies between the last push before it and the first one after must be in one or the other.

use std::collections::HashMap;

use rotunda_protocol::conversation::Conversation;
use rotunda_protocol::id::TeammateId;

use super::findings::Wrong;
use super::model::{Changed, Model};
use super::sight::Seq;
use crate::picture::note::Note;
use crate::picture::rows::Place;
use crate::report::Verdict;

/// One session, as far as it has been checked.
#[derive(Debug)]
pub(crate) struct Audit {
    /// What findings call it.
    name: String,
    teammate: TeammateId,
    /// The first of the changes that it has not been pushed, or shown by a state.
    next: usize,
    /// A state was shown after the last push.
    gap: Option<Gap>,
    open: HashMap<Place, Open>,
}

/// What took the place of pushes.
#[derive(Debug, Default)]
struct Gap {
    /// The session began anew: what it was not shown since, it need not know.
    fresh: bool,
    /// What it was shown since, by `rev`; what is gone counts as newest.
    shown: HashMap<Place, u64>,
}

/// A conversation that is open.
#[derive(Debug, Clone, Copy)]
struct Open {
    /// The newest item that it was shown.
    newest: u32,
    /// The newest that was pushed, or was in a state. Answers may be ahead of pushes that are under way.
    pushed: Option<u32>,
}

impl Audit {
    /// A session that was never welcome.
    pub(crate) fn new(name: String, teammate: TeammateId) -> Self {
        Self {
            name,
            teammate,
            next: 0,
            gap: Some(Gap { fresh: true, ..Gap::default() }),
            open: HashMap::new(),
        }
    }

    /// The session has been shown everything that there is so far: from here on it must be pushed everything.
    pub(crate) fn is_current(&mut self, model: &Model) {
        self.next = model.changes.len();
        self.gap = None;
    }

    /// Checks one note. The model has everything that happened before it was made.
    pub(crate) fn check(&mut self, model: &Model, note: &Note, verdict: &mut Verdict) {
        verdict.checked();
        match note {
            Note::Begun { fresh } => {
                let gap = self.gap.get_or_insert_default();
                gap.fresh |= fresh;
                if *fresh {
                    gap.shown.clear();
                    self.open.clear();
                }
            }
            Note::Row(place, version) => self.pushed(model, *place, &version.row, verdict),
            Note::Item(place, number) => self.pushed_item(model, *place, *number, verdict),
            Note::StateRow(place, version) => {
                self.shown(model, *place, &version.row, verdict);
                self.gap.get_or_insert_default().shown.insert(*place, version.row.rev);
            }
            Note::StateGone(place) => {
                self.gap.get_or_insert_default().shown.insert(*place, u64::MAX);
                self.open.remove(place);
            }
            Note::StateItem(place, number) => {
                self.shown_item(model, *place, *number, verdict);
                if let Some(open) = self.open.get_mut(place) {
                    open.newest = open.newest.max(*number);
                }
            }
            Note::StateEnd => {
                self.gap.get_or_insert_default();
                self.open.values_mut().for_each(|open| open.pushed = Some(open.newest));
            }
            Note::AnswerRow(place, version) => {
                self.shown(model, *place, &version.row, verdict);
                if let Some(gap) = self.gap.as_mut().filter(|gap| gap.fresh) {
                    gap.shown.insert(*place, version.row.rev);
                }
            }
            Note::AnswerItem(place, number) => self.shown_item(model, *place, *number, verdict),
            Note::About(place) => {
                if !model.saw_within(&self.teammate, *place, 0, Seq::MAX) {
                    verdict.found(Wrong::Leaked, || format!("{} was told about {place}", self.name));
                }
            }
            Note::Endpoint(endpoint) => {
                if !model.sight.knew_of(&self.teammate, endpoint) {
                    verdict.found(Wrong::Leaked, || format!("{} was told of endpoint {endpoint}", self.name));
                }
            }
            Note::Opened(place, newest) => {
                self.open.insert(*place, Open { newest: *newest, pushed: None });
            }
            Note::Closed(place) => drop(self.open.remove(place)),
        }
    }

    fn pushed(&mut self, model: &Model, place: Place, row: &Conversation, verdict: &mut Verdict) {
        let Some(change) = self.real(model, place, row, verdict) else { return };
        let seq = model.changes[change].seq;
        if !model.saw_at(&self.teammate, place, seq) {
            verdict
                .found(Wrong::Leaked, || format!("{} was pushed {} at event {seq}", self.name, named(row)));
        }
        if change < self.next {
            let case = || format!("{} was pushed {} again, or too late", self.name, named(row));
            return verdict.found(Wrong::Duplicated, case);
        }
        for missing in self.missing(model, change, seq) {
            let Changed { seq, place, rev } = missing;
            verdict.found(Wrong::Lost, || {
                format!(
                    "{} was not told event {seq} (row {rev} of conversation {place}) before event {}",
                    self.name, model.changes[change].seq
                )
            });
        }
        self.next = change + 1;
        self.gap = None;
    }

    /// Which changes before another one it should have been told and was not.
    fn missing(&self, model: &Model, before: usize, seq: Seq) -> Vec<Changed> {
        let between = model.changes.get(self.next..before).unwrap_or_default();
        let missing = |changed: &&Changed| {
            model.saw_at(&self.teammate, changed.place, changed.seq) && !self.excused(model, changed, seq)
        };
        between.iter().filter(missing).copied().collect()
    }

    fn excused(&self, model: &Model, changed: &Changed, before: Seq) -> bool {
        let Some(gap) = &self.gap else { return false };
        let shown = gap.shown.get(&changed.place);
        shown.map_or(gap.fresh, |rev| *rev >= changed.rev)
            || model.missed_within(&self.teammate, changed.place, changed.seq, before)
    }

    /// A row in an answer or a state: one that was true at a time when they could see it.
    fn shown(&self, model: &Model, place: Place, row: &Conversation, verdict: &mut Verdict) {
        let Some(change) = self.real(model, place, row, verdict) else { return };
        let (from, before) = (model.changes[change].seq, model.next_of(place, row.rev));
        if !model.saw_within(&self.teammate, place, from, before) {
            verdict.found(Wrong::Leaked, || format!("{} was shown {}", self.name, named(row)));
        }
    }

    /// The change that made a row; none if there never was such a row.
    fn real(&self, model: &Model, place: Place, row: &Conversation, verdict: &mut Verdict) -> Option<usize> {
        let change = model.change_of(place, row.rev);
        if change.is_none() || !model.agrees(place, row) {
            let case = || format!("{} was shown {} which the log does not have so", self.name, named(row));
            verdict.found(Wrong::Diverged, case);
        }
        change
    }

    fn pushed_item(&mut self, model: &Model, place: Place, number: u32, verdict: &mut Verdict) {
        let Some(seq) = model.item_of(place, number) else {
            let case =
                || format!("{} was pushed item {number} of {place}, which the log does not have", self.name);
            return verdict.found(Wrong::Diverged, case);
        };
        if !model.saw_at(&self.teammate, place, seq) {
            let case = || format!("{} was pushed item {number} of {place} at event {seq}", self.name);
            verdict.found(Wrong::Leaked, case);
        }
        // Closed here a moment ago: pushes were under way.
        let Some(open) = self.open.get_mut(&place) else { return };
        if open.pushed.is_some_and(|pushed| number <= pushed) {
            let case = || format!("{} was pushed item {number} of {place} again", self.name);
            return verdict.found(Wrong::Duplicated, case);
        }
        for missing in open.newest + 1..number {
            let case = || format!("{} was not told item {missing} of {place} before {number}", self.name);
            verdict.found(Wrong::Lost, case);
        }
        *open = Open { newest: open.newest.max(number), pushed: Some(number) };
    }

    fn shown_item(&self, model: &Model, place: Place, number: u32, verdict: &mut Verdict) {
        let Some(seq) = model.item_of(place, number) else {
            let case =
                || format!("{} was shown item {number} of {place}, which the log does not have", self.name);
            return verdict.found(Wrong::Diverged, case);
        };
        if !model.saw_within(&self.teammate, place, seq, Seq::MAX) {
            verdict.found(Wrong::Leaked, || format!("{} was shown item {number} of {place}", self.name));
        }
    }

    /// It has been told everything there is: nothing is under way any more.
    pub(crate) fn is_settled(&self, model: &Model) -> bool {
        self.missing(model, model.changes.len(), Seq::MAX).is_empty() && self.behind(model).is_empty()
    }

    /// Items of open conversations that it was not told.
    fn behind(&self, model: &Model) -> Vec<(Place, u32)> {
        let open = self.open.iter().filter(|(place, _)| model.saw_at(&self.teammate, **place, model.head));
        open.flat_map(|(place, open)| (open.newest + 1..=model.items(*place)).map(|number| (*place, number)))
            .collect()
    }

    /// Nothing more will come.
    pub(crate) fn finish(&self, model: &Model, verdict: &mut Verdict) {
        for Changed { seq, place, rev } in self.missing(model, model.changes.len(), Seq::MAX) {
            let case =
                || format!("{} was never told event {seq} (row {rev} of conversation {place})", self.name);
            verdict.found(Wrong::Lost, case);
        }
        for (place, number) in self.behind(model) {
            verdict.found(Wrong::Lost, || format!("{} was never told item {number} of {place}", self.name));
        }
    }
}

fn named(row: &Conversation) -> String {
    format!("row {} of {}", row.rev, row.id)
}
