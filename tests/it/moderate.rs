//! Chat moderation: refused messages, the review queue, removed messages and the audit log.

use livesouk::domain::blocklist::fold;
use livesouk::domain::{BlockAction, BlockedWord, Blocklist};
use serde_json::{Value, json};

use crate::support::shop::{Shop, id};
use crate::support::socket::Live;
use crate::support::{SOON, until_some};

/// The blocklist is searched for every message of every viewer. The bound is far above the time of a build without optimisation.
#[test]
fn search_of_500_blocked_words_is_fast() {
    let word = |n: usize| BlockedWord {
        word: format!("كلمة{n}word"),
        whole_word: n.is_multiple_of(2),
        action: BlockAction::Review,
    };
    let words = Blocklist::parse((0..500).map(word).collect()).unwrap();
    let text = "كم سعر القطعة؟ هل الشحن مجاني today ".repeat(5);
    let begin = std::time::Instant::now();
    let found = (0..1_000).filter(|_| words.strictest_match(&fold(&text)).is_some()).count();
    let each = begin.elapsed() / 1_000;
    println!("a message of {} characters, 500 words: {each:?}", text.chars().count());
    assert!(found == 0 && each < std::time::Duration::from_millis(5), "{each:?}");
}

fn say(text: &str) -> Value {
    json!({"do": "say", "text": text})
}

async fn texts(shop: &Shop) -> Vec<String> {
    let page = shop.server.rest().get(&shop.path("messages?limit=100")).await.expect(200);
    page["items"].as_array().unwrap().iter().map(|item| item["text"].as_str().unwrap().to_owned()).collect()
}

/// The next frame of this kind that is sent to this user only.
async fn frame(live: &mut Live, kind: &str) -> Value {
    live.until(kind, SOON, |frame| frame["t"] == kind).await
}

#[tokio::test]
async fn blocked_words_links_and_repeated_characters_are_refused_except_from_the_team() {
    let shop = Shop::demo(&["--chat-per-second", "0"]).await;
    let (mut ann, mut host) = (shop.live("Ann", "viewer").await, shop.live("the-host", "host").await);
    let words = json!({"words": [{"word": "scam", "action": "refuse"}, {"word": "كلب", "whole_word": true, "action": "refuse"}]});
    assert_eq!(shop.host.put(&shop.path("blocklist"), words.clone()).await.expect(200)["words"][1]["whole_word"], true);
    assert_eq!(shop.host.get(&shop.path("blocklist")).await.expect(200)["words"].as_array().unwrap().len(), 2);
    for (text, code) in [
        ("what a S\u{200b}CÂM", "blocked_word"),
        ("يا كَــلْب", "blocked_word"),
        ("see evil.com", "links_not_allowed"),
        ("!!!!!!!!!!!!!!!!!!!!!!!!!!", "repeated_characters"),
    ] {
        assert_eq!(ann.refused(say(text)).await, code, "{text}");
        host.ask(say(text)).await.unwrap();
    }
    let status = shop.rest("Ann", "viewer").post(&shop.path("messages"), json!({"text": "scam"})).await;
    status.expect_problem(422, "blocked_word");
    ann.ask(say("الكلبة")).await.unwrap();
    ann.ask(say("hello")).await.unwrap();
    let refusal = ann.ask(say("HELLO")).await.unwrap_err();
    assert_eq!(refusal["code"], "duplicate_message");
    assert!((1..=30_000).contains(&refusal["retry_ms"].as_i64().unwrap()), "{refusal}");
    shop.host.put(&shop.path("blocklist"), json!({"words": []})).await.expect(200);
    ann.ask(say("no scam any more")).await.unwrap();
    // Only the team can read the blocked words.
    assert!(!shop.watch().await.hello.to_string().contains("scam\""));
    let too_many: Vec<Value> = (0..501).map(|n| json!({"word": format!("w{n}"), "action": "review"})).collect();
    for bad in [
        json!(too_many),
        json!([{"word": "", "action": "review"}]),
        json!([{"word": "x", "action": "burn"}]),
        json!("x"),
    ] {
        shop.host.put(&shop.path("blocklist"), json!({"words": bad})).await.expect_problem(400, "bad_request");
    }
}

#[tokio::test]
async fn messages_of_a_user_with_a_blocked_word_as_name_wait_for_review() {
    let shop = Shop::demo(&[]).await;
    let words = json!({"words": [{"word": "scam", "action": "refuse"}]});
    shop.host.put(&shop.path("blocklist"), words).await.expect(200);
    let post_as =
        async |who: &str, role| shop.rest(who, role).post(&shop.path("messages"), json!({"text": "hi"})).await;
    assert_eq!(post_as("Scammer", "viewer").await.expect(202)["pending_review"], true);
    post_as("Ann", "viewer").await.expect(201);
    post_as("Scam-hunter", "moderator").await.expect(201);
    assert_eq!(texts(&shop).await.len(), 2);
}

#[tokio::test]
async fn chat_rules_change_one_by_one_and_every_viewer_sees_them() {
    let shop = Shop::demo(&["--chat-per-second", "0"]).await;
    let (mut ann, mut host) = (shop.live("Ann", "viewer").await, shop.live("the-host", "host").await);
    shop.host.put(&shop.path("chat"), json!({"slow_s": 5})).await.expect(200);
    let rules = host.ask(json!({"do": "chat_rules", "off": true, "links": "allow"})).await.unwrap();
    assert_eq!((&rules["chat"]["slow_ms"], &rules["chat"]["off"]), (&json!(5_000), &json!(true)));
    ann.until_state("the rules", SOON, |state| state["chat"]["off"] == true && state["chat"]["links"] == "allow").await;
    assert_eq!(ann.refused(say("may I?")).await, "chat_off");
    host.ask(say("only we")).await.unwrap();
    shop.host.put(&shop.path("chat"), json!({"off": false, "slow_s": 0})).await.expect(200);
    ann.ask(say("see www.example.com")).await.unwrap();
    shop.host.put(&shop.path("chat"), json!({})).await.expect_problem(422, "invalid_value");
    for bad in [json!({"slow_s": 301}), json!({"links": "maybe"}), json!({"off": 1})] {
        shop.host.put(&shop.path("chat"), bad.clone()).await.expect_problem(400, "bad_request");
    }
}

#[tokio::test]
async fn message_in_review_is_seen_by_its_author_and_the_team_and_sent_when_approved() {
    let shop = Shop::demo(&["--chat-per-second", "0"]).await;
    let (mut ann, mut bob, mut mo) =
        (shop.live("Ann", "viewer").await, shop.live("Bob", "viewer").await, shop.live("Mo", "moderator").await);
    mo.ask(json!({"do": "chat_rules", "review_all": true})).await.unwrap();
    let pending = ann.ask(say("is it cotton?")).await.unwrap();
    assert_eq!(pending["pending_review"], true);
    let other = shop.rest("Ann", "viewer").post(&shop.path("messages"), json!({"text": "rude"})).await.expect(202);
    let seen = frame(&mut mo, "review").await;
    assert_eq!((&seen["message"]["id"], &seen["message"]["text"]), (&pending["id"], &json!("is it cotton?")));
    let of = async |user: &str, role: &str| {
        shop.rest(user, role).get(&shop.path("review-queue")).await.expect(200)["items"].as_array().unwrap().len()
    };
    assert_eq!((of("Mo", "moderator").await, of("Ann", "viewer").await, of("Bob", "viewer").await), (2, 2, 0));
    shop.server.rest().get(&shop.path("review-queue")).await.expect_problem(401, "sign_in");
    assert_eq!(texts(&shop).await, Vec::<String>::new());

    mo.ask(json!({"do": "approve", "id": pending["id"]})).await.unwrap();
    let event = bob.event("the message", SOON, |event| event["type"] == "chat").await;
    assert_eq!(
        (&event["id"], &event["from"]["name"], &event["text"]),
        (&pending["id"], &json!("Ann"), &json!("is it cotton?"))
    );
    assert_eq!(mo.refused(json!({"do": "approve", "id": pending["id"]})).await, "wrong_status");
    mo.ask(json!({"do": "reject", "id": other["id"], "reason": "be kind"})).await.unwrap();
    let audit = ann.until("the reason", SOON, |frame| frame["entry"]["kind"] == "reject").await;
    assert_eq!((&audit["entry"]["reason"], &audit["entry"]["role"]), (&json!("be kind"), &json!("moderator")));
    assert!(audit["entry"].get("by").is_none(), "{audit}");
    assert_eq!(texts(&shop).await, ["is it cotton?"]);
    mo.ask(json!({"do": "chat_rules", "review_all": false})).await.unwrap();
    ann.ask(say("without review")).await.unwrap();
}

#[tokio::test]
async fn mute_removes_the_earlier_messages_of_the_user() {
    let shop = Shop::demo(&["--chat-per-second", "0"]).await;
    let (mut ann, mut bob) = (shop.live("Ann", "viewer").await, shop.live("Bob", "viewer").await);
    for n in 0..3 {
        ann.ask(say(&format!("rude {n}"))).await.unwrap();
        bob.ask(say(&format!("kind {n}"))).await.unwrap();
    }
    let first = id(&ann.ask(say("rude and pinned")).await.unwrap());
    bob.ask(json!({"do": "say", "text": "kind answer", "reply_to": first})).await.unwrap();
    shop.host.put(&shop.path("pinned-message"), json!({"id": first})).await.expect(200);
    bob.until_state("the comment", SOON, |state| state["chat"]["pinned"]["text"] == "rude and pinned").await;
    let mute = json!({"seconds": 600, "reason": "three times is enough"});
    shop.host.put(&shop.path("mutes/Ann"), mute).await.expect(200);
    let audit = frame(&mut ann, "audit").await;
    assert_eq!(audit["entry"]["reason"], "three times is enough");
    bob.until_state("no comment", SOON, |state| state["chat"]["pinned"].is_null()).await;
    bob.event("the mute", SOON, |event| event["type"] == "muted" && event["user"] == "Ann").await;
    let hello = shop.watch().await.hello;
    assert!(!hello.to_string().contains("rude") && hello.to_string().contains("kind 2"), "{hello:#}");
    assert!(texts(&shop).await.iter().all(|text| text.starts_with("kind")));
    assert_eq!(shop.live("Ann", "viewer").await.hello["you"]["muted_reason"], "three times is enough");
    // A room that opens after a restart reads the same from the store.
    let folder = shop.server.folder();
    drop(shop);
    let shop = Shop::demo_in(folder, &[]).await;
    assert!(!shop.watch().await.hello.to_string().contains("rude"));
    let mine = shop.rest("Ann", "viewer").get(&shop.path("audit-log/mine")).await.expect(200);
    assert_eq!(
        (&mine["items"][0]["kind"], &mine["items"][0]["reason"]),
        (&json!("mute"), &json!("three times is enough"))
    );
    assert!(mine["items"][0].get("by").is_none());
}

#[tokio::test]
async fn every_team_action_is_in_the_audit_log_and_users_can_read_the_entries_about_them() {
    let shop = Shop::demo(&["--chat-per-second", "0"]).await;
    let mut mo = shop.live("Mo", "moderator").await;
    let message =
        id(&shop.rest("Ann", "viewer").post(&shop.path("messages"), json!({"text": "rude"})).await.expect(201));
    mo.ask(json!({"do": "delete_message", "id": message, "reason": "rude"})).await.unwrap();
    mo.ask(json!({"do": "mute", "user": "Ann", "seconds": 60})).await.unwrap();
    mo.ask(json!({"do": "unmute", "user": "Ann", "reason": "sorry"})).await.unwrap();
    mo.ask(json!({"do": "announce", "text": "be kind"})).await.unwrap();
    assert_eq!(
        mo.refused(json!({"do": "mute", "user": "Ann", "seconds": 60, "reason": "x".repeat(201)})).await,
        "bad_request"
    );
    let offer = shop.on_sale(5, json!({})).await;
    shop.host.put(&shop.path("pin"), json!({"offer": offer})).await.expect(200);
    let kinds = async || {
        let log = shop.host.get(&shop.path("audit-log")).await.expect(200);
        let log = log["items"].as_array().unwrap().clone();
        (log.iter().map(|it| it["kind"].as_str().unwrap().to_owned()).collect::<Vec<_>>(), log)
    };
    // The audit entry of a sale is recorded after the reply.
    let (all, log) = until_some("the pin in the audit log", SOON, async || {
        let (all, log) = kinds().await;
        all.contains(&"pin".to_owned()).then_some((all, log))
    })
    .await;
    for kind in ["delete", "mute", "unmute", "announce", "open", "pin"] {
        assert_eq!(all.iter().filter(|it| *it == kind).count(), 1, "{kind} in {all:?}");
    }
    let deleted = log.iter().find(|it| it["kind"] == "delete").unwrap();
    assert_eq!(
        (&deleted["by"]["name"], &deleted["text"], &deleted["user"]),
        (&json!("Mo"), &json!("rude"), &json!("Ann"))
    );
    let page = shop.host.get(&shop.path("audit-log?limit=2")).await.expect(200);
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    assert!(page["next"].is_string());
    for (who, count) in [("Ann", 3), ("Bob", 0)] {
        let mine = shop.rest(who, "viewer").get(&shop.path("audit-log/mine")).await.expect(200);
        assert_eq!(mine["items"].as_array().unwrap().len(), count, "{mine:#}");
    }
    shop.server.rest().get(&shop.path("audit-log/mine")).await.expect_problem(401, "sign_in");
}

#[tokio::test]
async fn reply_quotes_the_message_it_answers() {
    let shop = Shop::demo(&["--chat-per-second", "0"]).await;
    let (mut ann, mut host) = (shop.live("Ann", "viewer").await, shop.live("the-host", "host").await);
    let question = id(&ann.ask(say(&format!("is it {}?", "cotton ".repeat(20)))).await.unwrap());
    host.ask(json!({"do": "say", "text": "yes", "reply_to": question})).await.unwrap();
    let event = ann.event("the answer", SOON, |event| event["text"] == "yes").await;
    assert_eq!((&event["reply"]["id"], &event["reply"]["name"]), (&json!(question), &json!("Ann")));
    assert_eq!(event["reply"]["text"].as_str().unwrap().chars().count(), 80);
    let stored = shop.host.get(&shop.path("messages?limit=1")).await.expect(200);
    assert_eq!(stored["items"][0]["reply"], event["reply"]);
    shop.host.delete(&shop.path(&format!("messages/{question}"))).await.expect(204);
    let answer = json!({"do": "say", "text": "to nobody", "reply_to": question});
    assert_eq!(ann.refused(answer.clone()).await, "no_such_message");
    assert_eq!(ann.refused(answer).await, "no_such_message", "a refused message does not count as a duplicate");
    // A deleted message is no longer quoted.
    ann.event("the deletion", SOON, |event| event["type"] == "deleted").await;
    let list = shop.host.get(&shop.path("messages?limit=9")).await.expect(200);
    assert!(list["items"].as_array().unwrap().iter().all(|item| item["reply"].is_null()), "{list:#}");
    let hello = shop.watch().await.hello.to_string();
    assert!(hello.contains(r#""text":"yes""#) && !hello.contains("is it cotton"), "{hello}");
}

#[tokio::test]
async fn chat_and_audit_log_are_exported_without_spreadsheet_formulas() {
    let shop = Shop::demo(&["--chat-per-second", "0", "--room-chat-per-second", "0"]).await;
    let ann = shop.rest("Ann", "viewer");
    let formula = "=HYPERLINK(\"x\",\"y\")";
    let message = id(&ann.post(&shop.path("messages"), json!({"text": formula})).await.expect(201));
    ann.post(&shop.path("messages"), json!({"text": "كم السعر؟"})).await.expect(201);
    let mut live = shop.live("Bob", "viewer").await;
    for n in 0..600 {
        live.ask(say(&format!("line {n}"))).await.unwrap();
    }
    shop.host.delete(&shop.path(&format!("messages/{message}?reason=formula"))).await.expect(204);
    let file = async |name: &str| {
        let answer = shop.host.get(&shop.path(&format!("export/{name}"))).await;
        assert_eq!(answer.status, 200);
        let kind = answer.header("content-type").unwrap().to_owned();
        (answer.body.as_str().unwrap_or_default().to_owned(), kind)
    };
    let (csv, kind) = file("chat.csv").await;
    assert_eq!(kind, "text/csv; charset=utf-8");
    let rows: Vec<&str> = csv.lines().collect();
    assert!(rows[0].starts_with("\u{feff}\"id\",\"at\",\"user\",\"name\""), "{}", rows[0]);
    assert!(rows[1].contains("\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\",\"deleted\""), "{}", rows[1]);
    assert!(rows[2].contains("\"كم السعر؟\",\"published\""), "{}", rows[2]);
    assert_eq!(rows.len(), 603);
    let (lines, kind) = file("chat.jsonl").await;
    assert_eq!(kind, "application/jsonl; charset=utf-8");
    let parsed: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        (parsed.len(), parsed[0]["text"].as_str(), parsed[601]["text"].as_str()),
        (602, Some(formula), Some("line 599"))
    );
    let (csv, _) = file("audit-log.csv").await;
    assert!(csv.lines().nth(1).unwrap().contains("delete") && csv.contains("formula"), "{csv}");
    shop.host.get(&shop.path("export/audit-log.jsonl")).await.expect(200);
    shop.host.get(&shop.path("export/orders.csv")).await.expect_problem(400, "bad_request");
    ann.get(&shop.path("export/chat.csv")).await.expect_problem(403, "forbidden");
    shop.server.rest().get(&shop.path("export/chat.csv")).await.expect_problem(401, "sign_in");
}

#[tokio::test]
async fn user_can_erase_their_data() {
    let shop = Shop::demo(&["--chat-per-second", "0"]).await;
    let (ann, mut bob) = (shop.rest("Ann", "viewer"), shop.live("Bob", "viewer").await);
    let message = id(&ann.post(&shop.path("messages"), json!({"text": "I live there"})).await.expect(201));
    bob.ask(json!({"do": "say", "text": "where?", "reply_to": message})).await.unwrap();
    let offer = shop.on_sale(5, json!({})).await;
    ann.post_keyed(&format!("/v1/offers/{offer}/orders"), "ann-key-1", json!({"qty": 1})).await.expect(201);
    shop.server.rest().delete("/v1/me").await.expect_problem(401, "sign_in");
    let erased = ann.delete("/v1/me").await.expect(200);
    assert_eq!(
        (&erased["messages"], &erased["orders"], &erased["kept"][0]["what"]),
        (&json!(1), &json!(1), &json!("orders"))
    );
    assert!(erased["kept"][0]["why"].as_str().unwrap().contains("refunds"), "{erased}");
    bob.event("erasure", SOON, |event| event["type"] == "erased" && event["user"] == "Ann").await;
    let hello = shop.watch().await.hello;
    assert!(!hello["events"].as_array().unwrap().iter().any(|event| event["id"] == message.as_str()), "{hello:#}");
    assert_eq!(shop.number("select count(*) from messages where user_id = 'Ann'").await, 0);
    assert_eq!(shop.number("select count(*) from messages where reply_body <> ''").await, 0);
    assert_eq!(shop.number("select count(*) from reservations where buyer = 'Ann' and buyer_name = ''").await, 1);
    shop.host.delete("/v1/users/Bob").await.expect_problem(403, "forbidden");
    shop.rest("Root", "admin").delete("/v1/users/Bob").await.expect(200);
    assert_eq!(texts(&shop).await, Vec::<String>::new());
    shop.assert_audited().await;
}
