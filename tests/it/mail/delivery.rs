//! What a mail server can do to us, and that it reaches nothing else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{home, order_by, pass_the_pause, shop_with, until_status};
use crate::support::mail_server::{MailMode, MailServer};
use crate::support::postgres::Database;
use crate::support::shop::Shop;
use crate::support::{SOON, until_some};

#[tokio::test]
async fn greylisted_mail_is_delivered_later() {
    let server = MailServer::start(MailMode::Greylist).await;
    let shop = shop_with(&server, &[]).await;
    order_by(&shop, "Ann", home("ann@example.com", "en")).await;
    until_status(&shop, "retried", 1).await;
    assert_eq!(server.mails().len(), 0);
    assert_eq!(shop.number("select count(*) from mails where last_error like '%451%greylisted%'").await, 1);
    let pause = shop.number("select max(next_try_at) - min(created_at) from mails").await;
    assert!((14_000..60_000).contains(&pause), "the second attempt comes after 15 s: {pause}");
    pass_the_pause(&shop).await;
    server.until_mails(1).await;
    until_status(&shop, "sent", 1).await;
    assert_eq!(shop.number("select attempts from mails").await, 2);
}

#[tokio::test]
async fn refused_recipient_fails_at_once_and_the_reason_is_kept() {
    let server = MailServer::start(MailMode::Refuse).await;
    let shop = shop_with(&server, &[]).await;
    order_by(&shop, "Ann", home("nobody@example.com", "en")).await;
    until_status(&shop, "failed", 1).await;
    let kept =
        "select count(*) from mails where attempts = 1 and last_error like '%nobody@example.com%550%no such user%'";
    assert_eq!(shop.number(kept).await, 1);
}

#[tokio::test]
async fn server_that_takes_no_mail_now_gets_it_later() {
    let server = MailServer::start(MailMode::Busy).await;
    let shop = shop_with(&server, &[]).await;
    order_by(&shop, "Ann", home("ann@example.com", "en")).await;
    until_status(&shop, "retried", 1).await;
    server.set(MailMode::Accept);
    pass_the_pause(&shop).await;
    server.until_mails(1).await;
}

#[tokio::test]
async fn mail_is_never_sent_twice_by_two_nodes() {
    const ORDERS: usize = 12;
    let server = MailServer::start(MailMode::Accept).await;
    let settings = server.settings();
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let database = Database::migrated().await;
    let shop = Shop::serve_with(&database.url(), &database.url(), &settings).await;
    let _other = shop.at_another_node(&settings).await;
    for number in 0..ORDERS {
        let email = format!("buyer-{number}@example.com");
        order_by(&shop, &format!("buyer-{number}"), home(&email, "en")).await;
    }
    until_status(&shop, "sent", ORDERS as i64).await;
    let mut recipients: Vec<String> =
        server.until_mails(ORDERS).await.iter().map(|mail| mail["to"].to_string()).collect();
    recipients.sort();
    recipients.dedup();
    assert_eq!(recipients.len(), ORDERS, "each buyer got one mail");
}

#[tokio::test]
async fn mail_whose_answer_was_lost_is_sent_once_more_and_never_a_third_time() {
    let server = MailServer::start(MailMode::Drop).await;
    let shop = shop_with(&server, &[]).await;
    order_by(&shop, "Ann", home("ann@example.com", "en")).await;
    until_status(&shop, "retried", 1).await;
    pass_the_pause(&shop).await;
    until_status(&shop, "failed", 1).await;
    let mails = server.until_mails(2).await;
    assert_eq!(
        mails[0]["headers"]["message-id"], mails[1]["headers"]["message-id"],
        "programs can tell that it is the same"
    );
    let kept = "select count(*) from mails where last_error like '%may have arrived%' and attempts = 2";
    assert_eq!(shop.number(kept).await, 1);
}

#[tokio::test]
async fn hanging_mail_server_delays_nothing_else() {
    let server = MailServer::start(MailMode::Hang).await;
    let shop = shop_with(&server, &[]).await;
    order_by(&shop, "Ann", home("ann@example.com", "en")).await;
    until_some("greeting", SOON, async || server.was_greeted().then_some(())).await;
    let began = Instant::now();
    let order = order_by(&shop, "Ben", home("ben@example.com", "en")).await;
    shop.host.put(&format!("/v1/orders/{order}/sent"), json!({})).await.expect(200);
    let mut live = shop.live("Cem", "viewer").await;
    live.ask(json!({"do": "say", "text": "hello"})).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "buying, sending and chat took {:?}", began.elapsed());
    // The first attempt ends at its deadline, and the mail is tried again.
    until_status(&shop, "retried", 3).await;
    server.set(MailMode::Accept);
    pass_the_pause(&shop).await;
    server.until_mails(3).await;
}

#[tokio::test]
async fn server_that_stops_during_a_transfer_keeps_the_mail() {
    let server = MailServer::start(MailMode::Hang).await;
    let mut shop = shop_with(&server, &[]).await;
    order_by(&shop, "Ann", home("ann@example.com", "en")).await;
    until_some("greeting", SOON, async || server.was_greeted().then_some(())).await;
    let folder = shop.server.folder();
    let began = Instant::now();
    assert!(shop.server.stop().await.success(), "a hanging mail server does not keep the process alive");
    assert!(began.elapsed() < Duration::from_secs(15), "the stop took {:?}", began.elapsed());
    server.set(MailMode::Accept);
    let settings = server.settings();
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let again = Shop::demo_in(Arc::clone(&folder), &settings).await;
    server.until_mails(1).await;
    until_status(&again, "sent", 1).await;
    assert_eq!(again.number("select attempts from mails").await, 1, "an attempt that was interrupted does not count");
}

#[tokio::test]
async fn demo_without_a_mail_server_sends_nothing_and_says_so() {
    let shop = Shop::demo(&[]).await;
    order_by(&shop, "Ann", home("ann@example.com", "en")).await;
    until_status(&shop, "sent", 1).await;
    // The mail is in the log before its status is stored, and the lines of the log arrive here a moment later.
    until_some("line of the log", SOON, async || {
        let log = shop.server.process.stderr();
        (log.contains("demo: a mail, which is not sent") && log.contains("ann@example.com")).then_some(())
    })
    .await;
}
