//! Behind nginx and HAProxy as people set them up: without the `Host` header, below a path, with kept connections.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use testkit::SOON;
use testkit::process::Server;
use testkit::rest::Rest;
use testkit::shop::{Shop, key};
use testkit::socket::Live;
use testkit::web_proxy::WebProxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A shop on SQLite with these settings. The folder is that of its database.
async fn shop(more: &[&str]) -> (Shop, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("shop.db").display());
    (Shop::serve_with(&store, &store, more).await, folder)
}

/// The addresses that a page names: assets, links.
fn addresses(page: &str) -> Vec<String> {
    let named = page.split("=\"/").skip(1).filter_map(|rest| rest.split_once('"'));
    named.map(|(address, _)| format!("/{address}")).collect()
}

/// What a browser sends with a WebSocket; the status says whether the server upgrades it.
async fn socket_status(url: &str, path: &str, origin: &str) -> u16 {
    let headers = [
        ("origin", origin),
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    Rest::new(url).send(Method::GET, path, &headers, None).await.status
}

/// Loads every page through the proxy, and every asset with the `Origin` that browsers send for module scripts.
async fn assert_pages_load(url: &str, base_path: &str) {
    let origin = url.to_owned();
    let rest = Rest::new(url);
    for page in ["/", "/watch", "/orders", "/host", "/docs"] {
        let page = format!("{base_path}{page}");
        let text = rest.get(&page).await.expect(200).as_str().expect("a page").to_owned();
        let named = addresses(&text);
        assert!(named.iter().any(|address| address.ends_with(".js")), "{page}: {named:?}");
        for address in &named {
            assert!(address.starts_with(&format!("{base_path}/")), "{page} names {address}");
            let answer = rest.send(Method::GET, address, &[("origin", &origin)], None).await;
            assert!(answer.status == 200 || !address.contains("/assets/"), "{page}: {address}: {answer:?}");
            assert_eq!(rest.get(address).await.status, 200, "{page}: {address}");
        }
    }
}

#[tokio::test]
async fn page_loads_behind_nginx_that_changes_the_host_and_the_log_says_how_to_fix_it() {
    let (mut shop, _folder) = shop(&[]).await;
    let location = format!("location / {{ proxy_pass http://shop; {} }}", WebProxy::WEBSOCKETS);
    let nginx = WebProxy::nginx(&WebProxy::address(), shop.server.address(), &location).await;
    assert_pages_load(&nginx.url, "").await;
    // What changes something needs the right origin, and the operator is told how to get it; once.
    let origin = nginx.url.clone();
    let path = shop.path("live");
    for _ in 0..3 {
        assert_eq!(socket_status(&nginx.url, &path, &origin).await, 403);
    }
    // A server that has ended has written its whole log.
    shop.server.stop().await;
    let lines = shop.server.process.stderr();
    let warnings: Vec<&str> = lines.lines().filter(|line| line.contains("Origin")).collect();
    assert_eq!(warnings.len(), 1, "{lines}");
    for part in
        [&format!("Origin, {origin},"), "Host is shop.", &format!("--base-url {origin}"), "--allow-origin", "WARN"]
    {
        assert!(warnings[0].contains(part), "{part} is not in {}", warnings[0]);
    }
}

#[tokio::test]
async fn base_url_replaces_the_host_header_of_a_proxy() {
    let listen = WebProxy::address();
    let url = format!("http://{listen}");
    let (shop, _folder) = shop(&["--base-url", &url]).await;
    let location = format!("location / {{ proxy_pass http://shop; {} }}", WebProxy::WEBSOCKETS);
    let nginx = WebProxy::nginx(&listen, shop.server.address(), &location).await;
    assert_pages_load(&nginx.url, "").await;
    assert_eq!(socket_status(&url, &shop.path("live"), &url).await, 101);
    assert_eq!(socket_status(&url, &shop.path("live"), "http://evil.example").await, 403);
    buys_and_chats(&shop, &url).await;
}

#[tokio::test]
async fn host_with_port_and_capitals_is_the_same_host() {
    let (shop, _folder) = shop(&[]).await;
    let location = format!(
        "location / {{ proxy_pass http://shop; proxy_set_header Host SHOP.example:443; {} }}",
        WebProxy::WEBSOCKETS
    );
    let nginx = WebProxy::nginx(&WebProxy::address(), shop.server.address(), &location).await;
    assert_eq!(socket_status(&nginx.url, &shop.path("live"), "https://shop.example").await, 101);
    assert_eq!(socket_status(&nginx.url, &shop.path("live"), "https://shop.example:8443").await, 403);
}

/// A viewer joins, chats and buys through the address, which may have a path.
async fn buys_and_chats(shop: &Shop, base: &str) {
    let offer = shop.on_sale(3, json!({})).await;
    let token = shop.token("Ann", "viewer");
    let mut live = Live::connect(base, &shop.stream, Some(&token)).await;
    live.ask(json!({"do": "say", "text": "through the proxy"})).await.unwrap();
    live.event("message", SOON, |event| event["text"] == "through the proxy").await;
    let rest = Rest::new(base).with_token(&token);
    let bought = rest.post_keyed(&format!("/v1/offers/{offer}/orders"), &key(), json!({"qty": 1})).await;
    // The address of the order works for a browser as it is.
    let order = bought.header("location").expect("the address of the order").to_owned();
    bought.expect(201);
    let site = reqwest::Url::parse(base).unwrap().join(&order).unwrap();
    Rest::new(site.as_str()).with_token(&token).get("").await.expect(200);
    live.leave().await;
}

#[tokio::test]
async fn shop_below_a_path_works_whether_or_not_nginx_strips_it() {
    for (name, target) in [("stripped", "http://shop/"), ("passed on", "http://shop")] {
        let listen = WebProxy::address();
        let base = format!("http://{listen}/live");
        let (shop, _folder) = shop(&["--base-url", &base]).await;
        let location = format!("location /live/ {{ proxy_pass {target}; {} }}", WebProxy::WEBSOCKETS);
        let nginx = WebProxy::nginx(&listen, shop.server.address(), &location).await;
        assert_pages_load(&nginx.url, "/live").await;
        assert_eq!(Rest::new(&nginx.url).get("/watch").await.status, 404, "{name}: outside of the shop");
        let own = Rest::new(&base).get("/v1/shop").await.expect(200);
        assert_eq!(own["base_url"], json!(base), "{name}");
        let code = Rest::new(&base).get(&shop.path("qr.svg")).await.expect(200);
        let expected = qrcode::QrCode::new(format!("{base}/watch?stream={}", shop.stream)).unwrap();
        let expected = expected.render::<qrcode::render::svg::Color<'_>>().min_dimensions(256, 256).build();
        assert_eq!(code, json!(expected), "{name}");
        assert_eq!(socket_status(&nginx.url, &format!("/live{}", shop.path("live")), &nginx.url).await, 101, "{name}");
        buys_and_chats(&shop, &base).await;
        // An unknown route below the path is ours to refuse, and the page that explains the refusal is below the path too.
        let problem = Rest::new(&base).get("/v1/nothing").await.expect_problem(404, "not_found");
        assert_eq!(problem["type"], "/live/docs/errors/not_found", "{name}");
        let page = Rest::new(&nginx.url).get("/live/docs/errors/not_found").await.expect(200);
        assert!(page.as_str().unwrap().contains("What to do"), "{name}");
        // Refused before any handler, with a body that is read to its end.
        let refused =
            Rest::new(&base).send(Method::POST, "/v1/streams", &[("origin", "https://evil.example")], None).await;
        let problem = refused.expect_problem(403, "origin_not_allowed");
        assert_eq!(problem["type"], "/live/docs/errors/origin_not_allowed", "{name}");
    }
}

#[tokio::test]
async fn shop_works_behind_haproxy_with_and_without_a_path() {
    for path in ["", "/live"] {
        let listen = WebProxy::address();
        let base = format!("http://{listen}{path}");
        let (shop, _folder) = shop(&["--base-url", &base, "--trusted-proxy", "127.0.0.0/8"]).await;
        let haproxy = WebProxy::haproxy(&listen, shop.server.address(), "").await;
        assert_pages_load(&haproxy.url, path).await;
        assert_eq!(socket_status(&haproxy.url, &format!("{path}{}", shop.path("live")), &haproxy.url).await, 101);
        buys_and_chats(&shop, &base).await;
    }
}

#[tokio::test]
async fn kept_connection_survives_the_idle_time_of_a_proxy() {
    // The time that the connection is idle, in seconds. The long run of scripts/test sets the 60 s of nginx and of cloud balancers; the
    // clock of the unit test in src/http/server_test.rs goes to 75 s.
    let idle = std::env::var("LIVESOUK_IDLE_SECONDS").map_or(12, |seconds| seconds.parse().expect("a number"));
    let server = Server::demo().await;
    let token = server.token("Ann", "viewer").await;
    let path = format!("/v1/streams/{}/messages", server.stream());
    let mut connection = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    for text in ["before", "after"] {
        let body = json!({ "text": text }).to_string();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            server.address(),
            body.len()
        );
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut status = [0; 12];
        connection.read_exact(&mut status).await.expect("the connection is still open");
        assert_eq!(&status, b"HTTP/1.1 201", "{text}");
        let mut rest = vec![0; 16 * 1024];
        let count = tokio::time::timeout(SOON, connection.read(&mut rest)).await.unwrap().unwrap();
        assert!(count > 0, "{text}");
        if text == "before" {
            // Idle is the absence of requests, so there is nothing to wait for but time.
            tokio::time::sleep(Duration::from_secs(idle)).await;
        }
    }
}
