//! A helper's invite holds on every node, and so does its end.

use serde_json::{Value, json};

use super::fixture::{Town, say};
use crate::support::shop::{Shop, id};
use crate::support::socket::{Join, Live};
use crate::support::{SOON, until_some};

async fn invited(at: &Shop, role: &str) -> (String, Value) {
    let made = at.host.post(&at.path("invites"), json!({"role": role})).await.expect(201);
    (id(&made["invite"]), made["code"].clone())
}

async fn opened(at: &Shop, code: &Value, name: &str) -> String {
    let path = format!("/v1/invites/{}", code.as_str().unwrap());
    let welcome = at.server.rest().post(&path, json!({"name": name})).await.expect(201);
    assert_eq!(welcome["stream"], at.stream);
    welcome["token"].as_str().unwrap().to_owned()
}

async fn joins(at: &Shop, token: &str) -> Live {
    let join = Join { token: Some(token.to_owned()), ..Join::default() };
    Live::join(&at.server.url, &at.stream, join).await.unwrap_or_else(|closed| panic!("not let in: {closed:?}"))
}

#[tokio::test]
async fn a_helper_whose_invite_is_taken_back_on_one_node_is_out_on_the_other() {
    let town = Town::open().await;
    let (invite, code) = invited(&town.one, "moderator").await;
    // On the node that did not make the link.
    let token = opened(&town.two, &code, "Mo").await;
    let mut mo = joins(&town.two, &token).await;
    assert_eq!(mo.hello["you"]["role"], "moderator");
    mo.ask(json!({"do": "slow_mode", "seconds": 10})).await.unwrap();
    let rest = town.two.server.rest().with_token(&token);
    rest.get(&town.two.path("mutes")).await.expect(200);

    // Another helper by another link stays.
    let (_, other) = invited(&town.one, "moderator").await;
    let staying = town.two.server.rest().with_token(&opened(&town.one, &other, "Mia").await);

    town.one.host.delete(&town.one.path(&format!("invites/{invite}"))).await.expect(204);
    assert_eq!(mo.closed(SOON).await.code, 4501);
    rest.get(&town.two.path("mutes")).await.expect_problem(401, "token_invalid");
    let again = town.two.join(&token).await.expect_err("is out");
    assert_eq!(again.code, 4501);
    let path = format!("/v1/invites/{}", code.as_str().unwrap());
    town.two.server.rest().post(&path, json!({"name": "Mo"})).await.expect_problem(404, "no_such_invite");
    staying.get(&town.two.path("mutes")).await.expect(200);
}

#[tokio::test]
async fn a_revoke_holds_within_two_seconds_where_nobody_watches_and_the_bus_is_away() {
    let mut town = Town::open().await;
    let (invite, code) = invited(&town.one, "producer").await;
    let token = opened(&town.one, &code, "Pia").await;
    let mut pia = joins(&town.two, &token).await;
    pia.ask(say("here")).await.unwrap();
    town.redis.kill().await;
    town.until_heard(false).await;
    town.one.host.delete(&town.one.path(&format!("invites/{invite}"))).await.expect(204);
    // The bus says nothing: the show's version in the store does.
    assert_eq!(pia.closed(SOON).await.code, 4501);
    let rest = town.two.server.rest().with_token(&token);
    let out = async || (rest.get(&town.two.path("offers")).await.status == 401).then_some(());
    until_some("end of the powers", SOON, out).await;
}
