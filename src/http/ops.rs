//! What operators and their machines look at: whether the process lives, whether it should get traffic, what it counts.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::map_response;
use axum::response::IntoResponse;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::service::no_store;
use crate::hub::Hub;
use crate::metrics::Metrics;

/// What the answers are made from. Cheap to clone.
#[derive(Clone)]
pub struct Ops {
    /// The hub, whose store has to answer.
    pub hub: Hub,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Cancelled once the process has been told to end.
    pub draining: CancellationToken,
}

/// The operators' addresses, with their description.
pub fn routes() -> OpenApiRouter<Ops> {
    OpenApiRouter::new()
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .routes(routes!(metrics))
        .layer(map_response(no_store))
}

/// The process lives.
#[utoipa::path(
    get, path = "/healthz", tag = "operations",
    responses((status = 200, description = "It does", body = String, content_type = "text/plain")),
)]
async fn healthz() -> &'static str {
    "ok\n"
}

/// The process should get traffic: its database answers, and it is not about to end.
#[utoipa::path(
    get, path = "/readyz", tag = "operations",
    responses(
        (status = 200, description = "It should", body = String, content_type = "text/plain"),
        (status = 503, description = "It should not, and why", body = String, content_type = "text/plain"),
    ),
)]
async fn readyz(State(ops): State<Ops>) -> (StatusCode, &'static str) {
    readiness(ops.draining.is_cancelled(), ops.hub.is_ready().await)
}

fn readiness(draining: bool, store_answers: bool) -> (StatusCode, &'static str) {
    match (draining, store_answers) {
        (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "draining: this process is about to end\n"),
        (false, false) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer; see the log\n"),
        (false, true) => (StatusCode::OK, "ready\n"),
    }
}

/// What the process counts, in the `OpenMetrics` text format that Prometheus reads.
#[utoipa::path(
    get, path = "/metrics", tag = "operations",
    responses((status = 200, description = "The counts", body = String, content_type = "application/openmetrics-text")),
)]
async fn metrics(State(ops): State<Ops>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], ops.metrics.text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draining_process_gets_no_traffic_and_says_so() {
        assert_eq!(readiness(false, true).0, 200);
        for (draining, store_answers, why) in [(true, true, "draining"), (false, false, "database")] {
            let (status, text) = readiness(draining, store_answers);
            assert_eq!(status, 503);
            assert!(text.contains(why), "{text}");
        }
    }
}
