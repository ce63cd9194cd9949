//! Invoices and credit notes: numbers without gaps, one document for each payment and refund, frozen contents.

use livesouk::clock::Clock;
use livesouk::domain::order::request_hash;
use livesouk::domain::{DocumentKind, Issuer, ManualMethod, Order, OrderId, RefundPart, RefundScope};
use livesouk::store::{BillingDocument, IssuedDocument, NewRefund, OrderEnd, Store};

use super::address::address;
use super::builders::{key, purchase_request, user};
use super::fixture::{Fixture, SELL_CONNECTIONS, facts};
use super::placed_order::{placed, receive};
use crate::support::{SOON, until_some};

facts! {
    numbers_have_no_gap_when_several_nodes_give_them
    each_year_of_the_shop_begins_with_number_one
    second_run_of_the_job_makes_nothing
    parts_of_a_refund_have_notes_that_are_not_more_than_the_invoice
    refund_waits_for_the_invoice_of_its_order
    document_that_cannot_be_made_leaves_no_gap_and_holds_up_nothing
    job_makes_the_others_of_a_page_in_which_one_cannot_be_made
    what_was_paid_before_there_were_invoices_gets_none
    simulated_and_free_orders_get_none
    placed_order_gets_its_invoice_when_the_shop_has_the_money
    documents_stay_as_they_were_and_survive_an_erasure
}

/// 15 June 2026, about noon in UTC.
const SUMMER: i64 = 1_781_524_800_000;
/// The last minute of 2026 in Riyadh.
const LAST_MINUTE: i64 = 1_798_750_740_000;

fn issuer() -> Issuer {
    Issuer { time_zone: "Asia/Riyadh".into(), language: "ar".into(), ..Issuer::default() }
}

/// One run of the job of a node.
async fn run(store: &Store, now: i64) -> Vec<BillingDocument> {
    run_from(store, now, 0).await
}

/// The same, beginning at another payment than other nodes do: then only the lock on the numbers keeps them apart.
async fn run_from(store: &Store, now: i64, start: usize) -> Vec<BillingDocument> {
    let mut made = Vec::new();
    let mut due = store.due_documents(50).await.unwrap();
    let middle = start % due.len().max(1);
    due.rotate_left(middle);
    for due in due {
        // Another node may hold the numbers for so long that this one gives up: the next run tries again.
        if let Ok(IssuedDocument::Made(document)) = store.issue_document(&due, &issuer(), now).await {
            made.push(*document);
        }
    }
    made
}

async fn documents(shop: &Fixture) -> Vec<BillingDocument> {
    shop.store.billing_documents(None, (None, None), None, 1_000).await.unwrap()
}

fn numbers(documents: &[BillingDocument], kind: DocumentKind) -> Vec<(i64, i64)> {
    let of_kind = documents.iter().filter(|document| document.kind == kind);
    let mut numbers: Vec<_> = of_kind.map(|document| (document.year, document.number)).collect();
    numbers.sort_unstable();
    numbers
}

async fn give_back(shop: &Fixture, order: OrderId, with: &str, scope: RefundScope) {
    let new = NewRefund {
        order,
        by: user("noura"),
        key: key(with),
        hash: request_hash(&["refund", with]),
        scope,
        restock: true,
        reason: None,
    };
    let refund = shop.store.begin_refund(&new).await.unwrap();
    shop.store.finish_refund(&refund).await.unwrap().unwrap();
}

fn amount(amount: i64) -> RefundScope {
    RefundScope::Part(RefundPart { amount: Some(amount), ..RefundPart::default() })
}

async fn numbers_have_no_gap_when_several_nodes_give_them(shop: Fixture) {
    let offer = shop.offer(60, 1).await;
    let mut orders = Vec::new();
    for n in 0..40 {
        orders.push(shop.paid_one(offer, &format!("buyer-{n}")).await);
    }
    for (n, order) in orders.iter().enumerate().take(15) {
        give_back(&shop, *order, &format!("refund-{n:04}"), RefundScope::Whole).await;
    }
    // On SQLite there is one node, whose runs may overlap all the same.
    let mut nodes = vec![shop.store.clone()];
    for _ in 0..2 {
        nodes.push(match shop.is_postgres() {
            true => Store::open(&shop.url, Clock::system(), SELL_CONNECTIONS).await.unwrap(),
            false => shop.store.clone(),
        });
    }
    let mut runs = tokio::task::JoinSet::new();
    for (n, node) in nodes.into_iter().enumerate() {
        runs.spawn(async move {
            while !node.due_documents(1).await.unwrap().is_empty() {
                run_from(&node, SUMMER, n * 17).await;
            }
        });
    }
    while let Some(ended) = runs.join_next().await {
        ended.unwrap();
    }
    let all = documents(&shop).await;
    let expected = |last: i64| (1..=last).map(|n| (2026, n)).collect::<Vec<_>>();
    assert_eq!(numbers(&all, DocumentKind::Invoice), expected(40));
    assert_eq!(numbers(&all, DocumentKind::CreditNote), expected(15));
}

async fn each_year_of_the_shop_begins_with_number_one(shop: Fixture) {
    let offer = shop.offer(9, 1).await;
    let mut made = Vec::new();
    for (buyer, now) in [("ann", LAST_MINUTE), ("ben", LAST_MINUTE + 59_999), ("cem", LAST_MINUTE + 60_000)] {
        shop.paid_one(offer, buyer).await;
        made.extend(run(&shop.store, now).await);
    }
    // A node whose clock is a little behind.
    shop.paid_one(offer, "dan").await;
    made.extend(run(&shop.store, LAST_MINUTE + 59_900).await);
    let given: Vec<_> = made.iter().map(|document| (document.year, document.number)).collect();
    assert_eq!(given, [(2026, 1), (2026, 2), (2027, 1), (2026, 3)]);
}

async fn second_run_of_the_job_makes_nothing(shop: Fixture) {
    let offer = shop.offer(9, 1).await;
    let order = shop.paid_one(offer, "ann").await;
    give_back(&shop, order, "refund-0001", RefundScope::Whole).await;
    let due = shop.store.due_documents(50).await.unwrap();
    assert_eq!(run(&shop.store, SUMMER).await.len(), 2);
    assert_eq!(shop.store.due_documents(50).await.unwrap(), []);
    for one in due {
        let again = shop.store.issue_document(&one, &issuer(), SUMMER).await.unwrap();
        assert_eq!(again, IssuedDocument::NotNeeded, "{one:?}");
    }
    assert_eq!(documents(&shop).await.len(), 2);
}

async fn parts_of_a_refund_have_notes_that_are_not_more_than_the_invoice(shop: Fixture) {
    let offer = shop.offer(9, 3).await;
    let held: Order = shop.buy(offer, &purchase_request("ann", "key-of-ann", 3)).await.unwrap().reservation.into();
    shop.begin_capture(held.id).await.unwrap().unwrap();
    shop.store.finish_capture(held.id).await.unwrap().unwrap();
    let unit =
        |qty| RefundScope::Part(RefundPart { lines: vec![(held.lines[0].id, qty)], delivery: false, amount: None });
    give_back(&shop, held.id, "refund-0001", unit(1)).await;
    give_back(&shop, held.id, "refund-0002", unit(2)).await;
    let made = run(&shop.store, SUMMER).await;
    let [invoice, first, second] = &made[..] else { panic!("{made:?}") };
    assert_eq!((invoice.kind, first.refund, second.refund), (DocumentKind::Invoice, Some(1), Some(2)));
    assert_eq!((first.body.lines[0].qty, second.body.lines[0].qty), (1, 2));
    assert_eq!(first.body.total + second.body.total, invoice.body.total);
    assert_eq!(first.body.invoice_number.as_deref(), Some("INV-2026-00001"));
    assert_eq!(shop.store.documents_of_order(held.id).await.unwrap(), made);
    assert_eq!(shop.store.documents_of_orders(&[held.id]).await.unwrap(), made);
}

async fn refund_waits_for_the_invoice_of_its_order(shop: Fixture) {
    let offer = shop.offer(9, 1).await;
    let order = shop.paid_one(offer, "ann").await;
    give_back(&shop, order, "refund-0001", amount(100)).await;
    let due = shop.store.due_documents(50).await.unwrap();
    let [invoice, note] = due[..] else { panic!("{due:?}") };
    assert_eq!((invoice.refund, note.refund), (None, Some(1)));
    let early = shop.store.issue_document(&note, &issuer(), SUMMER).await.unwrap();
    assert_eq!(early, IssuedDocument::NotYet);
    assert_eq!(shop.store.due_documents(50).await.unwrap(), due, "it is still to be made");
    assert_eq!(run(&shop.store, SUMMER).await.len(), 2);
}

async fn document_that_cannot_be_made_leaves_no_gap_and_holds_up_nothing(shop: Fixture) {
    let offer = shop.offer(9, 1).await;
    let broken = shop.paid_one(offer, "ann").await;
    for buyer in ["ben", "cem"] {
        shop.paid_one(offer, buyer).await;
    }
    let of_broken = shop.id(broken.0);
    shop.run(&format!("create table kept as select quote from orders where id = {of_broken}")).await;
    shop.run(&format!("update orders set quote = '{{' where id = {of_broken}")).await;
    let due = shop.store.due_documents(50).await.unwrap();
    shop.store.issue_documents(&due, &issuer(), SUMMER).await.expect_err("one of the page cannot be made");
    assert_eq!(documents(&shop).await, [], "all of a page or none");
    assert_eq!(numbers(&run(&shop.store, SUMMER).await, DocumentKind::Invoice), [(2026, 1), (2026, 2)]);
    let left = shop.store.due_documents(50).await.unwrap();
    assert_eq!(left.iter().map(|due| due.order).collect::<Vec<_>>(), [broken]);
    shop.run(&format!("update orders set quote = (select quote from kept) where id = {of_broken}")).await;
    assert_eq!(numbers(&run(&shop.store, SUMMER).await, DocumentKind::Invoice), [(2026, 3)]);
}

async fn job_makes_the_others_of_a_page_in_which_one_cannot_be_made(shop: Fixture) {
    let offer = shop.offer(9, 1).await;
    let broken = shop.paid_one(offer, "ann").await;
    for buyer in ["ben", "cem"] {
        shop.paid_one(offer, buyer).await;
    }
    shop.run(&format!("update orders set quote = '{{' where id = {}", shop.id(broken.0))).await;
    let app = shop.app().await;
    let two = async || (documents(&shop).await.len() == 2).then_some(());
    until_some("two invoices", SOON, two).await;
    let made = documents(&shop).await;
    assert!(made.iter().all(|document| document.order != broken), "{made:?}");
    app.stopping().cancel();
    app.finish().await;
}

async fn what_was_paid_before_there_were_invoices_gets_none(shop: Fixture) {
    let offer = shop.offer(9, 1).await;
    let old = shop.paid_one(offer, "ann").await;
    let now = shop.store.now().await.unwrap();
    shop.run(&format!("update billing_begin set since = {}", now + 1)).await;
    while shop.store.now().await.unwrap() <= now + 1 {
        tokio::task::yield_now().await;
    }
    // The refund of an old order corrects no invoice.
    give_back(&shop, old, "refund-0001", RefundScope::Whole).await;
    let new = shop.paid_one(offer, "ben").await;
    let made = run(&shop.store, SUMMER).await;
    assert_eq!(made.iter().map(|document| document.order).collect::<Vec<_>>(), [new]);
    assert_eq!(shop.store.due_documents(50).await.unwrap(), []);
}

async fn simulated_and_free_orders_get_none(shop: Fixture) {
    let offer = shop.offer(9, 1).await;
    shop.paid_one(offer, "crowd:7").await;
    let mut free = shop.new_offer(5, 1);
    free.price = 0;
    shop.store.create_offer(&free, None).await.unwrap();
    shop.store.open_offer(free.id).await.unwrap();
    let order = shop.paid_one(free.id, "ann").await;
    give_back(&shop, order, "refund-0001", RefundScope::Whole).await;
    assert_eq!(run(&shop.store, SUMMER).await, []);
    assert_eq!(shop.store.due_documents(50).await.unwrap(), [], "nothing waits forever");
}

async fn placed_order_gets_its_invoice_when_the_shop_has_the_money(shop: Fixture) {
    let offer = shop.offer(9, 1).await;
    let order = placed(&shop, offer, "ann", ManualMethod::CashOnDelivery).await;
    let gone = placed(&shop, offer, "ben", ManualMethod::BankTransfer).await;
    shop.store.end_order(gone.id, OrderEnd::ShopCancel { restock: true }).await.unwrap();
    assert_eq!(shop.store.due_documents(50).await.unwrap(), [], "nothing is paid");
    receive(&shop, &order).await.unwrap();
    let made = run(&shop.store, SUMMER).await;
    let [invoice] = &made[..] else { panic!("{made:?}") };
    assert_eq!((invoice.order, invoice.kind, invoice.body.total), (order.id, DocumentKind::Invoice, order.total()));
    // The shop gives the money back by hand, and notes it.
    give_back(&shop, order.id, "refund-0001", RefundScope::Whole).await;
    let made = run(&shop.store, SUMMER).await;
    assert_eq!(numbers(&made, DocumentKind::CreditNote), [(2026, 1)]);
}

async fn documents_stay_as_they_were_and_survive_an_erasure(shop: Fixture) {
    let offer = shop.offer(9, 1).await;
    let order = shop.hold_one(offer, "ann").await.id;
    assert!(shop.store.set_address(order, &address("Ann Example")).await.unwrap());
    shop.begin_capture(order).await.unwrap().unwrap();
    shop.store.finish_capture(order).await.unwrap().unwrap();
    let made = run(&shop.store, SUMMER).await;
    assert_eq!(made[0].body.buyer.as_ref().unwrap().name, "Ann Example");
    assert_eq!(made[0].body.lines[0].item.title, "Lamp");
    shop.run("update products set title = 'Bulb'").await;
    let erased = shop.store.erase_user_data(&user("ann")).await.unwrap();
    assert_eq!(erased.documents, 1);
    assert_eq!(documents(&shop).await, made);
    let refused = ["update billing_documents set number = 7", "delete from billing_documents where number = 1"];
    for change in refused {
        assert!(shop.try_run(change).await.is_err(), "{change}");
    }
}
