//! A rehearsal runs in a room of its own: it reports its result and leaves nothing in the shop.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::shop::{Shop, id};
use crate::support::until_some;

/// Creates a scheduled show, and returns its id and the path of its rehearsal.
async fn scheduled(shop: &Shop) -> (String, String) {
    let stream = id(&shop.host.post("/v1/streams", json!({"title": "Tomorrow"})).await.expect(201));
    let path = format!("/v1/streams/{stream}/rehearsal");
    (stream, path)
}

async fn ended(shop: &Shop, path: &str) -> Value {
    until_some("end of the rehearsal", Duration::from_secs(110), async || {
        let rehearsal = shop.host.get(path).await.expect(200)["rehearsal"].clone();
        (rehearsal["status"] != "running").then_some(rehearsal)
    })
    .await
}

/// The products, the offers and the report, as the team reads them.
async fn everything(shop: &Shop) -> [Value; 3] {
    let mut all = [Value::Null, Value::Null, Value::Null];
    for (place, path) in ["/v1/products".to_owned(), shop.path("offers"), shop.path("report")].iter().enumerate() {
        all[place] = shop.host.get(path).await.expect(200);
    }
    // Every offer contains the current time of the server.
    for offer in all[1]["items"].as_array_mut().expect("a list") {
        offer["now"] = Value::Null;
    }
    all
}

async fn streams(shop: &Shop) -> usize {
    shop.host.get("/v1/streams").await.expect(200)["items"].as_array().expect("a list").len()
}

/// The number of rehearsal folders of this server.
fn folders(shop: &Shop) -> usize {
    let own = format!("livesouk-rehearsal-{}-", shop.server.process.pid());
    let entries = std::fs::read_dir(std::env::temp_dir()).expect("a temporary folder").flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&own)).count()
}

#[tokio::test]
async fn rehearsal_passes_and_leaves_the_shop_unchanged() {
    let shop = Shop::demo(&[]).await;
    let (_, path) = scheduled(&shop).await;
    let (before, shows) = (everything(&shop).await, streams(&shop).await);
    let begun = shop.host.post(&path, json!({"viewers": 20, "seconds": 24})).await.expect(202);
    assert_eq!(begun["status"], "running", "{begun}");
    // No other show can be rehearsed at the same time.
    let (_, other) = scheduled(&shop).await;
    shop.host.post(&other, json!({})).await.expect_problem(409, "wrong_status");
    assert_eq!(shop.host.get(&other).await.expect(200), json!({"rehearsal": null}));
    until_some("connected simulated viewers", Duration::from_secs(60), async || {
        let rehearsal = shop.host.get(&path).await.expect(200)["rehearsal"].clone();
        (rehearsal["connected"].as_u64()? >= 20).then_some(())
    })
    .await;
    assert_eq!(streams(&shop).await, shows + 1, "only the other show is new");
    let rehearsal = ended(&shop, &path).await;
    assert_eq!(
        (&rehearsal["status"], &rehearsal["connected"]),
        (&json!("passed"), &rehearsal["viewers"]),
        "{rehearsal}"
    );
    assert!(rehearsal["delivery_p99_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{rehearsal}");
    assert!(rehearsal["checks"].as_array().is_some_and(|checks| checks.len() >= 2), "{rehearsal}");
    assert!(rehearsal["orders_held"].as_u64() > Some(0) && rehearsal["messages"].as_u64() > Some(0), "{rehearsal}");
    assert_eq!(everything(&shop).await, before);
    assert_eq!(folders(&shop), 0);
}

#[tokio::test]
async fn stopped_rehearsal_ends_and_another_one_can_start() {
    let shop = Shop::demo(&[]).await;
    let (_, path) = scheduled(&shop).await;
    shop.host.post(&path, json!({"viewers": 5, "seconds": 90})).await.expect(202);
    until_some("connected simulated viewers", Duration::from_secs(60), async || {
        let rehearsal = shop.host.get(&path).await.expect(200)["rehearsal"].clone();
        (rehearsal["connected"].as_u64()? >= 5).then_some(())
    })
    .await;
    shop.host.delete(&path).await.expect(204);
    let stopped = until_some("end of the rehearsal", Duration::from_secs(20), async || {
        let rehearsal = shop.host.get(&path).await.expect(200)["rehearsal"].clone();
        (rehearsal["status"] != "running").then_some(rehearsal)
    })
    .await;
    assert_eq!(stopped["status"], "stopped", "{stopped}");
    assert_eq!(folders(&shop), 0);
    shop.host.post(&path, json!({"viewers": 5})).await.expect(202);
    shop.host.delete(&path).await.expect(204);
    assert_eq!(ended(&shop, &path).await["status"], "stopped");
}

#[tokio::test]
async fn rehearsal_has_limits_and_needs_a_scheduled_show() {
    let shop = Shop::demo(&[]).await;
    let (_, path) = scheduled(&shop).await;
    for bad in [json!({"viewers": 201}), json!({"viewers": 0}), json!({"seconds": 91}), json!({"seconds": "long"})] {
        shop.host.post(&path, bad).await.expect_problem(400, "bad_request");
    }
    shop.host.post(&shop.path("rehearsal"), json!({})).await.expect_problem(409, "wrong_status");
    assert_eq!(shop.host.get(&path).await.expect(200), json!({"rehearsal": null}));
}
