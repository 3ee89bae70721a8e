//! Random commands by random actors in random organizations, held against [`Model`] after every event. When one
//! fails, the whole story is told, as short as it could be made; `PROPTEST_RNG_SEED` tells the same ones again.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use rotunda_protocol::ask::RowKey;
use rotunda_protocol::command::Command;
use rotunda_protocol::id::TeammateId;
use rotunda_protocol::principal::Mailbox;
use rotunda_protocol::push::Access;

use super::model::{Model, Row};
use super::practice::{Practice, changes_of, id};
use super::random::{Dice, TEAMMATES, TEAMS};
use crate::domain::event::{Event, Seq};
use crate::domain::list::{self, Selection};

/// Stories told in a run: a few seconds' worth.
const CASES: u32 = 128;

/// What a client holds that hears of everything, or was away for a while.
#[derive(Default)]
struct Client {
    rows: BTreeMap<String, Row>,
    since: usize,
}

fn teammates() -> Vec<String> {
    (0..TEAMMATES).map(|n| format!("p{n}")).collect()
}

fn mailboxes() -> Vec<String> {
    let open = ["shared", "internal"].map(str::to_owned).into_iter();
    let teams = (0..TEAMS).map(|n| format!("team:t{n}"));
    open.chain(teams).chain(teammates().into_iter().map(|name| format!("teammate:{name}"))).collect()
}

/// A mailbox to its end, page by page.
fn paged(practice: &Practice, teammate: &str, mailbox: &str, limit: usize) -> Vec<String> {
    let (teammate, mailbox): (TeammateId, Mailbox) = (id(teammate), id(mailbox));
    let selection = Selection { mailbox: &mailbox, endpoint: None };
    let mut rows = Vec::new();
    let mut after: Option<RowKey> = None;
    loop {
        let page = list::page(practice.organization(), &teammate, &selection, after.as_ref(), limit);
        rows.extend(page.iter().map(|row| row.id.to_string()));
        match page.last() {
            Some(last) if page.len() == limit => {
                after = Some(RowKey { activity_at: last.activity_at, conversation: last.id.clone() });
            }
            Some(_) | None => break,
        }
    }
    let counted = list::count(practice.organization(), &teammate, &selection);
    assert_eq!(counted, rows.len() as u64, "B34: {teammate} in {mailbox}");
    rows
}

/// What the protocol asks a client to do with rows it may no longer hold.
fn may_keep(me: &str, access: &Access, row: &Row) -> bool {
    let through = |endpoint: &String| access.endpoints.iter().any(|mine| mine.as_str() == endpoint);
    let mine = access.teams.iter().map(|team| format!("team:{team}"));
    let mine: BTreeSet<String> = mine.chain(["organization".into(), format!("teammate:{me}")]).collect();
    row.endpoint.as_ref().is_some_and(through) || !row.members.is_disjoint(&mine)
}

fn check_visibility(practice: &Practice, model: &Model) {
    let organization = practice.organization();
    for me in teammates() {
        let access = organization.access(&id(&me));
        for row in practice.rows() {
            let modelled = &model.rows[row.id.as_str()];
            let sees = model.can_see(&me, modelled);
            assert_eq!(organization.can_see(&id(&me), row), sees, "{me} sees {}", row.id);
            let kept = model.is_active(&me) && may_keep(&me, &access, modelled);
            assert_eq!(kept, sees, "{me} keeps {} by {access:?}", row.id);
        }
    }
    for row in practice.rows() {
        let staff = organization.members_of(organization.staff(row));
        let modelled = &model.rows[row.id.as_str()];
        let expected: Vec<_> = teammates().into_iter().filter(|me| model.can_see(me, modelled)).collect();
        assert_eq!(staff.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
        assert_eq!(row.mailbox(organization.assignment()).to_string(), model.mailbox(modelled));
    }
}

/// Invariant 4: what nobody may see is on the list of orphans.
fn check_orphans(practice: &Practice, model: &Model) {
    let orphans = practice.organization().orphans();
    let seen = |row: &Row| teammates().iter().any(|me| model.can_see(me, row));
    let unseen = model.rows.values().filter(|row| model.mailbox(row) != "none" && !seen(row));
    assert_eq!(orphans.endpoints.values().sum::<u64>() + orphans.internal, unseen.count() as u64);
}

fn check_lists(practice: &Practice, model: &Model, limit: usize) {
    for me in teammates() {
        for mailbox in mailboxes() {
            assert_eq!(paged(practice, &me, &mailbox, limit), model.list(&me, &mailbox), "{me}: {mailbox}");
        }
    }
}

/// Catches a client up with what was written since it last listened, and looks that nothing is left that its
/// teammate may not see, and nothing old.
fn catch_up(practice: &Practice, model: &Model, me: &str, client: &mut Client) {
    if !model.is_active(me) {
        return;
    }
    let news: &[Event] = &practice.log[client.since..];
    let since = Seq(client.since as u64);
    client.since = practice.log.len();
    let visible = model.visible(me);
    if practice.organization().rejoined_since(&id(me), since) {
        client.rows.clear();
    }
    for change in news.iter().flat_map(changes_of) {
        let conversation = change.after.id.to_string();
        if change.departed.iter().any(|gone| gone.as_str() == me) || visible.contains(&conversation) {
            client.rows.remove(&conversation);
        }
        if visible.contains(&conversation) {
            client.rows.insert(conversation.clone(), model.rows[&conversation].clone());
        }
    }
    let access = practice.organization().access(&id(me));
    client.rows.retain(|_, row| may_keep(me, &access, row));
    let stale: Vec<_> = client.rows.keys().filter(|held| !visible.contains(*held)).collect();
    assert!(stale.is_empty(), "{me} still holds {stale:?}");
    client.rows = visible.into_iter().map(|seen| (seen.clone(), model.rows[&seen].clone())).collect();
}

fn story(setup: &[u8], steps: &[Vec<u8>]) {
    let mut practice = Practice::empty();
    let mut model = Model::default();
    let mut clients: Vec<(String, Client)> =
        teammates().into_iter().map(|me| (me, Client::default())).collect();
    let new = Dice(setup).organization();
    practice.service().does(Command::Provision(new)).unwrap();
    model.read(&practice.log[0]);
    for step in steps {
        let (first, rest) = step.split_first().unwrap_or((&0, &[]));
        practice.batching = first % 2 == 1;
        let mut dice = Dice(rest);
        let (actor, command) = dice.step(&practice);
        let known = practice.log.len();
        let answer = practice.actor(actor).does(command);
        let Some(event) = practice.log.get(known) else { continue };
        assert!(answer.is_ok(), "what was refused did not happen");
        model.read(event);
        model.check_assignees();
        check_visibility(&practice, &model);
        check_orphans(&practice, &model);
        // Each step, some clients listen and some are away.
        for (n, (me, client)) in clients.iter_mut().enumerate() {
            if first >> (n % 8) & 1 == 1 {
                catch_up(&practice, &model, me, client);
            }
        }
        if first % 5 == 0 {
            check_lists(&practice, &model, 1 + usize::from(*first) % 3);
        }
    }
    check_lists(&practice, &model, 2);
    for (me, client) in &mut clients {
        catch_up(&practice, &model, me, client);
    }
    practice.assert_replays();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_everybody_sees_what_they_may_and_nothing_else(
        setup in vec(any::<u8>(), 60),
        steps in vec(vec(any::<u8>(), 24), 0..240),
    ) {
        story(&setup, &steps);
    }
}
