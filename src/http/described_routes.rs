//! The routes that the OpenAPI document describes, except those of live verbs.

use axum::extract::DefaultBodyLimit;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::openapi::BearerSecurity;
use super::{
    AppState, Problem, account, address, api_key, audit_log, billing, bulk_edit, chat, coupon, customer, dev, dispute,
    export, follow, gallery, import, invite, lineup, mail, mail_server, media_access, moderation, offer, oidc, order,
    order_export, own_data, passkey, payment, payment_day, payment_method, picture, policy, product, product_change,
    product_export, publish_key, quick_item, rehearsal, report, saved_address, saved_view, setup, share, shop,
    shop_order, shop_settings, sign_in, staff, stock_alert, stream, stream_change, stripe_keys, token, user_data,
    withdrawal,
};

/// The maximum size of the body of a bulk edit: 500 rows.
const BULK_BYTES_MAX: usize = 256 * 1024;

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

/// The routes that this server has: some depend on how it takes payments and signs people in.
pub fn described_routes(state: &AppState) -> OpenApiRouter<AppState> {
    let mut described = OpenApiRouter::with_openapi(ApiDoc::openapi())
        .merge(show_routes())
        .merge(order_routes())
        .merge(desk_routes())
        .merge(chat_routes())
        .merge(account_routes())
        .merge(shop_routes())
        .merge(catalogue_routes());
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

/// Shows, their offers and their videos.
fn show_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
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
        .routes(routes!(follow::list, follow::follow))
        .routes(routes!(follow::confirm))
        .routes(routes!(follow::end))
}

/// Orders, as buyers see them.
fn order_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(order::list, order::open))
        .routes(routes!(order::reservation, order::cancel_reservation))
        .routes(routes!(order::by_key))
        .routes(routes!(order::reservation_by_key))
        .routes(routes!(order::show, order::change))
        .routes(routes!(order::create_link))
        .routes(routes!(order::of_link))
        .routes(routes!(withdrawal::show, withdrawal::withdraw))
        .routes(routes!(withdrawal::withdraw_by_link))
        .routes(routes!(stock_alert::list))
        .routes(routes!(payment_method::list))
        .routes(routes!(payment_method::remove))
}

/// Orders, as the team sees them.
fn desk_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
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
}

/// Chat, moderation, and what is written down of it.
fn chat_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(chat::list))
        .routes(routes!(moderation::sanctions))
        .routes(routes!(moderation::blocklist, moderation::set_blocklist))
        .routes(routes!(moderation::review_queue))
        .routes(routes!(audit_log::audit_log))
        .routes(routes!(audit_log::my_audit_log))
        .routes(routes!(audit_log::shop_audit_log))
        .routes(routes!(export::export))
        .routes(routes!(audit_log::list))
        .routes(routes!(audit_log::export))
        .routes(routes!(invite::list, invite::create))
        .routes(routes!(invite::revoke))
        .routes(routes!(invite::accept))
}

/// Sign-in, and what is stored about people.
fn account_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(oidc::begin))
        .routes(routes!(oidc::finish))
        .routes(routes!(passkey::challenge))
        .routes(routes!(passkey::use_passkey))
        .routes(routes!(passkey::list, passkey::add))
        .routes(routes!(passkey::new_challenge))
        .routes(routes!(passkey::remove))
        .routes(routes!(own_data::export))
        .routes(routes!(saved_address::show, saved_address::set, saved_address::erase))
        .routes(routes!(customer::list))
        .routes(routes!(customer::show))
        .routes(routes!(customer::add_note))
        .routes(routes!(customer::block, customer::unblock))
        .routes(routes!(customer::export))
        .routes(routes!(user_data::erase_me))
        .routes(routes!(user_data::erase_user))
        .routes(routes!(token::list, token::revoke))
        .routes(routes!(token::undo))
        .routes(routes!(account::show, account::rename, account::sign_out))
        .routes(routes!(account::sign_in_guest))
        .routes(routes!(account::send_email_code))
        .routes(routes!(account::verify_email_code))
        .routes(routes!(account::list, account::end_all))
        .routes(routes!(account::end))
        .routes(routes!(sign_in::create_code))
        .routes(routes!(sign_in::redeem_code))
}

/// The shop, its staff and its settings.
fn shop_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(shop::show))
        .routes(routes!(staff::list))
        .routes(routes!(staff::invite))
        .routes(routes!(staff::withdraw))
        .routes(routes!(staff::open))
        .routes(routes!(staff::accept))
        .routes(routes!(staff::set_role, staff::remove))
        .routes(routes!(api_key::list, api_key::create))
        .routes(routes!(api_key::rotate))
        .routes(routes!(api_key::end))
        .routes(routes!(setup::open))
        .routes(routes!(setup::set_up))
        .routes(routes!(shop_settings::show, shop_settings::change))
        .routes(routes!(policy::show))
        .routes(routes!(mail_server::show, mail_server::set, mail_server::remove))
        .routes(routes!(mail_server::test))
        .routes(routes!(stripe_keys::show, stripe_keys::set, stripe_keys::remove))
        .routes(routes!(stripe_keys::check))
}

/// Products, pictures and files.
fn catalogue_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
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
        .routes(routes!(product_export::export))
}
