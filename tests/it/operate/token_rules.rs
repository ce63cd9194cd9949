//! What `serve` demands of tokens: lifetime, audience, issuer, and keys that an identity provider publishes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use testkit::redis::Tls;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto};

use crate::support::ports::free_address;
use crate::support::postgres::Database;
use crate::support::process::{Process, Server};
use crate::support::rest::Rest;
use crate::support::shop::{KEY, Shop, now_ms, sign_claims};
use crate::support::{SOON, until_some};

const ED25519: &[u8] = include_bytes!("../../corpus/keys/ed25519.pk8");
const P256: &[u8] = include_bytes!("../../corpus/keys/p256.pk8");

fn key(algorithm: Algorithm) -> EncodingKey {
    if algorithm == Algorithm::EdDSA { EncodingKey::from_ed_der(ED25519) } else { EncodingKey::from_ec_der(P256) }
}

fn claims(role: &str) -> Value {
    let now = now_ms() / 1_000;
    json!({"sub": "Ann", "name": "Ann", "role": role, "iat": now, "exp": now + 600})
}

fn published_token(algorithm: Algorithm, id: &str, role: &str) -> String {
    let header = Header { kid: Some(id.to_owned()), ..Header::new(algorithm) };
    jsonwebtoken::encode(&header, &claims(role), &key(algorithm)).unwrap()
}

fn key_set(id: &str, algorithm: Algorithm) -> String {
    let mut jwk =
        serde_json::to_value(jsonwebtoken::jwk::Jwk::from_encoding_key(&key(algorithm), algorithm).unwrap()).unwrap();
    jwk["kid"] = json!(id);
    json!({"keys": [jwk]}).to_string()
}

/// A site that publishes keys, with an ETag, over HTTP or HTTPS.
#[derive(Clone)]
struct KeySite {
    /// The status and the content.
    page: Arc<Mutex<(u16, String)>>,
    requests: Arc<AtomicUsize>,
    /// Requests that were answered with 304.
    unchanged: Arc<AtomicUsize>,
}

impl KeySite {
    async fn open(content: String, tls: Option<TlsAcceptor>) -> (KeySite, String) {
        let site =
            KeySite { page: Arc::new(Mutex::new((200, content))), requests: Arc::default(), unchanged: Arc::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}/keys", listener.local_addr().unwrap());
        let this = site.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                match &tls {
                    None => this.answer(socket).await,
                    Some(tls) => match tls.accept(socket).await {
                        Ok(socket) => this.answer(socket).await,
                        Err(_) => continue,
                    },
                }
            }
        });
        (site, url)
    }

    async fn answer(&self, mut socket: impl AsyncRead + AsyncWrite + Unpin) {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            match socket.read_u8().await {
                Ok(byte) => request.push(byte),
                Err(_) => return,
            }
        }
        let request = String::from_utf8(request).unwrap().to_ascii_lowercase();
        let (status, content) = self.page.lock().unwrap().clone();
        let etag = format!("\"{}\"", content.len());
        self.requests.fetch_add(1, Ordering::Relaxed);
        let answer = if status == 200 && request.contains(&format!("if-none-match: {etag}")) {
            self.unchanged.fetch_add(1, Ordering::Relaxed);
            "HTTP/1.1 304 Not Modified\r\n\r\n".to_owned()
        } else {
            let length = content.len();
            format!("HTTP/1.1 {status} X\r\nETag: {etag}\r\nContent-Length: {length}\r\n\r\n{content}")
        };
        let _ = socket.write_all(answer.as_bytes()).await;
        let _ = socket.shutdown().await;
    }

    fn publish(&self, status: u16, content: String) {
        *self.page.lock().unwrap() = (status, content);
    }
}

async fn status(server: &Server, token: &str) -> (u16, String) {
    let answer = server.rest().with_token(token).get("/v1/orders").await;
    (answer.status, answer.body["detail"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn published_key_signs_tokens_and_a_new_one_is_found() {
    let database = Database::migrated().await;
    let (site, url) = KeySite::open(key_set("one", Algorithm::EdDSA), None).await;
    let more = ["--jwks", &url, "--jwks-max-role", "moderator"];
    let server = Server::serve(&database.url(), KEY, &more).await;
    let one = published_token(Algorithm::EdDSA, "one", "viewer");
    assert_eq!(status(&server, &one).await.0, 200);
    let (refused, why) = status(&server, &published_token(Algorithm::EdDSA, "one", "host")).await;
    assert_eq!(refused, 401);
    assert!(why.contains("may not give this role"), "{why}");
    // The public key as a secret: the algorithm is bound to the key.
    let header = Header { kid: Some("one".to_owned()), ..Header::new(Algorithm::HS256) };
    for secret in [key_set("one", Algorithm::EdDSA), json!(null).to_string()] {
        let forged = jsonwebtoken::encode(&header, &claims("viewer"), &EncodingKey::from_secret(secret.as_bytes()));
        assert_eq!(status(&server, &forged.unwrap()).await, (401, "The token is not valid.".to_owned()));
    }
    // Our own tokens stay valid beside them.
    assert_eq!(status(&server, &sign_claims(KEY, &claims("host"))).await.0, 200);

    // The site answers nonsense: the last known keys stay in use.
    site.publish(500, "nonsense".to_owned());
    let unknown = published_token(Algorithm::ES256, "two", "viewer");
    let asked = site.requests.load(Ordering::Relaxed);
    let again = async || {
        assert_eq!(status(&server, &unknown).await.0, 401);
        (asked < site.requests.load(Ordering::Relaxed)).then_some(())
    };
    until_some("a request for the unknown key", SOON, again).await;
    assert_eq!(status(&server, &one).await.0, 200);
    assert!(site.requests.load(Ordering::Relaxed) <= asked + 2, "many unknown tokens cause few requests");

    // The next key is published: a token that names it is accepted without a restart.
    site.publish(200, key_set("two", Algorithm::ES256));
    until_some("the new key", SOON, async || (status(&server, &unknown).await.0 == 200).then_some(())).await;
    assert_eq!(status(&server, &one).await.0, 401, "the old key was withdrawn");
    let metrics = server.rest().with_token(&sign_claims(KEY, &claims("admin"))).get("/metrics").await;
    let page = metrics.body.as_str().unwrap();
    assert!(page.contains("livesouk_jwks_keys{source=\"0\"} 1"), "{page}");
    assert!(!page.contains("livesouk_jwks_failures_total{source=\"0\"} 0"), "the failure was counted");
}

#[tokio::test]
async fn key_set_behind_tls_is_read_and_an_unknown_authority_is_not() {
    let tls = Tls::issue();
    let file = |name: &str| tls.authority().with_file_name(name);
    let certificates = CertificateDer::pem_file_iter(file("server.crt")).unwrap().map(Result::unwrap).collect();
    let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates, PrivateKeyDer::from_pem_file(file("server.key")).unwrap())
        .unwrap();
    let (_site, url) = KeySite::open(key_set("one", Algorithm::EdDSA), Some(TlsAcceptor::from(Arc::new(config)))).await;
    let authority = tls.authority().display().to_string();
    for (environment, accepted) in [(vec![("SSL_CERT_FILE", authority.as_str())], 200), (vec![], 401)] {
        let folder = tempfile::tempdir().unwrap();
        let listen = free_address();
        let args = ["serve", "--listen", &listen, "--store", "sqlite:shop.db", "--auth-key", KEY, "--jwks", &url];
        let process = Process::livesouk_with(&args, folder.path(), &environment);
        let rest =
            Rest::new(&format!("http://{listen}")).with_token(&published_token(Algorithm::EdDSA, "one", "viewer"));
        let ask = async || rest.try_send(reqwest::Method::GET, "/v1/orders", &[], None).await.ok();
        let answer = until_some("an answer", SOON, ask).await;
        assert_eq!(answer.status, accepted, "{answer:?}\n{}", process.stderr());
    }
}

#[tokio::test]
async fn lifetime_audience_and_issuer_are_the_operators() {
    let database = Database::migrated().await;
    let rules = ["--token-max-ttl", "3600", "--audience", "live,shop", "--issuer", "https://id.example"];
    let server = Server::serve(&database.url(), KEY, &rules).await;
    let fitting = json!({"aud": "live", "iss": "https://id.example"});
    for (change, expected, part) in [
        (json!({}), 200, ""),
        (json!({"aud": ["blog", "shop"]}), 200, ""),
        (json!({"aud": "blog"}), 401, "another audience"),
        (json!({"aud": null}), 401, "another audience"),
        (json!({"iss": "https://evil.example"}), 401, "another issuer"),
        (json!({"exp": now_ms() / 1_000 + 7_200}), 401, "for longer than"),
        (json!({"nbf": now_ms() / 1_000 + 600}), 401, "not valid yet"),
        (json!({"exp": now_ms() / 1_000 - 3_600, "iat": now_ms() / 1_000 - 7_000}), 401, "has expired"),
    ] {
        let mut all = claims("viewer");
        for (name, value) in fitting.as_object().unwrap().iter().chain(change.as_object().unwrap()) {
            all[name] = value.clone();
        }
        let (status, why) = status(&server, &sign_claims(KEY, &all)).await;
        assert_eq!(status, expected, "{change}: {why}");
        assert!(why.contains(part), "{change}: {why}");
        // Whoever has no key learns nothing.
        let forged = sign_claims("another key with which nobody signs here", &all);
        assert_eq!(self::status(&server, &forged).await, (401, "The token is not valid.".to_owned()));
    }
}

#[tokio::test]
async fn unusable_token_settings_stop_the_start() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("empty.json"), r#"{"keys":[]}"#).unwrap();
    let serve = ["serve", "--listen", "127.0.0.1:0", "--store", "sqlite:shop.db", "--auth-key", KEY];
    for (more, part) in [
        (&["--jwks", "missing.json"][..], "--jwks missing.json"),
        (&["--jwks", "empty.json"], "no key for EdDSA"),
        (&["--jwks", "https://user:secret@id.example/"], "no user name or password"),
        (&["--jwks", "empty.json", "--jwks-max-role", "king"], "there is no role `king`"),
        (&["--auth-key-max-role", "viewer"], "one --auth-key must be allowed every role"),
        (&["--auth-key-max-role", "admin,host,host"], "there are 3 for 1"),
        (&["--token-max-ttl", "1"], "--token-max-ttl"),
    ] {
        let mut process = Process::livesouk(&[&serve[..], more].concat(), folder.path());
        assert_eq!(process.end(SOON).await.code(), Some(2), "{more:?}: {}", process.stderr());
        assert!(process.stderr().contains(part), "{more:?}: {}", process.stderr());
        assert!(!process.stderr().contains("secret"), "{}", process.stderr());
    }
}

#[tokio::test]
async fn token_of_the_command_line_has_an_id_and_can_be_revoked_by_it() {
    let shop = Shop::demo(&[]).await;
    let key = std::fs::read_to_string(shop.server.data().join("auth-key")).unwrap();
    let print = async |more: &[&str]| {
        let args = ["token", "--auth-key", &key, "--user", "ann", "--name", "Ann", "--role", "viewer"];
        let mut process = Process::livesouk(&[&args[..], more].concat(), std::path::Path::new("/"));
        assert!(process.end(SOON).await.success(), "{}", process.stderr());
        process.stdout()
    };
    let (one, other) = (print(&["--jti", "of-a-tablet"]).await, print(&[]).await);
    let root = shop.rest("root", "admin");
    root.post("/v1/token-revocations", json!({"jti": "of-a-tablet"})).await.expect(201);
    shop.server.rest().with_token(&one).get("/v1/orders").await.expect_problem(401, "token_revoked");
    shop.server.rest().with_token(&other).get("/v1/orders").await.expect(200);
    let too_long = print(&["--ttl", "31536000"]).await;
    let (status, why) = status(&shop.server, &too_long).await;
    assert_eq!((status, why.contains("--token-max-ttl")), (401, true), "{why}");
}
