//! Writing what an organization consists of besides conversations.

use super::statements::Statements;
use crate::store::rows::Rows;
use crate::store::words::Word;

impl Statements {
    pub(super) fn directory(&mut self, rows: &Rows) {
        self.profiles(rows);
        self.insert(
            "INSERT INTO teammates (organization, id, name, role, status, changed) ",
            &rows.teammates,
            " ON CONFLICT (organization, id) DO UPDATE SET name = excluded.name, role = excluded.role, \
             status = excluded.status, changed = excluded.changed",
            |row, ((organization, id), (teammate, changed))| {
                row.push_bind(organization.as_str()).push_bind(id.as_str()).push_bind(teammate.name.as_str());
                row.push_bind(teammate.role.word()).push_bind(teammate.status.word());
                row.push_bind(changed.0.cast_signed());
            },
        );
        self.teams(rows);
        self.endpoints(rows);
        self.insert(
            "INSERT INTO contacts (organization, id, name, address) ",
            &rows.contacts,
            " ON CONFLICT (organization, id) DO UPDATE SET name = excluded.name, address = excluded.address",
            |row, ((organization, id), contact)| {
                row.push_bind(organization.as_str()).push_bind(id.as_str());
                row.push_bind(contact.name.as_str()).push_bind(contact.address.as_str());
            },
        );
        self.insert(
            "INSERT INTO tags (organization, name) ",
            &rows.tags,
            " ON CONFLICT (organization, name) DO NOTHING",
            |row, (organization, name)| {
                row.push_bind(organization.as_str()).push_bind(*name);
            },
        );
    }

    fn profiles(&mut self, rows: &Rows) {
        self.update(
            "UPDATE organizations SET name = news.column2, kind = news.column3, assignment = news.column4, \
             viewing = news.column5, typing = news.column6, assign_non_member = news.column7, \
             reply_claims = news.column8, profile_changed = news.column9 FROM (",
            &rows.profiles,
            ") AS news WHERE organizations.id = news.column1",
            |row, (organization, (profile, changed))| {
                row.push_bind(organization.as_str()).push_bind(profile.name.as_str());
                row.push_bind(profile.kind.word()).push_bind(profile.features.assignment);
                row.push_bind(profile.features.viewing).push_bind(profile.features.typing);
                row.push_bind(profile.policy.assign_non_member.word()).push_bind(profile.policy.reply_claims);
                row.push_bind(changed.0.cast_signed());
            },
        );
    }

    fn teams(&mut self, rows: &Rows) {
        self.insert(
            "INSERT INTO teams (organization, id, name, deleted, changed) ",
            &rows.teams,
            " ON CONFLICT (organization, id) DO UPDATE SET name = excluded.name, deleted = excluded.deleted, \
             changed = excluded.changed",
            |row, ((organization, id), (team, changed))| {
                row.push_bind(organization.as_str()).push_bind(id.as_str()).push_bind(team.name.as_str());
                row.push_bind(team.deleted).push_bind(changed.0.cast_signed());
            },
        );
        self.insert(
            "DELETE FROM team_members WHERE (organization, team) IN (",
            rows.teams.keys(),
            ")",
            |row, (organization, id)| {
                row.push_bind(organization.as_str()).push_bind(id.as_str());
            },
        );
        self.insert(
            "INSERT INTO team_members (organization, team, teammate) ",
            rows.teams
                .iter()
                .flat_map(|(key, (team, _))| team.members.iter().map(move |member| (key, member))),
            "",
            |row, ((organization, id), teammate)| {
                row.push_bind(organization.as_str()).push_bind(id.as_str()).push_bind(teammate.as_str());
            },
        );
    }

    fn endpoints(&mut self, rows: &Rows) {
        self.insert(
            "INSERT INTO endpoints (organization, id, kind, address, label, owner, auto_assign, changed) ",
            &rows.endpoints,
            " ON CONFLICT (organization, id) DO UPDATE SET kind = excluded.kind, address = excluded.address, \
             label = excluded.label, owner = excluded.owner, auto_assign = excluded.auto_assign, \
             changed = excluded.changed",
            |row, ((organization, id), (endpoint, changed))| {
                row.push_bind(organization.as_str()).push_bind(id.as_str()).push_bind(endpoint.kind.word());
                row.push_bind(endpoint.address.as_str()).push_bind(endpoint.label.as_str());
                row.push_bind(endpoint.owner.to_string()).push_bind(endpoint.auto_assign);
                row.push_bind(changed.0.cast_signed());
            },
        );
        self.insert(
            "DELETE FROM endpoint_members WHERE (organization, endpoint) IN (",
            rows.endpoints.keys(),
            ")",
            |row, (organization, id)| {
                row.push_bind(organization.as_str()).push_bind(id.as_str());
            },
        );
        self.insert(
            "INSERT INTO endpoint_members (organization, endpoint, principal) ",
            rows.endpoints
                .iter()
                .flat_map(|(key, (endpoint, _))| endpoint.members.iter().map(move |member| (key, member))),
            "",
            |row, ((organization, id), principal)| {
                row.push_bind(organization.as_str()).push_bind(id.as_str()).push_bind(principal.to_string());
            },
        );
    }
}
