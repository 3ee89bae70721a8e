//! Puts a plan on the stage: its organizations, and a session for each seat, which waits to be told to come.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::client::life;
use crate::client::organization::Organization;
use crate::client::reader::Reader;
use crate::client::session::Session;
use crate::client::world::World;
use crate::load::stage::Stage;
use crate::plan::Plan;
use crate::practice;
use crate::scenario::Scenario;

/// Notes of all sessions before they are checked.
const NOTES_MAX: usize = 20_000_000;

/// What the plan says.
pub(super) fn stage(plan: &Plan) -> Stage {
    let world = Rc::new(World::new(
        plan.addresses.clone(),
        plan.source,
        &plan.token_secret,
        plan.service_token.clone(),
        plan.refs.clone(),
        plan.seed,
    ));
    let (mut organizations, mut sessions, mut driven) = (Vec::new(), Vec::new(), Vec::new());
    let all: usize = plan.shares.iter().map(|share| share.seats.len()).sum();
    let slow = if let Scenario::Slow(scenario) = &plan.scenario { scenario.slow_of(all) } else { 0 };
    for share in &plan.shares {
        let organization = Rc::new(Organization {
            id: share.id.clone(),
            share: share.clone(),
            reader: RefCell::new(Reader::default()),
            sessions: RefCell::default(),
            watched: (share.practice.teams() > 0).then(|| practice::endpoint(1)),
            notes_max: NOTES_MAX / all.max(1),
            full: Notify::new(),
        });
        for seat in &share.seats {
            let (number, teammate) = (sessions.len(), practice::teammate(seat.teammate));
            let (world, organization) = (Rc::clone(&world), Rc::clone(&organization));
            let is_slow = number + slow >= all;
            let (session, told) = Session::new(world, organization, number, teammate, seat.codec(), is_slow);
            tokio::task::spawn_local(life::live(Rc::clone(&session), told));
            session.organization.sessions.borrow_mut().push(Rc::clone(&session));
            if share.drives {
                driven.push(Rc::clone(&session));
            }
            sessions.push(session);
        }
        organizations.push(organization);
    }
    let time = Duration::from_secs_f64(plan.seconds);
    let figures = RefCell::default();
    Stage { world, organizations, sessions, driven, time, rate: plan.rate, figures }
}
