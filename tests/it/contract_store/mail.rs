//! The outbox of e-mails: written with what made it true, claimed by one node at a time, and never sent a third time.

use std::collections::HashSet;

use livesouk::domain::{
    Address, ClaimedMail, Consignment, EmailAddress, FulfilmentStep, Language, MailContent, MailKind, MailOutcome,
    MailStatus, MailStep, Name, NewMail, OrderId, RefundScope, Refusal, SessionSecret,
};
use livesouk::store::{LoggedMail, MAIL_CLAIM_MS, NewRefund, WAITING_MAILS_MAX};

use super::address::address;
use super::builders::{key, purchase_request, refusal, user};
use super::fixture::{Fixture, facts};

facts! {
    mail_of_an_order_is_written_with_what_made_it_true
    confirmation_of_a_guest_has_a_link_to_the_order
    order_without_an_email_address_writes_no_mail
    address_that_comes_after_the_payment_is_confirmed_once
    undone_step_takes_its_waiting_mail_back
    parcel_is_sent_as_a_whole_with_one_mail
    each_mail_is_claimed_by_one_sender
    urgent_mail_is_claimed_first
    full_queue_refuses_another_urgent_mail
    mail_goes_to_the_address_of_the_order_else_to_that_of_the_account
    claim_that_passed_is_an_unknown_outcome_and_finishes_nothing
    retried_mail_waits_for_its_time
    secret_is_erased_once_it_was_sent_or_failed
    failed_mail_is_sent_again_for_a_whole_new_round
    old_mails_are_deleted_and_waiting_ones_stay
    mail_that_no_server_took_in_time_is_given_up
    erasure_deletes_the_mails_to_the_user
}

fn new_mail(content: MailContent) -> NewMail {
    let to = EmailAddress::parse("ann@example.com").unwrap();
    NewMail { to, language: Language::Arabic, user: Some(user("ann")), content }
}

fn code(expires_at: i64) -> MailContent {
    MailContent::SignInCode { code: "012345".to_owned(), expires_at }
}

fn with_email() -> Address {
    Address { email: Some("ann@example.com".to_owned()), language: Some(Language::Arabic), ..address("Ann") }
}

async fn log(shop: &Fixture) -> Vec<LoggedMail> {
    shop.store.mails(None, None, 100).await.unwrap()
}

async fn kinds(shop: &Fixture) -> Vec<MailKind> {
    log(shop).await.iter().rev().map(|mail| mail.kind).collect()
}

async fn claim(shop: &Fixture) -> ClaimedMail {
    shop.store.claim_mail().await.unwrap().expect("a mail is due")
}

async fn mail_of_an_order_is_written_with_what_made_it_true(shop: Fixture) {
    let offer = shop.offer(5, 2).await;
    let held = shop.hold_one(offer, "ann").await.id;
    shop.store.set_address(held, &with_email()).await.unwrap();
    shop.begin_capture(held).await.unwrap().unwrap();
    assert_eq!(log(&shop).await, [], "nothing is true yet");
    assert!(shop.store.finish_capture(held).await.unwrap().is_some());
    assert!(shop.store.finish_capture(held).await.unwrap().is_none(), "a second node has nothing to do");
    shop.store.set_fulfilment(held, FulfilmentStep::Packed, None, &user("host")).await.unwrap();
    for _ in 0..2 {
        shop.store.set_fulfilment(held, FulfilmentStep::Sent, None, &user("host")).await.unwrap();
    }
    let refund = NewRefund {
        order: held,
        by: user("host"),
        key: key("refund-1"),
        hash: [7; 32],
        scope: RefundScope::Whole,
        restock: true,
        reason: None,
    };
    let refund = shop.store.begin_refund(&refund).await.unwrap();
    for _ in 0..2 {
        shop.store.finish_refund(&refund).await.unwrap();
    }
    assert_eq!(kinds(&shop).await, [MailKind::OrderConfirmed, MailKind::OrderSent, MailKind::OrderRefunded]);
    for mail in log(&shop).await {
        assert_eq!((mail.to.as_str(), mail.language, mail.order), ("ann@example.com", Language::Arabic, Some(held)));
        assert_eq!((mail.status, mail.attempts, mail.sent_at), (MailStatus::Queued, 0, None));
    }
    assert_eq!(shop.store.mails_of_order(held).await.unwrap().len(), 3);
}

async fn confirmation_of_a_guest_has_a_link_to_the_order(shop: Fixture) {
    let offer = shop.offer(5, 2).await;
    for (buyer, has_link) in [("guest:0190", true), ("ann", false)] {
        let order = shop.paid_one(offer, buyer).await;
        assert!(shop.store.set_address(order, &with_email()).await.unwrap());
        let mail = claim(&shop).await;
        let MailContent::OrderConfirmed { link, .. } = mail.content.clone() else { panic!("no confirmation") };
        assert_eq!(link.is_some(), has_link, "{buyer}");
        if let Some(link) = link {
            let secret = SessionSecret::parse(&link).expect("a secret");
            assert_eq!(shop.store.order_of_link(&secret.hash()).await.unwrap(), Some(order));
            shop.store.finish_mail(&mail, &MailStep::Sent).await.unwrap();
            let kept = format!("select count(*) from mails where content like '%{link}%'");
            assert_eq!(shop.number(&kept).await, 0, "only its hash stays");
        }
    }
}

async fn order_without_an_email_address_writes_no_mail(shop: Fixture) {
    let offer = shop.offer(5, 2).await;
    let (ann, ben) = (shop.hold_one(offer, "ann").await.id, shop.paid_one(offer, "ben").await);
    shop.store.set_address(ann, &Address { email: None, ..with_email() }).await.unwrap();
    shop.begin_capture(ann).await.unwrap().unwrap();
    shop.store.finish_capture(ann).await.unwrap().unwrap();
    shop.mark_sent(ben).await;
    assert_eq!(log(&shop).await, []);
}

async fn address_that_comes_after_the_payment_is_confirmed_once(shop: Fixture) {
    let offer = shop.offer(5, 2).await;
    let ann = shop.paid_one(offer, "ann").await;
    for _ in 0..2 {
        assert!(shop.store.set_address(ann, &with_email()).await.unwrap());
    }
    assert_eq!(kinds(&shop).await, [MailKind::OrderConfirmed]);
}

async fn undone_step_takes_its_waiting_mail_back(shop: Fixture) {
    let offer = shop.offer(5, 2).await;
    let ann = shop.paid_one(offer, "ann").await;
    shop.store.set_address(ann, &with_email()).await.unwrap();
    shop.mark_sent(ann).await;
    shop.store.undo_fulfilment(ann, FulfilmentStep::Sent).await.unwrap();
    assert_eq!(kinds(&shop).await, [MailKind::OrderConfirmed], "only the mail of the step is gone");
    shop.mark_sent(ann).await;
    claim(&shop).await;
    claim(&shop).await;
    shop.store.undo_fulfilment(ann, FulfilmentStep::Sent).await.unwrap();
    assert_eq!(kinds(&shop).await.len(), 2, "a mail that is being sent cannot be taken back");
}

async fn parcel_is_sent_as_a_whole_with_one_mail(shop: Fixture) {
    let offer = shop.offer(5, 5).await;
    let first = shop.paid_one(offer, "ann").await;
    let second = shop.buy(offer, &purchase_request("ann", "second-order", 1)).await.unwrap().reservation.id;
    for order in [first, second] {
        shop.store.set_address(order, &with_email()).await.unwrap();
    }
    let by = Consignment { carrier: Some("Aramex".to_owned()), tracking: Some("A-1".to_owned()) };
    let refused = shop.store.send_parcel(&[first, second], &by, &user("host")).await.map(drop);
    assert_eq!(refusal(refused), Refusal::NotPaid);
    assert_eq!(shop.store.sent_at(first).await.unwrap(), None, "all or none");
    shop.begin_capture(second).await.unwrap().unwrap();
    shop.store.finish_capture(second).await.unwrap().unwrap();
    for _ in 0..2 {
        let sent = shop.store.send_parcel(&[second, first, second], &by, &user("host")).await.unwrap();
        assert_eq!(sent.len(), 2);
        assert!(sent.iter().all(|(_, done, _)| done.sent_at.is_some() && done.tracking.as_deref() == Some("A-1")));
    }
    let sent: Vec<LoggedMail> = log(&shop).await.into_iter().filter(|mail| mail.kind == MailKind::OrderSent).collect();
    assert_eq!((sent.len(), sent[0].order), (1, Some(first.min(second))));
}

async fn each_mail_is_claimed_by_one_sender(shop: Fixture) {
    const MAILS: usize = 40;
    for _ in 0..MAILS {
        shop.store.queue_mail(&new_mail(MailContent::Test)).await.unwrap();
    }
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let store = shop.store.clone();
        senders.spawn(async move {
            let mut claimed = Vec::new();
            while let Some(mail) = store.claim_mail().await.unwrap() {
                claimed.push(mail.id);
            }
            claimed
        });
    }
    let claimed: Vec<_> = senders.join_all().await.concat();
    let different: HashSet<_> = claimed.iter().collect();
    assert_eq!((claimed.len(), different.len()), (MAILS, MAILS), "no mail was claimed twice, and none was left");
}

async fn urgent_mail_is_claimed_first(shop: Fixture) {
    let order = OrderId::new();
    shop.store.queue_mail(&new_mail(MailContent::OrderSent { order, with: Vec::new() })).await.unwrap();
    shop.store.queue_mail(&new_mail(code(i64::MAX))).await.unwrap();
    assert_eq!(claim(&shop).await.content, code(i64::MAX));
    assert_eq!(claim(&shop).await.content, MailContent::OrderSent { order, with: Vec::new() });
    assert_eq!(shop.store.claim_mail().await.unwrap(), None);
}

async fn full_queue_refuses_another_urgent_mail(shop: Fixture) {
    let fill = async |priority: i64, number: i64| {
        let id = if shop.is_postgres() { "gen_random_uuid()" } else { "randomblob(16)" };
        let numbers = "with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < 1000)";
        shop.run(&format!(
            "insert into mails (id, kind, priority, to_address, language, content, status, next_try_at, give_up_at, created_at)
                {numbers} select {id}, 'test', {priority}, 'a@example.com', 'en', '', 'queued', 0, 0, 0 from numbers where n <= {number}"
        ))
        .await;
    };
    fill(1, WAITING_MAILS_MAX).await;
    fill(0, WAITING_MAILS_MAX - 1).await;
    assert!(shop.store.check_mail_queue_not_full(MailKind::SignInCode).await.is_ok(), "the others do not count");
    fill(0, 1).await;
    assert!(matches!(refusal(shop.store.check_mail_queue_not_full(MailKind::SignInCode).await), Refusal::Busy { .. }));
}

async fn mail_goes_to_the_address_of_the_order_else_to_that_of_the_account(shop: Fixture) {
    let offer = shop.offer(5, 5).await;
    let own = EmailAddress::parse("ben@example.com").unwrap();
    let name = Name::parse("Ben").unwrap();
    let account = shop.store.find_or_create_account(&own, Some(&name), Language::Indonesian).await.unwrap();
    let buyer = account.id.user();
    let first = shop.paid_one(offer, buyer.as_str()).await;
    let again = purchase_request(buyer.as_str(), "second-order", 1);
    let second = shop.buy(offer, &again).await.unwrap().reservation.id;
    shop.store.set_address(second, &with_email()).await.unwrap();
    shop.begin_capture(second).await.unwrap().unwrap();
    shop.store.finish_capture(second).await.unwrap().unwrap();
    let sent: Vec<_> = log(&shop).await.into_iter().rev().map(|mail| (mail.order, mail.to, mail.language)).collect();
    assert_eq!(
        sent,
        [
            (Some(first), "ben@example.com".to_owned(), Language::Indonesian),
            (Some(second), "ann@example.com".to_owned(), Language::Arabic),
        ]
    );
}

async fn claim_that_passed_is_an_unknown_outcome_and_finishes_nothing(shop: Fixture) {
    shop.store.queue_mail(&new_mail(MailContent::Test)).await.unwrap();
    let first = claim(&shop).await;
    assert_eq!((first.attempts, first.unknown_outcomes), (1, 0));
    let left = shop.number("select min(next_try_at) from mails").await - shop.store.now().await.unwrap();
    assert!((MAIL_CLAIM_MS - 60_000..=MAIL_CLAIM_MS).contains(&left), "claimed for {left} ms");
    // The node died.
    shop.run("update mails set next_try_at = 1").await;
    let second = claim(&shop).await;
    assert_eq!((second.id, second.attempts, second.unknown_outcomes), (first.id, 2, 1));
    assert!(!shop.store.finish_mail(&first, &MailStep::Sent).await.unwrap(), "the first node lives and comes too late");
    let step = second.after(MailOutcome::Unknown("no answer.".to_owned()), 0);
    assert!(matches!(step, MailStep::Fail { .. }), "a third copy is never sent: {step:?}");
    assert!(shop.store.finish_mail(&second, &step).await.unwrap());
    assert_eq!(log(&shop).await[0].status, MailStatus::Failed);
}

async fn retried_mail_waits_for_its_time(shop: Fixture) {
    shop.store.queue_mail(&new_mail(MailContent::Test)).await.unwrap();
    let mail = claim(&shop).await;
    let step = mail.after(MailOutcome::Deferred("451 later\r\nsecond line".to_owned()), 0);
    assert!(shop.store.finish_mail(&mail, &step).await.unwrap());
    assert_eq!(shop.store.claim_mail().await.unwrap(), None, "not before its time");
    let waiting = &log(&shop).await[0];
    assert_eq!(waiting.last_error.as_deref(), Some("451 later  second line"));
    assert!(waiting.next_try_at.is_some());
    assert_eq!(shop.store.mail_queue().await.unwrap().waiting, 1);
    shop.run("update mails set next_try_at = 1").await;
    let again = claim(&shop).await;
    assert_eq!((again.attempts, again.unknown_outcomes), (2, 0));
    shop.store.finish_mail(&again, &MailStep::Release).await.unwrap();
    assert_eq!(claim(&shop).await.attempts, 2, "an attempt that was interrupted does not count");
}

async fn secret_is_erased_once_it_was_sent_or_failed(shop: Fixture) {
    for step in [MailStep::Sent, MailStep::Fail { error: "no".to_owned() }] {
        shop.store.queue_mail(&new_mail(code(i64::MAX))).await.unwrap();
        assert_eq!(shop.number("select count(*) from mails where content like '%012345%'").await, 1);
        let mail = claim(&shop).await;
        shop.store.finish_mail(&mail, &step).await.unwrap();
        assert_eq!(shop.number("select count(*) from mails where content like '%012345%'").await, 0, "{step:?}");
        let again = shop.store.send_mail_again(mail.id).await.unwrap().unwrap();
        assert_ne!(again.status, MailStatus::Queued, "there is nothing to send again");
    }
}

async fn failed_mail_is_sent_again_for_a_whole_new_round(shop: Fixture) {
    let order = OrderId::new();
    let id = shop.store.queue_mail(&new_mail(MailContent::OrderConfirmed { order, link: None })).await.unwrap();
    let waiting = shop.store.send_mail_again(id).await.unwrap().unwrap();
    assert_eq!((waiting.status, waiting.attempts), (MailStatus::Queued, 0));
    let mail = claim(&shop).await;
    shop.run("update mails set unknown_outcomes = 1").await;
    shop.store.finish_mail(&mail, &MailStep::Fail { error: "550 no such user".to_owned() }).await.unwrap();
    let failed = log(&shop).await;
    assert_eq!(failed[0].last_error.as_deref(), Some("550 no such user"));
    assert_eq!(shop.store.mails(Some(MailStatus::Failed), None, 9).await.unwrap(), failed);
    assert_eq!(shop.store.mails(Some(MailStatus::Sent), None, 9).await.unwrap(), []);
    let again = shop.store.send_mail_again(id).await.unwrap().unwrap();
    assert_eq!((again.status, again.attempts, again.last_error), (MailStatus::Queued, 0, None));
    let mail = claim(&shop).await;
    assert_eq!((mail.id, mail.attempts, mail.unknown_outcomes), (id, 1, 0));
}

async fn old_mails_are_deleted_and_waiting_ones_stay(shop: Fixture) {
    let order = OrderId::new();
    for content in [
        code(i64::MAX),
        MailContent::OrderSent { order, with: Vec::new() },
        MailContent::OrderConfirmed { order, link: None },
    ] {
        shop.store.queue_mail(&new_mail(content)).await.unwrap();
    }
    for _ in 0..2 {
        let mail = claim(&shop).await;
        shop.store.finish_mail(&mail, &MailStep::Sent).await.unwrap();
    }
    let later = shop.store.now().await.unwrap() + 60_000;
    assert_eq!(shop.store.delete_mails_before(0, 0).await.unwrap(), 0);
    assert_eq!(shop.store.delete_mails_before(0, later).await.unwrap(), 1, "only the one with a secret");
    assert_eq!(kinds(&shop).await, [MailKind::OrderSent, MailKind::OrderConfirmed]);
    assert_eq!(shop.store.delete_mails_before(later, later).await.unwrap(), 1);
    assert_eq!(kinds(&shop).await, [MailKind::OrderConfirmed], "it waits");
}

async fn mail_that_no_server_took_in_time_is_given_up(shop: Fixture) {
    let now = shop.store.now().await.unwrap();
    shop.store.queue_mail(&new_mail(code(now - 1))).await.unwrap();
    shop.store.queue_mail(&new_mail(MailContent::Test)).await.unwrap();
    assert_eq!(shop.store.expire_mails().await.unwrap(), 1);
    let log = log(&shop).await;
    assert_eq!((log[0].status, log[1].status), (MailStatus::Queued, MailStatus::Failed));
    assert_eq!(shop.number("select count(*) from mails where content like '%012345%'").await, 0);
}

async fn erasure_deletes_the_mails_to_the_user(shop: Fixture) {
    shop.store.queue_mail(&new_mail(MailContent::Test)).await.unwrap();
    shop.store.queue_mail(&NewMail { user: Some(user("ben")), ..new_mail(MailContent::Test) }).await.unwrap();
    shop.store.erase_user_data(&user("ann")).await.unwrap();
    assert_eq!(log(&shop).await.len(), 1);
    assert_eq!(shop.number("select count(*) from mails where user_id = 'ben'").await, 1);
}
