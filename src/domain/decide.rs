//! Where every command is decided: `decide(working, actor, command, now)` gives an event or a refusal.
//! What follows is one function for each command, in the file of what it is about.

use rotunda_protocol::Millis;
use rotunda_protocol::command::{Command, Done};
use rotunda_protocol::id::{ConversationId, EndpointId};
use rotunda_protocol::principal::Actor;
use rotunda_protocol::refusal::Refusal;

use super::draft::{Draft, Mint, Working};
use super::event::Event;
use super::organization::Organization;
use super::{
    address, assignment, endpoint, inbound, lifecycle, marks, membership, provision, tagging, team, teammate,
    writing,
};

/// What came of a command: what to answer, and the event if anything happened.
pub type Decision = Result<(Done, Option<Event>), Refusal>;

/// Decides a command. On success `working` goes on from what was decided; a refusal leaves it as it was.
pub fn decide(
    working: &mut Working,
    actor: &Actor,
    command: &Command,
    now: Millis,
    mint: Mint<'_>,
) -> Decision {
    let mut draft = Draft::new(working, actor.clone(), now, mint);
    let done = admit(&draft, command).and_then(|()| dispatch(&mut draft, command))?;
    match draft.finish() {
        Some((event, next)) => {
            *working = next;
            Ok((done, Some(event)))
        }
        None => Ok((done, None)),
    }
}

/// Whoever has no business in the organization learns nothing, not even that it exists.
fn admit(draft: &Draft<'_>, command: &Command) -> Result<(), Refusal> {
    let organization = draft.organization();
    let exists = organization.profile().is_some() || matches!(command, Command::Provision(_));
    let admitted = match &draft.actor {
        Actor::Teammate(id) => organization.is_active(id),
        Actor::Service(_) => true,
        Actor::Contact => false,
    };
    if exists && admitted { Ok(()) } else { Err(Refusal::NotFound) }
}

fn dispatch(draft: &mut Draft<'_>, command: &Command) -> Result<Done, Refusal> {
    match command {
        Command::Start { from_endpoint, to, name, body } => {
            writing::start(draft, from_endpoint.as_ref(), to, name.as_deref(), body)
        }
        Command::StartTeam { title, members } => writing::start_team(draft, title, members),
        Command::Claim { conversation, expect_rev } => assignment::claim(draft, conversation, *expect_rev),
        Command::Assign { conversation, to, grant, expect_rev } => {
            assignment::assign(draft, conversation, to, *grant, *expect_rev)
        }
        Command::Archive { conversation, seen, force, expect_rev } => {
            lifecycle::archive(draft, conversation, *seen, *force, *expect_rev)
        }
        Command::Unarchive { conversation, expect_rev } => {
            lifecycle::unarchive(draft, conversation, *expect_rev)
        }
        Command::Update { conversation, update, expect_rev } => {
            lifecycle::update(draft, conversation, update, *expect_rev)
        }
        Command::Leave { conversation } => membership::leave(draft, conversation),
        Command::AddTag { conversation, tag } => tagging::add(draft, conversation, tag),
        Command::RemoveTag { conversation, tag } => tagging::remove(draft, conversation, tag),
        Command::AddMembers { conversation, members } => membership::add(draft, conversation, members),
        Command::RemoveMembers { conversation, members } => membership::remove(draft, conversation, members),
        Command::Send { conversation, body, seen, on_unseen, stay_archived } => {
            writing::send(draft, conversation, body, *seen, *on_unseen, *stay_archived)
        }
        Command::PostNote { conversation, body } => writing::note(draft, conversation, body),
        Command::MarkRead { conversation, number } => marks::read(draft, conversation, *number),
        Command::SetStar { conversation, starred } => marks::star(draft, conversation, *starred),
        Command::Invite(new) => teammate::invite(draft, new),
        Command::Activate { teammate } => teammate::activate(draft, teammate),
        Command::Suspend { teammate } => teammate::suspend(draft, teammate),
        Command::Restore { teammate } => teammate::restore(draft, teammate),
        Command::Remove { teammate, transfer_to, transfer_assignments } => {
            teammate::remove(draft, teammate, transfer_to.as_ref(), *transfer_assignments)
        }
        Command::SetRole { teammate, role } => teammate::set_role(draft, teammate, *role),
        Command::CreateTeam(new) => team::create(draft, new),
        Command::UpdateTeam { team, name, add, remove } => {
            team::update(draft, team, name.as_deref(), add, remove)
        }
        Command::DeleteTeam { team, transfer_to } => team::delete(draft, team, transfer_to.as_ref()),
        Command::CreateEndpoint(new) => endpoint::create(draft, new),
        Command::UpdateEndpoint { endpoint, label, owner, members, auto_assign, force } => {
            let update = endpoint::Update {
                label: label.as_deref(),
                owner: owner.as_ref(),
                members: members.as_deref(),
                auto_assign: *auto_assign,
                force: *force,
            };
            endpoint::update(draft, endpoint, &update)
        }
        Command::SetOrganization { features, policy } => provision::set(draft, *features, *policy),
        Command::Provision(new) => provision::provision(draft, new),
        Command::Receive(inbound) => inbound::receive(draft, inbound),
    }
}

/// What has to be brought in from the store before a command can be decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// A conversation that is not open, if it exists, or that the caller may not see.
    pub conversation: Option<ConversationId>,
    /// The conversation with this contact address through this endpoint, and the contact, if they exist.
    pub thread: Option<(EndpointId, String)>,
}

/// What deciding a command needs besides the organization.
pub fn wanted(organization: &Organization, actor: &Actor, command: &Command) -> Wanted {
    let caller = match actor {
        Actor::Teammate(id) => Some(id),
        Actor::Service(_) | Actor::Contact => None,
    };
    // What is hidden is looked for as if it were not open: how long the answer takes must not tell (R52).
    let at_hand = |id: &&ConversationId| {
        let open = organization.conversation(id);
        open.is_some_and(|open| caller.is_none_or(|caller| organization.can_see(caller, open)))
    };
    let conversation = command.conversation().filter(|id| !at_hand(id));
    let thread = if let Command::Start { from_endpoint, to, .. } = command {
        let endpoint = writing::pick_endpoint(organization, caller, from_endpoint.as_ref()).ok();
        let address = endpoint.and_then(|endpoint| address::normalize(endpoint.kind, "to", to).ok());
        want_thread(organization, endpoint.map(|endpoint| &endpoint.id), address)
    } else if let Command::Receive(inbound) = command {
        let endpoint = inbound::endpoint(organization, inbound);
        let from = endpoint.and_then(|endpoint| address::sender(endpoint.kind, &inbound.from).ok());
        want_thread(organization, endpoint.map(|endpoint| &endpoint.id), from)
    } else {
        None
    };
    Wanted { conversation: conversation.cloned(), thread }
}

fn want_thread(
    organization: &Organization,
    endpoint: Option<&EndpointId>,
    address: Option<String>,
) -> Option<(EndpointId, String)> {
    let thread = endpoint
        .zip(address)
        .filter(|(endpoint, address)| organization.shelf().thread(endpoint, address).is_none());
    thread.map(|(endpoint, address)| (endpoint.clone(), address))
}
