//! Holds what one session was shown against the log.
//!
//! The hub pushes an organization's changes in the order of its log. So whoever was pushed one change and then another
//! must have been pushed every change between them that they could see: what is not there is lost. A state takes the
//! place of pushes: what lies between the last push before it and the first one after must be in one or the other.

use std::collections::HashMap;

use rotunda_protocol::conversation::{Conversation, Was};
use rotunda_protocol::id::TeammateId;

use super::findings::Wrong;
use super::model::{Changed, Model};
use super::sight::Seq;
use crate::picture::note::{Note, Shown};
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
    /// The newest event that it knows of: what it is shown from here on is of no earlier one, unless it begins anew.
    position: Seq,
    /// A state was shown after the last push.
    gap: Option<Gap>,
    /// What is open, or asked to be.
    open: HashMap<Place, Open>,
    /// What was closed a moment ago: pushes are under way until something asked since is answered.
    /// True once something has been asked since.
    closing: HashMap<Place, bool>,
}

/// What took the place of pushes.
#[derive(Debug, Default)]
struct Gap {
    /// The session began anew: what it was not shown since, it need not know.
    fresh: bool,
    /// What it was shown since, by `rev`; what is gone counts as newest.
    shown: HashMap<Place, u64>,
}

/// A conversation that is open, or asked to be.
#[derive(Debug, Clone, Copy, Default)]
struct Open {
    /// The newest item that it was shown. None until the answer to `open` is here.
    newest: Option<u32>,
    /// The first that was pushed before that.
    first: Option<u32>,
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
            position: 0,
            gap: Some(Gap { fresh: true, ..Gap::default() }),
            open: HashMap::new(),
            closing: HashMap::new(),
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
            Note::Begun { fresh, open } => self.begun(*fresh, *open),
            Note::StartedOver => self.started_over(),
            Note::Row(place, version, was) => {
                self.pushed(model, *place, &version.row, was.as_deref(), verdict);
            }
            Note::Item(place, item) => self.pushed_item(model, *place, *item, verdict),
            Note::StateRow(place, version) => {
                if let Some(change) = self.shown(model, *place, &version.row, verdict) {
                    self.position = self.position.max(model.changes[change].seq);
                }
                self.gap.get_or_insert_default().shown.insert(*place, version.row.rev);
            }
            Note::StateGone(place) => {
                self.gap.get_or_insert_default().shown.insert(*place, u64::MAX);
                self.open.remove(place);
            }
            Note::StateItem(place, item) => {
                self.shown_item(model, *place, *item, verdict);
                if let Some(open) = self.open.get_mut(place) {
                    open.newest = open.newest.max(Some(item.number));
                }
            }
            Note::StateEnd => {
                self.gap.get_or_insert_default();
                self.open.values_mut().for_each(|open| open.pushed = open.newest);
            }
            Note::AnswerRow(place, version) => {
                self.shown(model, *place, &version.row, verdict);
                if let Some(gap) = self.gap.as_mut().filter(|gap| gap.fresh) {
                    gap.shown.insert(*place, version.row.rev);
                }
            }
            Note::AnswerItem(place, item) => self.shown_item(model, *place, *item, verdict),
            Note::About(place) => {
                if !model.saw_within(&self.teammate, *place, self.position, Seq::MAX) {
                    let case = || format!("{} was told about {}", self.name, model.name(*place));
                    verdict.found(Wrong::Leaked, case);
                }
            }
            Note::Endpoint(endpoint) => {
                if !model.sight.knew_of(&self.teammate, endpoint) {
                    verdict.found(Wrong::Leaked, || format!("{} was told of endpoint {endpoint}", self.name));
                }
            }
            Note::Opening(place) => {
                self.closing.values_mut().for_each(|asked| *asked = true);
                self.open.entry(*place).or_default();
            }
            Note::Opened(place, newest) => self.opened(model, *place, *newest, verdict),
            Note::Closed(place) => {
                self.open.remove(place);
                self.closing.insert(*place, false);
            }
            Note::Hidden(place) => {
                if !model.missed_within(&self.teammate, *place, self.position, Seq::MAX) {
                    let case =
                        || format!("{} was refused {}, which it may see", self.name, model.name(*place));
                    verdict.found(Wrong::Diverged, case);
                }
            }
            Note::Misnamed => {
                let case =
                    || format!("{} was told a scope that is not what its access changed by", self.name);
                verdict.found(Wrong::Diverged, case);
            }
        }
    }

    /// It closes what was open, of which the hub is yet to hear; what it has asked to open is going to be.
    fn started_over(&mut self) {
        self.forget();
        let shown = self.open.extract_if(|_, open| open.newest.is_some());
        self.closing.extend(shown.map(|(place, _)| (place, false)));
    }

    /// Nothing that it was shown counts any more.
    fn forget(&mut self) {
        let gap = self.gap.get_or_insert_default();
        gap.fresh = true;
        gap.shown.clear();
        self.position = 0;
    }

    fn begun(&mut self, fresh: bool, open: Option<Place>) {
        self.gap.get_or_insert_default();
        self.closing.clear();
        if fresh {
            self.forget();
            self.open.clear();
        } else {
            self.open.retain(|place, _| Some(*place) == open);
        }
        // The hub may still have it open; it is told.
        self.closing.extend(open.filter(|place| !self.open.contains_key(place)).map(|place| (place, false)));
    }

    fn pushed(
        &mut self,
        model: &Model,
        place: Place,
        row: &Conversation,
        was: Option<&Was>,
        verdict: &mut Verdict,
    ) {
        let Some(change) = self.real(model, place, row, verdict) else { return };
        let seq = model.changes[change].seq;
        if !model.saw_at(&self.teammate, place, seq) {
            verdict
                .found(Wrong::Leaked, || format!("{} was pushed {} at event {seq}", self.name, named(row)));
        }
        self.told_before(model, place, row, was, seq, verdict);
        let stated = self.gap.as_ref().filter(|gap| !gap.fresh).and_then(|gap| gap.shown.get(&place));
        if change < self.next || stated.is_some_and(|rev| *rev >= row.rev) {
            let case = || format!("{} was pushed {} again, or too late", self.name, named(row));
            return verdict.found(Wrong::Duplicated, case);
        }
        for missing in self.missing(model, change, seq) {
            verdict.found(Wrong::Lost, || {
                format!("{} was not told {} before event {seq}", self.name, change_named(model, missing))
            });
        }
        self.next = change + 1;
        self.position = seq;
        self.gap = None;
    }

    /// A push says what the row was to whoever could see it then, and to nobody else.
    fn told_before(
        &self,
        model: &Model,
        place: Place,
        row: &Conversation,
        was: Option<&Was>,
        seq: Seq,
        verdict: &mut Verdict,
    ) {
        let saw = row.rev > 1 && model.saw_at(&self.teammate, place, seq - 1);
        let wrong = match was {
            Some(_) if !saw => Wrong::Leaked,
            Some(was) if !model.was(place, row.rev - 1, was) => Wrong::Diverged,
            None if saw => Wrong::Diverged,
            Some(_) | None => return,
        };
        let case = || format!("{} was told wrongly what {} was before event {seq}", self.name, named(row));
        verdict.found(wrong, case);
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

    /// A row in an answer or a state: one that was true at a time when they could see it, and no earlier time than they
    /// know of already.
    fn shown(&self, model: &Model, place: Place, row: &Conversation, verdict: &mut Verdict) -> Option<usize> {
        let change = self.real(model, place, row, verdict)?;
        let from = model.changes[change].seq.max(self.position);
        let before = model.next_of(place, row.rev).max(self.position.saturating_add(1));
        if !model.saw_within(&self.teammate, place, from, before) {
            verdict.found(Wrong::Leaked, || format!("{} was shown {}", self.name, named(row)));
        }
        Some(change)
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

    /// The event that made an item; none if there never was such an item.
    fn real_item(&self, model: &Model, place: Place, item: Shown, verdict: &mut Verdict) -> Option<Seq> {
        let seq = model.item_of(place, item);
        if seq.is_none() {
            verdict.found(Wrong::Diverged, || {
                format!(
                    "{} was shown {} which the log does not have so",
                    self.name,
                    item_named(model, place, item.number)
                )
            });
        }
        seq
    }

    fn pushed_item(&mut self, model: &Model, place: Place, item: Shown, verdict: &mut Verdict) {
        let Some(seq) = self.real_item(model, place, item, verdict) else { return };
        let number = item.number;
        let case = |what: &str| format!("{} was {what} {}", self.name, item_named(model, place, number));
        if !model.saw_at(&self.teammate, place, seq) {
            return verdict.found(Wrong::Leaked, || case("pushed"));
        }
        let Some(open) = self.open.get_mut(&place) else {
            if !self.closing.contains_key(&place) {
                verdict.found(Wrong::Leaked, || case("pushed, without having it open,"));
            }
            return;
        };
        if open.pushed.is_some_and(|pushed| number <= pushed) {
            return verdict.found(Wrong::Duplicated, || case("pushed again"));
        }
        if let Some(known) = open.newest.max(open.pushed) {
            for _ in known + 1..number {
                verdict.found(Wrong::Lost, || case("not told the one before"));
            }
        }
        open.pushed = Some(number);
        if open.newest.is_some() {
            open.newest = open.newest.max(open.pushed);
        } else {
            open.first.get_or_insert(number);
        }
    }

    /// The answer to `open`: what was pushed since it was asked goes on from there.
    fn opened(&mut self, model: &Model, place: Place, newest: u32, verdict: &mut Verdict) {
        self.closing.retain(|_, asked| !*asked);
        let Some(open) = self.open.get_mut(&place) else { return };
        for missing in newest + 1..open.first.unwrap_or(0) {
            let item = item_named(model, place, missing);
            verdict.found(Wrong::Lost, || format!("{} was not told {item} after it opened it", self.name));
        }
        open.newest = Some(newest).max(open.pushed);
    }

    fn shown_item(&self, model: &Model, place: Place, item: Shown, verdict: &mut Verdict) {
        let Some(seq) = self.real_item(model, place, item, verdict) else { return };
        if !model.saw_within(&self.teammate, place, seq.max(self.position), Seq::MAX) {
            let case = || format!("{} was shown {}", self.name, item_named(model, place, item.number));
            verdict.found(Wrong::Leaked, case);
        }
    }

    /// It has been told everything there is: nothing is under way any more.
    pub(crate) fn is_settled(&self, model: &Model) -> bool {
        self.missing(model, model.changes.len(), Seq::MAX).is_empty() && self.behind(model).is_empty()
    }

    /// Items of open conversations that it was not told.
    fn behind(&self, model: &Model) -> Vec<(Place, u32)> {
        let open = self.open.iter().filter(|(place, _)| model.saw_at(&self.teammate, **place, model.head));
        let newest = open.filter_map(|(place, open)| Some((*place, open.newest?)));
        newest
            .flat_map(|(place, newest)| (newest + 1..=model.items(place)).map(move |number| (place, number)))
            .collect()
    }

    /// Nothing more will come.
    pub(crate) fn finish(&self, model: &Model, verdict: &mut Verdict) {
        for missing in self.missing(model, model.changes.len(), Seq::MAX) {
            let case = || format!("{} was never told {}", self.name, change_named(model, missing));
            verdict.found(Wrong::Lost, case);
        }
        for (place, number) in self.behind(model) {
            let case = || format!("{} was never told {}", self.name, item_named(model, place, number));
            verdict.found(Wrong::Lost, case);
        }
    }
}

fn named(row: &Conversation) -> String {
    format!("row {} of {}", row.rev, row.id)
}

fn change_named(model: &Model, Changed { seq, place, rev }: Changed) -> String {
    format!("event {seq} (row {rev} of {})", model.name(place))
}

fn item_named(model: &Model, place: Place, number: u32) -> String {
    format!("item {number} of {}", model.name(place))
}
