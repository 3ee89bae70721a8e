//! An organization's log and all of its sessions here, checked as the log is read.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use hyper::Method;
use rotunda_protocol::conversation::Mark;
use rotunda_protocol::principal::Mailbox;

use tokio::time::timeout;

use crate::check::audit::Audit;
use crate::check::findings::Wrong;
use crate::check::log::Page;
use crate::check::model::Model;
use crate::client::organization::Organization;
use crate::client::session::Session;
use crate::client::world::World;
use crate::picture::note::Note;
use crate::picture::rows::Place;
use crate::report::Verdict;

/// Events read at once.
const PAGE: usize = 1000;

/// How long a list may take at the end.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

/// A list as it was read: places, `rev`s, marks.
type List = Vec<(Place, u64, Mark)>;

/// What is checked in an organization.
pub(super) struct Ledger {
    world: Rc<World>,
    organization: Rc<Organization>,
    kept: RefCell<Kept>,
}

struct Kept {
    model: Model,
    /// In the order of the organization's sessions.
    audits: Vec<Audit>,
    /// Notes that the log has to be read for, in the same order.
    pending: Vec<Vec<Note>>,
    verdict: Verdict,
}

impl Ledger {
    pub(super) fn new(world: Rc<World>, organization: Rc<Organization>) -> Self {
        let audit = |session: &Rc<Session>| {
            let name = format!("session {} ({} of {})", session.number, session.teammate, organization.id);
            Audit::new(name, session.teammate.clone())
        };
        let audits: Vec<_> = organization.sessions.borrow().iter().map(audit).collect();
        let pending = audits.iter().map(|_| Vec::new()).collect();
        let kept = Kept { model: Model::default(), audits, pending, verdict: Verdict::default() };
        Self { world, organization, kept: RefCell::new(kept) }
    }

    /// Reads the log as far as it goes and checks everything that was shown before. May be dropped and called again.
    pub(super) async fn examine(&self) -> anyhow::Result<()> {
        // First the notes, then the log: so everything that they tell of is in it.
        for (session, pending) in
            self.organization.sessions.borrow().iter().zip(&mut self.kept.borrow_mut().pending)
        {
            pending.append(&mut session.held.borrow_mut().notes);
        }
        self.read_log().await?;
        let sessions = self.kept.borrow().audits.len();
        for session in 0..sessions {
            self.check(session);
            // Millions of notes take seconds, and sessions go on reading.
            tokio::task::yield_now().await;
        }
        self.organization.reader.borrow_mut().rows.forget();
        Ok(())
    }

    fn check(&self, session: usize) {
        let Kept { model, audits, pending, verdict } = &mut *self.kept.borrow_mut();
        for note in std::mem::take(&mut pending[session]) {
            audits[session].check(model, &note, verdict);
        }
    }

    async fn read_log(&self) -> anyhow::Result<()> {
        loop {
            let head = self.kept.borrow().model.head;
            let path = format!("/v1/organizations/{}/events?after={head}&limit={PAGE}", self.organization.id);
            let (status, body) = self.world.office.ask(Method::GET, &path, "log", Bytes::new()).await?;
            if !status.is_success() {
                bail!("the log of {} cannot be read: {status}", self.organization.id);
            }
            let page: Page = serde_json::from_slice(&body).context("the log cannot be read")?;
            let Kept { model, verdict, .. } = &mut *self.kept.borrow_mut();
            let full = page.events.len() == PAGE;
            let rows = &mut self.organization.reader.borrow_mut().rows;
            for logged in page.events {
                if let Err(case) = model.take(logged, rows) {
                    verdict.found(Wrong::Diverged, || format!("the log of {}: {case}", self.organization.id));
                    return Ok(());
                }
            }
            if !full {
                return Ok(());
            }
        }
    }

    /// Nothing has happened for a while, and every session that is ready knows all there is.
    pub(super) fn begin(&self) {
        let Kept { model, audits, .. } = &mut *self.kept.borrow_mut();
        for (audit, session) in audits.iter_mut().zip(self.organization.sessions.borrow().iter()) {
            if session.is_ready() {
                audit.is_current(model);
            }
        }
    }

    /// Waits until a session has so many notes that they should be checked.
    pub(super) async fn is_full(&self) {
        self.organization.full.notified().await;
    }

    /// Every session was told everything.
    pub(super) fn is_settled(&self) -> bool {
        let kept = self.kept.borrow();
        kept.audits.iter().all(|audit| audit.is_settled(&kept.model))
    }

    /// Nothing more will come: compares every picture with fresh lists and with the log. Gives all findings.
    pub(super) async fn finish(&self) -> anyhow::Result<Verdict> {
        let sessions = self.organization.sessions.borrow().clone();
        for session in &sessions {
            for mailbox in session.shown_lists() {
                let asked = async {
                    Some((session.fresh(mailbox.clone()).await?, session.count(mailbox.clone()).await?))
                };
                let Ok(Some((fresh, count))) = timeout(ANSWERED_WITHIN, asked).await else {
                    bail!(
                        "session {} ({} of {}) was not told its list of {mailbox} at the end",
                        session.number,
                        session.teammate,
                        self.organization.id
                    );
                };
                self.compare(session, &mailbox, fresh, count);
            }
        }
        self.examine().await?;
        let Kept { model, audits, verdict, .. } = &mut *self.kept.borrow_mut();
        for (audit, session) in audits.iter().zip(&sessions) {
            audit.finish(model, verdict);
            verdict.checked();
            let picture = &session.held.borrow().picture;
            for (place, version) in &picture.rows {
                let stale = version.row.rev != model.newest(*place);
                if stale || !model.saw_at(&session.teammate, *place, model.head) {
                    verdict.found(Wrong::Diverged, || {
                        format!(
                            "session {} ({} of {}) holds row {} of {} {}",
                            session.number,
                            session.teammate,
                            self.organization.id,
                            version.row.rev,
                            version.row.id,
                            if stale { "which is old" } else { "which it may not see any more" }
                        )
                    });
                }
            }
            let access = &picture.access;
            if *access != model.sight.access(&session.teammate) {
                verdict.found(Wrong::Diverged, || format!("session {} has other access", session.number));
            }
        }
        let differing = self.organization.reader.borrow().rows.differing();
        for row in differing {
            verdict.found(Wrong::Diverged, || format!("two sessions were shown different rows as {row}"));
        }
        Ok(std::mem::take(verdict))
    }

    /// The list that a session would show, a fresh one, and the one that the log says.
    fn compare(&self, session: &Session, mailbox: &Mailbox, mut fresh: List, count: u64) {
        let Kept { model, verdict, .. } = &mut *self.kept.borrow_mut();
        let sorted = |mut list: List| {
            list.sort_unstable_by_key(|(place, ..)| *place);
            list
        };
        let mark =
            |place: Place| session.held.borrow().picture.marks.get(&place).copied().unwrap_or_default();
        let shown = session
            .held
            .borrow()
            .picture
            .rows
            .iter()
            .filter(|(_, version)| version.row.mailbox == *mailbox)
            .map(|(place, version)| (*place, version.row.rev, Mark::default()))
            .collect::<Vec<_>>();
        let shown = sorted(shown.into_iter().map(|(place, rev, _)| (place, rev, mark(place))).collect());
        let logged = model.mailbox(&session.teammate, mailbox);
        let logged =
            sorted(logged.map(|(place, rev)| (place, rev, model.mark(&session.teammate, place))).collect());
        fresh = sorted(fresh);
        verdict.checked();
        for (which, list) in [("its picture", &shown), ("a fresh list", &fresh)] {
            if *list != logged {
                let differing = list.iter().filter(|row| !logged.contains(row)).count();
                let missing = logged.iter().filter(|row| !list.contains(row)).count();
                verdict.found(Wrong::Diverged, || {
                    format!(
                        "session {} ({} of {}): in {which} of {mailbox}, {differing} rows are not as in the log, \
                         and {missing} of the log are not there; first: {}",
                        session.number,
                        session.teammate,
                        self.organization.id,
                        first_difference(model, list, &logged)
                    )
                });
            }
        }
        if count != logged.len() as u64 {
            verdict.found(Wrong::Diverged, || {
                format!(
                    "session {} was told {count} in {mailbox}, the log has {}",
                    session.number,
                    logged.len()
                )
            });
        }
    }
}

/// The first row that is not the same in two lists, in words.
fn first_difference(model: &Model, shown: &List, logged: &List) -> String {
    let mut places: Vec<Place> = shown.iter().chain(logged).map(|(place, ..)| *place).collect();
    places.sort_unstable();
    let find = |list: &List, place: Place| list.iter().find(|row| row.0 == place).map(|row| (row.1, row.2));
    let differs = places.into_iter().find(|place| find(shown, *place) != find(logged, *place));
    let told = |found: Option<(u64, Mark)>| match found {
        Some((rev, mark)) => format!("row {rev}, read {} (mark {})", mark.read, mark.rev),
        None => "not there".into(),
    };
    differs.map_or_else(
        || "the same row twice".into(),
        |place| {
            let (here, there) = (told(find(shown, place)), told(find(logged, place)));
            format!("{}: {here}; in the log {there}", model.name(place))
        },
    )
}
