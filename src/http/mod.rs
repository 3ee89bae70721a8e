//! What this process answers over HTTP: the socket's upgrade, the back office's door, health and metrics.

pub mod accept;
pub mod upgrade;

pub mod openapi;
pub mod ops;
pub mod service;

use std::future::ready;
use std::sync::Arc;

use axum::Router;

use self::service::problem::Problem;
use self::upgrade::Gate;

/// All routes: the socket's, and others beside it.
pub fn router(gate: Arc<Gate>, others: Router) -> Router {
    upgrade::routes(gate)
        .merge(others)
        .fallback(Problem::no_route())
        .method_not_allowed_fallback(|| ready(Problem::no_method()))
}
