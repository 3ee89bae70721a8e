//! What a session holds, as the protocol tells it to: rows and marks by their `rev`, access, what is open. And what it was
//! shown, noted for whoever checks it.

pub(crate) mod news;
pub(crate) mod note;
pub(crate) mod rows;

use std::collections::HashMap;
use std::rc::Rc;

use rotunda_protocol::conversation::{Conversation, Mark};
use rotunda_protocol::id::TeammateId;
use rotunda_protocol::principal::{Mailbox, Principal};
use rotunda_protocol::push::Access;

use self::news::{News, State, Told};
use self::note::Note;
use self::rows::{Place, Version};

/// One session's picture.
#[derive(Debug)]
pub(crate) struct Picture {
    teammate: TeammateId,
    pub(crate) access: Access,
    pub(crate) rows: HashMap<Place, Rc<Version>>,
    pub(crate) marks: HashMap<Place, Mark>,
    /// What is open. A session here has one conversation open at most.
    pub(crate) open: Option<Place>,
    /// What the hub was told is open, when it was last greeted. It may be closed since, which the hub is yet to hear.
    pub(crate) said_open: Option<Place>,
    /// The lists that are shown have to be asked for.
    pub(crate) must_list: bool,
    /// Rows whose mark has to be asked for.
    pub(crate) unmarked: Vec<Place>,
    /// What was lost while it was open: the hub is to be told that it is closed.
    pub(crate) left: Vec<Place>,
}

impl Picture {
    pub(crate) fn of(teammate: TeammateId) -> Self {
        Self {
            teammate,
            access: Access::default(),
            rows: HashMap::new(),
            marks: HashMap::new(),
            open: None,
            said_open: None,
            must_list: false,
            unmarked: Vec::new(),
            left: Vec::new(),
        }
    }

    /// Does what a frame says, and notes what it showed.
    pub(crate) fn apply(&mut self, news: &News, notes: &mut Vec<Note>) {
        match news {
            News::Welcome { resumed, state, .. } => {
                notes.push(Note::Begun { fresh: !resumed, open: self.said_open });
                if !resumed {
                    self.start_over();
                }
                self.apply_state(state, notes);
            }
            News::CatchUp(state) => self.apply_state(state, notes),
            News::Resync(state) => {
                notes.push(Note::StartedOver);
                self.start_over();
                self.apply_state(state, notes);
            }
            News::Row(place, version, was) => {
                notes.push(Note::Row(*place, Rc::clone(version), was.clone()));
                // What was in view before has a mark that was never told here.
                let unmarked =
                    was.is_some() && !self.marks.contains_key(place) && self.shows(&version.row.mailbox);
                self.unmarked.extend(unmarked.then_some(*place));
                self.put(*place, version);
            }
            News::Item(place, item) => notes.push(Note::Item(*place, *item)),
            News::Gone(place) => self.lose(*place, notes),
            News::Scope(scope) => {
                notes.extend(scope.endpoints.iter().cloned().map(Note::Endpoint));
                let named =
                    (difference(&scope.access, &self.access), difference(&self.access, &scope.access));
                if (&scope.granted, &scope.revoked) != (&named.0, &named.1) {
                    notes.push(Note::Misnamed);
                }
                self.set_access(&scope.access, notes);
            }
            News::Endpoint(endpoint) => notes.push(Note::Endpoint(endpoint.clone())),
            News::Mark(place, mark) => {
                notes.push(Note::About(*place));
                self.mark(*place, *mark);
            }
            News::At(place) => notes.push(Note::About(*place)),
            News::Quiet | News::Freshness | News::Closing { .. } | News::Answer { .. } => {}
        }
    }

    /// Takes in what an answer told.
    pub(crate) fn take(&mut self, told: &Told, notes: &mut Vec<Note>) {
        note_told(told, notes);
        match told {
            Told::List { rows, .. } => {
                for (place, version, mark) in rows {
                    self.put(*place, version);
                    self.mark(*place, *mark);
                }
            }
            Told::Opened { row: (place, version, mark), .. } => {
                self.put(*place, version);
                self.mark(*place, *mark);
                self.open = Some(*place);
                notes.push(Note::Opened(*place, version.row.items));
            }
            Told::Counts(_) | Told::Other => {}
        }
    }

    /// The lists that it shows: what is shared, its own, its teams', and what teammates write to each other.
    pub(crate) fn shown_lists(&self) -> Vec<Mailbox> {
        let teams = self.access.teams.iter().cloned().map(Mailbox::Team);
        let own = [Mailbox::Shared, Mailbox::Internal, Mailbox::Teammate(self.teammate.clone())];
        own.into_iter().chain(teams).collect()
    }

    fn shows(&self, mailbox: &Mailbox) -> bool {
        match mailbox {
            Mailbox::Shared | Mailbox::Internal => true,
            Mailbox::Teammate(teammate) => *teammate == self.teammate,
            Mailbox::Team(team) => self.access.teams.contains(team),
            Mailbox::None => false,
        }
    }

    /// The conversation that is open is so no more.
    pub(crate) fn close(&mut self, notes: &mut Vec<Note>) -> Option<Place> {
        let open = self.open.take();
        notes.extend(open.map(Note::Closed));
        open
    }

    fn start_over(&mut self) {
        self.rows = HashMap::new();
        self.marks = HashMap::new();
        self.left.extend(self.open.take());
        self.must_list = true;
    }

    fn apply_state(&mut self, state: &State, notes: &mut Vec<Note>) {
        notes.extend(state.endpoints.iter().cloned().map(Note::Endpoint));
        for gone in &state.gone {
            notes.push(Note::StateGone(*gone));
            self.lose(*gone, notes);
        }
        self.set_access(&state.access, notes);
        for (place, version, mark) in &state.rows {
            notes.push(Note::StateRow(*place, Rc::clone(version)));
            self.put(*place, version);
            self.mark(*place, *mark);
        }
        for (place, mark) in &state.marks {
            notes.push(Note::About(*place));
            self.mark(*place, *mark);
        }
        notes.extend(state.items.iter().map(|(place, item)| Note::StateItem(*place, *item)));
        notes.extend(state.at.iter().copied().map(Note::About));
        notes.push(Note::StateEnd);
    }

    fn put(&mut self, place: Place, version: &Rc<Version>) {
        if self.rows.get(&place).is_none_or(|held| held.row.rev <= version.row.rev) {
            self.rows.insert(place, Rc::clone(version));
        }
    }

    fn mark(&mut self, place: Place, mark: Mark) {
        if self.marks.get(&place).is_none_or(|held| held.rev <= mark.rev) {
            self.marks.insert(place, mark);
        }
    }

    fn lose(&mut self, place: Place, notes: &mut Vec<Note>) {
        self.rows.remove(&place);
        self.marks.remove(&place);
        if self.open == Some(place) {
            let left = self.close(notes);
            self.left.extend(left);
        }
    }

    fn set_access(&mut self, access: &Access, notes: &mut Vec<Note>) {
        let old = std::mem::replace(&mut self.access, access.clone());
        self.must_list |= access.endpoints.iter().any(|id| !old.endpoints.contains(id))
            || access.teams.iter().any(|id| !old.teams.contains(id));
        if self.access == old {
            return;
        }
        let outside = self.rows.iter().filter(|(_, version)| !self.keeps(&version.row));
        let outside: Vec<Place> = outside.map(|(place, _)| *place).collect();
        for place in outside {
            self.lose(place, notes);
        }
    }

    fn keeps(&self, row: &Conversation) -> bool {
        row.endpoint.as_ref().is_some_and(|endpoint| self.access.endpoints.contains(endpoint))
            || row.members.iter().any(|member| match member {
                Principal::Organization => true,
                Principal::Team(team) => self.access.teams.contains(team),
                Principal::Teammate(teammate) => *teammate == self.teammate,
            })
    }
}

/// What one access has that another has not.
fn difference(more: &Access, less: &Access) -> Access {
    Access {
        endpoints: more.endpoints.iter().filter(|id| !less.endpoints.contains(id)).cloned().collect(),
        teams: more.teams.iter().filter(|id| !less.teams.contains(id)).cloned().collect(),
    }
}

/// Notes what an answer showed.
pub(crate) fn note_told(told: &Told, notes: &mut Vec<Note>) {
    match told {
        Told::List { rows, .. } => {
            notes.extend(rows.iter().map(|(place, version, _)| Note::AnswerRow(*place, Rc::clone(version))));
        }
        Told::Opened { row: (place, version, _), items, at } => {
            notes.push(Note::AnswerRow(*place, Rc::clone(version)));
            notes.extend(items.iter().map(|item| Note::AnswerItem(*place, *item)));
            notes.extend(at.then_some(Note::About(*place)));
        }
        Told::Counts(_) | Told::Other => {}
    }
}
