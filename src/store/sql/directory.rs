//! Writing what an organization consists of besides conversations.

use super::statements::Statements;
use crate::store::rows::Rows;
use crate::store::words::Word;

impl<'a> Statements<'a> {
    pub(super) fn directory(&mut self, rows: &'a Rows) {
        self.profiles(rows);
        self.insert(
            "INSERT INTO teammates (organization, id, name, role, status, changed) ",
            &rows.teammates,
            " ON CONFLICT (organization, id) DO UPDATE SET name = excluded.name, role = excluded.role, \
             status = excluded.status, changed = excluded.changed",
            |row, ((organization, id), (teammate, changed))| {
                row.push(organization.as_str()).push(id.as_str()).push(teammate.name.as_str());
                row.push(teammate.role.word()).push(teammate.status.word());
                row.push(changed.0);
            },
        );
        self.teams(rows);
        self.endpoints(rows);
        self.insert(
            "INSERT INTO contacts (organization, id, name, address) ",
            &rows.contacts,
            " ON CONFLICT (organization, id) DO UPDATE SET name = excluded.name, address = excluded.address",
            |row, ((organization, id), contact)| {
                row.push(organization.as_str()).push(id.as_str());
                row.push(contact.name.as_str()).push(contact.address.as_str());
            },
        );
        self.insert(
            "INSERT INTO tags (organization, name) ",
            &rows.tags,
            " ON CONFLICT (organization, name) DO NOTHING",
            |row, (organization, name)| {
                row.push(organization.as_str()).push(*name);
            },
        );
    }

    fn profiles(&mut self, rows: &'a Rows) {
        self.update(
            "UPDATE organizations SET name = news.column2, kind = news.column3, assignment = news.column4, \
             viewing = news.column5, typing = news.column6, assign_non_member = news.column7, \
             reply_claims = news.column8, profile_changed = news.column9 FROM (",
            &rows.profiles,
            ") AS news WHERE organizations.id = news.column1",
            |row, (organization, (profile, changed))| {
                row.push(organization.as_str()).push(profile.name.as_str());
                row.push(profile.kind.word()).push(profile.features.assignment);
                row.push(profile.features.viewing).push(profile.features.typing);
                row.push(profile.policy.assign_non_member.word()).push(profile.policy.reply_claims);
                row.push(changed.0);
            },
        );
    }

    fn teams(&mut self, rows: &'a Rows) {
        self.insert(
            "INSERT INTO teams (organization, id, name, deleted, changed) ",
            &rows.teams,
            " ON CONFLICT (organization, id) DO UPDATE SET name = excluded.name, deleted = excluded.deleted, \
             changed = excluded.changed",
            |row, ((organization, id), (team, changed))| {
                row.push(organization.as_str()).push(id.as_str()).push(team.name.as_str());
                row.push(team.deleted).push(changed.0);
            },
        );
        self.insert(
            "DELETE FROM team_members WHERE (organization, team) IN (",
            rows.teams.keys(),
            ")",
            |row, (organization, id)| {
                row.push(organization.as_str()).push(id.as_str());
            },
        );
        self.insert(
            "INSERT INTO team_members (organization, team, teammate) ",
            rows.teams
                .iter()
                .flat_map(|(key, (team, _))| team.members.iter().map(move |member| (key, member))),
            "",
            |row, ((organization, id), teammate)| {
                row.push(organization.as_str()).push(id.as_str()).push(teammate.as_str());
            },
        );
    }

    fn endpoints(&mut self, rows: &'a Rows) {
        self.insert(
            "INSERT INTO endpoints (organization, id, kind, address, label, owner, auto_assign, changed) ",
            &rows.endpoints,
            " ON CONFLICT (organization, id) DO UPDATE SET kind = excluded.kind, address = excluded.address, \
             label = excluded.label, owner = excluded.owner, auto_assign = excluded.auto_assign, \
             changed = excluded.changed",
            |row, ((organization, id), (endpoint, changed))| {
                row.push(organization.as_str()).push(id.as_str()).push(endpoint.kind.word());
                row.push(endpoint.address.as_str()).push(endpoint.label.as_str());
                row.push(endpoint.owner.to_string()).push(endpoint.auto_assign);
                row.push(changed.0);
            },
        );
        self.insert(
            "DELETE FROM endpoint_members WHERE (organization, endpoint) IN (",
            rows.endpoints.keys(),
            ")",
            |row, (organization, id)| {
                row.push(organization.as_str()).push(id.as_str());
            },
        );
        self.insert(
            "INSERT INTO endpoint_members (organization, endpoint, principal) ",
            rows.endpoints
                .iter()
                .flat_map(|(key, (endpoint, _))| endpoint.members.iter().map(move |member| (key, member))),
            "",
            |row, ((organization, id), principal)| {
                row.push(organization.as_str()).push(id.as_str()).push(principal.to_string());
            },
        );
    }
}
