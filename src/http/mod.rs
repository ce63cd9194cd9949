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
mod bulk_edit;
mod chat;
mod client_address;
mod connection_metrics;
mod coupon;
mod csv;
mod customer;
mod demo_host;
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
mod session_cookie;
mod setup;
mod share;
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
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::domain::{Actor, Refusal};
use admission::Admission;
use api_documents::{ApiDocument, ApiDocuments};
use auth::TokenAuth;
use connection_limit::ConnectionLimiter;
use openapi::BearerSecurity;
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

/// The same for a bulk edit: 500 rows.
const BULK_BYTES_MAX: usize = 256 * 1024;

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

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Livesouk",
        description = "Live-stream shopping. Everything that a user does in a live show works over the WebSocket too, under the same \
            names. Amounts are in minor units of the currency, times are UTC epoch milliseconds."
    ),
    components(schemas(Problem)),
    modifiers(&BearerSecurity),
    tags(
        (name = "streams", description = "Shows: scheduled, live, ended"),
        (name = "offers", description = "Offers of a show, their line-up, and the pin"),
        (name = "orders", description = "Purchases: a hold (reservation) is an order with the status `held`"),
        (name = "payments", description = "Webhooks of payment providers"),
        (name = "chat", description = "Chat and moderation"),
        (name = "team", description = "The team of a show, and invite links"),
        (name = "products", description = "The catalogue and its stock"),
        (name = "staff", description = "Who works in the shop, and its set-up"),
        (name = "shop", description = "The shop, sign-in and user data"),
    )
)]
struct ApiDoc;

/// The routes that the OpenAPI document describes, except those of live verbs.
fn described_routes(state: &AppState) -> OpenApiRouter<AppState> {
    let mut described = OpenApiRouter::with_openapi(ApiDoc::openapi())
        .routes(routes!(stream::shop))
        .routes(routes!(stream::list, stream::create))
        .routes(routes!(stream::show, stream_change::change))
        .routes(routes!(stream_change::cancel))
        .routes(routes!(stream_change::copy))
        .routes(routes!(stream_change::series))
        .routes(routes!(stream::start))
        .routes(routes!(stream::end))
        .routes(routes!(rehearsal::start, rehearsal::show, rehearsal::stop))
        .routes(routes!(report::summary))
        .routes(routes!(report::full_report))
        .routes(routes!(report::report_csv))
        .routes(routes!(report::show_log))
        .routes(routes!(publish_key::show, publish_key::create, publish_key::end))
        .routes(routes!(publish_key::rotate))
        .routes(routes!(media_access::viewer_token))
        .routes(routes!(media_access::mediamtx))
        .routes(routes!(media_access::ovenmediaengine))
        .routes(routes!(share::calendar))
        .routes(routes!(share::qr))
        .routes(routes!(offer::list, offer::create))
        .routes(routes!(lineup::set_lineup))
        .routes(routes!(lineup::schedule))
        .routes(routes!(offer::show))
        .routes(routes!(order::list, order::open))
        .routes(routes!(order::reservation, order::cancel_reservation))
        .routes(routes!(order::by_key))
        .routes(routes!(order::reservation_by_key))
        .routes(routes!(order::show, order::change))
        .routes(routes!(order::create_link))
        .routes(routes!(order::of_link))
        .routes(routes!(oidc::begin))
        .routes(routes!(oidc::finish))
        .routes(routes!(passkey::challenge))
        .routes(routes!(passkey::use_passkey))
        .routes(routes!(passkey::list, passkey::add))
        .routes(routes!(passkey::new_challenge))
        .routes(routes!(passkey::remove))
        .routes(routes!(withdrawal::show, withdrawal::withdraw))
        .routes(routes!(withdrawal::withdraw_by_link))
        .routes(routes!(shop_order::of_shop))
        .routes(routes!(shop_order::of_stream))
        .routes(routes!(shop_order::show))
        .routes(routes!(shop_order::pack, shop_order::unpack))
        .routes(routes!(shop_order::send, shop_order::unsend))
        .routes(routes!(shop_order::send_parcel))
        .routes(routes!(shop_order::mark_paid))
        .routes(routes!(shop_order::cancel_placed))
        .routes(routes!(shop_order::deliver, shop_order::undeliver))
        .routes(routes!(shop_order::add_note))
        .routes(routes!(shop_order::add_tag, shop_order::remove_tag))
        .routes(routes!(shop_order::tags_in_use))
        .routes(routes!(saved_view::list))
        .routes(routes!(saved_view::save, saved_view::remove))
        .routes(routes!(coupon::list, coupon::create))
        .routes(routes!(coupon::show, coupon::change))
        .routes(routes!(mail::list))
        .routes(routes!(mail::send_again))
        .routes(routes!(order_export::export))
        .routes(routes!(billing::of_order))
        .routes(routes!(billing::of_link))
        .routes(routes!(billing::of_shop))
        .routes(routes!(billing::export))
        .routes(routes!(payment_day::show))
        .routes(routes!(payment_day::export))
        .routes(routes!(dispute::close))
        .routes(routes!(address::show, address::set, address::erase))
        .routes(routes!(stock_alert::list))
        .routes(routes!(chat::list))
        .routes(routes!(moderation::sanctions))
        .routes(routes!(moderation::blocklist, moderation::set_blocklist))
        .routes(routes!(moderation::review_queue))
        .routes(routes!(moderation::audit_log))
        .routes(routes!(moderation::my_audit_log))
        .routes(routes!(export::export))
        .routes(routes!(own_data::export))
        .routes(routes!(saved_address::show, saved_address::set, saved_address::erase))
        .routes(routes!(payment_method::list))
        .routes(routes!(payment_method::remove))
        .routes(routes!(customer::list))
        .routes(routes!(customer::show))
        .routes(routes!(customer::add_note))
        .routes(routes!(customer::block, customer::unblock))
        .routes(routes!(customer::export))
        .routes(routes!(user_data::erase_me))
        .routes(routes!(user_data::erase_user))
        .routes(routes!(token::list, token::revoke))
        .routes(routes!(token::undo))
        .routes(routes!(token::shop_audit_log))
        .routes(routes!(audit_log::list))
        .routes(routes!(audit_log::export))
        .routes(routes!(invite::list, invite::create))
        .routes(routes!(invite::revoke))
        .routes(routes!(invite::accept))
        .routes(routes!(account::show, account::rename, account::sign_out))
        .routes(routes!(account::sign_in_guest))
        .routes(routes!(account::send_email_code))
        .routes(routes!(account::verify_email_code))
        .routes(routes!(account::list, account::end_all))
        .routes(routes!(account::end))
        .routes(routes!(staff::list))
        .routes(routes!(staff::invite))
        .routes(routes!(staff::withdraw))
        .routes(routes!(staff::open))
        .routes(routes!(staff::accept))
        .routes(routes!(staff::set_role, staff::remove))
        .routes(routes!(api_key::list, api_key::create))
        .routes(routes!(api_key::rotate))
        .routes(routes!(api_key::end))
        .routes(routes!(follow::list, follow::follow))
        .routes(routes!(follow::confirm))
        .routes(routes!(follow::end))
        .routes(routes!(setup::open))
        .routes(routes!(setup::set_up))
        .routes(routes!(shop_settings::show, shop_settings::change))
        .routes(routes!(policy::show))
        .routes(routes!(mail_server::show, mail_server::set, mail_server::remove))
        .routes(routes!(mail_server::test))
        .routes(routes!(stripe_keys::show, stripe_keys::set, stripe_keys::remove))
        .routes(routes!(stripe_keys::check))
        .routes(routes!(sign_in::create_code))
        .routes(routes!(sign_in::redeem_code))
        .routes(routes!(product::list, product::create))
        .routes(routes!(product::show, product_change::change))
        .routes(routes!(product_change::archive))
        .routes(routes!(product_change::restore))
        .routes(routes!(product_change::stock_log, product_change::change_stock))
        .routes(routes!(product_change::prices))
        .routes(routes!(product::restock))
        .routes(routes!(picture::upload))
        .routes(routes!(gallery::show_gallery, gallery::set_gallery))
        .routes(routes!(quick_item::create))
        .routes(routes!(bulk_edit::find_variants))
        .merge(OpenApiRouter::new().routes(routes!(bulk_edit::save)).layer(DefaultBodyLimit::max(BULK_BYTES_MAX)))
        .routes(routes!(import::list, import::upload))
        .routes(routes!(import::show))
        .routes(routes!(import::products))
        .routes(routes!(import::apply))
        .routes(routes!(import::cancel))
        .routes(routes!(import::undo))
        .routes(routes!(product_export::export));
    if state.app.settings().is_dev_login_enabled {
        described = described.routes(routes!(dev::create_token));
    }
    if state.app.checkout.may_take_payments() {
        described = described.routes(routes!(payment::webhook));
    }
    if state.app.settings().is_test_provider_enabled {
        described = described.routes(routes!(payment::approve));
    }
    described
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
