//! API keys and blocks of the shop hold on every node within two seconds, also without the broker.

use std::time::Duration;

use serde_json::json;

use super::fixture::Nodes;
use crate::support::cookie_page::CookiePage;
use crate::support::process::Process;
use crate::support::shop::id;
use crate::support::{SOON, until_some};

const IN_FORCE_WITHIN: Duration = Duration::from_millis(2_500);

/// The browser of the owner, signed in at the first node.
async fn owner(nodes: &Nodes) -> CookiePage {
    let folder = tempfile::tempdir().unwrap();
    let mut recover = Process::livesouk(&["owner", "recover", "--store", &nodes.database_url()], folder.path());
    assert!(recover.end(SOON).await.success(), "{}", recover.stderr());
    let code = recover.stdout().trim().split_once("/setup#").unwrap().1.to_owned();
    let page = CookiePage::of(&nodes.one.server);
    page.post("/v1/setup", json!({"code": code, "owner": {"name": "Olla"}})).await.expect(201);
    page
}

#[tokio::test]
async fn ended_key_is_refused_on_another_node_within_two_seconds_without_the_broker() {
    let mut nodes = Nodes::open().await;
    let owner = owner(&nodes).await;
    let made = owner.post("/v1/api-keys", json!({"name": "Warehouse"})).await.expect(201);
    let program = nodes.two.server.rest().with_token(made["secret"].as_str().unwrap());
    program.get("/v1/products").await.expect(200);
    nodes.redis.kill().await;
    nodes.until_connected(false).await;
    owner.delete(&format!("/v1/api-keys/{}", id(&made["key"]))).await.expect(204);
    let refused = async || (program.get("/v1/products").await.status == 401).then_some(());
    until_some("the end of the key", IN_FORCE_WITHIN, refused).await;
}

#[tokio::test]
async fn block_of_the_shop_closes_the_connection_on_another_node_without_the_broker() {
    let mut nodes = Nodes::open().await;
    let mut eve = nodes.two.live("Eve", "viewer").await;
    nodes.redis.kill().await;
    nodes.until_connected(false).await;
    nodes.one.host.put("/v1/shop/customers/Eve/block", json!({})).await.expect(204);
    assert_eq!(eve.closed(IN_FORCE_WITHIN).await.code, 4502);
    let again = nodes.two.join(&nodes.two.token("Eve", "viewer")).await.expect_err("blocked");
    assert_eq!(again.code, 4502);
}
