//! The web door: every route on one page. Handlers parse, ask `app`, and answer; they decide nothing.

pub mod admission;
pub mod auth;
pub mod metrics;
pub mod serve;
pub mod watch;

mod address;
mod asyncapi;
mod chat;
mod describe;
mod dev;
mod error;
mod export;
mod extract;
mod invite;
mod moderate;
mod offer;
mod ops;
mod order;
mod origin;
mod page;
mod payment;
mod peer;
mod person;
mod product;
mod rehearsal;
mod report;
mod rundown;
mod share;
mod socket;
mod stream;
mod table;
mod unread;
mod waiting;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::get;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use admission::Admission;
use auth::Auth;
use describe::BearerToken;
use serve::Connections;
use watch::Requests;

pub use error::Problem;
pub use origin::Origins;
pub use peer::Proxies;

/// The largest body a request may have. The largest honest one is a product with a hundred variants.
const BODY_MAX: usize = 128 * 1024;

/// What every handler may use.
#[derive(Clone)]
pub struct Door {
    pub app: App,
    pub auth: Arc<Auth>,
    pub origins: Arc<Origins>,
    pub proxies: Arc<Proxies>,
    pub admission: Arc<Admission>,
    pub connections: Arc<Connections>,
    pub requests: Arc<Requests>,
    /// Clients that offer permessage-deflate get it.
    pub deflate: bool,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Livesouk",
        description = "Live-stream shopping. What one does in a live show can be done over the socket too, under the same names. \
            Money is in minor units, times in UTC epoch milliseconds."
    ),
    components(schemas(Problem)),
    modifiers(&BearerToken),
    tags(
        (name = "streams", description = "Shows: scheduled, live, ended"),
        (name = "offers", description = "What is sold in a show, and the pin"),
        (name = "orders", description = "Buying: a hold is an order in status `held`"),
        (name = "payments", description = "What payment providers call"),
        (name = "chat", description = "Talk, and keeping it kind"),
        (name = "team", description = "Helpers of a show, by invite link"),
        (name = "products", description = "The catalogue and its pools"),
        (name = "shop", description = "The shop itself"),
    )
)]
struct Description;

/// All routes, and the description made from them.
pub fn router(door: Door) -> Router {
    let mut described = OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(stream::shop))
        .routes(routes!(stream::list, stream::create))
        .routes(routes!(stream::show))
        .routes(routes!(stream::start))
        .routes(routes!(stream::end))
        .routes(routes!(rehearsal::begin, rehearsal::show, rehearsal::stop))
        .routes(routes!(report::sums))
        .routes(routes!(report::full))
        .routes(routes!(report::csv))
        .routes(routes!(share::calendar))
        .routes(routes!(share::qr))
        .routes(routes!(offer::pin, offer::unpin))
        .routes(routes!(offer::list, offer::create))
        .routes(routes!(rundown::arrange))
        .routes(routes!(rundown::plan))
        .routes(routes!(offer::show))
        .routes(routes!(offer::open))
        .routes(routes!(offer::pause))
        .routes(routes!(offer::close))
        .routes(routes!(offer::restock))
        .routes(routes!(offer::extend))
        .routes(routes!(order::buy))
        .routes(routes!(order::list))
        .routes(routes!(order::by_key))
        .routes(routes!(order::show))
        .routes(routes!(order::pay))
        .routes(routes!(order::cancel))
        .routes(routes!(order::refund))
        .routes(routes!(address::show, address::set, address::erase))
        .routes(routes!(waiting::wait, waiting::unwait))
        .routes(routes!(waiting::list))
        .routes(routes!(payment::webhook))
        .routes(routes!(payment::approve))
        .routes(routes!(chat::list, chat::say))
        .routes(routes!(chat::react))
        .routes(routes!(moderate::delete))
        .routes(routes!(moderate::sanctions))
        .routes(routes!(moderate::mute, moderate::unmute))
        .routes(routes!(moderate::ban, moderate::unban))
        .routes(routes!(moderate::rules))
        .routes(routes!(moderate::announce))
        .routes(routes!(moderate::words, moderate::set_words))
        .routes(routes!(moderate::held))
        .routes(routes!(moderate::approve))
        .routes(routes!(moderate::hide))
        .routes(routes!(moderate::pin_message, moderate::unpin_message))
        .routes(routes!(moderate::actions))
        .routes(routes!(moderate::my_actions))
        .routes(routes!(export::export))
        .routes(routes!(person::erase_me))
        .routes(routes!(person::erase_user))
        .routes(routes!(invite::list, invite::create))
        .routes(routes!(invite::revoke))
        .routes(routes!(invite::accept))
        .routes(routes!(product::list, product::create))
        .routes(routes!(product::restock));
    if door.app.settings().dev_login {
        described = described.routes(routes!(dev::token));
    }
    let (routes, openapi) = described.split_for_parts();
    let openapi = serde_json::to_value(&openapi).map(describe::without_rust_names).unwrap_or_default();
    let asyncapi = describe::without_rust_names(asyncapi::document(&openapi));
    routes
        .route("/v1/streams/{stream}/live", get(socket::live))
        .route("/v1/openapi.json", get(move || ops::document(openapi.clone())))
        .route("/v1/asyncapi.json", get(move || ops::document(asyncapi.clone())))
        .route("/healthz", get(ops::healthz))
        .route("/readyz", get(ops::readyz))
        .route("/metrics", get(metrics::guarded))
        .route("/", get(page::shop))
        .route("/watch", get(page::watch))
        .route("/orders", get(page::orders))
        .route("/host", get(page::host))
        .route("/docs", get(page::docs))
        .route("/assets/{*path}", get(page::asset))
        .fallback(ops::not_found)
        .method_not_allowed_fallback(ops::method_not_allowed)
        .layer(origin::cors())
        .layer(axum::middleware::from_fn_with_state(door.clone(), origin::guard))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(axum::middleware::from_fn(unread::take_in))
        .layer(tower_http::catch_panic::CatchPanicLayer::custom(error::panicked))
        .layer(axum::middleware::from_fn_with_state(door.clone(), watch::watch))
        .with_state(door)
}
