//! What nobody may see just now. Admins can be told that it exists and how much it is, not what it says
//! (E19, E22, invariant 4).

use std::collections::BTreeMap;

use rotunda_protocol::id::EndpointId;

use super::organization::Organization;

/// What nobody may see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Orphans {
    /// Endpoints that nobody may use, and how many of their open conversations nobody may see.
    pub endpoints: BTreeMap<EndpointId, u64>,
    /// How many open conversations between teammates nobody may see.
    pub internal: u64,
}

impl Organization {
    /// What nobody may see. Looks at every open conversation: for an admin who asks, not for every event.
    pub fn orphans(&self) -> Orphans {
        let mut orphans = Orphans::default();
        for endpoint in self.endpoints().filter(|endpoint| self.is_orphan(endpoint.principals())) {
            orphans.endpoints.insert(endpoint.id.clone(), 0);
        }
        for kept in self.shelf().iter().filter(|kept| self.is_orphan(&kept.value.members)) {
            match kept.value.endpoint() {
                Some(endpoint) => {
                    if let Some(conversations) = orphans.endpoints.get_mut(endpoint) {
                        *conversations += 1;
                    }
                }
                None => orphans.internal += 1,
            }
        }
        orphans
    }
}
