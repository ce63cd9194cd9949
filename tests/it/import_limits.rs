//! The limits of imports, from outside: how large a file and a product may be, how many imports may be open, and what may follow what.

use std::time::{Duration, Instant};

use futures_util::{Stream, StreamExt, stream};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::shop::Shop;

const DEADLINE: Duration = Duration::from_secs(600);

/// Sends a file in parts over a connection of its own, until the file ends or the server answers. Gives the status and the answer.
async fn send_parts(
    shop: &Shop,
    query: &str,
    announced: Option<u64>,
    parts: impl Stream<Item = String>,
) -> (u16, Value) {
    let mut connection = TcpStream::connect(shop.server.address()).await.unwrap();
    let length = announced.map_or("transfer-encoding: chunked".to_owned(), |bytes| format!("content-length: {bytes}"));
    let (token, address) = (shop.token("producer", "producer"), shop.server.address());
    let head = format!(
        "POST /v1/imports{query} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n{length}\r\nconnection: close\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    let (mut from, mut to) = connection.split();
    let sending = async {
        tokio::pin!(parts);
        while let Some(part) = parts.next().await {
            let chunk = if announced.is_some() { part } else { format!("{:x}\r\n{part}\r\n", part.len()) };
            // The server may have answered already.
            if to.write_all(chunk.as_bytes()).await.is_err() {
                return;
            }
        }
        let _ = to.write_all(b"0\r\n\r\n").await;
    };
    let reading = async {
        let mut answer = Vec::new();
        let _ = from.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    };
    let sending = async {
        sending.await;
        std::future::pending::<()>().await;
    };
    let answer = tokio::select! {
        () = sending => unreachable!("it waits for the answer"),
        answer = reading => answer,
    };
    let status = answer.split(' ').nth(1).expect("a status line").parse().unwrap();
    let body = &answer[answer.find('{').expect("a JSON body")..=answer.rfind('}').unwrap()];
    (status, serde_json::from_str(body).unwrap())
}

/// Sends a whole file.
async fn send(shop: &Shop, query: &str, file: String) -> (u16, Value) {
    send_parts(shop, query, None, stream::iter([file])).await
}

async fn settled(shop: &Shop, import: &Value) -> Value {
    let path = format!("/v1/imports/{}", import["id"].as_str().unwrap());
    let began = Instant::now();
    loop {
        let import = shop.host.get(&path).await.expect(200);
        let status = import["status"].as_str().unwrap();
        if !["receiving", "checking", "applying", "fetching", "undoing"].contains(&status) {
            return import;
        }
        assert!(began.elapsed() < DEADLINE, "{import}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn checked(shop: &Shop, file: &str) -> Value {
    let (status, import) = send(shop, "", file.to_owned()).await;
    assert_eq!(status, 201, "{import}");
    settled(shop, &import).await
}

async fn apply(shop: &Shop, import: &Value) -> Value {
    let path = format!("/v1/imports/{}/apply", import["id"].as_str().unwrap());
    shop.host.post(&path, json!({"rows": "all"})).await.expect(200);
    settled(shop, import).await
}

#[tokio::test]
async fn file_that_is_announced_as_too_large_or_has_an_unknown_encoding_is_refused_at_once() {
    let shop = Shop::demo(&[]).await;
    // The file never comes; the server answers without it.
    let (status, problem) = send_parts(&shop, "", Some(100_000_001), stream::pending()).await;
    assert_eq!((status, &problem["code"]), (413, &json!("import_too_large")));
    let (status, problem) = send(&shop, "?encoding=klingon", "title\n".to_owned()).await;
    assert_eq!((status, &problem["code"]), (422, &json!("invalid_value")), "{problem}");
    let (status, problem) = send(&shop, &format!("?file_name={}", "x".repeat(201)), "title\n".to_owned()).await;
    assert_eq!((status, &problem["code"]), (400, &json!("bad_request")), "{problem}");
    assert_eq!(shop.host.get("/v1/imports").await.expect(200)["items"], json!([]), "nothing of them is kept");
}

#[tokio::test]
async fn product_has_at_most_2048_variants_in_a_file_and_in_a_form() {
    let shop = Shop::demo(&[]).await;
    let list = |rows: usize| {
        let row = |n: usize| format!("shirt,{},Size,S{n},{}.00,{n}\n", if n == 0 { "Shirt" } else { "" }, 10 + n);
        let head = "handle,title,option1 name,option1 value,price,stock\n".to_owned();
        head + &(0..rows).map(row).collect::<String>()
    };
    let began = Instant::now();
    let import = checked(&shop, &list(2_048)).await;
    assert_eq!(import["counts"]["create"], 1, "{import}");
    let done = apply(&shop, &import).await;
    assert_eq!((&done["status"], &done["counts"]["created"]), (&json!("applied"), &json!(1)));
    eprintln!("a product of 2,048 variants was imported in {:?}", began.elapsed());
    let found = shop.host.get("/v1/products?search=shirt").await.expect(200)["items"][0].clone();
    assert_eq!(found["variants"].as_array().unwrap().len(), 2_048);
    assert_eq!(found["variants"][2_047]["price"], 205_700);

    for (rows, code) in [(2_049, "refused"), (2_061, "too_many_rows")] {
        let import = checked(&shop, &list(rows).replace("shirt,", "coat,").replace("Shirt", "Coat")).await;
        assert_eq!((&import["counts"]["bad"], &import["counts"]["create"]), (&json!(1), &json!(0)), "{rows}: {import}");
        let path = format!("/v1/imports/{}/products", import["id"].as_str().unwrap());
        let problems = shop.host.get(&path).await.expect(200)["items"][0]["problems"].clone();
        assert!(problems.as_array().unwrap().iter().any(|one| one["code"] == code), "{rows}: {problems}");
    }
    // The forms of the API have the same limit; a body of so many small variants fits.
    let variants: Vec<Value> = (0..2_049).map(|n| json!({"name": n.to_string(), "price": 1, "stock": 1})).collect();
    let form = json!({"title": "Coat", "variants": variants});
    let refused = shop.host.post("/v1/products", form).await.expect_problem(400, "bad_request");
    assert_eq!(refused["field"], "variants");
}

#[tokio::test]
async fn open_imports_are_counted_and_steps_come_in_their_order() {
    let shop = Shop::demo(&[]).await;
    let file = "title,price\nBowl,5\n";
    let first = checked(&shop, file).await;
    let path = |import: &Value, verb: &str| format!("/v1/imports/{}/{verb}", import["id"].as_str().unwrap());
    shop.rest("admin", "admin").post(&path(&first, "undo"), json!({})).await.expect_problem(409, "wrong_status");
    for _ in 1..20 {
        checked(&shop, file).await;
    }
    let (status, problem) = send(&shop, "", file.to_owned()).await;
    assert_eq!((status, &problem["code"]), (409, &json!("wrong_status")), "the 21st: {problem}");
    apply(&shop, &first).await;
    shop.host.post(&path(&first, "cancel"), json!({})).await.expect_problem(409, "wrong_status");
    checked(&shop, file).await;
    shop.rest("admin", "admin").post(&path(&first, "undo"), json!({})).await.expect(200);
    settled(&shop, &first).await;
    shop.host.post(&path(&first, "apply"), json!({"rows": "all"})).await.expect_problem(409, "wrong_status");
    let (status, problem) = send(&shop, "", file.to_owned()).await;
    assert_eq!((status, &problem["code"]), (409, &json!("wrong_status")), "there are 20 again: {problem}");
}

#[tokio::test]
async fn node_receives_two_files_at_once() {
    let shop = Shop::demo(&[]).await;
    // Two files whose ends do not come yet.
    let waiting = || {
        let (sender, receiver) = tokio::sync::mpsc::channel::<String>(1);
        (
            sender,
            stream::unfold(receiver, async |mut parts: tokio::sync::mpsc::Receiver<String>| {
                parts.recv().await.map(|part| (part, parts))
            }),
        )
    };
    let ((first, one), (second, two)) = (waiting(), waiting());
    let uploads = async { tokio::join!(send_parts(&shop, "", None, one), send_parts(&shop, "", None, two)) };
    let third = async {
        for sender in [&first, &second] {
            sender.send("title,price\nBowl,5\n".to_owned()).await.unwrap();
        }
        let began = Instant::now();
        while shop.host.get("/v1/imports").await.expect(200)["items"].as_array().unwrap().len() < 2 {
            assert!(began.elapsed() < Duration::from_secs(30), "both files are being received");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let refused = send(&shop, "", "title,price\nCup,5\n".to_owned()).await;
        drop((first, second));
        refused
    };
    let ((one, two), (status, problem)) = tokio::join!(uploads, third);
    assert_eq!((one.0, two.0), (201, 201));
    assert_eq!((status, &problem["code"]), (503, &json!("busy")), "{problem}");
    assert!(problem["retry_ms"].as_i64().unwrap() > 0);
}

/// `scripts/test --all` sends as much as a file may have; a test run sends 10 MB. The memory is that of a small file.
#[tokio::test]
async fn large_file_needs_no_more_memory_than_a_small_one() {
    let megabytes: usize = std::env::var("LIVESOUK_IMPORT_MB").map_or(10, |mb| mb.parse().expect("a number"));
    let shop = Shop::demo(&[]).await;
    let memory = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", shop.server.process.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1_000
    };
    checked(&shop, "title,price\nBowl,5\n").await;
    let before = memory();
    // A product with the longest description: ten thousand letters of four bytes.
    let text = "\u{1f3ee}".repeat(10_000);
    let product = |n: usize| format!("p{n},Lantern {n},{text},5,{n}\n");
    let count = megabytes * 1_000_000 / product(0).len() - 1;
    let head = "handle,title,description,price,stock\n";
    let file = |products: usize| stream::iter(std::iter::once(head.to_owned()).chain((0..products).map(product)));
    let began = Instant::now();
    let (status, import) = send_parts(&shop, "", None, file(count)).await;
    assert_eq!(status, 201, "{import}");
    let received = began.elapsed();
    let import = settled(&shop, &import).await;
    assert_eq!((&import["status"], &import["counts"]["create"]), (&json!("ready"), &json!(count)), "{import}");
    let checked = began.elapsed();
    let done = apply(&shop, &import).await;
    assert_eq!(done["counts"]["created"], count, "{done}");
    let grown = memory() - before;
    eprintln!(
        "{megabytes} MB, {count} products: received after {received:?}, checked after {checked:?}, written after {:?}; {grown} MB more memory",
        began.elapsed()
    );
    assert!(grown < 150, "{grown} MB more than for a small file");
    if megabytes < 99 {
        return;
    }
    let (status, problem) = send_parts(&shop, "", None, file(count + 40)).await;
    assert_eq!((status, &problem["code"]), (413, &json!("import_too_large")), "one that does not say how large it is");
}
