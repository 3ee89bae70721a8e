//! A practice to try the rules on. It keeps every conversation the way the store would, hands decisions what they
//! want of it, and checks after each of them everything that must hold whatever was decided.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::str::FromStr;

use rotunda_protocol::Millis;
use rotunda_protocol::command::{
    Command, ConversationUpdate, Done, Inbound, NewEndpoint, NewOrganization, NewTeam, NewTeammate, OnUnseen,
};
use rotunda_protocol::conversation::{Contact, Happening, Mark, Was};
use rotunda_protocol::directory::{EndpointKind, Features, OrganizationKind, Policy, Role};
use rotunda_protocol::id::{ConversationId, TeammateId};
use rotunda_protocol::item::{Content, Direction, Item};
use rotunda_protocol::principal::{Actor, Mailbox, Principal};
use rotunda_protocol::refusal::Refusal;

use crate::domain::conversation::Conversation;
use crate::domain::decide::{decide, wanted};
use crate::domain::directory::Endpoint;
use crate::domain::draft::{Archived, Working};
use crate::domain::event::{Change, ConversationChange, Event, Seq};
use crate::domain::list::{self, Selection};
use crate::domain::narrowing;
use crate::domain::organization::Organization;

/// What came of a command.
pub(super) type Answer = Result<Done, Refusal>;

/// An organization with a log, and what a store would hold of it.
pub(super) struct Practice {
    pub(super) working: Working,
    pub(super) log: Vec<Event>,
    /// What was brought in stays for the next decision, as in a batch.
    pub(super) batching: bool,
    replayed: Organization,
    store: BTreeMap<ConversationId, Archived>,
    contacts: BTreeMap<String, Contact>,
    minted: u32,
    now: Millis,
    told: Vec<String>,
}

/// Somebody who is about to do something.
pub(super) struct As<'a> {
    practice: &'a mut Practice,
    actor: Actor,
}

/// Anything that is written as one word: ids, principals, assignees, mailboxes.
#[track_caller]
pub(super) fn id<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().unwrap_or_else(|problem| panic!("{text}: {problem:?}"))
}

/// Several of them.
pub(super) fn ids<C: FromIterator<T>, T: FromStr<Err: Debug>>(texts: &[&str]) -> C {
    texts.iter().map(|text| id(text)).collect()
}

pub(super) fn teammate(name: &str, role: Role, active: bool) -> NewTeammate {
    NewTeammate { id: Some(id(name)), name: name.to_uppercase(), role, active }
}

pub(super) fn team(name: &str, members: &[&str]) -> NewTeam {
    NewTeam { id: Some(id(name)), name: name.to_uppercase(), members: ids(members) }
}

pub(super) fn endpoint(name: &str, address: &str, owner: &str, members: &[&str]) -> NewEndpoint {
    NewEndpoint {
        id: Some(id(name)),
        kind: if address.starts_with('+') { EndpointKind::Phone } else { EndpointKind::Link },
        address: address.into(),
        label: name.to_uppercase(),
        owner: id(owner),
        members: ids(members),
        auto_assign: false,
    }
}

pub(super) fn auto(endpoint: NewEndpoint) -> NewEndpoint {
    NewEndpoint { auto_assign: true, ..endpoint }
}

pub(super) fn text(body: &str) -> Content {
    Content::Message { direction: Direction::In, body: body.into(), media: Vec::new() }
}

/// The practice of most tests. Ada administers. Everybody sees what comes in through `main`; Ben and Cleo are the
/// desk, Cleo and Dora the nurses; `desk-line` goes to the desk, `dora-line` to Dora, by themselves; `cleo-link` is
/// Cleo's, with Ben. Finn was invited, Sam is suspended.
pub(super) fn demo() -> NewOrganization {
    NewOrganization {
        name: "Rotunda Family Practice".into(),
        kind: OrganizationKind::Team,
        teammates: vec![
            teammate("ada", Role::Admin, true),
            teammate("ben", Role::Member, true),
            teammate("cleo", Role::Member, true),
            teammate("dora", Role::Member, true),
            teammate("finn", Role::Member, false),
            teammate("sam", Role::Member, true),
        ],
        teams: vec![team("desk", &["ben", "cleo"]), team("nurses", &["cleo", "dora"])],
        endpoints: vec![
            endpoint("main", "+14155550100", "organization", &[]),
            auto(endpoint("desk-line", "+14155550101", "team:desk", &[])),
            endpoint("cleo-link", "cleo", "teammate:cleo", &["teammate:ben"]),
            auto(endpoint("dora-line", "+14155550103", "teammate:dora", &[])),
        ],
    }
}

impl Practice {
    /// The demo practice.
    pub(super) fn new() -> Self {
        let mut practice = Self::of(demo());
        practice.as_("ada").does(Command::Suspend { teammate: id("sam") }).unwrap();
        practice
    }

    /// An organization set up by the back office.
    pub(super) fn of(new: NewOrganization) -> Self {
        let mut practice = Self::empty();
        practice.service().does(Command::Provision(new)).unwrap();
        practice
    }

    /// No organization yet.
    pub(super) fn empty() -> Self {
        Self {
            working: Working::new(Organization::empty(id("practice"))),
            log: Vec::new(),
            batching: false,
            replayed: Organization::empty(id("practice")),
            store: BTreeMap::new(),
            contacts: BTreeMap::new(),
            minted: 0,
            now: 1_000,
            told: Vec::new(),
        }
    }

    /// A teammate.
    pub(super) fn as_(&mut self, teammate: &str) -> As<'_> {
        As { practice: self, actor: Actor::Teammate(id(teammate)) }
    }

    /// The back office, or an automation.
    pub(super) fn service(&mut self) -> As<'_> {
        As { practice: self, actor: Actor::Service("crm".into()) }
    }

    /// Whoever.
    pub(super) fn actor(&mut self, actor: Actor) -> As<'_> {
        As { practice: self, actor }
    }

    /// Something is sent by a contact to an address.
    pub(super) fn receives(&mut self, to: &str, from: &str, content: Content) -> Answer {
        let inbound = Inbound { to: to.into(), from: from.into(), name: None, content };
        self.service().does(Command::Receive(inbound))
    }

    /// A message from a contact to an endpoint; gives the conversation it is in.
    #[track_caller]
    pub(super) fn hears(&mut self, endpoint: &str, from: &str) -> ConversationId {
        let to = self.endpoint(endpoint).address.clone();
        conversation_of(self.receives(&to, from, text("hello")))
    }

    /// The organization, as decided so far.
    pub(super) fn organization(&self) -> &Organization {
        &self.working.organization
    }

    /// An endpoint.
    #[track_caller]
    pub(super) fn endpoint(&self, endpoint: &str) -> &Endpoint {
        self.organization().endpoint(&id(endpoint)).unwrap()
    }

    /// A conversation as the store has it.
    #[track_caller]
    pub(super) fn row(&self, conversation: &ConversationId) -> &Conversation {
        &self.store[conversation].conversation
    }

    /// All conversations as the store has them.
    pub(super) fn rows(&self) -> impl Iterator<Item = &Conversation> {
        self.store.values().map(|kept| &kept.conversation)
    }

    /// The mailbox a conversation is in.
    pub(super) fn mailbox(&self, conversation: &ConversationId) -> String {
        self.row(conversation).mailbox(self.organization().assignment()).to_string()
    }

    /// Who holds a conversation, as the log has it.
    pub(super) fn holder(&self, conversation: &ConversationId) -> Option<String> {
        self.row(conversation).assignee().map(ToString::to_string)
    }

    /// Whether a teammate may see a conversation.
    pub(super) fn sees(&self, teammate: &str, conversation: &ConversationId) -> bool {
        self.organization().can_see(&id(teammate), self.row(conversation))
    }

    /// Everybody who may see a conversation.
    pub(super) fn staff(&self, conversation: &ConversationId) -> Vec<String> {
        let staff = self.organization().staff(self.row(conversation));
        self.organization().members_of(staff).iter().map(ToString::to_string).collect()
    }

    /// A mailbox as a teammate sees it.
    pub(super) fn lists(&self, teammate: &str, mailbox: &str) -> Vec<ConversationId> {
        let mailbox: Mailbox = id(mailbox);
        let selection = Selection { mailbox: &mailbox, endpoint: None };
        let rows = list::page(self.organization(), &id(teammate), &selection, None, usize::MAX);
        let counted = list::count(self.organization(), &id(teammate), &selection);
        assert_eq!(rows.len() as u64, counted, "B34: the count is the length of the list");
        rows.iter().map(|row| row.id.clone()).collect()
    }

    /// A teammate's mark on a conversation, as the store has it.
    pub(super) fn mark(&self, teammate: &str, conversation: &ConversationId) -> Mark {
        let teammate: TeammateId = id(teammate);
        let marks = &self.store[conversation].marks;
        marks.iter().find(|(of, _)| *of == teammate).map(|(_, mark)| *mark).unwrap_or_default()
    }

    /// The newest event.
    pub(super) fn last(&self) -> &Event {
        self.log.last().unwrap()
    }

    /// What the newest event says of a conversation.
    #[track_caller]
    pub(super) fn news(&self, conversation: &ConversationId) -> &ConversationChange {
        let mut news = changes_of(self.last()).filter(|change| change.after.id == *conversation);
        news.next().expect("the newest event changed the conversation")
    }

    /// What happened to a conversation in the newest event.
    #[track_caller]
    pub(super) fn happened(&self, conversation: &ConversationId) -> &[Happening] {
        &self.news(conversation).happened
    }

    /// What the newest event says a conversation was.
    #[track_caller]
    pub(super) fn was(&self, conversation: &ConversationId) -> Was {
        let news = self.news(conversation);
        news.after.was(news.before.as_ref().unwrap(), self.organization().assignment())
    }

    /// The items of the newest event.
    pub(super) fn items(&self) -> Vec<&Item> {
        let changes = self.last().changes.iter();
        changes.filter_map(|change| if let Change::Item(item) = change { Some(item) } else { None }).collect()
    }

    fn does(&mut self, actor: &Actor, command: &Command) -> Answer {
        self.now += 10;
        self.told.push(format!("{actor}: {command:?}"));
        self.bring_in(actor, command);
        let before = self.working.clone();
        let Self { working, minted, now, .. } = self;
        let mut mint = || {
            *minted += 1;
            format!("m{minted:04}")
        };
        match decide(working, actor, command, *now, &mut mint) {
            Ok((done, event)) => {
                assert_eq!(event.is_none(), done == Done::Unchanged, "{command:?}: {done:?}, {event:?}");
                match event {
                    Some(event) => {
                        let replayed = self.replayed.clone();
                        self.keep(&event);
                        let narrows = narrowing::narrows(&replayed, &self.replayed, &event);
                        assert!(
                            !narrows || narrowing::can_narrow(command),
                            "{command:?} takes something away"
                        );
                    }
                    None => self.assert_nothing_happened(&before, command),
                }
                Ok(done)
            }
            Err(refusal) => {
                self.assert_nothing_happened(&before, command);
                Err(refusal)
            }
        }
    }

    /// What the room does before it decides.
    fn bring_in(&mut self, actor: &Actor, command: &Command) {
        if !self.batching {
            self.working.archived.clear();
            self.working.contacts.clear();
        }
        let wanted = wanted(&self.working.organization, actor, command);
        let by_id = wanted.conversation.and_then(|id| self.store.get(&id));
        let by_thread = wanted.thread.as_ref().and_then(|(endpoint, address)| {
            let with = |row: &Conversation| {
                let wire = row.to_wire(true);
                wire.endpoint.as_ref() == Some(endpoint)
                    && wire.contact.is_some_and(|contact| contact.address == *address)
            };
            self.store.values().find(|kept| with(&kept.conversation))
        });
        for kept in by_id.into_iter().chain(by_thread) {
            self.working.archived.entry(kept.conversation.id.clone()).or_insert_with(|| kept.clone());
        }
        if let Some(contact) = wanted.thread.and_then(|(_, address)| self.contacts.get(&address)) {
            self.working.contacts.insert(contact.address.clone(), contact.clone());
        }
    }

    fn assert_nothing_happened(&self, before: &Working, command: &Command) {
        let same = self.working.organization == before.organization
            && self.working.archived == before.archived
            && self.working.contacts == before.contacts;
        assert!(same, "{command:?} changed something, and says it did not");
    }

    /// What must hold after every event, whatever it is.
    fn keep(&mut self, event: &Event) {
        let bytes = serde_json::to_vec(event).unwrap();
        let read: Event = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(read, *event, "an event reads back as it was written");
        let before = self.replayed.clone();
        self.replayed.apply(&read);
        super::told::check(&before, &self.replayed, &read);
        assert!(self.replayed == self.working.organization, "applied and decided differ: {event:#?}");
        self.working.organization.check_invariants();
        let mut seen = BTreeSet::new();
        for change in &event.changes {
            if let Change::Conversation(change) = change {
                assert!(seen.insert(change.after.id.clone()), "6: one transition for one conversation");
            }
            self.keep_change(change);
        }
        self.log.push(read);
        assert_eq!(self.working.organization.seq(), Seq(self.log.len() as u64));
    }

    fn keep_change(&mut self, change: &Change) {
        match change {
            Change::Conversation(change) => self.keep_conversation(change),
            Change::Item(item) => {
                let row = self.row(&item.conversation);
                assert_eq!(item.number, row.items, "items are numbered without gaps");
            }
            Change::Mark { teammate, conversation, mark } => {
                let marks = &mut self.store.get_mut(conversation).unwrap().marks;
                marks.retain(|(of, _)| of != teammate);
                marks.push((teammate.clone(), *mark));
                marks.sort_by(|(a, _), (b, _)| a.cmp(b));
            }
            Change::Contact(contact) => {
                let known = self.contacts.insert(contact.address.clone(), contact.clone());
                assert_eq!(known, None, "R65: a contact is met once");
            }
            Change::Organization(_)
            | Change::Teammate(_)
            | Change::Team(_)
            | Change::Endpoint(_)
            | Change::Tag { .. } => {}
        }
    }

    fn keep_conversation(&mut self, change: &ConversationChange) {
        let known = self.store.get(&change.after.id);
        let rev = known.map_or(0, |known| known.conversation.rev);
        assert_eq!(change.after.rev, rev + 1, "6: rev rises by exactly one");
        assert_eq!(change.before, known.map(|known| known.conversation.before()));
        let items = change.after.items - known.map_or(0, |known| known.conversation.items);
        assert!(items <= 1 && change.after.inbound <= change.after.items);
        let mut marks = known.map(|known| known.marks.clone()).unwrap_or_default();
        for (teammate, mark) in &change.marks {
            assert!(marks.contains(&(teammate.clone(), *mark)), "a mark comes back as it was");
        }
        marks.sort_by(|(a, _), (b, _)| a.cmp(b));
        let conversation = change.after.clone();
        self.store.insert(change.after.id.clone(), Archived { conversation, marks });
    }

    /// The log from the beginning makes the same organization.
    pub(super) fn assert_replays(&self) {
        let mut anew = Organization::empty(id("practice"));
        self.log.iter().for_each(|event| anew.apply(event));
        assert!(anew == self.working.organization, "the log makes another organization");
    }
}

/// A test that fails tells what was done until then.
impl Drop for Practice {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.told.join("\n"));
        }
    }
}

/// The conversations that an event changed.
pub(super) fn changes_of(event: &Event) -> impl Iterator<Item = &ConversationChange> {
    event
        .changes
        .iter()
        .filter_map(|change| if let Change::Conversation(change) = change { Some(&**change) } else { None })
}

/// The conversation of an answer.
#[track_caller]
pub(super) fn conversation_of(answer: Answer) -> ConversationId {
    match answer {
        Ok(Done::Conversation { conversation, .. }) => conversation,
        other => panic!("no conversation: {other:?}"),
    }
}

impl As<'_> {
    #[expect(clippy::needless_pass_by_value, reason = "what is done is made for it")]
    pub(super) fn does(&mut self, command: Command) -> Answer {
        self.practice.does(&self.actor, &command)
    }

    pub(super) fn claims(&mut self, conversation: &ConversationId) -> Answer {
        self.does(Command::Claim { conversation: conversation.clone(), expect_rev: None })
    }

    pub(super) fn assigns(&mut self, conversation: &ConversationId, to: &str) -> Answer {
        self.assigns_if(conversation, to, None)
    }

    pub(super) fn assigns_if(
        &mut self,
        conversation: &ConversationId,
        to: &str,
        expect_rev: Option<u64>,
    ) -> Answer {
        let conversation = conversation.clone();
        self.does(Command::Assign { conversation, to: id(to), grant: false, expect_rev })
    }

    pub(super) fn grants(&mut self, conversation: &ConversationId, to: &str) -> Answer {
        let conversation = conversation.clone();
        self.does(Command::Assign { conversation, to: id(to), grant: true, expect_rev: None })
    }

    /// Archives it having seen everything.
    pub(super) fn archives(&mut self, conversation: &ConversationId) -> Answer {
        self.archives_having_seen(conversation, u32::MAX)
    }

    pub(super) fn archives_having_seen(&mut self, conversation: &ConversationId, seen: u32) -> Answer {
        let conversation = conversation.clone();
        self.does(Command::Archive { conversation, seen, force: false, expect_rev: None })
    }

    pub(super) fn unarchives(&mut self, conversation: &ConversationId) -> Answer {
        self.does(Command::Unarchive { conversation: conversation.clone(), expect_rev: None })
    }

    pub(super) fn updates(&mut self, conversation: &ConversationId, update: ConversationUpdate) -> Answer {
        self.does(Command::Update { conversation: conversation.clone(), update, expect_rev: None })
    }

    /// Writes having seen everything.
    pub(super) fn sends(&mut self, conversation: &ConversationId) -> Answer {
        self.sends_having_seen(conversation, u32::MAX)
    }

    pub(super) fn sends_having_seen(&mut self, conversation: &ConversationId, seen: u32) -> Answer {
        self.does(Command::Send {
            conversation: conversation.clone(),
            body: "good morning".into(),
            seen,
            on_unseen: OnUnseen::Hold,
            stay_archived: false,
        })
    }

    pub(super) fn notes(&mut self, conversation: &ConversationId) -> Answer {
        self.does(Command::PostNote { conversation: conversation.clone(), body: "call back".into() })
    }

    pub(super) fn starts(&mut self, from: Option<&str>, to: &str) -> Answer {
        let from_endpoint = from.map(id);
        self.does(Command::Start { from_endpoint, to: to.into(), name: None, body: "hello".into() })
    }

    pub(super) fn starts_team(&mut self, members: &[&str]) -> Answer {
        self.does(Command::StartTeam { title: "rota".into(), members: ids(members) })
    }

    pub(super) fn tags(&mut self, conversation: &ConversationId, tag: &str) -> Answer {
        self.does(Command::AddTag { conversation: conversation.clone(), tag: tag.into() })
    }

    pub(super) fn untags(&mut self, conversation: &ConversationId, tag: &str) -> Answer {
        self.does(Command::RemoveTag { conversation: conversation.clone(), tag: tag.into() })
    }

    pub(super) fn adds(&mut self, conversation: &ConversationId, members: &[&str]) -> Answer {
        self.does(Command::AddMembers { conversation: conversation.clone(), members: ids(members) })
    }

    pub(super) fn removes(&mut self, conversation: &ConversationId, members: &[&str]) -> Answer {
        self.does(Command::RemoveMembers { conversation: conversation.clone(), members: ids(members) })
    }

    pub(super) fn leaves(&mut self, conversation: &ConversationId) -> Answer {
        self.does(Command::Leave { conversation: conversation.clone() })
    }

    pub(super) fn reads(&mut self, conversation: &ConversationId, number: u32) -> Answer {
        self.does(Command::MarkRead { conversation: conversation.clone(), number })
    }

    pub(super) fn stars(&mut self, conversation: &ConversationId, starred: bool) -> Answer {
        self.does(Command::SetStar { conversation: conversation.clone(), starred })
    }

    pub(super) fn suspends(&mut self, teammate: &str) -> Answer {
        self.does(Command::Suspend { teammate: id(teammate) })
    }

    pub(super) fn restores(&mut self, teammate: &str) -> Answer {
        self.does(Command::Restore { teammate: id(teammate) })
    }

    pub(super) fn sets_role(&mut self, teammate: &str, role: Role) -> Answer {
        self.does(Command::SetRole { teammate: id(teammate), role })
    }

    /// Removes a teammate; with an heir, who gets what they own and hold.
    pub(super) fn removes_teammate(&mut self, teammate: &str, heir: Option<&str>) -> Answer {
        let transfer_to = heir.map(id);
        let transfer_assignments = heir.is_some();
        self.does(Command::Remove { teammate: id(teammate), transfer_to, transfer_assignments })
    }

    pub(super) fn changes_team(&mut self, team: &str, add: &[&str], remove: &[&str]) -> Answer {
        self.does(Command::UpdateTeam { team: id(team), name: None, add: ids(add), remove: ids(remove) })
    }

    pub(super) fn deletes_team(&mut self, team: &str, heir: Option<&str>) -> Answer {
        self.does(Command::DeleteTeam { team: id(team), transfer_to: heir.map(id) })
    }

    pub(super) fn gives(&mut self, endpoint: &str, owner: &str) -> Answer {
        self.sets(endpoint, Set { owner: Some(id(owner)), ..Set::default() })
    }

    pub(super) fn sets_members(&mut self, endpoint: &str, members: &[&str]) -> Answer {
        self.sets(endpoint, Set { members: Some(ids(members)), ..Set::default() })
    }

    pub(super) fn sets_auto(&mut self, endpoint: &str, auto_assign: bool) -> Answer {
        self.sets(endpoint, Set { auto_assign: Some(auto_assign), ..Set::default() })
    }

    pub(super) fn sets(&mut self, endpoint: &str, set: Set) -> Answer {
        let Set { label, owner, members, auto_assign, force } = set;
        self.does(Command::UpdateEndpoint {
            endpoint: id(endpoint),
            label,
            owner,
            members,
            auto_assign,
            force,
        })
    }

    pub(super) fn switches(&mut self, assignment: bool) -> Answer {
        let features = Some(Features { assignment, viewing: true, typing: true });
        self.does(Command::SetOrganization { features, policy: None })
    }

    pub(super) fn decrees(&mut self, policy: Policy) -> Answer {
        self.does(Command::SetOrganization { features: None, policy: Some(policy) })
    }
}

/// What to set of an endpoint.
#[derive(Default)]
pub(super) struct Set {
    pub(super) label: Option<String>,
    pub(super) owner: Option<Principal>,
    pub(super) members: Option<Vec<Principal>>,
    pub(super) auto_assign: Option<bool>,
    pub(super) force: bool,
}
