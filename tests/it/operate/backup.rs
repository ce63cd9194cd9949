//! Backup and restore: a restored dump has all orders, and selling continues.

use std::path::PathBuf;
use std::process::Command;

use serde_json::json;

use crate::support::cluster::newest_bin;
use crate::support::postgres::Database;
use crate::support::process::Server;
use crate::support::shop::{KEY, Shop, id, key, sign};
use crate::support::{SOON, until_some};

async fn run(program: &str, args: &[&str]) {
    let bin: PathBuf = newest_bin().expect("PostgreSQL is installed").join(program);
    let mut command = Command::new(bin);
    command.args(args);
    let done = tokio::task::spawn_blocking(move || command.output()).await.unwrap().expect("it runs");
    assert!(done.status.success(), "{program}: {}", String::from_utf8_lossy(&done.stderr));
}

#[tokio::test]
async fn restored_dump_continues_selling() {
    let (database, again) = (Database::migrated().await, Database::create().await);
    let shop = Shop::serve(&database.url(), &database.url()).await;
    let offer = shop.on_sale(5, json!({"per_buyer": 5, "hold_s": 10})).await;
    let (ann, path) = (shop.rest("Ann", "viewer"), format!("/v1/offers/{offer}/orders"));
    let (paid_key, held_key) = (key(), key());
    let paid = id(&ann.post_keyed(&path, &paid_key, json!({"qty": 2})).await.expect(201));
    ann.post_keyed(&format!("/v1/orders/{paid}/pay"), &key(), json!({"token": "ok"})).await.expect(200);
    let held = id(&ann.post_keyed(&path, &held_key, json!({"qty": 1})).await.expect(201));

    // The commands of docs/operate.md, with other names.
    let file = tempfile::NamedTempFile::new().unwrap();
    let file = file.path().to_str().unwrap();
    run("pg_dump", &["--format=custom", &format!("--file={file}"), &database.url()]).await;
    drop(shop);
    let into = format!("--dbname={}", again.url());
    run("pg_restore", &["--exit-on-error", "--no-owner", &into, file]).await;
    let audit: Vec<(uuid::Uuid,)> =
        sqlx::query_as("select id from reservation_mismatches").fetch_all(&mut again.connect().await).await.unwrap();
    assert_eq!(audit.len(), 0);

    let server = Server::serve(&again.url(), KEY, &[]).await;
    let ann = server.rest().with_token(&sign(KEY, "Ann", "viewer", 600));
    for (key, order, qty) in [(&paid_key, &paid, 2), (&held_key, &held, 1)] {
        let replayed = ann.post_keyed(&path, key, json!({"qty": qty})).await.expect(200);
        assert_eq!(&id(&replayed), order, "the same key gives the same order, also after a restore");
    }
    assert_eq!(ann.get(&format!("/v1/orders/{paid}")).await.expect(200)["status"], "paid");
    // The hold in the dump expires, and its unit is sold again.
    until_some("end of the hold", SOON, async || {
        (ann.get(&format!("/v1/orders/{held}")).await.body["status"] == "expired").then_some(())
    })
    .await;
    ann.post_keyed(&path, &key(), json!({"qty": 3})).await.expect(201);
    assert_eq!(server.rest().get(&format!("/v1/offers/{offer}")).await.expect(200)["left"], 0);
}
