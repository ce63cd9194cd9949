//! The database of the shop is compared with the payment provider, as after a restore (`livesouk reconcile`).

use std::process::Command;

use livesouk::app::{App, DifferenceState};
use livesouk::domain::order::request_hash;
use livesouk::domain::{OrderId, OrderStatus, OwedStatus, PaymentStatus, RefundScope};
use livesouk::store::NewRefund;

use super::builders::{key, user};
use super::fixture::{Fixture, facts};
use super::payment_adapter::{Adapter, press};
use super::stripe::Stripe;

facts! {
    order_that_was_paid_after_the_copy_was_made_is_paid_again
    order_that_ended_in_the_copy_gives_its_money_back
    payment_that_the_database_lost_is_left_to_a_person
    payment_that_the_provider_does_not_know_is_left_to_a_person
    refund_that_the_database_does_not_have_is_left_to_a_person
    attempt_that_the_provider_never_had_ends_and_a_trial_only_says_so
    refund_that_waits_is_settled_and_a_trial_leaves_it
    payments_of_stripe_are_compared_by_its_list
}

/// An adapter whose events are lost: they would repair the database of a node that runs.
async fn adapter_of(shop: &Fixture) -> Adapter {
    let adapter = Adapter::start(shop).await;
    adapter.lose_events();
    adapter
}

/// The differences, as lines that begin with their state. Nothing has changed after a dry run.
async fn compare(app: &App, is_dry_run: bool) -> Vec<String> {
    let comparison = app.checkout.compare_with_provider(0, is_dry_run).await.unwrap();
    assert!(comparison.compared > 0);
    let line = |difference: &livesouk::app::Difference| format!("{:?} {}", difference.state, difference.text);
    comparison.differences.iter().map(line).collect()
}

/// The database is as it was while the payment was under way. The queue of this node does not send it again meanwhile.
async fn restore(shop: &Fixture) {
    for sql in [
        "update reservations set status = 'held', hold_until = 4102444800000",
        "update orders set status = 'paying', attempt = null, paid_at = null",
        "update payments set status = 'creating', reference = null, call_due_at = 4102444800000",
        "delete from outbox",
    ] {
        shop.run(sql).await;
    }
}

fn assert_one(lines: &[String], state: DifferenceState, order: OrderId, text: &str) {
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with(&format!("{state:?} payment ")), "{lines:?}");
    assert!(lines[0].contains(&format!(" order {order}: ")) && lines[0].contains(text), "{lines:?}");
}

async fn order_that_was_paid_after_the_copy_was_made_is_paid_again(shop: Fixture) {
    let adapter = adapter_of(&shop).await;
    for token in ["mada", "visa"] {
        let order = adapter.hold(&shop, token).await;
        adapter.pay(token, order, token, "pay-00001").await.unwrap();
        assert_eq!(compare(&adapter.app, true).await, Vec::<String>::new(), "{token}: nothing to do");
        shop.run(&format!("delete from payments where order_id <> {}", shop.id(order.0))).await;
        restore(&shop).await;
        let dry_run = compare(&adapter.app, true).await;
        let ours = |lines: Vec<String>| -> Vec<String> {
            lines.into_iter().filter(|line| line.contains(&order.to_string())).collect()
        };
        assert_one(&ours(dry_run), DifferenceState::Repairable, order, "147.00 SAR is captured at the provider");
        assert_eq!(shop.order(order).await.status, OrderStatus::Held, "{token}: a dry run changes nothing");
        let repaired = compare(&adapter.app, false).await;
        assert_one(&ours(repaired), DifferenceState::Repaired, order, "the order is paid with it");
        assert_eq!(shop.order(order).await.status, OrderStatus::Paid, "{token}");
        assert_eq!(ours(compare(&adapter.app, false).await), Vec::<String>::new(), "{token}: repaired once");
    }
    adapter.end().await;
}

async fn order_that_ended_in_the_copy_gives_its_money_back(shop: Fixture) {
    let adapter = adapter_of(&shop).await;
    let order = adapter.hold(&shop, "ann").await;
    adapter.pay("ann", order, "mada", "pay-00001").await.unwrap();
    restore(&shop).await;
    shop.run("update reservations set status = 'expired', reason = 'hold_ended'").await;
    let text = "was taken for an order that it did not win; it is refunded";
    assert_one(&compare(&adapter.app, true).await, DifferenceState::Repairable, order, text);
    assert_eq!(adapter.payments().await, [("captured".to_owned(), 14_700, 0)]);
    assert_one(&compare(&adapter.app, false).await, DifferenceState::Repaired, order, text);
    assert_eq!(adapter.payments().await, [("captured".to_owned(), 14_700, 14_700)]);
    let payment = shop.store.payment(order, 1).await.unwrap().unwrap();
    assert_eq!(payment.owed, Some(OwedStatus::Returned));
    assert_eq!(compare(&adapter.app, false).await, Vec::<String>::new());
    adapter.end().await;
}

async fn payment_that_the_database_lost_is_left_to_a_person(shop: Fixture) {
    let adapter = adapter_of(&shop).await;
    let taken = adapter.hold(&shop, "ann").await;
    adapter.pay("ann", taken, "mada", "pay-00001").await.unwrap();
    let declined = adapter.hold(&shop, "bob").await;
    adapter.pay("bob", declined, "declined", "pay-00001").await.unwrap_err();
    let open = adapter.hold(&shop, "cem").await;
    adapter.page("cem", open).await;
    shop.run("delete from payments").await;
    for is_dry_run in [true, false] {
        let lines = compare(&adapter.app, is_dry_run).await;
        assert_eq!(lines.len(), 2, "a declined payment took nothing: {lines:?}");
        let text = "147.00 SAR was taken, and the database of the shop has no such order; refund it at the provider";
        assert_one(&lines[..1], DifferenceState::NeedsPerson, taken, text);
        assert_one(
            &lines[1..],
            DifferenceState::NeedsPerson,
            open,
            "can still be paid, and the database of the shop has no such order",
        );
    }
    assert_eq!(adapter.payments().await[0], ("captured".to_owned(), 14_700, 0), "only a person gives it back");
    adapter.end().await;
}

async fn payment_that_the_provider_does_not_know_is_left_to_a_person(shop: Fixture) {
    let adapter = adapter_of(&shop).await;
    let order = adapter.hold(&shop, "ann").await;
    adapter.pay("ann", order, "mada", "pay-00001").await.unwrap();
    let other = adapter_of(&shop).await;
    let text = "captured in the database of the shop, and the provider does not know it";
    assert_one(&compare(&other.app, false).await, DifferenceState::NeedsPerson, order, text);
    assert_eq!(shop.order(order).await.status, OrderStatus::Paid, "it may be the wrong account");
    other.end().await;
}

async fn refund_that_the_database_does_not_have_is_left_to_a_person(shop: Fixture) {
    let adapter = adapter_of(&shop).await;
    let order = adapter.hold(&shop, "ann").await;
    adapter.pay("ann", order, "mada", "pay-00001").await.unwrap();
    let payment = shop.store.payment(order, 1).await.unwrap().unwrap().reference.unwrap();
    press(&format!("{}/pay/{payment}", adapter.sample.url), "refund").await;
    let text = "147.00 SAR more was refunded at the provider than in the database of the shop";
    assert_one(&compare(&adapter.app, false).await, DifferenceState::NeedsPerson, order, text);
    adapter.end().await;
}

/// Nobody asks the provider for money that it does not know.
async fn attempt_that_the_provider_never_had_ends_and_a_trial_only_says_so(shop: Fixture) {
    let adapter = adapter_of(&shop).await;
    let order = adapter.hold(&shop, "ann").await;
    adapter.page("ann", order).await;
    let other = adapter_of(&shop).await;
    // The answer was lost some hours ago, and the request never arrived.
    shop.run(
        "update payments set status = 'creating', reference = null, call_due_at = 4102444800000,
            created_at = created_at - 100000000, called_at = called_at - 100000000",
    )
    .await;
    let status = async || shop.store.payment(order, 1).await.unwrap().unwrap().status;
    let text = "the provider has no such payment; the attempt ends as cancelled";
    assert_one(&compare(&other.app, true).await, DifferenceState::Repairable, order, text);
    assert_eq!(status().await, PaymentStatus::Creating, "a dry run changes nothing");
    assert_one(&compare(&other.app, false).await, DifferenceState::Repaired, order, text);
    assert_eq!(status().await, PaymentStatus::Cancelled);
    other.end().await;
    adapter.end().await;
}

async fn refund_that_waits_is_settled_and_a_trial_leaves_it(shop: Fixture) {
    let adapter = adapter_of(&shop).await;
    let order = adapter.hold(&shop, "ann").await;
    adapter.pay("ann", order, "mada", "pay-00001").await.unwrap();
    let new = NewRefund {
        order,
        by: user("noura"),
        key: key("refund-00001"),
        hash: request_hash(&["refund"]),
        scope: RefundScope::Whole,
        restock: true,
        reason: None,
    };
    shop.store.begin_refund(&new).await.unwrap();
    let pending = "select count(*) from refunds where status = 'pending'";
    assert_eq!(compare(&adapter.app, true).await, Vec::<String>::new());
    assert_eq!(adapter.payments().await, [("captured".to_owned(), 14_700, 0)], "a dry run gives nothing back");
    assert_eq!(shop.number(pending).await, 1);
    assert_eq!(compare(&adapter.app, false).await, Vec::<String>::new());
    assert_eq!(adapter.payments().await, [("captured".to_owned(), 14_700, 14_700)]);
    assert_eq!(shop.number(pending).await, 0);
    adapter.end().await;
}

async fn payments_of_stripe_are_compared_by_its_list(shop: Fixture) {
    let stripe = Stripe::start(&shop).await;
    let order = stripe.hold(&shop, "ann").await;
    stripe.pay("ann", order, &stripe.token("4242424242424242"), "pay-00001").await.unwrap();
    restore(&shop).await;
    assert_one(&compare(&stripe.app, true).await, DifferenceState::Repairable, order, "49.00 SAR is captured");
    assert_one(&compare(&stripe.app, false).await, DifferenceState::Repaired, order, "the order is paid with it");
    assert_eq!(shop.order(order).await.status, OrderStatus::Paid);
    stripe.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn command_prints_one_line_for_each_difference_and_its_exit_code_tells() {
    let shop = Fixture::on_postgres().await;
    let adapter = adapter_of(&shop).await;
    let order = adapter.hold(&shop, "ann").await;
    adapter.pay("ann", order, "mada", "pay-00001").await.unwrap();
    restore(&shop).await;
    let run = async |more: &[&str]| {
        let args = [
            "reconcile",
            "--payments",
            "http",
            "--payment-adapter-url",
            &adapter.sample.url,
            "--payment-adapter-key-file",
            &adapter.sample.key_file,
            "--payment-adapter-test",
            "--base-url",
            "https://shop.example",
            "--store",
            &shop.url,
        ];
        let mut command = Command::new(testkit::process::livesouk_binary());
        let output = tokio::task::spawn_blocking({
            command.args(args).args(more);
            move || command.output().unwrap()
        });
        let output = output.await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let since = ["--since", "2020-01-01T00:00:00Z"];
    let (code, said, _) = run(&[&since[..], &["--dry-run"]].concat()).await;
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains(&format!("order {order}: 147.00 SAR is captured")) && said.starts_with("to repair: "),
        "{said}"
    );
    assert!(said.ends_with("compared: 1, repaired: 0, to repair: 1, to do: 0\n"), "{said}");
    let (code, said, complaint) = run(&since).await;
    assert_eq!(code, Some(0), "{said}{complaint}");
    assert!(said.starts_with("repaired: ") && said.lines().count() == 2, "{said}");
    assert_eq!(shop.order(order).await.status, OrderStatus::Paid);
    let (code, said, _) = run(&since).await;
    assert_eq!((code, said.as_str()), (Some(0), "compared: 1, repaired: 0, to repair: 0, to do: 0\n"));
    for (args, part) in [(&["--since", "yesterday"][..], "must be a time like"), (&[][..], "--since")] {
        let (code, _, complaint) = run(args).await;
        assert!(code == Some(2) && complaint.contains(part), "{complaint}");
    }
    adapter.end().await;
}
