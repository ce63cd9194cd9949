//! Follows and announcements: confirmed once, notified once, last in the order of the outbox, and never too late.

use livesouk::domain::follow::NEWS_TTL_MS;
use livesouk::domain::{
    EmailAddress, FollowTarget, Language, MailContent, MailKind, NewFollow, NewMail, Refusal, SessionSecret,
};
use livesouk::store::{AnnouncementStep, BULK_MAILS_WAITING_MAX, FOLLOWERS_NOTIFIED_TOGETHER_MAX};
use uuid::Uuid;

use super::builders::{refusal, user};
use super::fixture::{Fixture, facts};

facts! {
    follower_is_told_once_for_each_show
    many_followers_fill_the_outbox_to_its_bound_and_others_go_first
    announcement_that_is_no_news_any_more_tells_nobody
    follower_who_stopped_is_not_found_for_the_mail
    announcements_of_shows_that_are_over_are_deleted
    mailbox_follows_a_hundred_things_at_most
    mail_that_nobody_wants_leaves_no_row
}

fn new(email: &str, target: FollowTarget) -> NewFollow {
    NewFollow {
        target,
        email: EmailAddress::parse(email).unwrap(),
        language: Language::English,
        user: Some(user("ann")),
    }
}

fn secret(n: u8) -> SessionSecret {
    SessionSecret::new([n; 32])
}

async fn add_followers(shop: &Fixture, number: i64) {
    let (id, nil) = match shop.is_postgres() {
        true => ("gen_random_uuid()", format!("'{}'", Uuid::nil())),
        false => ("randomblob(16)", "zeroblob(16)".to_owned()),
    };
    shop.run(&format!(
        "insert into follows (id, target, email, email_normalized, language, stop_secret, created_at)
        with recursive n(n) as (select 1 union all select n + 1 from n where n < {number})
        select {id}, {nil}, 'f' || n || '@example.com', 'f' || n || '@example.com', 'en', 's' || n, 1 from n"
    ))
    .await;
}

async fn follower_is_told_once_for_each_show(shop: Fixture) {
    assert_eq!(shop.store.notify_followers().await.unwrap(), AnnouncementStep::Idle);
    shop.store.add_follow(&new("ann@example.com", FollowTarget::Shop), &secret(1)).await.unwrap();
    shop.store.add_follow(&new("ann@example.com", FollowTarget::Product(shop.product)), &secret(2)).await.unwrap();
    let (draft, offer) = (shop.draft(5, 5).await, shop.offer(5, 5).await);
    shop.store.pin(shop.stream, offer).await.unwrap();
    assert_eq!(shop.number("select count(*) from announcements").await, 0, "the show has not begun");
    let now = shop.store.now().await.unwrap();
    shop.store.start_stream(shop.stream, now).await.unwrap();
    assert!(matches!(refusal(shop.store.start_stream(shop.stream, now).await), Refusal::WrongStatus(_)));
    assert_eq!(shop.number("select count(*) from announcements").await, 2, "the show, and what is on sale in it");
    shop.store.open_offer(draft).await.unwrap();
    shop.store.pin(shop.stream, draft).await.unwrap();
    for _ in 0..2 {
        let step = shop.store.notify_followers().await.unwrap();
        assert_eq!(step, AnnouncementStep::Written { mails: 1, is_finished: true });
    }
    assert_eq!(shop.store.notify_followers().await.unwrap(), AnnouncementStep::Idle);
    let kinds = "select count(distinct kind) from mails where priority = 2 and user_id = 'ann'";
    assert_eq!((shop.number(kinds).await, shop.number("select count(*) from mails").await), (2, 2));
    // Who follows since then knows it.
    shop.store.add_follow(&new("late@example.com", FollowTarget::Shop), &secret(3)).await.unwrap();
    shop.store.pin(shop.stream, offer).await.unwrap();
    assert_eq!(shop.store.notify_followers().await.unwrap(), AnnouncementStep::Idle);
}

async fn many_followers_fill_the_outbox_to_its_bound_and_others_go_first(shop: Fixture) {
    const FOLLOWERS: i64 = 10_000;
    add_followers(&shop, FOLLOWERS).await;
    let now = shop.store.now().await.unwrap();
    shop.store.start_stream(shop.stream, now).await.unwrap();
    let mut steps = 0;
    while let AnnouncementStep::Written { mails, is_finished } = shop.store.notify_followers().await.unwrap() {
        assert_eq!((mails, is_finished), (FOLLOWERS_NOTIFIED_TOGETHER_MAX, false));
        steps += 1;
    }
    assert_eq!(steps, BULK_MAILS_WAITING_MAX / FOLLOWERS_NOTIFIED_TOGETHER_MAX);
    assert_eq!(shop.store.notify_followers().await.unwrap(), AnnouncementStep::Full);
    assert_eq!(shop.store.mail_queue().await.unwrap().waiting, 0, "they do not count as mails that are late");
    let queue = shop.store.announcement_queue().await.unwrap();
    assert_eq!((queue.waiting, queue.mails), (1, BULK_MAILS_WAITING_MAX));
    assert!(shop.store.check_mail_queue_not_full(MailKind::SignInCode).await.is_ok());
    for content in [
        MailContent::PasskeyAdded { passkey: "Phone".to_owned() },
        MailContent::SignInCode { code: "012345".to_owned(), expires_at: i64::MAX },
    ] {
        let to = EmailAddress::parse("ann@example.com").unwrap();
        shop.store.queue_mail(&NewMail { to, language: Language::English, user: None, content }).await.unwrap();
    }
    let mut claimed = Vec::new();
    for _ in 0..3 {
        claimed.push(shop.store.claim_mail().await.unwrap().unwrap().content.kind());
    }
    assert_eq!(claimed, [MailKind::SignInCode, MailKind::PasskeyAdded, MailKind::ShowStarted]);
    // Room comes back, and at the end each follower was notified once.
    while shop.number("select count(*) from announcements where finished_at is null").await > 0 {
        shop.run("update mails set status = 'sent' where priority = 2 and status <> 'sent'").await;
        shop.store.notify_followers().await.unwrap();
    }
    let notified = "select count(distinct to_address) from mails where kind = 'show_started'";
    let all = "select count(*) from mails where kind = 'show_started'";
    assert_eq!((shop.number(notified).await, shop.number(all).await), (FOLLOWERS, FOLLOWERS));
}

async fn announcement_that_is_no_news_any_more_tells_nobody(shop: Fixture) {
    shop.store.add_follow(&new("ann@example.com", FollowTarget::Shop), &secret(1)).await.unwrap();
    let now = shop.store.now().await.unwrap();
    shop.store.start_stream(shop.stream, now).await.unwrap();
    shop.run(&format!("update announcements set announced_at = announced_at - {NEWS_TTL_MS}")).await;
    assert_eq!(shop.store.notify_followers().await.unwrap(), AnnouncementStep::Stale);
    assert_eq!(shop.store.notify_followers().await.unwrap(), AnnouncementStep::Idle);
    assert_eq!(shop.number("select count(*) from mails").await, 0);
}

async fn follower_who_stopped_is_not_found_for_the_mail(shop: Fixture) {
    let both = [FollowTarget::Shop, FollowTarget::Product(shop.product)];
    let mut made = Vec::new();
    for (n, target) in both.into_iter().enumerate() {
        made.push(shop.store.add_follow(&new("ann@example.com", target), &secret(n as u8)).await.unwrap());
    }
    let of_mail = shop.store.follow_of_mail(made[1].id).await.unwrap().expect("it is there");
    assert_eq!(
        (of_mail.product.map(|product| product.id), of_mail.stop_secret),
        (Some(shop.product), secret(1).as_str().to_owned())
    );
    assert_eq!(shop.store.stop_follows(secret(9).as_str(), true).await.unwrap(), 0);
    assert_eq!(shop.store.stop_follows(secret(0).as_str(), false).await.unwrap(), 1);
    assert_eq!(shop.store.follow_of_mail(made[0].id).await.unwrap(), None);
    assert_eq!(shop.store.stop_follows(secret(1).as_str(), true).await.unwrap(), 1);
    assert_eq!(shop.store.follows_of(&EmailAddress::parse("ann@example.com").unwrap()).await.unwrap(), []);
}

async fn announcements_of_shows_that_are_over_are_deleted(shop: Fixture) {
    shop.store.add_follow(&new("ann@example.com", FollowTarget::Shop), &secret(1)).await.unwrap();
    let now = shop.store.now().await.unwrap();
    shop.store.start_stream(shop.stream, now).await.unwrap();
    shop.store.notify_followers().await.unwrap();
    let later = now + 3_600_000;
    assert_eq!(shop.store.delete_old_announcements(later, 10).await.unwrap(), 0, "the show goes on");
    shop.store.end_stream(shop.stream, now).await.unwrap();
    assert_eq!(shop.store.delete_old_announcements(now - 1_000, 10).await.unwrap(), 0, "it has just ended");
    assert_eq!(shop.store.delete_old_announcements(later, 10).await.unwrap(), 1);
    shop.store.request_follow(&new("ann@example.com", FollowTarget::Shop), &secret(2)).await.unwrap();
    assert_eq!(shop.store.delete_old_follow_requests(10).await.unwrap(), 0);
    shop.run("update follow_requests set expires_at = 1").await;
    assert_eq!(shop.store.delete_old_follow_requests(10).await.unwrap(), 1);
}

async fn mailbox_follows_a_hundred_things_at_most(shop: Fixture) {
    let (id, target) = match shop.is_postgres() {
        true => ("gen_random_uuid()", "gen_random_uuid()"),
        false => ("randomblob(16)", "randomblob(16)"),
    };
    shop.run(&format!(
        "insert into follows (id, target, email, email_normalized, language, stop_secret, created_at)
        with recursive n(n) as (select 1 union all select n + 1 from n where n < 99)
        select {id}, {target}, 'ann@example.com', 'ann@example.com', 'en', 's' || n, 1 from n"
    ))
    .await;
    let add = async |target, n| shop.store.add_follow(&new("Ann+shop@example.com", target), &secret(n)).await;
    add(FollowTarget::Shop, 1).await.unwrap();
    let more = add(FollowTarget::Product(shop.product), 2).await;
    assert!(matches!(refusal(more), Refusal::WrongStatus(_)));
    add(FollowTarget::Shop, 3).await.expect("it is one of the hundred");
}

async fn mail_that_nobody_wants_leaves_no_row(shop: Fixture) {
    shop.store.add_follow(&new("ann@example.com", FollowTarget::Shop), &secret(1)).await.unwrap();
    let now = shop.store.now().await.unwrap();
    shop.store.start_stream(shop.stream, now).await.unwrap();
    shop.store.notify_followers().await.unwrap();
    let mail = shop.store.claim_mail().await.unwrap().unwrap();
    let step = mail.after(livesouk::domain::MailOutcome::Unwanted, now);
    assert!(shop.store.finish_mail(&mail, &step).await.unwrap());
    assert_eq!(shop.number("select count(*) from mails").await, 0);
}
