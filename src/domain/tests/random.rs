//! Random organizations and random commands, made of random bytes: fewer bytes make a smaller story, so that what
//! fails can be made small.

use rotunda_protocol::command::{
    Command, ConversationUpdate, Inbound, NewEndpoint, NewOrganization, OnUnseen,
};
use rotunda_protocol::directory::{AssignNonMember, Features, OrganizationKind, Policy, Role};
use rotunda_protocol::id::ConversationId;
use rotunda_protocol::principal::{Actor, AssignTo, Principal};

use super::practice::{Practice, endpoint, id, team, teammate, text};

/// One more than there are: the last of each does not exist.
pub(super) const TEAMMATES: u8 = 7;
pub(super) const TEAMS: u8 = 4;
const ENDPOINTS: u8 = 5;
const CONTACTS: u8 = 4;

/// Bytes that decide, one after the other; when they are used up, all that follows is 0.
pub(super) struct Dice<'a>(pub(super) &'a [u8]);

impl Dice<'_> {
    fn below(&mut self, limit: u8) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first % limit
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 1
    }

    fn sometimes<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.coin() { Some(make(self)) } else { None }
    }

    fn some<T>(&mut self, most: u8, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = self.below(most + 1);
        (0..count).map(|_| make(self)).collect()
    }

    fn teammate(&mut self) -> String {
        format!("p{}", self.below(TEAMMATES))
    }

    fn team(&mut self) -> String {
        format!("t{}", self.below(TEAMS))
    }

    fn endpoint(&mut self) -> String {
        format!("e{}", self.below(ENDPOINTS))
    }

    fn principal(&mut self) -> Principal {
        match self.below(5) {
            0 => Principal::Organization,
            1 | 2 => Principal::Team(id(&self.team())),
            _ => Principal::Teammate(id(&self.teammate())),
        }
    }

    fn assign_to(&mut self) -> AssignTo {
        match self.below(5) {
            0 => AssignTo::Nobody,
            1 | 2 => id(&format!("team:{}", self.team())),
            _ => id(&format!("teammate:{}", self.teammate())),
        }
    }

    fn word(&mut self) -> String {
        ["refill", "Refill", "urgent", " Lab ", ""][usize::from(self.below(5))].into()
    }

    fn role(&mut self) -> Role {
        if self.coin() { Role::Admin } else { Role::Member }
    }

    fn contact(&mut self) -> (String, String) {
        let (endpoint, contact) = (self.below(8) % ENDPOINTS, self.below(CONTACTS));
        let from = if endpoint == 0 { format!("+1555000000{contact}") } else { format!("c{contact}") };
        (address(endpoint), from)
    }

    fn new_endpoint(&mut self, n: u8) -> NewEndpoint {
        let new = endpoint(&format!("e{n}"), &address(n), "organization", &[]);
        let (owner, members) = (self.principal(), self.some(2, Self::principal));
        NewEndpoint { owner, members, auto_assign: self.coin(), ..new }
    }

    /// An organization that can be set up.
    pub(super) fn organization(&mut self) -> NewOrganization {
        let teammates = (0..TEAMMATES - 1).map(|n| {
            let (role, active) = (self.role(), self.below(4) != 1);
            teammate(&format!("p{n}"), role, active)
        });
        let teammates = teammates.collect();
        let teams = (0..TEAMS - 1).map(|n| {
            let members = self.some(3, |dice| format!("p{}", dice.below(TEAMMATES - 1)));
            team(&format!("t{n}"), &members.iter().map(String::as_str).collect::<Vec<_>>())
        });
        let teams = teams.collect();
        let endpoints = (0..ENDPOINTS - 2).map(|n| known(self.new_endpoint(n))).collect();
        let kind = if self.below(4) == 1 { OrganizationKind::Solo } else { OrganizationKind::Team };
        NewOrganization { name: "Any".into(), kind, teammates, teams, endpoints }
    }

    /// What happens next: mostly by somebody who may, on something that there is.
    pub(super) fn step(&mut self, practice: &Practice) -> (Actor, Command) {
        match self.below(5) {
            0 => {
                let command = self.arrival();
                let receives = matches!(command, Command::Receive(_));
                (if receives && self.below(8) != 1 { service() } else { self.anybody() }, command)
            }
            1 => (self.administrator(practice), self.administration()),
            _ => {
                let conversation = self.conversation(practice);
                (self.insider(practice, &conversation), self.work(practice, conversation))
            }
        }
    }

    fn anybody(&mut self) -> Actor {
        match self.below(10) {
            0 => service(),
            9 => Actor::Contact,
            _ => Actor::Teammate(id(&self.teammate())),
        }
    }

    fn administrator(&mut self, practice: &Practice) -> Actor {
        let mut active = practice.organization().active_teammates();
        match (self.below(4), active.find(|teammate| teammate.is_admin())) {
            (0, _) => self.anybody(),
            (1, _) | (_, None) => service(),
            (_, Some(admin)) => Actor::Teammate(admin.id.clone()),
        }
    }

    fn insider(&mut self, practice: &Practice, conversation: &ConversationId) -> Actor {
        let row = practice.rows().find(|row| row.id == *conversation);
        let staff = row.map(|row| practice.organization().members_of(practice.organization().staff(row)));
        let staff: Vec<_> = staff.into_iter().flatten().collect();
        if staff.is_empty() || self.below(4) == 1 {
            return self.anybody();
        }
        let nth = usize::from(self.below(TEAMMATES)) % staff.len();
        Actor::Teammate(staff[nth].clone())
    }

    fn conversation(&mut self, practice: &Practice) -> ConversationId {
        let count = practice.rows().count();
        let nth = usize::from(self.below(251)) % (count + 1);
        practice.rows().nth(nth).map_or_else(|| id("nothing"), |row| row.id.clone())
    }

    fn arrival(&mut self) -> Command {
        let (to, from) = self.contact();
        match self.below(4) {
            0 => Command::StartTeam { title: "rota".into(), members: self.some(3, Self::principal) },
            1 => Command::Start {
                from_endpoint: self.sometimes(|dice| id(&dice.endpoint())),
                to: from,
                name: None,
                body: "hello".into(),
            },
            _ => Command::Receive(Inbound { to, from, name: None, content: text("hello") }),
        }
    }

    fn work(&mut self, practice: &Practice, conversation: ConversationId) -> Command {
        let rev = practice.rows().find(|row| row.id == conversation).map_or(0, |row| row.rev);
        let expect_rev = match self.below(6) {
            0 => Some(rev),
            1 => Some(rev + 1),
            _ => None,
        };
        let seen = u32::from(self.below(4));
        match self.below(16) {
            0 => Command::Claim { conversation, expect_rev },
            1 | 2 => {
                let (to, grant) = (self.assign_to(), self.coin());
                Command::Assign { conversation, to, grant, expect_rev }
            }
            3 | 4 => Command::Archive { conversation, seen, force: self.coin(), expect_rev },
            5 => Command::Unarchive { conversation, expect_rev },
            6 => Command::Update { conversation, update: self.update(), expect_rev },
            7 => Command::Leave { conversation },
            8 => Command::AddTag { conversation, tag: self.word() },
            9 => Command::RemoveTag { conversation, tag: self.word() },
            10 => Command::AddMembers { conversation, members: self.some(2, Self::principal) },
            11 => Command::RemoveMembers { conversation, members: self.some(2, Self::principal) },
            12 => Command::Send {
                conversation,
                body: "hello".into(),
                seen,
                on_unseen: if self.coin() { OnUnseen::Send } else { OnUnseen::Hold },
                stay_archived: self.coin(),
            },
            13 => Command::PostNote { conversation, body: "hello".into() },
            14 => Command::MarkRead { conversation, number: seen },
            _ => Command::SetStar { conversation, starred: self.coin() },
        }
    }

    fn update(&mut self) -> ConversationUpdate {
        ConversationUpdate {
            archived: self.sometimes(Self::coin),
            assignee: self.sometimes(Self::assign_to),
            add_tags: self.some(2, Self::word),
            remove_tags: self.some(1, Self::word),
            grant: self.coin(),
            seen: self.sometimes(|dice| u32::from(dice.below(4))),
            force: self.coin(),
        }
    }

    fn administration(&mut self) -> Command {
        let who = id(&self.teammate());
        match self.below(16) {
            0 => Command::Invite(teammate(&self.teammate(), Role::Member, self.coin())),
            1 => Command::Activate { teammate: who },
            2 => Command::Suspend { teammate: who },
            3 | 4 => Command::Restore { teammate: who },
            5 => Command::Remove {
                teammate: who,
                transfer_to: match self.assign_to() {
                    AssignTo::Nobody => None,
                    AssignTo::Assignee(heir) => Some(heir),
                },
                transfer_assignments: self.coin(),
            },
            6 => Command::SetRole { teammate: who, role: self.role() },
            7 => Command::CreateTeam(team(&self.team(), &[])),
            8..=10 => Command::UpdateTeam {
                team: id(&self.team()),
                name: None,
                add: self.some(2, |dice| id(&dice.teammate())),
                remove: self.some(2, |dice| id(&dice.teammate())),
            },
            11 if self.below(3) == 1 => {
                let transfer_to = self.sometimes(Self::principal);
                Command::DeleteTeam { team: id(&self.team()), transfer_to }
            }
            12 => {
                let n = self.below(ENDPOINTS);
                Command::CreateEndpoint(self.new_endpoint(n))
            }
            13 => self.switches(),
            _ => Command::UpdateEndpoint {
                endpoint: id(&self.endpoint()),
                label: None,
                owner: self.sometimes(Self::principal),
                members: self.sometimes(|dice| dice.some(3, Self::principal)),
                auto_assign: self.sometimes(Self::coin),
                force: self.coin(),
            },
        }
    }

    fn switches(&mut self) -> Command {
        let assign_non_member = if self.coin() { AssignNonMember::Grant } else { AssignNonMember::Reject };
        Command::SetOrganization {
            features: Some(Features { assignment: self.below(4) != 1, viewing: true, typing: true }),
            policy: Some(Policy { assign_non_member, reply_claims: self.coin() }),
        }
    }
}

fn service() -> Actor {
    Actor::Service("crm".into())
}

fn address(endpoint: u8) -> String {
    if endpoint == 0 { "+14155550100".into() } else { format!("link{endpoint}") }
}

/// Without those who do not exist.
fn known(mut new: NewEndpoint) -> NewEndpoint {
    let nobody = [format!("teammate:p{}", TEAMMATES - 1), format!("team:t{}", TEAMS - 1)];
    let exists = |principal: &Principal| !nobody.contains(&principal.to_string());
    new.members.retain(exists);
    if !exists(&new.owner) {
        new.owner = Principal::Organization;
    }
    new.auto_assign &= new.owner != Principal::Organization;
    new
}
