//! Organizations for the measurement, and what happens in them.

use anyhow::ensure;
use futures::future::try_join_all;
use rotunda_protocol::command::{Command, Done, Inbound, NewEndpoint, NewOrganization, NewTeam, NewTeammate};
use rotunda_protocol::directory::{EndpointKind, OrganizationKind, Role};
use rotunda_protocol::frame::{Answer, ServerFrame};
use rotunda_protocol::id::{ConversationId, OrganizationId};
use rotunda_protocol::item::{Content, Direction};

use crate::client::{self, Reader, Writer};
use crate::node::Node;

/// Sessions that hear of each event: each teammate's one, by turns on one node and on the other.
pub(crate) const RECIPIENTS: usize = 10;
/// Conversations of each organization that things happen in.
const CONVERSATIONS: usize = 4;
/// The one way in. It belongs to the team.
const ADDRESS: &str = "+14155550100";
/// The team, which everybody is in.
pub(crate) const TEAM: &str = "ward";

/// An organization that was set up. `t0`, an admin, and the others are in the one team, which sees everything.
pub(crate) struct Practice {
    pub(crate) id: OrganizationId,
    pub(crate) conversations: Vec<ConversationId>,
}

/// A teammate's name.
pub(crate) fn teammate(number: usize) -> String {
    format!("t{number}")
}

impl Practice {
    pub(crate) async fn set_up(node: &Node, name: &str) -> anyhow::Result<Self> {
        let path = format!("/v1/organizations/{name}");
        node.ask("PUT", &path, "set-up", &serde_json::to_string(&practice(name)?)?).await?;
        let mut conversations = Vec::new();
        for number in 0..CONVERSATIONS {
            let content = Content::Message { direction: Direction::In, body: "Hello!".into(), media: vec![] };
            let from = format!("+1415555020{number}");
            let inbound = Inbound { to: ADDRESS.into(), from, name: None, content };
            let (path, body) = (format!("{path}/inbound"), serde_json::to_string(&inbound)?);
            let done = node.ask("POST", &path, &format!("patient-{number}"), &body).await?;
            let Done::Conversation { conversation, .. } = serde_json::from_str(&done)? else {
                anyhow::bail!("no conversation: {done}")
            };
            conversations.push(conversation);
        }
        Ok(Self { id: name.parse()?, conversations })
    }

    /// Sessions of every other teammate, from the first or the second on.
    pub(crate) async fn sessions(&self, node: &Node, first: usize) -> anyhow::Result<Vec<(Writer, Reader)>> {
        let teammates = (first..RECIPIENTS).step_by(2);
        let greeted =
            teammates.map(|number| async move { client::greet(node, &self.id, &teammate(number)).await });
        try_join_all(greeted).await
    }

    /// What happens by a number: somebody notes something in one of the conversations.
    pub(crate) fn event(&self, number: usize) -> Command {
        let conversation = self.conversations[number % self.conversations.len()].clone();
        Command::PostNote {
            conversation,
            body: format!("Note {number}: call back before the end of the day."),
        }
    }
}

/// What became of the command with this name, if the frame says it.
pub(crate) fn done(frame: ServerFrame) -> anyhow::Result<Option<(String, Done)>> {
    let ServerFrame::Answer { r#ref, answer } = frame else { return Ok(None) };
    ensure!(matches!(answer, Answer::Done { .. }), "a command failed: {answer:?}");
    let Answer::Done { done, .. } = answer else { return Ok(None) };
    Ok(Some((r#ref, done)))
}

fn practice(name: &str) -> anyhow::Result<NewOrganization> {
    let teammates = (0..RECIPIENTS).map(|number| {
        let role = if number == 0 { Role::Admin } else { Role::Member };
        Ok(NewTeammate { id: Some(teammate(number).parse()?), name: teammate(number), role, active: true })
    });
    let members = (0..RECIPIENTS).map(|number| Ok(teammate(number).parse()?));
    let endpoint = NewEndpoint {
        id: None,
        kind: EndpointKind::Phone,
        address: ADDRESS.into(),
        label: "Main line".into(),
        owner: format!("team:{TEAM}").parse()?,
        members: vec![],
        auto_assign: false,
    };
    Ok(NewOrganization {
        name: name.into(),
        kind: OrganizationKind::Team,
        teammates: teammates.collect::<anyhow::Result<_>>()?,
        teams: vec![NewTeam {
            id: Some(TEAM.parse()?),
            name: "Ward".into(),
            members: members.collect::<anyhow::Result<_>>()?,
        }],
        endpoints: vec![endpoint],
    })
}
