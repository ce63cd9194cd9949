//! A demo gives tokens away: only to its own machine, and never to a page of another site whose name was rebound to it.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::SOON;
use crate::support::process::{Process, Server};

/// Sends a request as these bytes and returns the status line.
async fn raw(server: &Server, request: &str) -> String {
    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    socket.read_exact(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

async fn sign_in(server: &Server, role: &str, headers: &[(&str, &str)]) -> (u16, Value) {
    let body = Some(json!({"name": "Eve", "role": role}));
    let answer = server.rest().send(Method::POST, "/v1/dev/tokens", headers, body).await;
    (answer.status, answer.body)
}

#[tokio::test]
async fn rebound_name_reaches_nothing_of_a_demo() {
    let folder = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let server = Server::demo_in(folder, &["--host", "demo.example"]).await;
    let live = format!("/v1/streams/{}/live", server.stream());
    for path in ["/", "/watch", "/v1/shop", "/v1/openapi.json", "/assets/client.js", "/metrics", &live, "/nothing"] {
        for host in ["evil.example", "127.0.0.1.evil.example:8080"] {
            let answer = server.rest().send(Method::GET, path, &[("host", host)], None).await;
            answer.expect_problem(403, "host_not_allowed");
        }
    }
    // The rebound page is same-origin, so the origin alone does not give it away.
    let rebound = [("host", "evil.example:8080"), ("origin", "http://evil.example:8080")];
    for role in ["viewer", "admin"] {
        assert_eq!(sign_in(&server, role, &rebound).await.1["code"], "host_not_allowed", "{role}");
    }
    for host in ["localhost", "127.0.0.1:1", "[::1]:8080", "192.168.1.7:8080", "demo.example", "DEMO.example:8080"] {
        let answer = server.rest().send(Method::GET, "/v1/shop", &[("host", host)], None).await;
        assert_eq!(answer.status, 200, "{host}");
    }
    assert_eq!(raw(&server, "GET /v1/shop HTTP/1.0\r\n\r\n").await, "HTTP/1.0 403", "no Host");
}

#[tokio::test]
async fn role_of_the_team_is_given_to_the_demos_own_machine_or_for_its_host_token() {
    let server = Server::demo().await;
    let host_token = format!("Bearer {}", server.started["host_token"].as_str().unwrap());
    let (_, viewer) = sign_in(&server, "viewer", &[]).await;
    let viewer_token = format!("Bearer {}", viewer["token"].as_str().unwrap());
    let (lan, name) = (("host", "192.168.1.7:8080"), ("host", "localhost:8080"));
    let forwarded = ("x-forwarded-for", "127.0.0.1");
    let by_host = ("authorization", host_token.as_str());
    let by_viewer = ("authorization", viewer_token.as_str());
    for (role, headers, status) in [
        ("host", vec![], 201),
        ("admin", vec![name], 201),
        ("viewer", vec![lan], 201),
        ("viewer", vec![forwarded], 201),
        ("host", vec![lan], 401),
        ("moderator", vec![lan], 401),
        ("admin", vec![forwarded], 401),
        ("admin", vec![("forwarded", "for=127.0.0.1")], 401),
        ("admin", vec![("x-real-ip", "127.0.0.1")], 401),
        ("admin", vec![lan, by_viewer], 403),
        ("admin", vec![lan, by_host], 201),
        ("producer", vec![forwarded, by_host], 201),
        ("admin", vec![lan, ("authorization", "Bearer nonsense")], 401),
    ] {
        let (answered, body) = sign_in(&server, role, &headers).await;
        assert_eq!(answered, status, "{role} {headers:?}: {body}");
    }
    let body = r#"{"name":"Eve","role":"admin"}"#;
    let head = format!("Host: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    let by_nginx = format!("POST /v1/dev/tokens HTTP/1.0\r\n{head}{body}");
    assert_eq!(raw(&server, &by_nginx).await, "HTTP/1.0 401", "nginx forwards like this by default");
    let by_curl = format!("POST /v1/dev/tokens HTTP/1.1\r\n{head}{body}");
    assert_eq!(raw(&server, &by_curl).await, "HTTP/1.1 201");
}

#[tokio::test]
async fn demo_serves_an_allowed_site_and_its_public_address() {
    let folder = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let more = ["--allow-origin", "https://shop.example", "--base-url", "https://demo.example"];
    let server = Server::demo_in(folder, &more).await;
    let from_site = [("origin", "https://shop.example")];
    let shop = server.rest().send(Method::GET, "/v1/shop", &from_site, None).await;
    assert_eq!(shop.header("access-control-allow-origin"), Some("https://shop.example"));
    assert_eq!((shop.status, &shop.body["base_url"]), (200, &json!("https://demo.example")));
    let public = [("host", "demo.example"), ("origin", "https://demo.example")];
    assert_eq!(server.rest().send(Method::GET, "/v1/shop", &public, None).await.status, 200);
    // A site that may use the demo does not run it, and behind a public address nobody counts as local.
    for headers in [&from_site[..], &public, &[]] {
        assert_eq!(sign_in(&server, "host", headers).await.0, 401, "{headers:?}");
        assert_eq!(sign_in(&server, "viewer", headers).await.0, 201, "{headers:?}");
    }
    let foreign = [("origin", "https://evil.example")];
    server.rest().send(Method::GET, "/v1/shop", &foreign, None).await.expect_problem(403, "origin_not_allowed");
}

#[tokio::test]
async fn invalid_host_name_stops_the_demo_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::livesouk(&["demo", "--listen", "127.0.0.1:0", "--host", "https://x"], folder.path());
    assert_eq!(process.end(SOON).await.code(), Some(2));
    assert!(process.stderr().contains("--host `https://x` is not a host name"), "{}", process.stderr());
}
