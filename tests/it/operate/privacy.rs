//! What stays private: files on the disk, answers in caches, tokens in addresses, pages in foreign frames.

use std::os::unix::fs::PermissionsExt;

use reqwest::header::HeaderMap;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::metrics::Metrics;
use crate::support::new_shop::NewShop;
use crate::support::process::Server;
use crate::support::rest::Rest;
use crate::support::shop::{Shop, sign};
use crate::support::{SOON, until_some};

const KEY: &str = "an-auth-key-of-at-least-32-bytes!";

async fn headers(url: &str, more: &[(&'static str, &str)]) -> HeaderMap {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = more.iter().fold(client.get(url), |request, (name, value)| request.header(*name, *value));
    request.send().await.unwrap().headers().clone()
}

#[tokio::test]
async fn files_of_a_new_database_are_readable_for_their_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let shop = NewShop::serve(folder.path(), &["--auth-key", KEY]).await;
    let file = folder.path().join("shop.db");
    let host = Rest::new(&shop.url).with_token(&sign(KEY, "host", "host", 600));
    host.post("/v1/streams", json!({"title": "Evening"})).await.expect(201);
    for end in ["", "-wal", "-shm", ".lock"] {
        let path = format!("{}{end}", file.display());
        let mode = std::fs::metadata(&path).unwrap_or_else(|error| panic!("{path}: {error}")).permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{path}");
    }
}

#[tokio::test]
async fn old_addresses_are_looked_for_from_the_start() {
    let shop = Shop::demo(&[]).await;
    let run = "livesouk_background_job_runs_total{job_name=\"address_retention\",result=\"ok\"}";
    let runs = async || Metrics::of(&shop.host).await.samples.get(run).copied().filter(|runs| *runs >= 1.0);
    until_some("a run of the job address_retention", SOON, runs).await;
}

#[tokio::test]
async fn every_answer_has_the_headers_of_its_kind() {
    let shop = Shop::demo(&[]).await;
    let url = &shop.server.url;
    let token = format!("Bearer {}", shop.token("Ann", "viewer"));
    for path in ["/v1/orders", "/v1/shop", "/v1/orders/nonsense"] {
        let headers = headers(&format!("{url}{path}"), &[("authorization", &token)]).await;
        assert_eq!(headers["cache-control"], "no-store", "{path}");
    }
    for (path, framed) in
        [("/host", "frame-ancestors 'none'"), ("/watch", "frame-ancestors 'self'"), ("/", "frame-ancestors 'self'")]
    {
        let headers = headers(&format!("{url}{path}"), &[]).await;
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.ends_with(framed), "{path}: {policy}");
        assert!(headers["permissions-policy"].to_str().unwrap().contains("camera=()"));
        assert_eq!(headers["cross-origin-opener-policy"], "same-origin-allow-popups");
        assert!(!headers.contains_key("strict-transport-security"), "this server has no TLS");
    }
    assert_eq!(headers(&format!("{url}/host"), &[]).await["x-frame-options"], "DENY");
}

#[tokio::test]
async fn transport_security_is_sent_only_behind_tls() {
    let serve = async |more: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::serve(&format!("sqlite:{}", folder.path().join("shop.db").display()), KEY, more).await;
        (server, folder)
    };
    let forwarded = [("x-forwarded-proto", "https")];
    for (more, request, expected) in [
        (&["--base-url", "https://live.shop.example"][..], &[][..], true),
        (&["--base-url", "http://live.shop.example"], &forwarded, false),
        (&["--trusted-proxy", "127.0.0.1"], &forwarded, true),
        (&["--trusted-proxy", "127.0.0.1"], &[("x-forwarded-proto", "http")], false),
        (&["--trusted-proxy", "10.0.0.1"], &forwarded, false),
    ] {
        let (server, _folder) = serve(more).await;
        let headers = headers(&format!("{}/watch", server.url), request).await;
        assert_eq!(headers.contains_key("strict-transport-security"), expected, "{more:?} {request:?}");
    }
    let hosts = ["--img-host", "https://cdn.example", "--allow-origin", "https://shop.example"];
    let (server, _folder) = serve(&hosts).await;
    let policy = headers(&format!("{}/watch", server.url), &[]).await["content-security-policy"].clone();
    let policy = policy.to_str().unwrap();
    assert!(policy.contains("img-src 'self' data: https://cdn.example;"), "{policy}");
    assert!(policy.ends_with("frame-ancestors 'self' https://shop.example"), "{policy}");
}

#[tokio::test]
async fn token_among_the_subprotocols_signs_in_and_is_not_sent_back() {
    let shop = Shop::demo(&[]).await;
    let token = shop.token("Ann", "viewer");
    let handshake = async |address: &str, protocols: &str| {
        let mut socket = TcpStream::connect(shop.server.address()).await.unwrap();
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: {protocols}\r\n\r\n",
            shop.path(address),
            shop.server.address(),
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        // The head of the answer, and the first frame with the text `you`.
        while !answer.contains("\"you\"") && !answer.contains("retry_ms") {
            let mut bytes = [0; 4_096];
            let read = socket.read(&mut bytes).await.unwrap();
            if read == 0 {
                break;
            }
            answer.push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
        answer
    };
    let signed_in = handshake("live", &format!("livesouk.v1, token.{token}")).await;
    assert!(signed_in.contains("101 Switching") && signed_in.contains("\"role\":\"viewer\""), "{signed_in}");
    assert!(signed_in.to_lowercase().contains("sec-websocket-protocol: livesouk.v1\r\n"), "{signed_in}");
    assert!(!signed_in.contains(&token), "the token is not sent back");
    let anonymous = handshake("live", "livesouk.v1").await;
    assert!(anonymous.contains("\"role\":\"anonymous\""), "{anonymous}");
    let both = handshake("live?token=invalid", &format!("livesouk.v1, token.{token}")).await;
    assert!(both.contains("\"role\":\"viewer\""), "the subprotocol comes first: {both}");
}
