//! What this process answers over HTTP: the socket's upgrade, the back office's door, health and metrics.

pub mod accept;
pub mod upgrade;

pub mod openapi;
pub mod ops;
pub mod service;

use std::sync::Arc;

use axum::Router;

use self::upgrade::Gate;

/// All routes. What other doors there are is merged in by those who build them.
pub fn router(gate: Arc<Gate>) -> Router {
    upgrade::routes(gate)
}
