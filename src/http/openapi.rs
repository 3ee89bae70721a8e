//! The description of every HTTP address, made from the code that answers it and served at `/openapi.json`.
//!
//! A route and its description are registered by the same call, so neither can exist without the other.

use axum::Json;
use axum::Router;
use axum::extract::State;
use std::sync::Arc;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::ops::{self, Ops};
use super::service::{self, Door};

/// Every address that speaks plain HTTP, and the description of all of them.
pub fn router(door: Door, ops: Ops) -> Router {
    let document = Arc::new(document());
    Router::from(service::routes().with_state(door))
        .merge(Router::from(ops::routes().with_state(ops)))
        .merge(Router::from(routes().with_state(document)))
}

fn routes() -> OpenApiRouter<Arc<OpenApi>> {
    OpenApiRouter::new().routes(routes!(openapi))
}

/// The description of every address that speaks plain HTTP.
pub fn document() -> OpenApi {
    head()
        .merge_from(service::routes().into_openapi())
        .merge_from(ops::routes().into_openapi())
        .merge_from(routes().into_openapi())
}

fn head() -> OpenApi {
    let service = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A service's secret, as the hub was started with (--service NAME:SECRET)."))
        .build();
    let twilio = ApiKeyValue::with_description(
        "X-Twilio-Signature",
        "Twilio's signature over the public address and the form.",
    );
    let mut components = Components::new();
    components.add_security_scheme("service", SecurityScheme::Http(service));
    components.add_security_scheme("twilio", SecurityScheme::ApiKey(ApiKey::Header(twilio)));
    let info = InfoBuilder::new()
        .title("Rotunda")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "The back office's door of a real-time hub for shared team inboxes. Sessions of teammates use the WebSocket instead.",
        ))
        .build();
    OpenApiBuilder::new().info(info).components(Some(components)).build()
}

/// This description.
#[utoipa::path(
    get, path = "/openapi.json", tag = "operations",
    responses((status = 200, description = "OpenAPI 3.1", body = Object)),
)]
async fn openapi(State(document): State<Arc<OpenApi>>) -> Json<OpenApi> {
    Json(OpenApi::clone(&document))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    fn json() -> Value {
        serde_json::to_value(document()).unwrap()
    }

    fn operations(document: &Value) -> Vec<(String, &Value)> {
        let paths = document["paths"].as_object().unwrap();
        let of = |(path, item): (&String, &'static str)| format!("{item} {path}");
        paths
            .iter()
            .flat_map(|(path, item)| {
                ["get", "put", "post", "patch", "delete"]
                    .into_iter()
                    .filter_map(move |method| Some((of((path, method)), item.get(method)?)))
            })
            .collect()
    }

    #[test]
    fn every_address_is_described_and_nothing_else() {
        let document = json();
        let described: BTreeSet<_> = operations(&document).into_iter().map(|(name, _)| name).collect();
        let organization = "/v1/organizations/{organization}";
        let expected = [
            format!("put {organization}"),
            format!("get {organization}"),
            format!("get {organization}/events"),
            format!("post {organization}/inbound"),
            format!("post {organization}/commands"),
            format!("post {organization}/asks"),
            format!("get {organization}/conversations/{{conversation}}"),
            format!("get {organization}/conversations/{{conversation}}/items"),
            format!("post {organization}/twilio/sms"),
            format!("post {organization}/twilio/voice"),
            format!("post {organization}/twilio/recording"),
            "get /healthz".into(),
            "get /readyz".into(),
            "get /metrics".into(),
            "get /openapi.json".into(),
        ];
        assert_eq!(described, BTreeSet::from(expected));
    }

    /// `.routes` registers a route with its description, `.route` would not.
    #[test]
    fn no_address_can_be_added_without_its_description() {
        for source in [include_str!("service/mod.rs"), include_str!("ops.rs"), include_str!("openapi.rs")] {
            assert!(!source.contains(concat!(".route", "(")));
        }
    }

    #[test]
    fn whoever_is_behind_the_door_has_shown_who_they_are() {
        for (name, operation) in operations(&json()) {
            assert_eq!(operation.get("security").is_some(), name.contains(" /v1/"), "{name}");
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let (document, text) = (json(), document().to_json().unwrap());
        let references =
            text.split("\"#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next());
        let (mut seen, mut missing) = (0, BTreeSet::new());
        for name in references {
            seen += 1;
            if document["components"]["schemas"].get(name).is_none() {
                missing.insert(name);
            }
        }
        assert!(seen > 20 && missing.is_empty(), "{seen} references, missing {missing:?}");
        assert_eq!(document["openapi"], "3.1.0");
    }
}
