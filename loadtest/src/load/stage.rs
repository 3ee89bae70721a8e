//! Where a scenario plays: the sessions of one process, and how long and how fast.

use std::rc::Rc;
use std::time::Duration;

use crate::client::organization::Organization;
use crate::client::session::Session;
use crate::client::world::World;

/// What a scenario has at hand.
pub(crate) struct Stage {
    pub(crate) world: Rc<World>,
    pub(crate) organizations: Vec<Rc<Organization>>,
    pub(crate) sessions: Vec<Rc<Session>>,
    /// Sessions of the organizations in which this process makes things happen.
    pub(crate) driven: Vec<Rc<Session>>,
    /// How long things happen.
    pub(crate) time: Duration,
    /// How many things happen in a second.
    pub(crate) rate: f64,
    /// What only this scenario measures, by name with the unit last. Those of several processes are added up.
    pub(crate) figures: std::cell::RefCell<std::collections::BTreeMap<String, f64>>,
}

impl Stage {
    /// Adds to something that only this scenario measures.
    pub(crate) fn figure(&self, name: &str, value: f64) {
        *self.figures.borrow_mut().entry(name.into()).or_default() += value;
    }
}
