//! The objects and users of one row: a live show of its own, so that no row sees what another one did.

use std::collections::HashMap;

use reqwest::Method;
use serde_json::{Value, json};

use super::table::{Row, USERS};
use crate::support::rest::{Rest, RestResponse};
use crate::support::shop::{Shop, id, key};
use crate::support::socket::{JoinOptions, Live};
use crate::support::{SOON, until_some};

pub struct User {
    pub token: Option<String>,
    /// What `{me}`, `{own_order}` and `{own_key}` mean for this user.
    own: HashMap<&'static str, String>,
}

pub struct World {
    /// In the order of [`USERS`].
    pub users: Vec<User>,
    objects: HashMap<&'static str, String>,
}

/// An import of one product, which can be applied.
async fn checked_import(host: &Rest) -> String {
    let sent =
        host.send_text(Method::POST, "/v1/imports", &[("content-type", "text/csv")], "title,price\nPot,5\n").await;
    let import = id(&sent.expect(201));
    let path = format!("/v1/imports/{import}");
    until_some("import that is ready", SOON, async || {
        (host.get(&path).await.expect(200)["status"] == "ready").then_some(())
    })
    .await;
    import
}

impl World {
    /// Imports, for the rows that need them: a shop has few that are open.
    pub async fn add_imports(&mut self, shop: &Shop) {
        let host = shop.rest("importer", "host");
        for name in ["import", "cancelled_import", "other_import"] {
            self.objects.insert(name, checked_import(&host).await);
        }
        let cancelled = format!("/v1/imports/{}/cancel", self.objects["cancelled_import"]);
        host.post(&cancelled, json!({})).await.expect(200);
    }

    pub async fn create(shop: &Shop, n: usize) -> World {
        let host = shop.rest(&format!("host-of-{n}"), "host");
        let stream = live_stream(&host).await;
        let path = |rest: &str| format!("/v1/streams/{stream}/{rest}");
        let user = |name: &str| format!("{}-{n}", name.replace(' ', "-"));
        let mut objects = HashMap::from([("stream", stream.clone()), ("user", user("somebody"))]);

        let product = json!({"title": "Lamp", "variants": [{"name": "Blue", "price": 100, "stock": 10_000}]});
        let product = host.post("/v1/products", product).await.expect(201);
        let variant = id(&product["variants"][0]);
        objects.insert("product", id(&product));
        objects.insert("catalogue_file", "products.csv".to_owned());
        for (name, price, is_open) in [("offer", 100, true), ("draft", 100, false), ("free", 0, true)] {
            let form = json!({"variant": variant, "kind": "regular", "price": price, "quantity": 100});
            let offer = id(&host.post(&path("offers"), form).await.expect(201));
            if is_open {
                host.post(&format!("/v1/offers/{offer}/open"), json!({})).await.expect(200);
            }
            objects.insert(name, offer);
        }
        objects.insert("variant", variant);

        let author = shop.rest(&user("author"), "viewer");
        for (name, text) in [("message", "hello"), ("deleted", "these words were deleted")] {
            objects.insert(name, id(&author.post(&path("messages"), json!({"text": text})).await.expect(201)));
        }
        host.delete(&path(&format!("messages/{}", objects["deleted"]))).await.expect(204);
        host.put(&path("chat"), json!({"review_all": true})).await.expect(200);
        let pending = author.post(&path("messages"), json!({"text": "these words wait"})).await.expect(202);
        objects.insert("pending", id(&pending));
        host.put(&path("chat"), json!({"review_all": false})).await.expect(200);
        for (name, role) in [("a_moderator", "moderator"), ("a_producer", "producer"), ("a_host", "host")] {
            let one = shop.rest(&user(name), role);
            one.post(&path("messages"), json!({"text": format!("I am {name}")})).await.expect(201);
            objects.insert(name, user(name));
        }

        let offer = objects["offer"].clone();
        let order = buy(&author, &offer, &key()).await;
        let paid = buy(&author, &offer, &key()).await;
        let home = json!({"name": "Ann Example", "lines": ["12 King Fahd Rd"], "city": "Riyadh", "country": "SA",
            "email": "ann@example.com"});
        author.put(&format!("/v1/orders/{paid}/address"), home).await.expect(200);
        author.post_keyed(&format!("/v1/orders/{paid}/pay"), &key(), json!({"token": "ok"})).await.expect(200);
        let mails = host.get("/v1/shop/mails?limit=100").await.expect(200);
        let mail = mails["items"].as_array().expect("a list").iter().find(|mail| mail["order"] == json!(paid)).map(id);
        objects.insert("mail", mail.expect("the payment was confirmed"));
        let sent = buy(&author, &offer, &key()).await;
        author.post_keyed(&format!("/v1/orders/{sent}/pay"), &key(), json!({"token": "ok"})).await.expect(200);
        host.put(&format!("/v1/orders/{sent}/sent"), json!({})).await.expect(200);
        objects.extend([
            ("reservation", order.clone()),
            ("order", order),
            ("paid", paid),
            ("sent", sent),
            ("tag", "gift".into()),
            ("view", "to-send".into()),
            ("orders_file", "orders.csv".into()),
            ("documents_file", "documents.csv".into()),
            ("audit_file", "audit-log.csv".into()),
            ("payment", "t_1".into()),
            ("policy", "terms".into()),
            ("file", "chat.csv".into()),
        ]);
        let coupon = json!({"code": format!("world {n:04}"), "percent_bp": 1_000});
        objects.insert("coupon", id(&host.post_keyed("/v1/shop/coupons", &key(), coupon).await.expect(201)));
        host.put(&path("coupon"), json!({"coupon": objects["coupon"]})).await.expect(200);
        objects.insert("site", shop.server.url.clone());
        objects.insert("account", uuid::Uuid::now_v7().to_string());
        objects.insert("follow", uuid::Uuid::now_v7().to_string());
        objects.insert("payment_method", uuid::Uuid::now_v7().to_string());
        objects.insert("api_key", uuid::Uuid::now_v7().to_string());
        objects.insert("staff_invite", uuid::Uuid::now_v7().to_string());
        objects.insert("session", uuid::Uuid::now_v7().to_string());
        objects.insert("passkey", uuid::Uuid::now_v7().to_string());
        objects.insert("revocation", uuid::Uuid::now_v7().to_string());
        objects.extend([("test_provider", "test".into()), ("code", "0".repeat(40))]);

        let invite = host.post(&path("invites"), json!({"role": "analyst"})).await.expect(201);
        objects.insert("invite", id(&invite["invite"]));
        let sanctioned = user("sanctioned");
        host.put(&path(&format!("mutes/{sanctioned}")), json!({"seconds": 600})).await.expect(200);
        host.put(&path(&format!("bans/{sanctioned}")), json!({})).await.expect(200);
        objects.insert("sanctioned", sanctioned);

        objects.insert("scheduled", id(&host.post("/v1/streams", json!({"title": "Tomorrow"})).await.expect(201)));
        let other = live_stream(&host).await;
        let mut users = Vec::new();
        for name in USERS {
            let (me, token, invite) = match name {
                "anonymous" => (user(name), None, None),
                "helper" | "revoked helper" => helper(shop, &host, &stream).await,
                "helper elsewhere" => helper(shop, &host, &other).await,
                _ => {
                    let role = name.strip_prefix("banned ").unwrap_or(name);
                    (user(name), Some(shop.token(&user(name), role)), None)
                }
            };
            let mut own = HashMap::from([("own_order", objects["order"].clone()), ("own_key", key())]);
            if token.is_some() {
                // As a viewer: the team cannot buy, and an order that was placed earlier still belongs to its buyer.
                let order = buy(&shop.rest(&me, "viewer"), &offer, &own["own_key"]).await;
                own.insert("own_order", order);
            }
            if let Some(invite) = invite.filter(|_| name == "revoked helper") {
                host.delete(&path(&format!("invites/{invite}"))).await.expect(204);
            }
            if name.starts_with("banned") {
                host.put(&path(&format!("bans/{me}")), json!({})).await.expect(200);
            }
            own.insert("me", me);
            users.push(User { token, own });
        }
        World { users, objects }
    }

    fn object<'a>(&'a self, name: &str, user: Option<&'a User>) -> &'a str {
        let own = user.and_then(|user| user.own.get(name));
        own.or_else(|| self.objects.get(name)).unwrap_or_else(|| panic!("the world has no {name}"))
    }

    /// A text with the objects in place of their names.
    pub fn fill(&self, text: &str) -> String {
        self.fill_for(text, None)
    }

    fn fill_for(&self, text: &str, user: Option<&User>) -> String {
        let own = user.map(|user| user.own.iter()).into_iter().flatten();
        self.objects
            .iter()
            .chain(own)
            .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }

    fn parameter<'a>(&'a self, row: &Row, name: &'a str, user: &'a User) -> &'a str {
        let object = row.path.iter().find(|(parameter, _)| *parameter == name).map_or(name, |(_, object)| object);
        self.object(object, Some(user))
    }

    fn body(&self, row: &Row, user: &User) -> Option<Value> {
        let text = self.fill_for(row.body, Some(user));
        (!text.is_empty()).then(|| serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}")))
    }

    pub async fn request(&self, shop: &Shop, row: &Row, user: &User) -> RestResponse {
        let (method, path) = row.route.split_once(' ').expect("a method and a path");
        let path: Vec<&str> = path
            .split('/')
            .map(|part| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
                Some(name) => self.parameter(row, name, user),
                None => part,
            })
            .collect();
        let rest = shop.server.rest();
        let rest = user.token.as_ref().map_or(rest.clone(), |token| rest.with_token(token));
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let is_lookup = row.route.ends_with("/by-key");
        let key = if is_lookup { self.object("own_key", Some(user)).to_owned() } else { key() };
        let path = format!("{}{}", path.join("/"), row.query);
        rest.send(method, &path, &[("idempotency-key", &key)], self.body(row, user)).await
    }

    /// The same request as a verb: the parameters of the path are fields.
    pub fn verb(&self, row: &Row, user: &User) -> Value {
        let mut fields = self.body(row, user).and_then(|body| body.as_object().cloned()).unwrap_or_default();
        for part in row.route.split('/') {
            let Some(name) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) else { continue };
            if name != "stream" {
                fields.insert(name.to_owned(), self.parameter(row, name, user).into());
            }
        }
        fields.insert("do".to_owned(), row.verb.into());
        fields.insert("key".to_owned(), key().into());
        Value::Object(fields)
    }

    /// The socket of this user, or the close code.
    pub async fn join(&self, shop: &Shop, user: &User) -> Result<Live, u16> {
        let join = JoinOptions { token: user.token.clone(), ..JoinOptions::default() };
        Live::join(&shop.server.url, &self.objects["stream"], join).await.map_err(|closed| closed.code)
    }
}

async fn live_stream(host: &Rest) -> String {
    let stream = id(&host.post("/v1/streams", json!({"title": "Evening"})).await.expect(201));
    host.post(&format!("/v1/streams/{stream}/start"), json!({})).await.expect(200);
    stream
}

async fn buy(buyer: &Rest, offer: &str, key: &str) -> String {
    id(&buyer.post_keyed(&format!("/v1/offers/{offer}/orders"), key, json!({"qty": 1})).await.expect(201))
}

/// A producer by invite: the id, the token, and the invite.
async fn helper(shop: &Shop, host: &Rest, stream: &str) -> (String, Option<String>, Option<String>) {
    let path = format!("/v1/streams/{stream}/invites");
    let made = host.post(&path, json!({"role": "producer"})).await.expect(201);
    let code = made["code"].as_str().expect("a code");
    let welcome = shop.server.rest().post(&format!("/v1/invites/{code}"), json!({"name": "Hal"})).await.expect(201);
    let text = |name: &str| welcome[name].as_str().expect("a text").to_owned();
    (text("user"), Some(text("token")), Some(id(&made["invite"])))
}
