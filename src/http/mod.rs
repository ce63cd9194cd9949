//! The HTTP server: every route is in this file. Handlers parse the request, call `app`, and build the response; they decide
//! nothing themselves.

pub mod address_key;
pub mod admission;
pub mod auth;
pub mod connection_limit;
pub mod metrics;
pub mod request_metrics;
mod saved_address;
mod saved_view;
pub mod server;

mod account;
mod address;
mod address_limit;
mod api_documents;
mod api_key;
mod asyncapi;
mod audit_log;
mod base_url;
mod billing;
mod broker_metrics;
mod bulk_edit;
mod chat;
mod client_address;
mod connection_metrics;
mod coupon;
mod csv;
mod customer;
mod demo_host;
mod described_routes;
mod dev;
mod dispute;
mod document;
mod drain_body;
mod error;
mod error_page;
mod export;
mod export_body;
mod extract;
mod fair_bucket;
mod follow;
mod gallery;
mod handshake;
mod head_deadline;
mod hls_js;
mod host_header;
mod import;
mod import_metrics;
mod invite;
mod lineup;
mod log_sampler;
mod mail;
mod mail_metrics;
mod mail_server;
mod media_access;
mod media_key;
mod moderation;
mod offer;
mod oidc;
mod openapi;
mod ops;
mod order;
mod order_export;
mod origin;
mod own_data;
mod page;
mod page_language;
mod page_policy;
mod page_styles;
mod passkey;
mod payment;
mod payment_day;
mod payment_method;
mod payment_metrics;
mod picture;
mod picture_metrics;
mod policy;
mod product;
mod product_change;
mod product_export;
mod product_page;
mod publish_key;
mod quick_item;
mod rate_limit;
mod refused_origins;
mod rehearsal;
mod report;
mod room_metrics;
mod session_cookie;
mod setup;
mod share;
mod shop;
mod shop_order;
mod shop_settings;
mod sign_in;
mod staff;
mod stock_alert;
mod stream;
mod stream_change;
mod stripe_keys;
mod subprotocol;
mod token;
mod user_data;
mod verb;
mod websocket;
mod withdrawal;
mod write_deadline;

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::get;

use crate::app::App;
use crate::domain::{Actor, Refusal};
use admission::Admission;
use api_documents::{ApiDocument, ApiDocuments};
use auth::TokenAuth;
use connection_limit::ConnectionLimiter;
use described_routes::described_routes;
use request_metrics::RequestMetrics;

pub use address_limit::{AddressLimit, ApiKeyLimit};
pub use client_address::TrustedProxies;
pub use demo_host::DemoHosts;
pub use error::Problem;
pub use hls_js::HlsJs;
pub use origin::Origins;
pub use page_policy::{ContentHosts, PagePolicy};

/// The maximum size of a request body. The largest legitimate one is a product with a hundred variants.
const BODY_BYTES_MAX: usize = 128 * 1024;

/// What every handler can use.
#[derive(Clone)]
pub struct AppState {
    pub app: App,
    pub auth: Arc<TokenAuth>,
    pub origins: Arc<Origins>,
    pub page_policy: Arc<PagePolicy>,
    pub trusted_proxies: Arc<TrustedProxies>,
    /// The hosts to which a demo answers; `None` outside a demo.
    pub demo_hosts: Option<Arc<DemoHosts>>,
    pub admission: Arc<Admission>,
    /// Sign-in codes that one client address may try.
    pub sign_in_attempts: Arc<AddressLimit>,
    /// Codes by e-mail that one client address may ask for.
    pub code_requests: Arc<AddressLimit>,
    /// Codes of coupons that no coupon has, by client address: a new guest costs nothing, so a limit per guest stops nobody.
    pub wrong_codes: Arc<AddressLimit>,
    /// API keys that are not in force, by client address.
    pub wrong_keys: Arc<AddressLimit>,
    pub key_limit: Arc<ApiKeyLimit>,
    pub connections: Arc<ConnectionLimiter>,
    pub request_metrics: Arc<RequestMetrics>,
    /// Accept permessage-deflate if a client offers it.
    pub deflate: bool,
    /// What plays HLS in browsers that cannot; `None`: not installed.
    pub hls_js: Option<Arc<HlsJs>>,
}

impl AppState {
    /// The user of a token: it is signed, valid now and not revoked. The one place where a token becomes an actor.
    pub async fn authenticate(&self, token: &str, client: Option<IpAddr>) -> Result<Actor, Refusal> {
        let actor = self.auth.verify(token, client).await?;
        self.app.tokens.check(&actor)?;
        Ok(actor)
    }
}

/// All routes. Those of live verbs come from their registry.
pub fn router(state: AppState) -> Router {
    let (routes, _) = described_routes(&state).split_for_parts();
    let documents = ApiDocuments::default();
    let base_path = state.origins.base_path().to_owned();
    let routes = routes
        .merge(verb::routes())
        // What buying makes is a reservation; the document has the path with the order that it is in.
        .route("/v1/offers/{offer}/reservations", verb::handler_of("buy"))
        .route("/v1/streams/{stream}/live", get(websocket::live))
        // The key may also be a part of the path. These are not in the document: tools find them ambiguous beside `/v1/orders/{order}/…`.
        .route("/v1/orders/by-key/{key}", get(order::by_key_in_path))
        .route("/v1/reservations/by-key/{key}", get(order::reservation_by_key_in_path))
        .route("/v1/openapi.json", documents.clone().serve(ApiDocument::OpenApi))
        .route("/v1/asyncapi.json", documents.serve(ApiDocument::AsyncApi))
        .route("/healthz", get(ops::healthz))
        .route("/readyz", get(ops::readyz))
        .route("/metrics", get(metrics::authorized))
        .route("/", get(page::shop))
        .route("/watch", get(page::watch))
        .route("/orders", get(page::orders))
        .route("/invoice", get(page::invoice))
        .route("/host", get(page::host))
        .route("/hosts/{name}", get(page::host_shows))
        .route("/products/{product}", get(product_page::product))
        .route("/manifest.webmanifest", get(page::manifest))
        .route("/favicon.ico", get(page::favicon))
        .route("/policies/{policy}", get(page::policy))
        .route("/admin", get(page::admin))
        .route("/setup", get(page::setup))
        .route("/join", get(page::join))
        .route("/sign-in", get(page::sign_in))
        .route("/follow", get(page::follow))
        .route("/unsubscribe/{secret}", get(page::follow).post(follow::unsubscribe))
        .route("/pictures/{picture}/{size}", get(picture::file))
        .route("/docs", get(page::docs))
        .route("/docs/errors", get(error_page::index))
        .route("/docs/errors/{code}", get(error_page::code))
        .route("/assets/hls.js", get(hls_js::script))
        .route("/assets/{*path}", get(page::asset))
        .fallback(ops::not_found)
        .method_not_allowed_fallback(ops::method_not_allowed)
        .layer(axum::middleware::from_fn_with_state(state.clone(), demo_host::check_host))
        .layer(axum::middleware::from_fn(host_header::check_host_header))
        .layer(axum::middleware::from_fn_with_state(state.clone(), page_policy::set_headers))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(axum::middleware::from_fn(drain_body::drain_unread_body))
        .layer(axum::middleware::from_fn_with_state(state.clone(), connection_limit::check_slot))
        .layer(tower_http::catch_panic::CatchPanicLayer::custom(error::handle_panic))
        .layer(axum::middleware::from_fn(rate_limit::add_headers))
        .layer(axum::middleware::from_fn(request_metrics::limit_duration))
        // Outside of everything that may refuse a request: a page of an allowed site can read every refusal.
        .layer(origin::cors())
        .layer(axum::middleware::from_fn_with_state(state.clone(), origin::check_origin))
        .layer(axum::middleware::from_fn_with_state(state.clone(), request_metrics::track_request))
        .with_state(state);
    base_url::serve_below(&base_path, routes)
}
