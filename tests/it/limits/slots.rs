//! Connections: one address cannot hold all of them, and a node that is full still answers health checks and the team.

use serde_json::json;
use tokio::net::TcpStream;

use crate::support::metrics::Metrics;
use crate::support::postgres::Database;
use crate::support::raw_client::{IS_IN, LIMIT_LOOPBACK, answer, connect_from, join_from, upgrade_request};
use crate::support::shop::Shop;
use crate::support::{SOON, until_some};

/// Opens connections from an address until the server has this many. They send half a request and wait.
async fn hold(shop: &Shop, last: u8, count: usize) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for _ in 0..count {
        held.push(connect_from(last, shop.server.address()).await.unwrap());
    }
    held
}

#[tokio::test]
async fn one_address_cannot_hold_every_connection() {
    let shop = Shop::demo(&[&LIMIT_LOOPBACK[..], &["--connections-max", "100"]].concat()).await;
    let _held = hold(&shop, 99, 200).await;
    let limited = async || Metrics::of(&shop.host).await.get("livesouk_limited_total{what=\"connections\"}");
    until_some("refused connections", SOON, async || (limited().await > 50.0).then_some(())).await;
    let mut viewers = Vec::new();
    for last in 101..109 {
        viewers.push(join_from(last, shop.server.address(), &shop.path("live")).await);
    }
    assert_eq!(viewers.iter().filter(|(answer, _)| *answer == IS_IN).count(), 8);
}

#[tokio::test]
async fn full_node_answers_health_checks_and_the_team_and_tells_others_to_come_back() {
    let shop = Shop::demo(&[&LIMIT_LOOPBACK[..], &["--connections-max", "200"]].concat()).await;
    let host = shop.token("the-host", "host");
    // 180 general slots. Viewers stay, idle connections do not.
    let mut held = Vec::new();
    for last in 20..30 {
        for _ in 0..20 {
            held.push(join_from(last, shop.server.address(), &shop.path("live")).await);
        }
    }
    let ask = async |last: u8, request: String| {
        let mut connection = connect_from(last, shop.server.address()).await.unwrap();
        (answer(&mut connection, &request).await, connection)
    };
    let get = |path: &str, more: &str| format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{more}\r\n");
    until_some("a full node", SOON, async || (ask(31, get("/", "")).await.0.0 == 503).then_some(())).await;
    // An address has one reserved slot until the server has seen the end of the connection, so each request has its own.
    for (last, path) in [(60, "/healthz"), (61, "/readyz"), (62, "/metrics")] {
        assert_eq!(ask(last, get(path, "")).await.0.0, 200, "{path}");
    }
    // The team gets in, and stays.
    let bearer = format!("Authorization: Bearer {host}\r\n");
    assert_eq!(ask(33, get("/v1/orders", &bearer)).await.0.0, 200);
    let path = format!("{}?token={host}", shop.path("live"));
    let mut team = Vec::new();
    for last in 33..37 {
        let (answer, connection) = ask(last, upgrade_request(&path, "")).await;
        assert_eq!(answer, IS_IN);
        team.push(connection);
    }
    // A viewer is asked to come back later, with or without a sign-in.
    let viewer = format!("Authorization: Bearer {}\r\n", shop.token("Ann", "viewer"));
    for (last, more) in [(63, ""), (64, &*viewer), (65, "Authorization: Bearer x\r\n")] {
        assert_eq!(ask(last, get("/v1/shop", more)).await.0.0, 503, "{more}");
    }
}

/// How many viewers the host sees.
async fn until_viewers(shop: &Shop, wanted: u64) {
    let seen = std::cell::Cell::new(0);
    let ask = async || {
        seen.set(shop.host.get(&shop.path("report")).await.expect(200)["viewers"].as_u64().unwrap());
        (seen.get() == wanted).then_some(())
    };
    until_some(&format!("count of {wanted} viewers"), SOON, ask).await;
}

#[tokio::test]
async fn connections_above_the_number_of_an_address_are_no_viewers() {
    let shop = Shop::demo(&[&LIMIT_LOOPBACK[..], &["--connections-per-address", "3"]].concat()).await;
    let mut here = Vec::new();
    for _ in 0..6 {
        let (answer, connection) = join_from(99, shop.server.address(), &shop.path("live")).await;
        assert_eq!(answer, IS_IN, "it may watch");
        here.push(connection);
    }
    until_viewers(&shop, 3).await;
    // Another address, and users who are signed in.
    here.push(join_from(98, shop.server.address(), &shop.path("live")).await.1);
    for user in ["Ann", "Bob"] {
        let path = format!("{}?token={}", shop.path("live"), shop.token(user, "viewer"));
        here.push(join_from(99, shop.server.address(), &path).await.1);
    }
    until_viewers(&shop, 6).await;
}

/// Behind a proxy that we trust, the limit holds for its clients.
#[tokio::test]
async fn clients_of_a_trusted_proxy_have_limits_of_their_own() {
    let database = Database::migrated().await;
    let settings = [&LIMIT_LOOPBACK[..], &["--connections-per-address", "2", "--trusted-proxy", "127.0.0.1"]].concat();
    let shop = Shop::serve_with(&database.url(), &database.url(), &settings).await;
    let mut here = Vec::new();
    for client in
        ["203.0.113.7", "203.0.113.7", "203.0.113.7", "203.0.113.8", "2001:db8::1", "2001:db8::2", "2001:db8::3"]
    {
        let mut connection = connect_from(1, shop.server.address()).await.unwrap();
        let forwarded = format!("X-Forwarded-For: {client}\r\n");
        assert_eq!(answer(&mut connection, &upgrade_request(&shop.path("live"), &forwarded)).await, IS_IN);
        here.push(connection);
    }
    until_viewers(&shop, 2 + 1 + 2).await;
    drop(here);
    until_viewers(&shop, 0).await;
    let addresses = async || Metrics::of(&shop.host).await.get("livesouk_http_addresses");
    until_some("no address", SOON, async || (addresses().await == 0.0).then_some(())).await;
    assert_eq!(shop.server.rest().get("/readyz").await.expect(200)["limits"], json!(null));
}
