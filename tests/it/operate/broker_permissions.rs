//! A user of Redis with few rights: what the manual lists is enough, and a node that lacks something says what.

use serde_json::{Value, json};

use crate::support::ports::free_address;
use crate::support::postgres::Database;
use crate::support::process::Process;
use crate::support::redis::Redis;
use crate::support::rest::Rest;
use crate::support::shop::{KEY, id, sign};
use crate::support::socket::Live;
use crate::support::{SOON, until_some};

/// The command of docs/operate.md that creates the user, with this password.
fn documented_user(password: &str) -> String {
    let manual = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operate.md");
    let manual = std::fs::read_to_string(manual).expect("the manual");
    let command = manual.lines().find(|line| line.starts_with("ACL SETUSER")).expect("the command");
    command.replace("PASSWORD", password)
}

/// A node that is not waited for: it never becomes ready.
struct Node {
    process: Process,
    url: String,
    rest: Rest,
    _folder: tempfile::TempDir,
    _database: Database,
}

impl Node {
    async fn start(broker: &str) -> Node {
        let (database, folder, listen) = (Database::migrated().await, tempfile::tempdir().unwrap(), free_address());
        let store = database.url();
        let args = ["serve", "--listen", &listen, "--auth-key", KEY, "--store", &store, "--broker", broker];
        let process = Process::livesouk(&args, folder.path());
        let url = format!("http://{listen}");
        Node { process, rest: Rest::new(&url), url, _folder: folder, _database: database }
    }

    /// Waits for this status of `/readyz`, and gives its body.
    async fn readiness(&self, status: u16) -> Value {
        until_some("readiness", SOON, async || {
            let answer = self.rest.try_send(reqwest::Method::GET, "/readyz", &[], None).await.ok()?;
            (answer.status == status).then_some(answer.body)
        })
        .await
    }

    async fn problem(&self) -> String {
        let problem = async || self.readiness(503).await["broker_problem"].as_str().map(str::to_owned);
        until_some("reason", SOON, problem).await
    }
}

#[tokio::test]
async fn redis_without_scripts_is_named_and_recovers() {
    let redis = Redis::start().await;
    redis.command(&documented_user("secret-of-redis")).await;
    redis.command("ACL SETUSER livesouk -evalsha").await;
    let node = Node::start(&format!("redis://livesouk:secret-of-redis@{}", redis.address())).await;
    let problem = node.problem().await;
    assert!(problem.contains("may not run scripts"), "{problem}");
    // The shop sells all the same.
    assert_eq!(node.rest.get("/readyz?only=store").await.status, 200);
    until_some("log line", SOON, async || {
        let log = node.process.stderr();
        assert!(!log.contains("secret-of-redis"), "{log}");
        (log.contains("'evalsha'") && log.contains("may not run scripts")).then_some(())
    })
    .await;

    // What the manual lists is enough.
    redis.command("ACL DELUSER livesouk").await;
    redis.command(&documented_user("secret-of-redis")).await;
    assert_eq!(node.readiness(200).await, json!({"store": "ok", "broker": "ok"}));
    let host = node.rest.with_token(&sign(KEY, "the-host", "host", 600));
    let stream = id(&host.post("/v1/streams", json!({"title": "Evening"})).await.expect(201));
    host.post(&format!("/v1/streams/{stream}/start"), json!({})).await.expect(200);
    let live = async |name| Live::connect(&node.url, &stream, Some(&sign(KEY, name, "viewer", 600))).await;
    let (mut ann, mut bob) = (live("ann").await, live("bob").await);
    ann.ask(json!({"do": "say", "text": "with few rights"})).await.unwrap();
    bob.event("message", SOON, |event| event["text"] == "with few rights").await;
}

#[tokio::test]
async fn wrong_password_of_redis_is_named() {
    let redis = Redis::start().await;
    redis.command(&documented_user("right")).await;
    let node = Node::start(&format!("redis://livesouk:wrong@{}", redis.address())).await;
    let problem = node.problem().await;
    assert!(problem.contains("user name or the password") && problem.contains("percent-encoded"), "{problem}");
}
