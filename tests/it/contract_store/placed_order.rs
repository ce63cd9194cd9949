//! Placed orders: cash on delivery and bank transfer. Units of a placed order are sold once, and somebody can always settle it.

use futures_util::future::join_all;
use livesouk::app::{App, Error};
use livesouk::domain::order::request_hash;
use livesouk::domain::{
    FulfilmentStep, ManualMethod, ManualPayments, Market, OfferId, OfferKind, Order, OrderId, OrderStatus,
    PaymentStatus, QuoteRules, Refusal, ReservationStatus, Role, ShopOrderFilter,
};
use livesouk::store::{self, NewPlacement, OrderEnd, ReceivedPayment, ReleaseReason};

use super::address::address;
use super::builders::{actor, key, person, purchase_request, refusal, user};
use super::fixture::{Fixture, facts};

facts! {
    placed_order_keeps_its_units_until_the_shop_has_the_money
    cancelled_order_gives_its_units_back_once
    one_of_payment_and_cancellation_wins
    one_of_card_and_cash_wins
    attempt_under_way_is_voided_when_the_order_is_placed
    order_that_is_not_paid_in_time_is_cancelled_unless_it_was_sent
    only_orders_that_the_shop_allows_are_placed
    buyer_has_a_limited_number_of_open_orders
    same_key_places_one_order
    money_is_given_back_by_hand
    units_of_placed_orders_count_for_the_limit_of_their_buyer
    only_cash_on_delivery_is_sent_unpaid
    order_with_an_expired_line_is_cancelled_as_a_whole
    placed_order_opens_no_parcel_until_it_is_paid
    address_of_a_placed_order_stays_until_it_is_paid_and_has_its_invoice
}

const ALL_MISMATCHES: &str =
    "select (select count(*) from payment_mismatches) + (select count(*) from reservation_mismatches)";

fn on() -> ManualPayments {
    ManualPayments {
        cash_on_delivery: true,
        bank_transfer: true,
        bank_details: "IBAN SA03".into(),
        ..ManualPayments::default()
    }
}

pub(super) fn placement(order: OrderId, buyer: &str, method: ManualMethod) -> NewPlacement {
    NewPlacement {
        order,
        buyer: user(buyer),
        person: person(buyer),
        key: key(&format!("place-{:016x}", rand::random::<u64>())),
        hash: request_hash(&["place", &order.to_string(), method.name()]),
        method,
        quote_version: None,
        rules: QuoteRules::default(),
        market: Market::default(),
        settings: on(),
    }
}

async fn place(shop: &Fixture, order: OrderId, buyer: &str, method: ManualMethod) -> store::Result<Order> {
    shop.store.place_order(&placement(order, buyer, method)).await.map(|(order, _)| order)
}

pub(super) async fn placed(shop: &Fixture, offer: OfferId, buyer: &str, method: ManualMethod) -> Order {
    let order = shop.hold_one(offer, buyer).await.id;
    place(shop, order, buyer, method).await.unwrap()
}

pub(super) async fn receive(shop: &Fixture, order: &Order) -> store::Result<(Order, bool)> {
    shop.store.receive_payment(&ReceivedPayment { order: order.id, amount: order.total(), paid_at: None }).await
}

async fn placed_order_keeps_its_units_until_the_shop_has_the_money(shop: Fixture) {
    let offer = shop.offer(2, 1).await;
    let order = placed(&shop, offer, "ann", ManualMethod::BankTransfer).await;
    assert_eq!((order.status, order.lines[0].status), (OrderStatus::Placed, ReservationStatus::Placed));
    let placement = order.placement.unwrap();
    assert_eq!(placement.due_at - placement.placed_at, 7 * 86_400_000);
    assert_eq!((order.total(), order.number.is_some(), order.paid_at), (4_900, true, None));
    shop.expire_holds(offer).await;
    assert_eq!(shop.store.offers_with_expired_holds(i64::MAX).await.unwrap(), []);
    assert_eq!(shop.load_offer(offer).await.terms.reserved, 1);
    assert_eq!(shop.number(ALL_MISMATCHES).await, 0);
    assert_eq!(refusal(shop.begin_payment(order.id, "ok").await), Refusal::AlreadyPlaced);

    let wrong = ReceivedPayment { order: order.id, amount: 4_899, paid_at: None };
    assert_eq!(refusal(shop.store.receive_payment(&wrong).await).field(), Some("amount"));
    for at in [placement.placed_at - 1, i64::MAX] {
        let wrong = ReceivedPayment { amount: 4_900, paid_at: Some(at), ..wrong };
        assert_eq!(refusal(shop.store.receive_payment(&wrong).await).field(), Some("paid_at"));
    }
    let (paid, is_new) = receive(&shop, &order).await.unwrap();
    assert_eq!((paid.status, paid.lines[0].status, is_new), (OrderStatus::Paid, ReservationStatus::Sold, true));
    assert_eq!((paid.placement, paid.total()), (order.placement, 4_900), "it stays with the order");
    assert!(paid.paid_at.is_some());
    let (again, is_new) = receive(&shop, &order).await.unwrap();
    assert_eq!((again, is_new), (paid, false), "once");
    assert_eq!(shop.number("select count(*) from payments where status = 'captured'").await, 1);
    assert_eq!(shop.number(ALL_MISMATCHES).await, 0);

    let bought = shop.paid_one(offer, "bob").await;
    let by_card = ReceivedPayment { order: bought, amount: 4_900, paid_at: None };
    assert_eq!(refusal(shop.store.receive_payment(&by_card).await), Refusal::AlreadyPaid);
}

async fn cancelled_order_gives_its_units_back_once(shop: Fixture) {
    for (closed, restock, quantity, back) in
        [(false, true, 5, 0), (false, false, 4, 0), (true, true, 0, 1), (true, false, 0, 0)]
    {
        let pool = shop.stock().await;
        let offer = shop.offer(5, 1).await;
        let order = placed(&shop, offer, &format!("ann-{closed}-{restock}"), ManualMethod::CashOnDelivery).await;
        if closed {
            shop.store.close_offer(offer).await.unwrap();
        }
        let end = OrderEnd::ShopCancel { restock };
        let ended = shop.store.end_order(order.id, end).await.unwrap();
        assert_eq!(ended.iter().map(|line| line.reason.as_deref()).collect::<Vec<_>>(), [Some("shop_cancel")]);
        assert_eq!(shop.order(order.id).await.status, OrderStatus::Cancelled);
        assert_eq!(shop.store.end_order(order.id, end).await.unwrap(), [], "once");
        let terms = shop.load_offer(offer).await.terms;
        assert_eq!((terms.quantity, terms.reserved), (quantity, 0), "closed {closed}, restock {restock}");
        let left_in_pool = if closed { pool - 1 } else { pool - 5 };
        assert_eq!(shop.stock().await, left_in_pool + back, "closed {closed}, restock {restock}");
        assert_eq!(refusal(receive(&shop, &order).await).code(), "wrong_status");
        assert_eq!(shop.number(ALL_MISMATCHES).await, 0);
    }
}

async fn one_of_payment_and_cancellation_wins(shop: Fixture) {
    let offer = shop.offer(40, 1).await;
    let mut won = [0, 0];
    for round in 0..20 {
        let order = placed(&shop, offer, &format!("ann-{round}"), ManualMethod::CashOnDelivery).await;
        let cancel = shop.store.end_order(order.id, OrderEnd::ShopCancel { restock: true });
        let (paid, ended) = match round % 2 {
            0 => tokio::join!(receive(&shop, &order), cancel),
            _ => {
                let (ended, paid) = tokio::join!(cancel, receive(&shop, &order));
                (paid, ended)
            }
        };
        let (is_paid, is_cancelled) = (paid.is_ok(), !ended.unwrap().is_empty());
        assert_ne!(is_paid, is_cancelled, "round {round}");
        let status = shop.order(order.id).await.status;
        assert_eq!(status, if is_paid { OrderStatus::Paid } else { OrderStatus::Cancelled });
        won[usize::from(is_paid)] += 1;
        assert_eq!(shop.number(ALL_MISMATCHES).await, 0, "round {round}");
    }
    assert_eq!(shop.load_offer(offer).await.terms.reserved, won[1]);
}

async fn one_of_card_and_cash_wins(shop: Fixture) {
    let offer = shop.offer(40, 1).await;
    for round in 0..20 {
        let buyer = format!("ann-{round}");
        let order = shop.hold_one(offer, &buyer).await.id;
        let payment = shop.begin_payment(order, "ok").await.unwrap();
        let reference = payment.create_key();
        let capture = shop.store.begin_capture(&payment, Some(reference.as_str()));
        let cash = placement(order, &buyer, ManualMethod::CashOnDelivery);
        let (card, cash) = tokio::join!(capture, shop.store.place_order(&cash));
        let (by_card, by_cash) = (card.unwrap().is_some(), cash.is_ok());
        assert_ne!(by_card, by_cash, "round {round}");
        let status = shop.order(order).await.status;
        assert_eq!(status, if by_card { OrderStatus::Capturing } else { OrderStatus::Placed });
        assert_eq!(shop.number(ALL_MISMATCHES).await, 0, "round {round}");
        if by_cash {
            shop.store.end_order(order, OrderEnd::ShopCancel { restock: true }).await.unwrap();
        }
    }
}

async fn app_with(shop: &Fixture, settings: ManualPayments) -> App {
    let app = shop.app_with_provider(10_000).await;
    let mut admin = actor("root");
    admin.role = Role::Admin;
    let form = livesouk::domain::shop_settings::ShopForm {
        manual_payments: Some(livesouk::domain::manual_payment::ManualPaymentsForm {
            cash_on_delivery: Some(settings.cash_on_delivery),
            bank_transfer: Some(settings.bank_transfer),
            bank_details: Some(settings.bank_details),
            ..Default::default()
        }),
        ..Default::default()
    };
    app.settings_sync.change(&admin, form).await.unwrap();
    app
}

async fn attempt_under_way_is_voided_when_the_order_is_placed(shop: Fixture) {
    let app = app_with(&shop, on()).await;
    let offer = shop.offer(2, 1).await;
    let ann = actor("ann");
    let order = app.checkout.buy(&ann, offer, 1, key("key-00001")).await.unwrap().order.id;
    let refused = app.checkout.pay(&ann, order, "needs_action", None, key("pay-00001")).await;
    assert!(matches!(refused, Err(Error::Refused(Refusal::NeedsAction { .. }))), "{refused:?}");
    let cash = ManualMethod::CashOnDelivery;
    let placed = app.checkout.place(&ann, order, cash, None, key("place-001")).await.unwrap();
    assert_eq!(placed.order.status, OrderStatus::Placed);
    let reference = shop.store.payment(order, 1).await.unwrap().unwrap().reference.unwrap();
    // The buyer comes back from the page of the bank, too late.
    app.checkout.approve_test_payment(&reference, true).await.unwrap();
    let payment = shop.store.payment(order, 1).await.unwrap().unwrap();
    let payment = app.checkout.refresh_payment(payment).await.unwrap();
    assert_eq!((payment.status, payment.order_status), (PaymentStatus::Cancelled, OrderStatus::Placed));
    assert_eq!(shop.number("select count(*) from test_intents where captured > 0").await, 0);
    let again = app.checkout.place(&ann, order, cash, None, key("place-001")).await.unwrap();
    assert!(again.is_replay);
    assert_eq!(shop.number(ALL_MISMATCHES).await, 0);
}

async fn order_that_is_not_paid_in_time_is_cancelled_unless_it_was_sent(shop: Fixture) {
    let app = shop.app_with_provider(10_000).await;
    let offer = shop.offer(4, 1).await;
    let mut orders = Vec::new();
    for buyer in ["late", "later", "sent", "early"] {
        orders.push(placed(&shop, offer, buyer, ManualMethod::CashOnDelivery).await.id);
    }
    shop.mark_sent(orders[2]).await.unwrap();
    for order in &orders[..3] {
        shop.run(&format!("update orders set due_at = 1000 where id = {}", shop.id(order.0))).await;
    }
    let now = shop.store.now().await.unwrap();
    let mut due = shop.store.placed_orders_due(now, 200).await.unwrap();
    due.sort_unstable();
    assert_eq!(due, orders[..2]);
    // The date is looked at again under the lock.
    assert_eq!(shop.store.end_order(orders[3], OrderEnd::NotPaidInTime).await.unwrap(), []);
    assert_eq!(shop.store.end_order(orders[2], OrderEnd::NotPaidInTime).await.unwrap(), []);
    let (one, two) = tokio::join!(app.checkout.cancel_overdue_orders(), app.checkout.cancel_overdue_orders());
    one.unwrap();
    two.unwrap();
    let status = async |id| (shop.order(id).await.status, shop.order(id).await.reason);
    for order in &orders[..2] {
        assert_eq!(status(*order).await, (OrderStatus::Cancelled, Some("not_paid_in_time".into())));
    }
    for order in &orders[2..] {
        assert_eq!(status(*order).await, (OrderStatus::Placed, None));
    }
    assert_eq!(shop.load_offer(offer).await.terms.reserved, 2);
    assert_eq!(shop.number(ALL_MISMATCHES).await, 0);
    // Somebody settles the parcel that is on its way.
    let sent = shop.order(orders[2]).await;
    assert_eq!(receive(&shop, &sent).await.unwrap().0.status, OrderStatus::Paid);
}

async fn only_orders_that_the_shop_allows_are_placed(shop: Fixture) {
    let offer = shop.offer(9, 9).await;
    let refused = async |order: OrderId, change: fn(&mut NewPlacement)| {
        let mut new = placement(order, "ann", ManualMethod::BankTransfer);
        change(&mut new);
        refusal(shop.store.place_order(&new).await)
    };
    let order = shop.hold_one(offer, "ann").await.id;
    assert_eq!(
        refused(order, |new| new.settings.bank_transfer = false).await,
        Refusal::MethodOff { offers: Vec::new() }
    );
    assert_eq!(refused(order, |new| new.quote_version = Some("other".into())).await.code(), "quote_changed");
    assert_eq!(shop.order(order).await.status, OrderStatus::Held, "still held");
    place(&shop, order, "ann", ManualMethod::BankTransfer).await.unwrap();
    assert_eq!(refused(order, |_| {}).await, Refusal::AlreadyPlaced);

    let mut flash = shop.new_offer(5, 1);
    (flash.kind, flash.duration_ms) = (OfferKind::Flash, Some(600_000));
    shop.store.create_offer(&flash, None).await.unwrap();
    shop.store.open_offer(flash.id).await.unwrap();
    let order = shop.hold_one(flash.id, "ann-of-flash").await.id;
    assert_eq!(refused(order, |_| {}).await, Refusal::MethodOff { offers: vec![flash.id] });
    let mut allowed = placement(order, "ann-of-flash", ManualMethod::BankTransfer);
    allowed.settings.for_flash_sales = true;
    assert_eq!(shop.store.place_order(&allowed).await.unwrap().0.status, OrderStatus::Placed);

    let paid = shop.paid_one(offer, "bob").await;
    assert_eq!(refused(paid, |_| {}).await, Refusal::AlreadyPaid);
}

async fn buyer_has_a_limited_number_of_open_orders(shop: Fixture) {
    let offer = shop.offer(20, 20).await;
    let mut orders = Vec::new();
    for n in 0..6 {
        let request = purchase_request("ann", &format!("key-of-ann-{n}"), 1);
        orders.push(shop.buy(offer, &request).await.unwrap().reservation.id);
    }
    // At once: none of them is counted late.
    let new: Vec<NewPlacement> =
        orders.iter().map(|order| placement(*order, "ann", ManualMethod::CashOnDelivery)).collect();
    let tries = join_all(new.iter().map(|new| shop.store.place_order(new))).await;
    let mut done = Vec::new();
    for tried in tries {
        match tried {
            Ok((order, _)) => done.push(order),
            Err(store::Error::Refused(Refusal::TooManyPlaced)) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(done.len(), 3);
    let open = async || shop.number("select count(*) from orders where status = 'placed'").await;
    assert_eq!(open().await, 3);
    placed(&shop, offer, "bob", ManualMethod::CashOnDelivery).await;
    // One that is paid makes room.
    receive(&shop, &done[0]).await.unwrap();
    let held = orders.iter().find(|id| !done.iter().any(|order| order.id == **id)).unwrap();
    place(&shop, *held, "ann", ManualMethod::CashOnDelivery).await.unwrap();
    assert_eq!(open().await, 4);
}

async fn same_key_places_one_order(shop: Fixture) {
    let offer = shop.offer(5, 5).await;
    let order = shop.hold_one(offer, "ann").await.id;
    let new = placement(order, "ann", ManualMethod::CashOnDelivery);
    let (one, two) = tokio::join!(shop.store.place_order(&new), shop.store.place_order(&new));
    let flags = [one.unwrap(), two.unwrap()].map(|(order, is_new)| (order.status, is_new));
    assert_eq!(flags.iter().filter(|(_, is_new)| *is_new).count(), 1);
    assert!(flags.iter().all(|(status, _)| *status == OrderStatus::Placed));
    assert_eq!(shop.number("select count(*) from outbox where topic = 'order.placed'").await, 1);
    let other = NewPlacement { hash: request_hash(&["other"]), ..new.clone() };
    assert_eq!(refusal(shop.store.place_order(&other).await), Refusal::KeyReused);
    // The result of the key is the order as it is now.
    shop.store.end_order(order, OrderEnd::ShopCancel { restock: true }).await.unwrap();
    let (again, is_new) = shop.store.place_order(&new).await.unwrap();
    assert_eq!((again.status, is_new), (OrderStatus::Cancelled, false));
}

async fn money_is_given_back_by_hand(shop: Fixture) {
    let app = shop.app_with_provider(10_000).await;
    let mut host = actor("noura");
    host.role = Role::Host;
    let offer = shop.offer(2, 1).await;
    let order = placed(&shop, offer, "ann", ManualMethod::BankTransfer).await;
    let whole = livesouk::domain::RefundScope::Whole;
    let refund = async |with: &str| app.checkout.refund(&host, order.id, whole.clone(), true, None, key(with)).await;
    assert_eq!(refund("refund-001").await.unwrap_err(), Error::Refused(Refusal::NotPaid));
    app.checkout.receive_payment(&host, order.id, 4_900, None).await.unwrap();
    let back = refund("refund-002").await.unwrap();
    assert_eq!(back.order.status, OrderStatus::Refunded);
    assert_eq!(shop.load_offer(offer).await.terms.reserved, 0);
    assert!(refund("refund-002").await.unwrap().is_replay);
    assert_eq!(shop.number("select count(*) from refunds where status = 'done'").await, 1);
    assert_eq!(shop.number("select count(*) from test_intents").await, 0, "no provider is asked");
    assert_eq!(shop.number(ALL_MISMATCHES).await, 0);
}

async fn units_of_placed_orders_count_for_the_limit_of_their_buyer(shop: Fixture) {
    let offer = shop.offer(5, 1).await;
    let order = placed(&shop, offer, "ann", ManualMethod::CashOnDelivery).await;
    let again = async |with: &str| shop.buy(offer, &purchase_request("ann", with, 1)).await;
    assert_eq!(again("key-second").await.unwrap_err().code(), "buyer_limit");
    assert_eq!(shop.store.counted_reservations(&person("ann"), offer).await.unwrap(), [order.id]);
    shop.store.end_order(order.id, OrderEnd::ShopCancel { restock: true }).await.unwrap();
    again("key-third").await.unwrap();
}

async fn only_cash_on_delivery_is_sent_unpaid(shop: Fixture) {
    let offer = shop.offer(5, 1).await;
    let cash = placed(&shop, offer, "ann", ManualMethod::CashOnDelivery).await;
    let transfer = placed(&shop, offer, "bob", ManualMethod::BankTransfer).await;
    assert!(shop.mark_sent(cash.id).await.is_some());
    assert_eq!(shop.mark_sent(transfer.id).await, None);
    receive(&shop, &transfer).await.unwrap();
    assert!(shop.mark_sent(transfer.id).await.is_some());
    let delivered = shop.store.set_fulfilment(cash.id, FulfilmentStep::Delivered, None, &user("noura")).await;
    assert!(delivered.is_ok());
}

async fn order_with_an_expired_line_is_cancelled_as_a_whole(shop: Fixture) {
    let app = shop.app_with_provider(10_000).await;
    let mut host = actor("noura");
    host.role = Role::Host;
    for (buyer, reason) in [("ann", "shop_cancel"), ("bob", "not_paid_in_time")] {
        let offers = [shop.offer(5, 5).await, shop.offer(5, 5).await];
        let mut lines = Vec::new();
        for (n, offer) in offers.iter().enumerate() {
            let request = purchase_request(buyer, &format!("key-of-{buyer}-{n}"), n as i64 + 1);
            lines.push(shop.buy(*offer, &request).await.unwrap().reservation.id);
        }
        let order = shop.store.open_order(&user(buyer), &lines).await.unwrap().id;
        shop.store.release_reservations(offers[0], &lines[..1], ReleaseReason::BuyerCancel, None).await.unwrap();
        // As the job leaves it when the hold of this line ends first.
        let expire = "update reservations set status = 'expired', reason = 'hold_ended' where id = ";
        shop.run(&format!("{expire}{}", shop.id(lines[0].0))).await;
        let seen = shop.store.quote(&shop.order(order).await, QuoteRules::default()).await.unwrap().unwrap();
        let new = placement(order, buyer, ManualMethod::CashOnDelivery);
        let new = NewPlacement { quote_version: Some(seen.version), ..new };
        let total = shop.store.place_order(&new).await.unwrap().0.total();
        if reason == "shop_cancel" {
            let view = app.checkout.cancel_placed(&host, order, true).await.unwrap();
            assert_eq!(view.status, OrderStatus::Cancelled);
            let again = app.checkout.cancel_placed(&host, order, true).await.unwrap();
            assert_eq!(again.status, OrderStatus::Cancelled, "to cancel it again changes nothing");
        } else {
            shop.run(&format!("update orders set due_at = 1000 where id = {}", shop.id(order.0))).await;
            app.checkout.cancel_overdue_orders().await.unwrap();
        }
        let ended = shop.order(order).await;
        assert_eq!((ended.status, ended.reason.as_deref(), ended.qty), (OrderStatus::Cancelled, Some(reason), 2));
        assert_eq!((ended.amount, ended.total()), (2 * 4_900, total), "it keeps what it would have cost");
        let filter = ShopOrderFilter { status: Some(OrderStatus::Cancelled), ..ShopOrderFilter::default() };
        let listed = shop.store.shop_orders(&filter, None, 9).await.unwrap();
        assert!(listed.orders.iter().any(|listed| listed.order.id == order), "the store has the same rule");
    }
    assert_eq!(shop.number(ALL_MISMATCHES).await, 0);
}

async fn placed_order_opens_no_parcel_until_it_is_paid(shop: Fixture) {
    let offer = shop.offer(9, 9).await;
    let rules = QuoteRules { delivery_fee: 2_000, ..QuoteRules::default() };
    let held = async |with: &str| {
        let id = shop.buy(offer, &purchase_request("ann", with, 1)).await.unwrap().reservation.id;
        assert!(shop.store.set_address(id, &address("Ann")).await.unwrap());
        id
    };
    let quote = async |id| shop.store.quote(&shop.order(id).await, rules).await.unwrap().unwrap();
    let first = held("key-first").await;
    let transfer = placement(first, "ann", ManualMethod::BankTransfer);
    let transfer = NewPlacement { rules, quote_version: Some(quote(first).await.version), ..transfer };
    let (placed, _) = shop.store.place_order(&transfer).await.unwrap();
    let second = held("key-second").await;
    assert_eq!((quote(second).await.joins, quote(second).await.delivery), (None, 2_000), "it may never be paid");
    receive(&shop, &placed).await.unwrap();
    assert_eq!((quote(second).await.joins, quote(second).await.delivery), (Some(first), 0));
}

async fn address_of_a_placed_order_stays_until_it_is_paid_and_has_its_invoice(shop: Fixture) {
    let offer = shop.offer(9, 1).await;
    let mut orders = Vec::new();
    for buyer in ["ann", "bob"] {
        let order = placed(&shop, offer, buyer, ManualMethod::CashOnDelivery).await;
        assert!(shop.store.set_address(order.id, &address(buyer)).await.unwrap());
        shop.mark_sent(order.id).await.unwrap();
        assert!(!shop.store.erase_address(order.id).await.unwrap(), "nobody has paid the parcel yet");
        orders.push(order);
    }
    let [ann, bob] = &orders[..] else { unreachable!() };
    receive(&shop, ann).await.unwrap();
    assert!(!shop.store.erase_address(ann.id).await.unwrap(), "its invoice names the address");
    assert_eq!(shop.store.erase_user_data(&user("ann")).await.unwrap().addresses_kept, 1);
    assert_eq!(shop.store.erase_addresses_before(0).await.unwrap(), 0);
    shop.run(&format!("update orders set documented = 1 where id = {}", shop.id(ann.id.0))).await;
    assert_eq!(shop.store.erase_addresses_before(0).await.unwrap(), 1, "now nobody needs it");
    // Whoever never pays a parcel that was sent is not kept forever.
    let sent_at = shop.store.sent_at(bob.id).await.unwrap().unwrap();
    assert_eq!(shop.store.erase_addresses_before(sent_at).await.unwrap(), 0);
    assert_eq!(shop.store.erase_addresses_before(sent_at + 1).await.unwrap(), 1);
    assert_eq!(shop.store.address(bob.id).await.unwrap(), None);
}
