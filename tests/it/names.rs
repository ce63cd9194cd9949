//! Names and texts that people type: what is refused, what stays as it is, and what nobody else gets to read.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::SOON;
use crate::support::shop::{Shop, id, key};

#[tokio::test]
async fn name_or_text_that_nobody_can_see_is_refused() {
    let shop = Shop::demo(&["--chat-per-second", "0"]).await;
    let mut ann = shop.live("Ann", "viewer").await;
    let tags = "\u{e0067}\u{e007f}";
    for blank in ["\u{3164}", "\u{115f}\u{1160}", "\u{ffa0}", "\u{2800}", "\u{fe0f}", tags, "\u{200d}\u{ad}"] {
        assert_eq!(ann.refused(json!({"do": "say", "text": blank})).await, "bad_request", "{blank:?}");
        let sign_in = shop.server.rest().post("/v1/dev/tokens", json!({"name": blank, "role": "viewer"})).await;
        sign_in.expect_problem(400, "bad_request");
        shop.host.post("/v1/streams", json!({ "title": blank })).await.expect_problem(400, "bad_request");
        let product = json!({"title": blank, "variants": [{"name": "One", "price": 100, "stock": 1}]});
        shop.host.post("/v1/products", product).await.expect_problem(400, "bad_request");
    }
    for word in ["ကျွန်ုပ် ကြွှေ့", "น้ำ", "שָׁלוֹם", "ẹ̀kọ́"] {
        let name = shop.server.rest().post("/v1/dev/tokens", json!({"name": word, "role": "viewer"})).await;
        name.expect(201);
        ann.ask(json!({"do": "say", "text": word})).await.unwrap();
    }
}

#[tokio::test]
async fn viewer_whose_name_looks_like_the_team_signs_in_nowhere_and_writes_nothing() {
    let shop = Shop::demo(&["--chat-per-second", "0"]).await;
    let name = "Noura (HOST) ✅";
    let ask = async |role: &str| shop.server.rest().post("/v1/dev/tokens", json!({"name": name, "role": role})).await;
    ask("viewer").await.expect_problem(422, "name_claims_role");
    ask("moderator").await.expect(201);
    // The shop's own site signed this token: its owner may watch and buy, but not speak as the team.
    let mut live = shop.live("Noura|HOST", "viewer").await;
    assert_eq!(live.refused(json!({"do": "say", "text": "pay me directly"})).await, "name_claims_role");
    let mut ann = shop.live("Ann", "viewer").await;
    ann.ask(json!({"do": "say", "text": "hello"})).await.unwrap();
}

#[tokio::test]
async fn purchase_note_leaves_out_a_name_that_the_chat_would_not_show() {
    let shop = Shop::demo(&[]).await;
    let words = json!({"words": [{"word": "scam", "action": "review"}]});
    shop.host.put(&shop.path("blocklist"), words).await.expect(200);
    let offer = shop.on_sale(9, json!({})).await;
    let mut viewer = shop.watch().await;
    for (buyer, shown) in [("Scam-King", ""), ("evil.com", ""), ("Noura|HOST", ""), ("Ann", "Ann")] {
        let rest = shop.rest(buyer, "viewer");
        let order = rest.post_keyed(&format!("/v1/offers/{offer}/orders"), &key(), json!({"qty": 1})).await.expect(201);
        rest.post_keyed(&format!("/v1/orders/{}/pay", id(&order)), &key(), json!({"token": "ok"})).await.expect(200);
        let is_note = |frame: &Value| {
            let events = frame["events"].as_array();
            events.and_then(|events| events.iter().find(|event| event["type"] == "purchased")).cloned()
        };
        let frame = viewer.until("the purchase note", SOON, |frame| is_note(frame).is_some()).await;
        assert_eq!(is_note(&frame).unwrap()["name"], shown, "{buyer}");
    }
}

#[tokio::test]
async fn shop_chooses_how_the_chat_names_buyers_and_the_team_sees_whole_names() {
    for (choice, shown) in [("initials", "A. B."), ("hidden", "")] {
        let shop = Shop::demo(&["--purchase-names", choice]).await;
        let offer = shop.on_sale(9, json!({})).await;
        let mut viewer = shop.watch().await;
        let ann = json!({"name": "Ann Baker", "role": "viewer"});
        let ann = shop.server.rest().post("/v1/dev/tokens", ann).await.expect(201);
        let rest = shop.server.rest().with_token(ann["token"].as_str().unwrap());
        let order = rest.post_keyed(&format!("/v1/offers/{offer}/orders"), &key(), json!({"qty": 1})).await.expect(201);
        rest.post_keyed(&format!("/v1/orders/{}/pay", id(&order)), &key(), json!({"token": "ok"})).await.expect(200);
        let bought = viewer.event("purchase", SOON, |event| event["type"] == "purchased").await;
        assert_eq!(bought["name"], shown, "{choice}");
        let orders = shop.host.get(&shop.path("orders")).await.expect(200);
        assert_eq!(orders["items"][0]["buyer_name"], "Ann Baker", "{choice}");
    }
}

/// Reads a CSV file with a separator, and prints the cells with which a formula would begin.
const FORMULAS: &str = "import csv, io, sys
text = sys.stdin.buffer.read().decode('utf-8-sig')
for row in csv.reader(io.StringIO(text, newline=''), delimiter=sys.argv[1]):
    for cell in row:
        seen = cell.lstrip(' \\u00a0\\ufeff')
        number = seen.lstrip('+-').isdigit()
        if seen[:1] in tuple('=+-@\\uff1d\\uff0b\\uff0d\\uff20\\t\\r') and seen and not number: print(repr(cell))
";

fn formulas(file: &str, separator: &str) -> String {
    let mut python = Command::new("python3");
    python.args(["-c", FORMULAS, separator]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = python.spawn().expect("python3 runs");
    process.stdin.take().unwrap().write_all(file.as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn csv_export_has_no_formula_whatever_the_separator_is() {
    let shop = Shop::demo(&["--chat-per-second", "0", "--room-chat-per-second", "0"]).await;
    let mut host = shop.live("the-host", "host").await;
    let texts = [
        "=1+1",
        "x;=1+1",
        "x,=1+1",
        "x|@SUM(A1)",
        "x;\";\"=cmd",
        "\"=1+1",
        "a\";=1+1",
        "-2+3",
        "x; -2+3",
        "＝1+1",
        "x;+cmd|' /C calc'!A0",
        "a;\"\"=1",
        "=1;=2,=3|=4",
        "price: -5",
        "me@example.com - hi; ok",
    ];
    for text in texts {
        host.ask(json!({"do": "say", "text": text})).await.unwrap();
    }
    let csv = shop.host.get(&shop.path("export/chat.csv")).await.expect(200);
    let file = csv.as_str().unwrap();
    assert!(file.contains("me@example.com - hi; ok"), "harmless texts stay: {file}");
    for separator in [",", ";", "\t", "|", ":"] {
        assert_eq!(formulas(file, separator), "", "with {separator:?}: {file}");
    }
    assert_ne!(formulas("\"id\",\"x;=1+1\"\r\n", ";"), "", "the check finds what quoting alone lets through");
}
