//! The table: for each route and verb, what each kind of user gets.

/// The kinds of users, in the order in which they try. A helper came by an invite for producers, so the role is valid in one
/// show only; the others have a role in the whole shop. The banned users were banned from the show by its host.
pub const USERS: [&str; 13] = [
    "anonymous",
    "viewer",
    "moderator",
    "analyst",
    "helper",
    "producer",
    "host",
    "admin",
    "banned viewer",
    "banned moderator",
    "banned producer",
    "helper elsewhere",
    "revoked helper",
];

/// `ok`, `all` (more than everybody sees), or the code of the refusal, for each of [`USERS`].
pub type Access = [&'static str; 13];

const OK: &str = "ok";
const ALL: &str = "all";
const IN: &str = "sign_in";
const NO: &str = "forbidden";
const BAN: &str = "banned";
const REV: &str = "token_invalid";
const HIGH: &str = "outranked";
const TEAM: &str = "team_cannot_buy";
const FREE: &str = "price_needs_host";
const ELSE: &str = "not_yours";
const NONE: &str = "no_such_offer";

//                              anon mod.  analyst   producer   admin  banned (viewer, moderator, producer)
//                               viewer         helper    host                        elsewhere, revoked
const PUBLIC: Access = [OK, OK, OK, OK, OK, OK, OK, OK, OK, OK, OK, OK, OK];
const READ: Access = [OK, OK, OK, OK, OK, OK, OK, OK, OK, OK, OK, OK, REV];
const OWN: Access = [IN, OK, OK, OK, OK, OK, OK, OK, OK, OK, OK, OK, REV];
const OTHERS: Access = [IN, ELSE, ELSE, ELSE, ELSE, ELSE, ELSE, ELSE, ELSE, ELSE, ELSE, ELSE, REV];
const UNKNOWN_LINK: Access = [ELSE; 13];
const WITHOUT_KEY: Access = [REV; 13];
const WATCH: Access = [OK, OK, OK, OK, OK, OK, OK, OK, BAN, BAN, BAN, OK, REV];
const ADDRESS: Access = [IN, ELSE, ELSE, ELSE, OK, OK, OK, OK, ELSE, ELSE, ELSE, ELSE, REV];
const CHAT: Access = [IN, OK, OK, OK, OK, OK, OK, OK, BAN, BAN, BAN, OK, REV];
const BUY: Access = [IN, OK, TEAM, TEAM, TEAM, TEAM, OK, TEAM, BAN, TEAM, TEAM, OK, REV];
const MODERATE: Access = [IN, NO, OK, NO, OK, OK, OK, OK, NO, BAN, BAN, NO, REV];
const SELL: Access = [IN, NO, NO, NO, OK, OK, OK, OK, NO, NO, BAN, NO, REV];
const GIVE: Access = [IN, NO, NO, NO, FREE, FREE, OK, OK, NO, NO, BAN, NO, REV];
const REPORT: Access = [IN, NO, NO, OK, OK, OK, OK, OK, NO, NO, BAN, NO, REV];
/// The numbers of the whole shop.
const REPORT_IN_SHOP: Access = [IN, NO, NO, OK, NO, OK, OK, OK, NO, NO, BAN, NO, REV];
/// What somebody else made.
const UNDO_FOR_OTHERS: Access = [IN, NO, NO, NO, NO, NO, NO, OK, NO, NO, BAN, NO, REV];
const RUN: Access = [IN, NO, NO, NO, NO, NO, OK, OK, NO, NO, NO, NO, REV];
const SELL_IN_SHOP: Access = [IN, NO, NO, NO, NO, OK, OK, OK, NO, NO, BAN, NO, REV];
const ERASE: Access = [IN, NO, NO, NO, NO, NO, NO, OK, NO, NO, NO, NO, REV];
/// An owner is no token.
const OWNER: Access = [IN, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, REV];
const SEE_DRAFTS: Access = [OK, OK, OK, OK, ALL, ALL, ALL, ALL, OK, OK, OK, OK, REV];
const SEE_DRAFT: Access = [NONE, NONE, NONE, NONE, OK, OK, OK, OK, NONE, NONE, NONE, NONE, REV];
const SEE_STOCK: Access = [OK, OK, OK, OK, ALL, ALL, ALL, ALL, OK, OK, OK, ALL, REV];
const SEE_DELETED: Access = [OK, OK, ALL, OK, ALL, ALL, ALL, ALL, OK, OK, OK, OK, REV];
const SEE_REVIEW: Access = [IN, OK, ALL, OK, ALL, ALL, ALL, ALL, OK, OK, OK, OK, REV];
const ON_MODERATOR: Access = [IN, NO, HIGH, NO, OK, OK, OK, OK, NO, BAN, BAN, NO, REV];
const ON_PRODUCER: Access = [IN, NO, HIGH, NO, HIGH, HIGH, OK, OK, NO, BAN, BAN, NO, REV];
const ON_HOST: Access = [IN, NO, HIGH, NO, HIGH, HIGH, HIGH, OK, NO, BAN, BAN, NO, REV];
const OF_HOST: Access = [IN, NO, HIGH, NO, HIGH, HIGH, OK, OK, NO, BAN, BAN, NO, REV];

/// One request. `{name}` in the body, and each parameter of the path, is an object of the [`World`](super::world::World).
#[derive(Clone, Copy)]
pub struct Row {
    /// The method and the path, as the API document has them; empty: on the socket only.
    pub route: &'static str,
    /// The verb on the socket; empty: over REST only.
    pub verb: &'static str,
    /// Which object, where that matters.
    pub object: &'static str,
    /// Parameters of the path that are not the object of the same name.
    pub path: &'static [(&'static str, &'static str)],
    /// Parameters behind the path that are needed, with `?`.
    pub query: &'static str,
    pub body: &'static str,
    /// A part of the answer that not everybody sees.
    pub reveals: &'static str,
    /// A row about a special object: it does not say what the verb needs in general.
    pub is_special: bool,
    pub may: Access,
}

const fn rest(route: &'static str, may: Access) -> Row {
    Row { route, verb: "", object: "", path: &[], query: "", body: "", reveals: "", is_special: false, may }
}

const fn verb(route: &'static str, verb: &'static str, may: Access) -> Row {
    Row { verb, ..rest(route, may) }
}

impl Row {
    const fn body(self, body: &'static str) -> Self {
        Self { body, ..self }
    }

    const fn query(self, query: &'static str) -> Self {
        Self { query, ..self }
    }

    const fn reveals(self, reveals: &'static str) -> Self {
        Self { reveals, ..self }
    }

    const fn on(self, object: &'static str, path: &'static [(&'static str, &'static str)]) -> Self {
        Self { object, path, ..self }
    }

    const fn special(self) -> Self {
        Self { is_special: true, ..self }
    }
}

const OWN_ORDER: &[(&str, &str)] = &[("order", "own_order")];
const PAID_ORDER: &[(&str, &str)] = &[("order", "paid")];
const SENT_ORDER: &[(&str, &str)] = &[("order", "sent")];
const HOME: &str = r#"{"name":"Ann Example","lines":["12 King Fahd Rd"],"city":"Riyadh","country":"SA"}"#;
const CHANGE_ORDER: &str =
    r#"{"address":{"name":"Ann Example","lines":["12 King Fahd Rd"],"city":"Riyadh","country":"SA"}}"#;

/// Every route of the API and every verb.
pub const ROWS: &[Row] = &[
    // The shop and its shows.
    rest("GET /v1/shop", PUBLIC),
    rest("GET /v1/streams", PUBLIC),
    rest("GET /v1/streams/{stream}", PUBLIC),
    rest("GET /v1/streams/{stream}/calendar.ics", PUBLIC),
    rest("GET /v1/streams/{stream}/qr.svg", PUBLIC),
    rest("GET /v1/streams/{stream}/log", PUBLIC),
    rest("POST /v1/streams/{stream}/viewer-token", WATCH),
    rest("POST /v1/media/mediamtx", WITHOUT_KEY).body(r#"{"action":"read","path":"x"}"#),
    rest("POST /v1/media/ovenmediaengine", PUBLIC)
        .body(r#"{"request":{"direction":"outgoing","status":"opening","url":"x"}}"#),
    rest("POST /v1/dev/tokens", READ).body(r#"{"name":"Ann","role":"viewer"}"#).on("demo only", &[]),
    rest("POST /v1/sign-in-codes", OWN).body(r#"{"origin":"{site}"}"#),
    rest("POST /v1/sign-in-codes/redeem", PUBLIC).body(r#"{"code":"unknown"}"#).on("with the code", &[]),
    // Signing in on our own pages. A session is a cookie; the users of this table have tokens, which have no session to change.
    rest("GET /v1/session", READ),
    rest("PATCH /v1/session", OWN).body(r#"{"name":"Ann"}"#).on("the caller's own", &[]),
    rest("DELETE /v1/session", READ).on("the caller's own", &[]),
    rest("POST /v1/session/guest", PUBLIC).body(r#"{"name":"Ann"}"#).on("from our own pages", &[]),
    rest("POST /v1/session/email", PUBLIC).body(r#"{"email":"ann@example.com"}"#).on("from our own pages", &[]),
    rest("POST /v1/session/email/verify", PUBLIC)
        .body(r#"{"id":"{session}","code":"123456"}"#)
        .on("in the browser that asked", &[]),
    rest("POST /v1/session/oidc", PUBLIC).on("from our own pages", &[]),
    rest("POST /v1/session/oidc/finish", PUBLIC)
        .body(r#"{"code":"abc","state":"0"}"#)
        .on("from our own pages", &[]),
    rest("POST /v1/session/passkey/challenge", PUBLIC).on("from our own pages", &[]),
    rest("POST /v1/session/passkey", PUBLIC)
        .body(r#"{"credential":"AAAA","client_data":"AAAA","authenticator_data":"AAAA","signature":"AAAA"}"#)
        .on("from our own pages", &[]),
    rest("GET /v1/passkeys", OWN),
    rest("POST /v1/passkeys", OWN).body(r#"{"name":"Phone","client_data":"AAAA","authenticator_data":"AAAA"}"#),
    rest("POST /v1/passkeys/challenge", OWN),
    rest("DELETE /v1/passkeys/{passkey}", OWN).on("the caller's own", &[]),
    rest("GET /v1/sessions", OWN),
    rest("DELETE /v1/sessions", OWN),
    rest("DELETE /v1/sessions/{session}", OWN).on("the caller's own", &[]),
    // The staff, and the settings of the shop. What an admin may, the owner may too, who comes only by a session.
    rest("GET /v1/staff", ERASE),
    rest("POST /v1/staff/invites", ERASE).body(r#"{"email":"ann@example.com","role":"host"}"#),
    rest("DELETE /v1/staff/invites/{staff_invite}", ERASE),
    rest("POST /v1/staff/invites/open", PUBLIC).body(r#"{"code":"unknown"}"#).on("with the code", &[]),
    rest("POST /v1/staff/invites/accept", OWN).body(r#"{"code":"unknown"}"#).on("with the code", &[]),
    rest("PUT /v1/staff/{account}", ERASE).body(r#"{"role":"host"}"#),
    rest("DELETE /v1/staff/{account}", ERASE),
    // A token makes no key: whoever stole it would keep its power. The refusal is behind the permission.
    // The demo has no mail server.
    rest("POST /v1/follows", READ).body(r#"{"email":"ann@example.com"}"#).on("without a mail server", &[]),
    rest("POST /v1/follows/confirm", PUBLIC).body(r#"{"secret":"{revocation}"}"#).on("without its secret", &[]),
    rest("GET /v1/me/payment-methods", OWN),
    rest("DELETE /v1/me/payment-methods/{payment_method}", OWN),
    rest("GET /v1/follows", OWN),
    rest("DELETE /v1/follows/{follow}", OWN),
    rest("GET /v1/api-keys", ERASE),
    rest("POST /v1/api-keys", ERASE).body(r#"{"name":"Warehouse"}"#).on("from a session", &[]),
    rest("POST /v1/api-keys/{api_key}/rotate", ERASE).body("{}").on("from a session", &[]),
    rest("DELETE /v1/api-keys/{api_key}", ERASE),
    rest("POST /v1/setup/open", PUBLIC).body(r#"{"code":"unknown"}"#).on("with the code", &[]),
    rest("POST /v1/setup", PUBLIC).body(r#"{"code":"unknown"}"#).on("with the code", &[]),
    rest("GET /v1/shop/settings", ERASE),
    // The world of this table has a demo, which has no key for secrets: who may is refused for that, behind the permission.
    rest("GET /v1/shop/settings/mail", ERASE),
    rest("PUT /v1/shop/settings/mail", OWNER)
        .body(r#"{"host":"localhost","port":9,"protection":"none","from":"shop@example.com"}"#),
    rest("DELETE /v1/shop/settings/mail", ERASE),
    rest("POST /v1/shop/settings/mail/test", OWNER).body(
        r#"{"server":{"host":"localhost","port":9,"protection":"none","from":"a@example.com"},"email":"a@example.com"}"#,
    ),
    rest("GET /v1/shop/settings/stripe", OWNER),
    rest("PUT /v1/shop/settings/stripe", OWNER).body("{}"),
    rest("DELETE /v1/shop/settings/stripe", OWNER),
    rest("POST /v1/shop/settings/stripe/check", OWNER).body("{}"),
    rest("PATCH /v1/shop/settings", ERASE).body(r#"{"tax_included":true}"#),
    rest("GET /v1/policies/{policy}", PUBLIC),
    rest("POST /v1/streams", RUN).body(r#"{"title":"Evening"}"#),
    rest("PATCH /v1/streams/{stream}", RUN).body(r#"{"version":1}"#),
    rest("POST /v1/streams/{stream}/cancel", RUN).on("that has not begun", &[("stream", "scheduled")]),
    rest("POST /v1/streams/{stream}/copies", RUN).body("{}"),
    rest("POST /v1/streams/{stream}/series", RUN).body(r#"{"first":"2030-01-03T20:00","count":1}"#),
    rest("POST /v1/streams/{stream}/start", RUN),
    rest("GET /v1/streams/{stream}/publish-key", RUN),
    rest("POST /v1/streams/{stream}/publish-key", RUN),
    rest("POST /v1/streams/{stream}/publish-key/rotate", RUN),
    rest("DELETE /v1/streams/{stream}/publish-key", RUN),
    rest("POST /v1/streams/{stream}/end", RUN),
    rest("POST /v1/streams/{stream}/rehearsal", RUN).body("{}"),
    rest("GET /v1/streams/{stream}/rehearsal", RUN),
    rest("DELETE /v1/streams/{stream}/rehearsal", RUN),
    rest("GET /v1/streams/{stream}/report", REPORT),
    rest("GET /v1/streams/{stream}/report/full", REPORT),
    rest("GET /v1/streams/{stream}/report.csv", REPORT),
    // The catalogue, offers and the line-up.
    rest("GET /v1/products", SEE_STOCK).reveals("\"stock\""),
    rest("POST /v1/products", SELL_IN_SHOP)
        .body(r#"{"title":"Lamp","variants":[{"name":"Blue","price":100,"stock":1}]}"#),
    rest("GET /v1/products/{product}", SEE_STOCK).reveals("\"stock\""),
    rest("PUT /v1/products/{product}/pictures", SELL_IN_SHOP).body(r#"{"version":1,"pictures":[]}"#),
    rest("PATCH /v1/products/{product}", SELL_IN_SHOP).body(r#"{"version":1}"#),
    rest("POST /v1/products/{product}/archive", SELL_IN_SHOP),
    rest("POST /v1/products/{product}/restore", SELL_IN_SHOP),
    rest("POST /v1/variants/{variant}/restock", SELL_IN_SHOP).body(r#"{"add":1}"#),
    rest("GET /v1/variants/{variant}/stock-changes", SELL_IN_SHOP),
    rest("POST /v1/variants/{variant}/stock-changes", SELL_IN_SHOP).body(r#"{"units":1,"reason":"received"}"#),
    rest("GET /v1/variants/{variant}/price-changes", SELL_IN_SHOP),
    rest("POST /v1/pictures", SELL_IN_SHOP).body("{}"),
    rest("GET /v1/variants", SELL_IN_SHOP).query("?scan=4006381333931"),
    rest("POST /v1/bulk-edits", SELL_IN_SHOP)
        .body(r#"{"source":"grid","rows":"all","products":[{"product":"{product}"}]}"#),
    rest("POST /v1/imports", SELL_IN_SHOP).body("{}"),
    rest("GET /v1/imports", SELL_IN_SHOP),
    rest("GET /v1/imports/{import}", SELL_IN_SHOP),
    rest("GET /v1/imports/{import}/products", SELL_IN_SHOP),
    rest("POST /v1/imports/{import}/apply", SELL_IN_SHOP).body(r#"{"rows":"good"}"#),
    rest("POST /v1/imports/{import}/undo", UNDO_FOR_OTHERS).on("that somebody else made", &[("import", "cancelled_import")]).special(),
    rest("POST /v1/imports/{import}/cancel", SELL_IN_SHOP).on("that is not applied", &[("import", "other_import")]),
    rest("GET /v1/catalogue/{catalogue_file}", SELL_IN_SHOP),
    rest("GET /v1/products/{product}/pictures", READ),
    rest("GET /v1/streams/{stream}/offers", SEE_DRAFTS).reveals("{draft}"),
    rest("POST /v1/streams/{stream}/quick-items", SELL).body(r#"{"price":100,"quantity":1}"#),
    rest("POST /v1/streams/{stream}/quick-items", GIVE).body(r#"{"price":0,"quantity":1}"#).on("at the price 0", &[]),
    rest("GET /v1/offers/{offer}", READ),
    rest("GET /v1/offers/{offer}", SEE_DRAFT).on("a draft", &[("offer", "draft")]),
    rest("POST /v1/streams/{stream}/offers", SELL)
        .body(r#"{"variant":"{variant}","kind":"regular","price":100,"quantity":1}"#),
    rest("POST /v1/streams/{stream}/offers", GIVE)
        .body(r#"{"variant":"{variant}","kind":"regular","price":0,"quantity":1}"#)
        .on("at the price 0", &[]),
    rest("PUT /v1/streams/{stream}/lineup", SELL).body(r#"{"offers":["{offer}","{draft}","{free}"]}"#),
    rest("PUT /v1/offers/{offer}/schedule", SELL).body(r#"{"starts_at":null}"#).on("a draft", &[("offer", "draft")]),
    verb("PUT /v1/streams/{stream}/pin", "pin", SELL).body(r#"{"offer":"{offer}"}"#),
    verb("DELETE /v1/streams/{stream}/pin", "unpin", SELL),
    verb("POST /v1/offers/{offer}/open", "open", SELL),
    verb("POST /v1/offers/{offer}/pause", "pause", SELL),
    verb("POST /v1/offers/{offer}/close", "close", SELL),
    verb("POST /v1/offers/{offer}/restock", "restock", SELL).body(r#"{"add":1}"#),
    verb("POST /v1/offers/{offer}/restock", "restock", GIVE)
        .body(r#"{"add":1}"#)
        .on("at the price 0", &[("offer", "free")])
        .special(),
    verb("POST /v1/offers/{offer}/extend", "extend", SELL).body(r#"{"seconds":60}"#),
    verb("PUT /v1/offers/{offer}/pay-later", "set_pay_later", SELL).body(r#"{"pay_later":false}"#),
    verb("", "seen", READ).body(r#"{"offer":"{offer}"}"#),
    verb("", "report_video_fault", READ).body(r#"{"kind":"stall"}"#),
    // Buying, and the caller's own data.
    verb("POST /v1/offers/{offer}/orders", "buy", BUY).body(r#"{"qty":1}"#),
    verb("PUT /v1/offers/{offer}/stock-alert", "add_stock_alert", BUY),
    verb("DELETE /v1/offers/{offer}/stock-alert", "remove_stock_alert", OWN),
    rest("GET /v1/streams/{stream}/stock-alerts", OWN),
    rest("GET /v1/orders", OWN),
    rest("POST /v1/orders", OWN).body(r#"{"reservations":["{own_order}"]}"#).on("the caller's own", &[]),
    rest("POST /v1/orders", OTHERS).body(r#"{"reservations":["{order}"]}"#).on("of another user", &[]),
    rest("GET /v1/reservations/{reservation}", OWN).on("the caller's own", &[("reservation", "own_order")]),
    rest("GET /v1/reservations/{reservation}", OTHERS).on("of another user", &[]),
    rest("DELETE /v1/reservations/{reservation}", OTHERS).on("of another user", &[]),
    rest("GET /v1/orders/by-key", OWN).on("the caller's own", &[]),
    rest("GET /v1/reservations/by-key", OWN).on("the caller's own", &[]),
    rest("GET /v1/orders/{order}", OWN).on("the caller's own", OWN_ORDER),
    rest("PUT /v1/orders/{order}", OWN).body(CHANGE_ORDER).on("the caller's own", OWN_ORDER),
    rest("PUT /v1/orders/{order}", OTHERS).body(CHANGE_ORDER).on("of another user", &[]),
    rest("GET /v1/orders/{order}", OTHERS).on("of another user", &[]),
    rest("POST /v1/orders/{order}/link", OWN).on("the caller's own", OWN_ORDER),
    rest("POST /v1/orders/{order}/link", OTHERS).on("of another user", &[]),
    rest("GET /v1/orders/{order}/withdrawal", OWN).on("the caller's own", OWN_ORDER),
    rest("GET /v1/orders/{order}/withdrawal", OTHERS).on("of another user", &[]),
    rest("POST /v1/orders/{order}/withdrawal", OWN).on("the caller's own", OWN_ORDER),
    rest("POST /v1/orders/{order}/withdrawal", OTHERS).on("of another user", &[]),
    rest("POST /v1/order-links", UNKNOWN_LINK).body(r#"{"secret":"{revocation}"}"#).on("without its secret", &[]),
    rest("POST /v1/order-links/withdrawal", UNKNOWN_LINK)
        .body(r#"{"secret":"{revocation}"}"#)
        .on("without its secret", &[]),
    rest("GET /v1/orders/{order}/address", OWN).on("the caller's own", OWN_ORDER),
    rest("GET /v1/orders/{order}/address", ADDRESS).on("of another user", &[]),
    rest("PUT /v1/orders/{order}/address", OWN).body(HOME).on("the caller's own", OWN_ORDER),
    rest("PUT /v1/orders/{order}/address", OTHERS).body(HOME).on("of another user", &[]),
    rest("DELETE /v1/orders/{order}/address", OWN).on("the caller's own", OWN_ORDER),
    rest("DELETE /v1/orders/{order}/address", OTHERS).on("of another user", &[]),
    rest("GET /v1/shop/orders", SELL_IN_SHOP),
    rest("GET /v1/shop/order-tags", SELL_IN_SHOP),
    rest("GET /v1/shop/coupons", SELL_IN_SHOP),
    rest("GET /v1/shop/coupons/{coupon}", SELL_IN_SHOP),
    rest("POST /v1/shop/coupons", RUN).body(r#"{"code":"for {me}","percent_bp":1000}"#),
    rest("PATCH /v1/shop/coupons/{coupon}", RUN).body(r#"{"version":1}"#),
    verb("PUT /v1/streams/{stream}/coupon", "show_coupon", SELL).body(r#"{"coupon":"{coupon}"}"#),
    verb("DELETE /v1/streams/{stream}/coupon", "hide_coupon", SELL),
    verb("PUT /v1/streams/{stream}/coupon-claim", "claim_coupon", BUY).body(r#"{"coupon":"{coupon}"}"#),
    rest("GET /v1/shop/saved-views", SELL_IN_SHOP),
    rest("PUT /v1/shop/saved-views/{view}", SELL_IN_SHOP).body(r#"{"query":"view=sent"}"#),
    rest("DELETE /v1/shop/saved-views/{view}", SELL_IN_SHOP),
    rest("GET /v1/shop/mails", RUN),
    rest("POST /v1/shop/mails/{mail}/send-again", RUN),
    rest("GET /v1/shop/export/{orders_file}", SELL_IN_SHOP),
    rest("GET /v1/orders/{order}/documents", OWN).on("the caller's own", OWN_ORDER),
    rest("GET /v1/orders/{order}/documents", ADDRESS).on("of another user", &[]),
    rest("POST /v1/order-links/documents", UNKNOWN_LINK)
        .body(r#"{"secret":"{revocation}"}"#)
        .on("without its secret", &[]),
    rest("GET /v1/shop/documents", SELL_IN_SHOP),
    rest("GET /v1/shop/documents/{documents_file}", SELL_IN_SHOP),
    rest("GET /v1/shop/payment-days", REPORT_IN_SHOP),
    rest("GET /v1/shop/payment-days.csv", REPORT_IN_SHOP),
    rest("GET /v1/shop/customers", RUN),
    rest("GET /v1/shop/customers/{user}", RUN),
    rest("PUT /v1/shop/customers/{user}/notes/{note}", RUN).body(r#"{"text":"Likes red lamps"}"#).on("", &[("note", "revocation")]),
    rest("PUT /v1/shop/customers/{user}/block", RUN).body("{}"),
    rest("DELETE /v1/shop/customers/{user}/block", RUN),
    rest("GET /v1/shop/customers/{user}/data", ERASE),
    rest("GET /v1/streams/{stream}/orders", SELL),
    rest("GET /v1/shop/orders/{order}", ADDRESS),
    rest("PUT /v1/orders/{order}/packed", ADDRESS).on("", PAID_ORDER),
    rest("DELETE /v1/orders/{order}/packed", ADDRESS).on("", PAID_ORDER),
    rest("PUT /v1/orders/{order}/sent", ADDRESS).on("", PAID_ORDER),
    rest("POST /v1/shop/parcels", ADDRESS).body(r#"{"orders":["{paid}"]}"#),
    rest("PUT /v1/orders/{order}/delivered", ADDRESS).on("", SENT_ORDER),
    rest("DELETE /v1/orders/{order}/delivered", ADDRESS).on("", PAID_ORDER),
    rest("DELETE /v1/orders/{order}/sent", ADDRESS).on("", PAID_ORDER),
    rest("PUT /v1/orders/{order}/paid", RUN).body(r#"{"amount":100}"#),
    rest("PUT /v1/orders/{order}/cancelled", RUN).body(r#"{"restock":true}"#),
    rest("PUT /v1/orders/{order}/dispute", RUN).body(r#"{"result":"won","note":"Seen at the provider"}"#),
    rest("PUT /v1/orders/{order}/notes/{note}", ADDRESS)
        .body(r#"{"text":"Call before you send it."}"#)
        .on("", &[("note", "revocation")]),
    rest("PUT /v1/orders/{order}/tags/{tag}", ADDRESS),
    rest("DELETE /v1/orders/{order}/tags/{tag}", ADDRESS),
    verb("POST /v1/orders/{order}/pay", "pay", OWN).body(r#"{"token":"ok"}"#).on("the caller's own", OWN_ORDER),
    verb("POST /v1/orders/{order}/pay", "pay", OTHERS).body(r#"{"token":"ok"}"#).on("of another user", &[]).special(),
    verb("POST /v1/orders/{order}/cancel", "cancel", OWN).on("the caller's own", OWN_ORDER),
    verb("POST /v1/orders/{order}/cancel", "cancel", OTHERS).on("of another user", &[]).special(),
    rest("DELETE /v1/reservations/{reservation}", OWN).on("the caller's own", &[("reservation", "own_order")]),
    verb("POST /v1/orders/{order}/refund", "refund", RUN).body(r#"{"restock":true}"#).on("the caller's own", OWN_ORDER),
    verb("POST /v1/orders/{order}/refund", "refund", RUN)
        .body(r#"{"restock":true}"#)
        .on("of another user", &[("order", "paid")])
        .special(),
    verb("POST /v1/orders/{order}/refunds", "refund_part", RUN)
        .body(r#"{"restock":true,"amount":1}"#)
        .on("the caller's own", OWN_ORDER),
    verb("POST /v1/orders/{order}/refunds", "refund_part", RUN)
        .body(r#"{"restock":true,"amount":1}"#)
        .on("of another user", &[("order", "paid")])
        .special(),
    rest("POST /v1/webhooks/{provider}", PUBLIC).on("signed", &[("provider", "test_provider")]),
    rest("POST /v1/test-provider/{payment}/approve", PUBLIC).body(r#"{"approve":true}"#).on("test provider only", &[]),
    rest("GET /v1/me/data", OWN),
    rest("GET /v1/me/address", OWN),
    rest("PUT /v1/me/address", OWN)
        .body(r#"{"name":"Ann","lines":["1 King Fahd Road"],"city":"Riyadh","country":"SA"}"#),
    rest("DELETE /v1/me/address", OWN),
    rest("DELETE /v1/me", OWN),
    rest("DELETE /v1/users/{user}", ERASE),
    rest("GET /v1/token-revocations", ERASE),
    rest("POST /v1/token-revocations", ERASE).body(r#"{"user":"{user}"}"#),
    rest("DELETE /v1/token-revocations/{revocation}", ERASE),
    rest("GET /v1/audit-log", ERASE),
    rest("GET /v1/shop/audit-log", ERASE),
    rest("GET /v1/shop/audit-log/{audit_file}", ERASE),
    // Chat and moderation.
    rest("GET /v1/streams/{stream}/messages", SEE_DELETED).reveals("these words were deleted"),
    verb("POST /v1/streams/{stream}/messages", "say", CHAT).body(r#"{"text":"hello from {me}"}"#),
    verb("POST /v1/streams/{stream}/reactions", "react", CHAT).body(r#"{"kind":"heart","count":1}"#),
    rest("GET /v1/streams/{stream}/review-queue", SEE_REVIEW).reveals("these words wait"),
    verb("POST /v1/streams/{stream}/review-queue/{id}/approve", "approve", MODERATE).on("", &[("id", "pending")]),
    verb("POST /v1/streams/{stream}/review-queue/{id}/reject", "reject", MODERATE).on("", &[("id", "pending")]),
    verb("DELETE /v1/streams/{stream}/messages/{id}", "delete_message", MODERATE).on("", &[("id", "message")]),
    verb("PUT /v1/streams/{stream}/pinned-message", "pin_message", MODERATE).body(r#"{"id":"{message}"}"#),
    verb("DELETE /v1/streams/{stream}/pinned-message", "unpin_message", MODERATE),
    rest("GET /v1/streams/{stream}/mutes", MODERATE),
    verb("PUT /v1/streams/{stream}/mutes/{user}", "mute", MODERATE).body(r#"{"seconds":60}"#).on("of a viewer", &[]),
    verb("PUT /v1/streams/{stream}/mutes/{user}", "mute", ON_MODERATOR)
        .body(r#"{"seconds":60}"#)
        .on("of a moderator", &[("user", "a_moderator")])
        .special(),
    verb("DELETE /v1/streams/{stream}/mutes/{user}", "unmute", MODERATE).on("of a viewer", &[]),
    verb("DELETE /v1/streams/{stream}/mutes/{user}", "unmute", OF_HOST)
        .on("that a host imposed", &[("user", "sanctioned")])
        .special(),
    verb("PUT /v1/streams/{stream}/bans/{user}", "ban", MODERATE).on("of a viewer", &[]),
    verb("PUT /v1/streams/{stream}/bans/{user}", "ban", ON_MODERATOR)
        .on("of a moderator", &[("user", "a_moderator")])
        .special(),
    verb("PUT /v1/streams/{stream}/bans/{user}", "ban", ON_PRODUCER)
        .on("of a producer", &[("user", "a_producer")])
        .special(),
    verb("PUT /v1/streams/{stream}/bans/{user}", "ban", ON_HOST).on("of a host", &[("user", "a_host")]).special(),
    verb("DELETE /v1/streams/{stream}/bans/{user}", "unban", MODERATE).on("of a viewer", &[]),
    verb("DELETE /v1/streams/{stream}/bans/{user}", "unban", OF_HOST)
        .on("that a host imposed", &[("user", "sanctioned")])
        .special(),
    verb("PUT /v1/streams/{stream}/chat", "chat_rules", MODERATE).body(r#"{"slow_s":0}"#),
    verb("", "slow_mode", MODERATE).body(r#"{"seconds":0}"#),
    verb("POST /v1/streams/{stream}/announcements", "announce", MODERATE).body(r#"{"text":"hello"}"#),
    rest("GET /v1/streams/{stream}/blocklist", MODERATE),
    rest("PUT /v1/streams/{stream}/blocklist", MODERATE).body(r#"{"words":[]}"#),
    rest("GET /v1/streams/{stream}/audit-log", MODERATE),
    rest("GET /v1/streams/{stream}/audit-log/mine", OWN),
    rest("GET /v1/streams/{stream}/export/{file}", MODERATE),
    // The team.
    rest("GET /v1/streams/{stream}/invites", RUN),
    rest("POST /v1/streams/{stream}/invites", RUN).body(r#"{"role":"moderator"}"#),
    rest("DELETE /v1/streams/{stream}/invites/{invite}", RUN),
    rest("POST /v1/invites/{code}", PUBLIC).body(r#"{"name":"Hal"}"#).on("with the code", &[]),
];

/// Routes beside the API, and who gets an answer.
pub const SERVICE_ROUTES: [(&str, &str); 31] = [
    (
        "/v1/streams/{stream}/live",
        "The socket. Everybody may watch; a banned user is closed with 4502, a revoked token with 4501",
    ),
    ("/v1/orders/by-key/{key}", "As `GET /v1/orders/by-key`, with the key in the path"),
    ("/v1/reservations/by-key/{key}", "As `GET /v1/reservations/by-key`, with the key in the path"),
    ("/v1/offers/{offer}/reservations", "As `POST /v1/offers/{offer}/orders`"),
    ("/v1/openapi.json", "Everybody"),
    ("/v1/asyncapi.json", "Everybody"),
    ("/healthz", "Everybody"),
    ("/readyz", "Everybody"),
    ("/metrics", "Analysts, producers, hosts and admins of the whole shop; in the demo everybody"),
    ("/", "Everybody: the pages have no data of their own"),
    ("/watch", "Everybody"),
    ("/orders", "Everybody"),
    ("/invoice", "Everybody"),
    ("/hosts/{name}", "Everybody"),
    ("/products/{product}", "Everybody"),
    ("/manifest.webmanifest", "Everybody"),
    ("/favicon.ico", "Everybody"),
    ("/policies/{policy}", "Everybody"),
    ("/host", "Everybody"),
    ("/admin", "Everybody"),
    ("/setup", "Everybody: the code of the link is the credential"),
    ("/join", "Everybody: the code of the invite is the credential"),
    ("/sign-in", "Everybody: the page to which the identity provider sends the browser back"),
    ("/follow", "Everybody: the secret of the link is the credential"),
    (
        "/unsubscribe/{secret}",
        "Everybody: the secret of the link is the credential. A POST ends the follow, a GET is a page that asks",
    ),
    ("/pictures/{picture}/{size}", "Everybody"),
    ("/docs", "Everybody"),
    ("/docs/errors", "Everybody"),
    ("/docs/errors/{code}", "Everybody"),
    ("/assets/hls.js", "Everybody"),
    ("/assets/{*path}", "Everybody"),
];
