//! Settings as compose files and secret managers hand them over, with the real binary.

use std::sync::Arc;

use serde_json::json;

use testkit::ports::free_address;
use testkit::postgres::Database;
use testkit::process::Process;
use testkit::redis::Redis;
use testkit::rest::Rest;
use testkit::shop::{KEY, sign};
use testkit::{SOON, until_some};

const OLD: &str = "the-old-key-of-a-shop-with-over-32-bytes";

/// A node that starts with these variables and no flag but its address. It has its own folder.
struct Started {
    process: Process,
    rest: Rest,
    folder: Arc<tempfile::TempDir>,
}

impl Started {
    async fn with(variables: &[(&str, &str)]) -> Started {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let listen = free_address();
        let mut all = vec![("LIVESOUK_LISTEN", listen.as_str()), ("LIVESOUK_AUTH_KEY", KEY)];
        all.retain(|(name, _)| !variables.iter().any(|(other, _)| name == other));
        all.extend(variables);
        let mut process = Process::livesouk_with(&["serve"], folder.path(), &all);
        let rest = Rest::new(&format!("http://{listen}"));
        until_some("ready node", SOON, async || {
            assert!(!process.has_ended(), "{variables:?}:\n{}", process.stderr());
            let answer = rest.try_send(reqwest::Method::GET, "/readyz?only=store", &[], None).await.ok()?;
            (answer.status == 200).then_some(())
        })
        .await;
        Started { process, rest, folder }
    }

    async fn accepts(&self, key: &str) -> bool {
        self.rest.with_token(&sign(key, "ann", "viewer", 60)).get("/v1/orders").await.status == 200
    }

    async fn allows(&self, origin: &str) -> bool {
        let headers = [("origin", origin)];
        self.rest.send(reqwest::Method::GET, "/v1/shop", &headers, None).await.status == 200
    }
}

/// Runs `serve` with these variables; it must refuse to start.
async fn refused(variables: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut all = vec![("LIVESOUK_LISTEN", "127.0.0.1:0"), ("LIVESOUK_AUTH_KEY", KEY)];
    all.retain(|(name, _)| !variables.iter().any(|(other, _)| name == other));
    all.extend(variables);
    let mut process = Process::livesouk_with(&["serve"], folder.path(), &all);
    assert_eq!(process.end(SOON).await.code(), Some(2), "{variables:?}: {}", process.stderr());
    process.stderr()
}

#[tokio::test]
async fn node_starts_with_empty_variables() {
    // Each setting of `serve`, as compose passes on those that its user did not set.
    let help = std::process::Command::new(env!("CARGO_BIN_EXE_livesouk")).args(["serve", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let names: Vec<&str> = help
        .split("[env:")
        .skip(1)
        .filter_map(|rest| rest.trim_start().split(['=', ']']).next())
        .filter(|name| !["LIVESOUK_LISTEN", "LIVESOUK_AUTH_KEY"].contains(name))
        .collect();
    assert!(names.len() > 20 && names.contains(&"LIVESOUK_TRUSTED_PROXY"), "{names:?}");
    let empty: Vec<(&str, &str)> = names.iter().map(|name| (*name, "")).collect();
    let node = Started::with(&empty).await;
    assert!(node.accepts(KEY).await);
    assert!(node.folder.path().join("livesouk.db").exists(), "the default store");
    assert_eq!(node.rest.get("/v1/shop").await.expect(200)["currency"], json!("USD"));
}

#[tokio::test]
async fn lists_may_have_spaces_and_empty_items() {
    let both = format!("{KEY}, {OLD}");
    let node = Started::with(&[
        ("LIVESOUK_AUTH_KEY", both.as_str()),
        ("LIVESOUK_TRUSTED_PROXY", "10.0.0.1, 10.0.0.0/8,"),
        ("LIVESOUK_ALLOW_ORIGIN", "https://a.example, https://b.example,"),
    ])
    .await;
    assert!(node.accepts(KEY).await && node.accepts(OLD).await);
    assert!(node.allows("https://a.example").await && node.allows("https://b.example").await);
    assert!(!node.allows("https://c.example").await);
    let with_line_break = format!("{KEY}\n");
    let node = Started::with(&[("LIVESOUK_AUTH_KEY", &with_line_break)]).await;
    assert!(node.accepts(KEY).await && !node.accepts(&with_line_break).await);
}

#[tokio::test]
async fn secrets_come_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let database = Database::migrated().await;
    let keys = file("keys", &format!("{KEY}\n{OLD}\n"));
    let store = file("store", &format!("{}\n", database.url()));
    let variables =
        [("LIVESOUK_AUTH_KEY_FILE", keys.as_str()), ("LIVESOUK_AUTH_KEY", ""), ("LIVESOUK_STORE_FILE", store.as_str())];
    let node = Started::with(&variables).await;
    assert!(node.accepts(KEY).await && node.accepts(OLD).await);
    assert!(!node.folder.path().join("livesouk.db").exists(), "the shop is in PostgreSQL");
    let missing = refused(&[("LIVESOUK_AUTH_KEY_FILE", "/nowhere/key"), ("LIVESOUK_AUTH_KEY", "")]).await;
    assert!(missing.contains("LIVESOUK_AUTH_KEY_FILE") && missing.contains("/nowhere/key"), "{missing}");
}

#[tokio::test]
async fn several_brokers_may_be_separated_by_spaces() {
    let (one, two) = (Redis::start().await, Redis::start().await);
    let database = Database::migrated().await;
    let brokers = format!("{}, {}", one.url(), two.url());
    let node = Started::with(&[("LIVESOUK_STORE", &database.url()), ("LIVESOUK_BROKER", &brokers)]).await;
    until_some("both brokers", SOON, async || (node.rest.get("/readyz").await.status == 200).then_some(())).await;
    for redis in [&one, &two] {
        let clients = format!("{:?}", redis.command("CLIENT LIST").await);
        assert!(clients.matches("addr=").count() > 1, "only this test is connected: {clients}");
    }
}

#[tokio::test]
async fn ipv6_address_of_the_database_connects() {
    // PostgreSQL of the tests listens on IPv4 only, so a small relay on ::1 passes the bytes on.
    let database = Database::migrated().await;
    let relay = tokio::net::TcpListener::bind("[::1]:0").await.unwrap();
    let address = relay.local_addr().unwrap();
    let upstream = database.address();
    let relaying = tokio::spawn(async move {
        while let Ok((mut near, _)) = relay.accept().await {
            tokio::spawn(async move {
                let mut far = tokio::net::TcpStream::connect(upstream).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    let url = database.url_at(address);
    assert!(url.contains("@[::1]:"), "{url}");
    let node = Started::with(&[("LIVESOUK_STORE", &url)]).await;
    assert!(node.accepts(KEY).await);
    drop(node.process);
    relaying.abort();
}

#[tokio::test]
async fn refused_variable_is_named_with_its_cure() {
    for (variable, value, parts) in [
        ("LIVESOUK_LOG", "nonsense", ["--log", "LIVESOUK_LOG", "write error, warn, info"]),
        ("LIVESOUK_STORE", "postgres://u:p#w@host/db", ["--store", "LIVESOUK_STORE", "Percent-encode"]),
        ("LIVESOUK_STORE", "mysql://x", ["--store", "LIVESOUK_STORE", "sqlite:PATH"]),
        ("LIVESOUK_BROKER", "kafka", ["--broker", "LIVESOUK_BROKER", "redis://HOST:PORT"]),
        ("LIVESOUK_LISTEN", "nowhere", ["--listen", "LIVESOUK_LISTEN", "like 127.0.0.1:8080"]),
        ("LIVESOUK_TRUSTED_PROXY", "proxy", ["--trusted-proxy", "LIVESOUK_TRUSTED_PROXY", "like 10.0.0.1"]),
        ("LIVESOUK_ALLOW_ORIGIN", "a.example", ["--allow-origin", "LIVESOUK_ALLOW_ORIGIN", "like https://"]),
        ("LIVESOUK_BASE_URL", "a.example", ["--base-url", "LIVESOUK_BASE_URL", "like https://"]),
        ("LIVESOUK_AUTH_KEY", "short", ["--auth-key", "LIVESOUK_AUTH_KEY", "32 bytes"]),
        ("LIVESOUK_AUTH_KEY", " , ", ["--auth-key", "LIVESOUK_AUTH_KEY", "missing"]),
        ("LIVESOUK_WEBHOOK_SECRET", "short", ["--webhook-secret", "LIVESOUK_WEBHOOK_SECRET", "32 bytes"]),
        ("LIVESOUK_DRAIN_SECONDS", "-1", ["--drain-seconds", "LIVESOUK_DRAIN_SECONDS", "from 0 to 600"]),
        ("LIVESOUK_CURRENCY", "sar", ["--currency", "LIVESOUK_CURRENCY", "like SAR"]),
        ("LIVESOUK_DEFLATE", "perhaps", ["--deflate", "LIVESOUK_DEFLATE", "true"]),
    ] {
        let said = refused(&[(variable, value)]).await;
        for part in parts {
            assert!(said.contains(part), "{variable}={value}: {part} is not in {said}");
        }
        assert!(!said.contains("p#w") && !said.contains("panicked"), "{said}");
    }
}
