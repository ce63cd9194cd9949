//! Starting: the output, the data of an earlier start, and refused settings.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::SOON;
use crate::support::ports::free_address;
use crate::support::postgres::Database;
use crate::support::process::{Process, Server};
use crate::support::proxy::Proxy;
use crate::support::rest::Rest;
use crate::support::shop::{KEY, Shop, id, key, migrate, sign};

/// Runs a command that must fail: its exit code and its error output.
async fn refused(args: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::livesouk(args, folder.path());
    let code = process.end(SOON).await.code();
    (code, process.stderr())
}

#[tokio::test]
async fn demo_prints_one_json_line_for_scripts() {
    let server = Server::demo().await;
    let printed = server.process.stdout();
    let first: Value = serde_json::from_str(printed.lines().next().unwrap()).unwrap();
    assert_eq!(printed.lines().count(), 1, "{printed}");
    let url = format!("http://{}", first["listen"].as_str().unwrap());
    for (name, path) in [("viewer_url", "/watch?stream="), ("host_url", "/host?stream="), ("docs_url", "/docs")] {
        let page = first[name].as_str().unwrap();
        assert!(page.starts_with(&format!("{url}{path}")), "{name}: {page}");
        let page = page.strip_prefix(&url).unwrap().split('#').next().unwrap();
        assert_eq!(server.rest().get(page).await.status, 200, "{page}");
    }
    let token = first["host_token"].as_str().unwrap();
    assert!(first["host_url"].as_str().unwrap().ends_with(&format!("#token={token}")));
    let stream = first["stream"].as_str().unwrap();
    server.rest().with_token(token).get(&format!("/v1/streams/{stream}/report")).await.expect(200);
    let offers = first["offers"].as_array().unwrap();
    assert!(!offers.is_empty());
    for offer in offers {
        let shown = server.rest().get(&format!("/v1/offers/{}", id(offer))).await.expect(200);
        for name in ["id", "title", "price", "currency", "left"] {
            assert_eq!(shown[name], offer[name], "{name}");
            assert!(!offer[name].is_null(), "{name}");
        }
        assert_eq!(shown["status"], "open");
    }
    let live = server.rest().get("/v1/streams?status=live").await.expect(200);
    let coming = server.rest().get("/v1/streams?status=scheduled").await.expect(200);
    assert_eq!((live["items"].as_array().unwrap().len(), coming["items"].as_array().unwrap().len()), (1, 1));
    let shop = server.rest().get("/v1/shop").await.expect(200);
    assert_eq!((&shop["dev_login"], &shop["currency"]), (&json!(true), &offers[0]["currency"]));
}

#[tokio::test]
async fn demo_keeps_its_data_over_a_restart() {
    let shop = Shop::demo(&[]).await;
    let offer = id(&shop.server.started["offers"][0]);
    let ann = shop.rest("Ann", "viewer");
    let order = ann.post_keyed(&format!("/v1/offers/{offer}/orders"), &key(), json!({"qty": 1})).await.expect(201);
    let said = ann.post(&shop.path("messages"), json!({"text": "kept"})).await.expect(201);
    let (started, stream, folder) = (shop.server.started.clone(), shop.stream.clone(), shop.server.folder());
    let mut server = shop.server;
    assert_eq!(server.stop().await.code(), Some(0));
    let shop = Shop::demo_in(folder, &[]).await;
    assert_eq!(shop.stream, stream);
    let offers = |started: &Value| started["offers"].as_array().unwrap().iter().map(id).collect::<Vec<_>>();
    assert_eq!(offers(&shop.server.started), offers(&started));
    let before = started["offers"][0]["left"].as_i64().unwrap();
    assert_eq!(shop.server.started["offers"][0]["left"], before - 1);
    // Old tokens are valid: the key is kept too.
    let ann = shop.server.rest().with_token(&shop.token("Ann", "viewer"));
    assert_eq!(ann.get(&format!("/v1/orders/{}", id(&order))).await.expect(200)["status"], "held");
    let listed = ann.get(&shop.path("messages")).await.expect(200);
    assert_eq!(id(&listed["items"][0]), id(&said));
    let old = started["host_token"].as_str().unwrap();
    shop.server.rest().with_token(old).get(&shop.path("report")).await.expect(200);
}

#[tokio::test]
async fn used_port_is_refused_and_the_message_names_the_flag() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for args in [vec!["demo", "--listen", &address], vec!["serve", "--listen", &address, "--auth-key", KEY]] {
        let (code, said) = refused(&args).await;
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("--listen") && said.contains(&address), "{said}");
    }
}

#[tokio::test]
async fn second_server_on_the_same_file_is_refused() {
    let shop = Shop::demo(&[]).await;
    let store = format!("sqlite:{}", shop.server.data().join("livesouk.db").display());
    let data = shop.server.data();
    for args in [
        vec!["serve", "--listen", "127.0.0.1:0", "--store", &store, "--auth-key", KEY],
        vec!["demo", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()],
        vec!["migrate", "--store", &store],
    ] {
        let (code, said) = refused(&args).await;
        assert_eq!(code, Some(2), "{args:?}: {said}");
        assert!(said.contains("another livesouk"), "{said}");
    }
    shop.host.get(&shop.path("report")).await.expect(200);
}

#[tokio::test]
async fn serve_does_not_start_without_a_long_enough_key() {
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    let short = "x".repeat(31);
    for (more, part) in [
        (vec!["--auth-key", &short], "32 bytes"),
        (vec!["--auth-key", KEY, "--auth-key", &short], "number 2"),
        (vec!["--auth-key", KEY, "--store", "mysql://x"], "--store"),
        (vec!["--auth-key", KEY, "--broker", "redis://x"], "--broker"),
        (vec!["--auth-key", KEY, "--listen", "nowhere"], "--listen"),
        (vec!["--auth-key", KEY, "--allow-origin", "shop.example"], "origin"),
        (vec!["--auth-key", KEY, "--store", "sqlite:/nowhere/at/all.db"], "/nowhere/at/all.db"),
        (vec!["--auth-key", KEY, "--store", "postgres://shop:pa/ss@db/shop"], "Percent-encode"),
        (vec!["--auth-key", KEY, "--store", "postgres://shop@fd00::1/shop"], "square brackets"),
        (vec!["--auth-key", KEY, "--store", "postgres://db/shop?sslrootcert=system"], "Leave sslrootcert out"),
        (vec!["--auth-key", KEY, "--store", "postgres://db/shop", "--broker", "redis://:pa#ss@x"], "Percent-encode"),
        (vec!["--auth-key", KEY, "--nonsense"], "--nonsense"),
    ] {
        let (code, said) = refused(&[&serve[..], &more].concat()).await;
        assert_eq!(code, Some(2), "{more:?}: {said}");
        assert!(said.contains(part), "{more:?}: {said}");
        assert!(!said.contains(KEY) && !said.contains("panicked"), "{said}");
    }
}

#[test]
fn settings_can_come_from_the_environment() {
    for (value, part) in
        [("json", "--broker must be local"), ("text", "--broker must be local"), ("xml", "possible values")]
    {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_livesouk"));
        let ended = command.args(["serve", "--broker", "kafka"]).env("LIVESOUK_LOG_FORMAT", value).output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        // If the setting is valid, the broker is what is refused.
        assert!(said.contains(part), "{value:?}: {said}");
    }
}

#[tokio::test]
async fn unmigrated_database_is_refused_with_the_command_to_run() {
    let database = Database::create().await;
    let args = ["serve", "--listen", "127.0.0.1:0", "--auth-key", KEY, "--store"];
    let (code, said) = refused(&[&args[..], &[&database.url()]].concat()).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("livesouk migrate"), "{said}");
    // Migrate twice, and from two processes at the same time.
    let url = database.url();
    tokio::join!(migrate(&url), migrate(&url));
    migrate(&url).await;
}

#[tokio::test]
async fn migrate_leaves_one_whole_sqlite_file() {
    let folder = tempfile::tempdir().unwrap();
    migrate(&format!("sqlite:{}", folder.path().join("shop.db").display())).await;
    let wal = folder.path().join("shop.db-wal");
    assert!(!wal.exists(), "a backup that copies the file alone would lose what is in {}", wal.display());
}

#[tokio::test]
async fn start_waits_for_a_database_that_is_down() {
    let database = Database::create().await;
    migrate(&database.url()).await;
    let proxy = Proxy::start(database.address()).await;
    proxy.cut();
    let via = database.url_at(proxy.address());
    let unreachable = format!("postgres://postgres@{}/x", free_address());
    // One database comes up in time, the other never does. Both run side by side, because both take a while.
    let folder = tempfile::tempdir().unwrap();
    let listen = free_address();
    let mut waits =
        Process::livesouk(&["serve", "--listen", &listen, "--auth-key", KEY, "--store", &via], folder.path());
    let mut gives_up = Process::livesouk(
        &["serve", "--listen", "127.0.0.1:0", "--auth-key", KEY, "--store", &unreachable],
        folder.path(),
    );
    crate::support::until_some("log line of the retry", SOON, async || {
        waits.stderr().contains("retrying").then_some(())
    })
    .await;
    proxy.restore();
    let rest = Rest::new(&format!("http://{listen}"));
    crate::support::until_some("ready server", SOON, async || {
        assert!(!waits.has_ended(), "{}", waits.stderr());
        rest.try_send(reqwest::Method::GET, "/readyz", &[], None).await.ok().filter(|answer| answer.status == 200)
    })
    .await;
    // A migration that starts together with its database waits in the same way.
    proxy.cut();
    let mut migrates = Process::livesouk(&["migrate", "--store", &via], folder.path());
    crate::support::until_some("log line of the retry", SOON, async || {
        migrates.stderr().contains("retrying").then_some(())
    })
    .await;
    proxy.restore();
    assert_eq!(migrates.end(SOON).await.code(), Some(0), "{}", migrates.stderr());
    assert_eq!(gives_up.end(SOON).await.code(), Some(2), "{}", gives_up.stderr());
    assert!(gives_up.stderr().matches("retrying").count() >= 2, "{}", gives_up.stderr());
    assert!(gives_up.stderr().contains("refused"), "the reason is in the message: {}", gives_up.stderr());
}

#[tokio::test]
async fn token_prints_only_a_valid_token() {
    let shop = Shop::demo(&[]).await;
    let own = std::fs::read_to_string(shop.server.data().join("auth-key")).unwrap();
    let token = async |args: &[&str]| {
        let all = [&["token", "--auth-key", &own, "--user", "ann", "--name", "آن"], args].concat();
        let mut process = Process::livesouk(&all, std::path::Path::new("/"));
        (process.end(SOON).await.code(), process.stdout(), process.stderr())
    };
    let (code, printed, said) = token(&["--role", "host"]).await;
    assert_eq!((code, said.as_str(), printed.lines().count()), (Some(0), "", 1), "{printed}");
    shop.server.rest().with_token(&printed).get(&shop.path("report")).await.expect(200);
    let live = shop.join(&printed).await.unwrap();
    assert_eq!(live.hello["you"], json!({"id": "ann", "name": "آن", "role": "host"}));
    for (args, part) in [
        (vec!["--role", "king"], "king"),
        (vec!["--role", "host", "--ttl", "0"], "ttl"),
        (vec!["--role", "host", "--stream", "x"], "stream"),
        (vec![], "--role"),
    ] {
        let (code, printed, said) = token(&args).await;
        assert_eq!((code, printed.as_str()), (Some(2), ""), "{said}");
        assert!(said.contains(part), "{said}");
    }
    // Rotation: the newest key signs, the old one still verifies.
    let database = Database::create().await;
    migrate(&database.url()).await;
    let server = Server::serve(&database.url(), "the-new-key-of-more-than-32-bytes!", &["--auth-key", KEY]).await;
    for (key, status) in [(KEY, 200), ("the-new-key-of-more-than-32-bytes!", 200), (own.as_str(), 401)] {
        let answer = server.rest().with_token(&sign(key, "ann", "viewer", 60)).get("/v1/orders").await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
    let dev = server.rest().post("/v1/dev/tokens", json!({"name": "x", "role": "host"})).await;
    dev.expect_problem(404, "not_found");
}

#[tokio::test]
async fn every_command_has_help() {
    for command in [&[][..], &["demo"], &["serve"], &["migrate"], &["token"]] {
        let mut process =
            Process::livesouk(&[command, &["--help"]].concat(), Arc::new(tempfile::tempdir().unwrap()).path());
        assert_eq!(process.end(SOON).await.code(), Some(0));
        let help = process.stdout();
        assert!(help.contains("Usage: livesouk") && process.stderr().is_empty(), "{help}");
        if let [name] = command {
            assert!(help.contains(&format!("livesouk {name}")), "{help}");
        }
        // Every option has a line of help, and most have an environment variable.
        for option in help.lines().map(str::trim_start).filter(|line| line.starts_with("--")) {
            assert!(option.len() > 2, "{help}");
        }
    }
    let (code, said) = refused(&["fly"]).await;
    assert_eq!(code, Some(2), "{said}");
}
