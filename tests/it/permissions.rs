//! Who may do what: one table of every route and verb, for every kind of user, on their own and on other users' objects.
//!
//! The table (`table.rs`) is compared with the routes of the server, so that a new route without a row fails; with the
//! answers of a running server, over REST and on the socket; and with `docs/permissions.md`, which is printed from it.

mod page;
mod table;
mod world;

use std::collections::BTreeSet;

use livesouk::verbs::VERBS;
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use crate::support::shop::Shop;
use table::{ROWS, Row, SERVICE_ROUTES, USERS};
use world::World;

/// Codes that say: the request did not get as far as the authorization. A row whose request ends so proves nothing.
const NOT_REACHED: [&str; 10] = [
    "bad_request",
    "not_found",
    "method_not_allowed",
    "unknown_verb",
    "key_missing",
    "key_invalid",
    "no_such_stream",
    "no_such_order",
    "unavailable",
    "internal",
];
/// Codes that refuse the user and not the request.
const REFUSED: [&str; 12] = [
    "sign_in",
    "token_invalid",
    "token_expired",
    "token_revoked",
    "forbidden",
    "outranked",
    "team_cannot_buy",
    "price_needs_host",
    "banned",
    "muted",
    "not_yours",
    "no_such_offer",
];

/// What the answer says about the user: the code of a refusal, `ok`, or `all` where the answer shows more than everybody sees.
fn outcome(row: &Row, world: &World, code: Option<&str>, body: &str) -> String {
    match code {
        Some(code) if REFUSED.contains(&code) => code.to_owned(),
        Some(code) if NOT_REACHED.contains(&code) => format!("not reached: {code}"),
        _ if !row.reveals.is_empty() && body.contains(&world.fill(row.reveals)) => "all".to_owned(),
        _ => "ok".to_owned(),
    }
}

fn routes_of_the_table() -> BTreeSet<String> {
    ROWS.iter().filter(|row| !row.route.is_empty()).map(|row| row.route.to_owned()).collect()
}

#[tokio::test]
async fn every_route_and_verb_has_a_row() {
    let shop = Shop::demo(&[]).await;
    let document = shop.server.rest().get("/v1/openapi.json").await.expect(200);
    let mut described = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let methods = methods.as_object().unwrap().keys();
        described.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
    }
    assert!(described.len() > 60, "{described:?}");
    assert_eq!(routes_of_the_table(), described, "left: rows of tests/it/permissions/table.rs, right: routes");
    let verbs: BTreeSet<&str> = VERBS.iter().map(|verb| verb.name).collect();
    let rows: BTreeSet<&str> = ROWS.iter().map(|row| row.verb).filter(|verb| !verb.is_empty()).collect();
    assert_eq!(rows, verbs);
}

/// Routes that no API document describes are named in the router by hand.
#[test]
fn every_route_beside_the_api_is_named() {
    let router = include_str!("../../src/http/mod.rs");
    let routes: BTreeSet<&str> = router.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let named: BTreeSet<&str> = SERVICE_ROUTES.iter().map(|(route, _)| *route).collect();
    assert_eq!(named, routes);
}

#[test]
fn least_role_of_each_verb_is_the_one_of_the_table() {
    for verb in &VERBS {
        let row = ROWS.iter().find(|row| row.verb == verb.name && !row.is_special).expect("every verb has a row");
        let may = |user: &str| row.may[USERS.iter().position(|known| *known == user).unwrap()] != "forbidden";
        let least = match () {
            () if row.may[0] == "ok" => "anonymous",
            () if may("viewer") => "viewer",
            () if may("moderator") => "moderator",
            () if may("producer") => "producer",
            () => "host",
        };
        assert_eq!(verb.least_role.name(), least, "{}", verb.name);
    }
}

/// The table is what the server enforces; the API document must say the same.
#[tokio::test]
async fn api_document_names_the_least_role_of_every_route() {
    let shop = Shop::demo(&[]).await;
    let document = shop.server.rest().get("/v1/openapi.json").await.expect(200);
    let mut wrong = Vec::new();
    for row in ROWS.iter().filter(|row| !row.route.is_empty() && !row.is_special) {
        let (method, path) = row.route.split_once(' ').unwrap();
        let operation = &document["paths"][path][method.to_lowercase()];
        let found = operation["x-least-role"].as_str().unwrap_or("anonymous");
        let may = |user: &str| row.may[USERS.iter().position(|known| *known == user).unwrap()] != "forbidden";
        let users = ["viewer", "moderator", "analyst", "producer", "host", "admin"];
        let least = match row.may[0] {
            "sign_in" => users.into_iter().find(|user| may(user)).unwrap_or("owner"),
            _ => "anonymous",
        };
        if operation.is_null() || found != least {
            wrong.push(format!("{} {}: {found} in the document, {least} in the table", row.route, row.object));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// `LIVESOUK_UPDATE_DOCS=1` writes the page instead.
#[test]
fn permissions_page_matches_the_table() {
    let (expected, file) = (page::page(), concat!(env!("CARGO_MANIFEST_DIR"), "/docs/permissions.md"));
    if std::env::var_os("LIVESOUK_UPDATE_DOCS").is_some() {
        std::fs::write(file, &expected).unwrap();
    }
    let found = std::fs::read_to_string(file).unwrap_or_default();
    assert!(found == expected, "run: LIVESOUK_UPDATE_DOCS=1 cargo test --test it permissions_page");
}

#[tokio::test]
async fn rest_answers_as_the_table_says() {
    let shop = Shop::demo(&["--chat-per-second", "0", "--room-chat-per-second", "0"]).await;
    let mut wrong = Vec::new();
    for (n, row) in ROWS.iter().enumerate().filter(|(_, row)| !row.route.is_empty()) {
        let mut world = World::create(&shop, n).await;
        if row.route.contains("{import}") {
            world.add_imports(&shop).await;
        }
        for (at, user) in world.users.iter().enumerate() {
            let answer = world.request(&shop, row, user).await;
            let (code, body) = (answer.body["code"].as_str().filter(|_| answer.status >= 400), answer.body.to_string());
            assert!(answer.status < 400 || code.is_some(), "{}: {answer:?}", row.route);
            let found = outcome(row, &world, code, &body);
            if found != row.may[at] {
                wrong.push(format!("{} {} as {}: {found}, not {}", row.route, row.object, USERS[at], row.may[at]));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn socket_answers_as_the_table_says() {
    let shop = Shop::demo(&["--chat-per-second", "0", "--room-chat-per-second", "0"]).await;
    let mut wrong = Vec::new();
    for (n, row) in ROWS.iter().enumerate().filter(|(_, row)| !row.verb.is_empty()) {
        let world = World::create(&shop, n).await;
        for (at, user) in world.users.iter().enumerate() {
            let found = match world.join(&shop, user).await {
                Err(4501) => "token_invalid".to_owned(),
                Err(4502) => "banned".to_owned(),
                Err(other) => format!("closed: {other}"),
                Ok(mut live) => {
                    let verb = world.verb(row, user);
                    if VERBS.iter().any(|entry| entry.name == row.verb && !entry.has_reply) {
                        live.send(Message::text(verb.to_string())).await;
                        "ok".to_owned()
                    } else {
                        let error = live.ask(verb).await.err();
                        let code = error.as_ref().and_then(|error| error["code"].as_str());
                        outcome(row, &world, code, "")
                    }
                }
            };
            // A banned user cannot connect, whatever the verb is.
            let is_banned = USERS[at].starts_with("banned");
            let expected = match USERS[at] {
                _ if is_banned => "banned",
                "revoked helper" => "token_invalid",
                _ => row.may[at],
            };
            if found != expected {
                wrong.push(format!("verb {} {} as {}: {found}, not {expected}", row.verb, row.object, USERS[at]));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The negative control of the comparisons above: a row that promises too much is found.
#[tokio::test]
async fn wrong_row_is_found() {
    let shop = Shop::demo(&[]).await;
    let world = World::create(&shop, 0).await;
    let row = ROWS.iter().find(|row| row.verb == "pin").unwrap();
    let moderator = USERS.iter().position(|user| *user == "moderator").unwrap();
    let answer = world.request(&shop, row, &world.users[moderator]).await;
    let code = answer.body["code"].as_str();
    assert_eq!(outcome(row, &world, code, ""), "forbidden");
    let unreachable = Row { body: "{}", ..*row };
    let answer = world.request(&shop, &unreachable, &world.users[moderator]).await;
    assert_eq!(
        outcome(row, &world, answer.body["code"].as_str(), &Value::Null.to_string()),
        "not reached: bad_request"
    );
}
