//! Media servers ask the shop who may publish and watch the video of a show.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::shop::{Shop, id};

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
