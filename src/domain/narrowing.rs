//! Whether an event lets anybody see less than before. Whoever changes that is answered only when it is so on every
//! node, so a wrong "no" here would be a leak, and a wrong "yes" costs a few milliseconds.

use std::collections::BTreeSet;

use rotunda_protocol::command::Command;

use super::directory::{Endpoint, Team, Teammate};
use super::event::{Change, Event};
use super::organization::Organization;

/// Somebody may see less after this event, which led from one organization to the other.
pub fn narrows(before: &Organization, after: &Organization, event: &Event) -> bool {
    event.changes.iter().any(|change| match change {
        Change::Teammate(now) => before.teammate(&now.id).is_some_and(|was| demotes(was, now)),
        Change::Team(now) => before.team(&now.id).is_some_and(|was| leaves_out(was, now)),
        Change::Endpoint(now) => before.endpoint(&now.id).is_some_and(|was| shuts_out(was, now)),
        Change::Conversation(change) => {
            change.departed.iter().any(|departed| !after.can_see(departed, &change.after))
        }
        Change::Organization(_)
        | Change::Contact(_)
        | Change::Tag { .. }
        | Change::Item(_)
        | Change::Mark { .. } => false,
    })
}

fn demotes(was: &Teammate, now: &Teammate) -> bool {
    was.is_active() && !now.is_active() || was.is_admin() && !now.is_admin()
}

fn leaves_out(was: &Team, now: &Team) -> bool {
    !was.members.is_subset(&now.members)
}

fn shuts_out(was: &Endpoint, now: &Endpoint) -> bool {
    let now: BTreeSet<_> = now.principals().collect();
    was.principals().any(|principal| !now.contains(principal))
}

/// Whether a command can let anybody see less. If it finds that so already, somebody may have done it just now.
pub fn can_narrow(command: &Command) -> bool {
    match command {
        Command::Leave { .. }
        | Command::RemoveMembers { .. }
        | Command::Suspend { .. }
        | Command::Remove { .. }
        | Command::SetRole { .. }
        | Command::UpdateTeam { .. }
        | Command::DeleteTeam { .. }
        | Command::UpdateEndpoint { .. } => true,
        Command::Start { .. }
        | Command::StartTeam { .. }
        | Command::Claim { .. }
        | Command::Assign { .. }
        | Command::Archive { .. }
        | Command::Unarchive { .. }
        | Command::Update { .. }
        | Command::AddTag { .. }
        | Command::RemoveTag { .. }
        | Command::AddMembers { .. }
        | Command::Send { .. }
        | Command::PostNote { .. }
        | Command::MarkRead { .. }
        | Command::SetStar { .. }
        | Command::Invite(_)
        | Command::Activate { .. }
        | Command::Restore { .. }
        | Command::CreateTeam(_)
        | Command::CreateEndpoint(_)
        | Command::SetOrganization { .. }
        | Command::Provision(_)
        | Command::Receive(_) => false,
    }
}
