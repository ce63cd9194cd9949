//! Invites and bans hold on every node, with the broker and without it.

use serde_json::{Value, json};

use super::fixture::{Nodes, say};
use crate::support::postgres::Database;
use crate::support::shop::{Shop, id};
use crate::support::socket::{JoinOptions, Live};
use crate::support::{SOON, until_some};

async fn invite(at: &Shop, role: &str) -> (String, Value) {
    let made = at.host.post(&at.path("invites"), json!({"role": role})).await.expect(201);
    (id(&made["invite"]), made["code"].clone())
}

async fn accept(at: &Shop, code: &Value, name: &str) -> String {
    let path = format!("/v1/invites/{}", code.as_str().unwrap());
    let welcome = at.server.rest().post(&path, json!({"name": name})).await.expect(201);
    assert_eq!(welcome["stream"], at.stream);
    welcome["token"].as_str().unwrap().to_owned()
}

async fn join(at: &Shop, token: &str) -> Live {
    join_show(at, &at.stream, token).await
}

async fn join_show(at: &Shop, stream: &str, token: &str) -> Live {
    let join = JoinOptions { token: Some(token.to_owned()), ..JoinOptions::default() };
    Live::join(&at.server.url, stream, join).await.unwrap_or_else(|closed| panic!("not admitted: {closed:?}"))
}

#[tokio::test]
async fn revoked_invite_closes_the_connection_on_another_node() {
    let nodes = Nodes::open().await;
    let (invite_id, code) = invite(&nodes.one, "moderator").await;
    // On the node that did not make the link.
    let token = accept(&nodes.two, &code, "Mo").await;
    let mut mo = join(&nodes.two, &token).await;
    assert_eq!(mo.hello["you"]["role"], "moderator");
    mo.ask(json!({"do": "slow_mode", "seconds": 10})).await.unwrap();
    let rest = nodes.two.server.rest().with_token(&token);
    rest.get(&nodes.two.path("mutes")).await.expect(200);

    // Another moderator with another link stays.
    let (_, other) = invite(&nodes.one, "moderator").await;
    let staying = nodes.two.server.rest().with_token(&accept(&nodes.one, &other, "Mia").await);

    nodes.one.host.delete(&nodes.one.path(&format!("invites/{invite_id}"))).await.expect(204);
    assert_eq!(mo.closed(SOON).await.code, 4501);
    rest.get(&nodes.two.path("mutes")).await.expect_problem(401, "token_invalid");
    let again = nodes.two.join(&token).await.expect_err("revoked");
    assert_eq!(again.code, 4501);
    let path = format!("/v1/invites/{}", code.as_str().unwrap());
    nodes.two.server.rest().post(&path, json!({"name": "Mo"})).await.expect_problem(404, "no_such_invite");
    staying.get(&nodes.two.path("mutes")).await.expect(200);
}

#[tokio::test]
async fn revoked_invite_applies_within_two_seconds_without_the_broker() {
    let mut nodes = Nodes::open().await;
    let (invite_id, code) = invite(&nodes.one, "producer").await;
    let token = accept(&nodes.one, &code, "Pia").await;
    let mut pia = join(&nodes.two, &token).await;
    pia.ask(say("here")).await.unwrap();
    nodes.redis.kill().await;
    nodes.until_connected(false).await;
    nodes.one.host.delete(&nodes.one.path(&format!("invites/{invite_id}"))).await.expect(204);
    // The broker delivers nothing: the node notices the show's version in the store.
    assert_eq!(pia.closed(SOON).await.code, 4501);
    let rest = nodes.two.server.rest().with_token(&token);
    let out = async || (rest.get(&nodes.two.path("offers")).await.status == 401).then_some(());
    until_some("end of the permissions", SOON, out).await;
}

#[tokio::test]
async fn revoked_helper_loses_the_connection_to_another_show_on_another_node() {
    let mut nodes = Nodes::open().await;
    let other = id(&nodes.one.host.post("/v1/streams", json!({"title": "Other"})).await.expect(201));
    let (invite_id, code) = invite(&nodes.one, "moderator").await;
    let token = accept(&nodes.one, &code, "Mo").await;
    let mut elsewhere = join_show(&nodes.two, &other, &token).await;
    assert_eq!(elsewhere.hello["you"]["role"], "viewer", "the role is not valid in another show");
    let (_, staying) = invite(&nodes.one, "moderator").await;
    let mut staying = join_show(&nodes.two, &other, &accept(&nodes.one, &staying, "Mia").await).await;
    nodes.redis.kill().await;
    nodes.until_connected(false).await;
    nodes.one.host.delete(&nodes.one.path(&format!("invites/{invite_id}"))).await.expect(204);
    // Node two has no viewer in the show of the invite, and gets no message: it polls that show because of this helper.
    assert_eq!(elsewhere.closed(SOON).await.code, 4501);
    staying.ask(json!({"do": "react", "kind": "heart", "count": 1})).await.unwrap();
}

#[tokio::test]
async fn ban_closes_the_connection_on_another_node_while_the_broker_is_down() {
    let mut nodes = Nodes::open().await;
    let (mut ann, mut bob) = (nodes.two.live("Ann", "viewer").await, nodes.two.live("Bob", "viewer").await);
    let mut pia = nodes.two.live("Pia", "producer").await;
    nodes.redis.kill().await;
    nodes.until_connected(false).await;
    for who in ["Ann", "Pia"] {
        nodes.one.host.put(&nodes.one.path(&format!("bans/{who}")), json!({})).await.expect(200);
    }
    assert_eq!((ann.closed(SOON).await.code, pia.closed(SOON).await.code), (4502, 4502));
    nodes.two.rest("Pia", "producer").get(&nodes.two.path("report")).await.expect_problem(403, "banned");
    bob.ask(json!({"do": "react", "kind": "heart", "count": 1})).await.unwrap();
}

#[tokio::test]
async fn bans_and_revocations_reach_nodes_that_share_only_the_database() {
    let database = Database::migrated().await;
    let one = Shop::serve(&database.url(), &database.url()).await;
    let two = one.at_another_node(&[]).await;
    let (invite_id, code) = invite(&one, "moderator").await;
    let token = accept(&one, &code, "Mo").await;
    let (mut mo, mut ann) = (join(&two, &token).await, two.live("Ann", "viewer").await);
    one.host.put(&one.path("bans/Ann"), json!({})).await.expect(200);
    one.host.delete(&one.path(&format!("invites/{invite_id}"))).await.expect(204);
    assert_eq!((ann.closed(SOON).await.code, mo.closed(SOON).await.code), (4502, 4501));
    let refused = async || (two.server.rest().with_token(&token).get("/v1/orders").await.status == 401).then_some(());
    until_some("end of the token", SOON, refused).await;
}
