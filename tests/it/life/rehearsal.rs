//! A rehearsal is played in a room of its own: it says how it went, and leaves no trace in the shop.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::shop::{Shop, id};
use crate::support::until_some;

/// A show that has not begun, and where its rehearsal is.
async fn scheduled(shop: &Shop) -> (String, String) {
    let stream = id(&shop.host.post("/v1/streams", json!({"title": "Tomorrow"})).await.expect(201));
    let path = format!("/v1/streams/{stream}/rehearsal");
    (stream, path)
}

async fn ended(shop: &Shop, path: &str) -> Value {
    until_some("end of the rehearsal", Duration::from_secs(110), async || {
        let told = shop.host.get(path).await.expect(200)["rehearsal"].clone();
        (told["status"] != "running").then_some(told)
    })
    .await
}

/// What the shop has, as its team sees it.
async fn everything(shop: &Shop) -> [Value; 3] {
    let mut all = [Value::Null, Value::Null, Value::Null];
    for (place, path) in ["/v1/products".to_owned(), shop.path("offers"), shop.path("report")].iter().enumerate() {
        all[place] = shop.host.get(path).await.expect(200);
    }
    // The server's time stands in every offer.
    for offer in all[1]["items"].as_array_mut().expect("a list") {
        offer["now"] = Value::Null;
    }
    all
}

async fn streams(shop: &Shop) -> usize {
    shop.host.get("/v1/streams").await.expect(200)["items"].as_array().expect("a list").len()
}

/// Folders of rehearsals of this server.
fn folders(shop: &Shop) -> usize {
    let own = format!("livesouk-rehearsal-{}-", shop.server.process.pid());
    let entries = std::fs::read_dir(std::env::temp_dir()).expect("a temporary folder").flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&own)).count()
}

#[tokio::test]
async fn a_rehearsal_passes_and_the_shop_is_as_it_was() {
    let shop = Shop::demo(&[]).await;
    let (_, path) = scheduled(&shop).await;
    let (before, shows) = (everything(&shop).await, streams(&shop).await);
    let begun = shop.host.post(&path, json!({"viewers": 20, "seconds": 24})).await.expect(202);
    assert_eq!(begun["status"], "running", "{begun}");
    // Another one, of any show, waits until it is over.
    let (_, other) = scheduled(&shop).await;
    shop.host.post(&other, json!({})).await.expect_problem(409, "wrong_status");
    assert_eq!(shop.host.get(&other).await.expect(200), json!({"rehearsal": null}));
    until_some("crowd", Duration::from_secs(60), async || {
        let told = shop.host.get(&path).await.expect(200)["rehearsal"].clone();
        (told["connected"].as_u64()? >= 20).then_some(())
    })
    .await;
    assert_eq!(streams(&shop).await, shows + 1, "only the other show is new");
    let told = ended(&shop, &path).await;
    assert_eq!((&told["status"], &told["connected"]), (&json!("passed"), &told["viewers"]), "{told}");
    assert!(told["delivery_p99_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{told}");
    assert!(told["checks"].as_array().is_some_and(|checks| checks.len() >= 2), "{told}");
    assert!(told["orders_held"].as_u64() > Some(0) && told["messages"].as_u64() > Some(0), "{told}");
    assert_eq!(everything(&shop).await, before);
    assert_eq!(folders(&shop), 0);
}

#[tokio::test]
async fn a_rehearsal_that_is_stopped_ends_at_once_and_makes_room_for_the_next() {
    let shop = Shop::demo(&[]).await;
    let (_, path) = scheduled(&shop).await;
    shop.host.post(&path, json!({"viewers": 5, "seconds": 90})).await.expect(202);
    until_some("crowd", Duration::from_secs(60), async || {
        let told = shop.host.get(&path).await.expect(200)["rehearsal"].clone();
        (told["connected"].as_u64()? >= 5).then_some(())
    })
    .await;
    shop.host.delete(&path).await.expect(204);
    let stopped = until_some("end", Duration::from_secs(20), async || {
        let told = shop.host.get(&path).await.expect(200)["rehearsal"].clone();
        (told["status"] != "running").then_some(told)
    })
    .await;
    assert_eq!(stopped["status"], "stopped", "{stopped}");
    assert_eq!(folders(&shop), 0);
    shop.host.post(&path, json!({"viewers": 5})).await.expect(202);
    shop.host.delete(&path).await.expect(204);
    assert_eq!(ended(&shop, &path).await["status"], "stopped");
}

#[tokio::test]
async fn a_rehearsal_is_small_and_before_the_show() {
    let shop = Shop::demo(&[]).await;
    let (_, path) = scheduled(&shop).await;
    for bad in [json!({"viewers": 201}), json!({"viewers": 0}), json!({"seconds": 91}), json!({"seconds": "long"})] {
        shop.host.post(&path, bad).await.expect_problem(400, "bad_request");
    }
    shop.host.post(&shop.path("rehearsal"), json!({})).await.expect_problem(409, "wrong_status");
    assert_eq!(shop.host.get(&path).await.expect(200), json!({"rehearsal": null}));
}
