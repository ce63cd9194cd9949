//! Media servers ask the shop who may publish and watch the video of a show.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::shop::{Shop, id};
use crate::support::{SOON, until_some};

#[tokio::test]
async fn media_server_is_told_who_may_publish_and_watch() {
    let shop = Shop::demo(&[]).await;
    let show = id(&shop.host.post("/v1/streams", json!({"title": "Evening"})).await.expect(201));
    let other = id(&shop.host.post("/v1/streams", json!({"title": "Morning"})).await.expect(201));
    let path = |of: &str, rest: &str| format!("/v1/streams/{of}/{rest}");
    let anonymous = shop.server.rest();
    let publish = shop.host.post(&path(&show, "publish-key"), json!({})).await.expect(201)["key"].clone();
    let view = anonymous.post(&path(&show, "viewer-token"), json!({})).await.expect(201)["key"].clone();
    shop.rest("ann", "viewer").post(&path(&show, "publish-key"), json!({})).await.expect_problem(403, "forbidden");

    let mtx = async |form: Value| anonymous.post("/v1/media/mediamtx", form).await.status;
    let stream = format!("live/{show}");
    for (form, status) in [
        (json!({"action": "publish", "path": stream, "token": publish}), 204),
        (json!({"action": "publish", "path": stream, "user": "", "password": publish, "ip": "10.0.0.1"}), 204),
        (json!({"action": "read", "path": stream, "token": view, "protocol": "webrtc"}), 204),
        (json!({"action": "read", "path": stream, "query": format!("token={}", view.as_str().unwrap())}), 204),
        (json!({"action": "read", "path": stream, "token": "", "protocol": "hls"}), 204),
        (json!({"action": "read", "path": "live", "protocol": "hls"}), 401),
        (json!({"action": "read", "path": stream, "protocol": "rtsp"}), 401),
        (json!({"action": "playback", "path": stream, "protocol": "hls"}), 401),
        (json!({"action": "publish", "path": stream, "protocol": "hls"}), 401),
        (json!({"action": "publish", "path": stream, "token": view}), 401),
        (json!({"action": "read", "path": stream, "token": publish}), 401),
        (json!({"action": "read", "path": other, "token": view}), 401),
        (json!({"action": "read", "path": "live", "token": view}), 401),
        (json!({"action": "api", "path": stream, "token": publish}), 401),
        (json!({"action": "read", "path": stream}), 401),
        (json!({"path": stream}), 400),
    ] {
        assert_eq!(mtx(form.clone()).await, status, "{form}");
    }

    let ome = async |direction: &str, status: &str, url: String| {
        let form = json!({"client": {"address": "10.0.0.1"}, "request": {"direction": direction, "protocol": "webrtc",
            "status": status, "url": url}});
        anonymous.post("/v1/media/ovenmediaengine", form).await.expect(200)["allowed"].clone()
    };
    let url = |key: &Value| format!("ws://media.example:3333/app/{show}?token={}", key.as_str().unwrap());
    assert_eq!(ome("incoming", "opening", url(&publish)).await, true);
    assert_eq!(ome("outgoing", "opening", url(&view)).await, true);
    assert_eq!(ome("outgoing", "opening", url(&publish)).await, false);
    assert_eq!(ome("incoming", "opening", url(&view)).await, false);
    assert_eq!(ome("outgoing", "closing", url(&publish)).await, true, "an end needs no leave");

    shop.host.send(Method::POST, &path(&show, "start"), &[], Some(json!({}))).await.expect(200);
    shop.host.post(&path(&show, "end"), json!({})).await.expect(200);
    assert_eq!(mtx(json!({"action": "publish", "path": stream, "token": publish})).await, 401, "the show has ended");
    shop.host.post(&path(&show, "publish-key"), json!({})).await.expect_problem(409, "stream_ended");
}

#[tokio::test]
async fn publish_keys_are_replaced_and_taken_back_and_the_audit_log_says_by_whom() {
    let shop = Shop::demo(&[]).await;
    let show = id(&shop.host.post("/v1/streams", json!({"title": "Evening"})).await.expect(201));
    let path = format!("/v1/streams/{show}/publish-key");
    let anonymous = shop.server.rest();
    let publishes = async |key: &Value| {
        let form = json!({"action": "publish", "path": show, "token": key});
        anonymous.post("/v1/media/mediamtx", form).await.status == 204
    };
    let state = async || shop.host.get(&path).await.expect(200);
    assert_eq!(state().await, json!({"made_at": null, "expires_at": null, "used_at": null}));
    let first = shop.host.post(&path, json!({})).await.expect(201)["key"].clone();
    let second = shop.host.post(&path, json!({})).await.expect(201)["key"].clone();
    let made = state().await;
    let month = made["expires_at"].as_i64().unwrap() - made["made_at"].as_i64().unwrap();
    assert_eq!((month, &made["used_at"]), (30 * 86_400_000, &Value::Null));
    assert!(publishes(&first).await && publishes(&second).await, "one more key ends no other");
    let used = async || state().await["used_at"].as_i64();
    until_some("the use of the key", SOON, used).await;

    let third = shop.host.post(&format!("{path}/rotate"), json!({})).await.expect(201)["key"].clone();
    assert!(publishes(&third).await);
    assert!(!publishes(&first).await && !publishes(&second).await, "they were replaced");
    shop.host.send(Method::DELETE, &path, &[], None).await.expect(204);
    assert!(!publishes(&third).await, "it was revoked");
    assert_eq!(state().await["made_at"], Value::Null);
    let fourth = shop.host.post(&path, json!({})).await.expect(201)["key"].clone();
    assert!(publishes(&fourth).await && !publishes(&third).await);

    let ann = shop.rest("ann", "viewer");
    ann.get(&path).await.expect_problem(403, "forbidden");
    ann.post(&format!("{path}/rotate"), json!({})).await.expect_problem(403, "forbidden");
    ann.send(Method::DELETE, &path, &[], None).await.expect_problem(403, "forbidden");
    let log = shop.host.get(&format!("/v1/streams/{show}/audit-log")).await.expect(200);
    let kinds: Vec<&str> = log["items"].as_array().unwrap().iter().map(|it| it["kind"].as_str().unwrap()).collect();
    let [made, replaced, ended] = ["create_publish_key", "rotate_publish_key", "end_publish_keys"];
    assert_eq!(kinds, [made, ended, replaced, made, made], "newest first, and none for what was refused");
    assert!(!log.to_string().contains(fourth.as_str().unwrap()), "the log has no key");

    shop.host.post(&format!("/v1/streams/{show}/start"), json!({})).await.expect(200);
    shop.host.post(&format!("/v1/streams/{show}/end"), json!({})).await.expect(200);
    shop.host.post(&format!("{path}/rotate"), json!({})).await.expect_problem(409, "stream_ended");
    shop.host.send(Method::DELETE, &path, &[], None).await.expect(204);
}
