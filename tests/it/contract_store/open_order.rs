//! Purchases that were put together: one order with several lines, paid at once or not at all.

use livesouk::domain::{
    Address, Consignment, FulfilmentStep, OfferId, Order, OrderId, OrderStatus, PaymentStatus, QuoteRules, RefundScope,
    Refusal, ReservationStatus, ShopOrderFilter,
};
use livesouk::store::{Error, LockWait, NewRefund, ReleaseReason, Result};

use super::builders::{actor, key, purchase_request, user};
use super::fixture::{Fixture, facts};

facts! {
    purchases_become_the_lines_of_one_order
    reservation_id_stands_for_its_order
    only_held_reservations_of_one_buyer_and_show_are_put_together
    all_lines_are_paid_with_one_payment
    payment_wins_all_lines_or_names_the_lost_ones
    payment_wins_no_other_lines_than_it_is_for
    order_takes_no_line_while_a_payment_is_under_way
    two_requests_open_one_order
    refund_gives_back_every_line
    order_of_several_offers_whose_capture_fails_ends_with_all_lines
    failed_capture_releases_all_lines_or_none
    cancel_ends_every_held_line
    order_is_listed_once_with_its_lines
    what_was_noted_on_a_purchase_moves_to_the_order
}

impl Fixture {
    /// Reserves units of an offer for a buyer, each with a key of its own.
    async fn reserve(&self, offer: OfferId, buyer: &str, qty: i64) -> OrderId {
        let with = format!("key-{:016x}", rand::random::<u64>());
        self.buy(offer, &purchase_request(buyer, &with, qty)).await.unwrap().reservation.id
    }

    /// An order of ann with a line of 1 unit of the first offer and one of 2 units of the second.
    async fn two_lines(&self) -> (Order, [OfferId; 2]) {
        let offers = [self.offer(9, 9).await, self.offer(9, 9).await];
        let (a, b) = (self.reserve(offers[0], "ann", 1).await, self.reserve(offers[1], "ann", 2).await);
        (self.store.open_order(&user("ann"), &[a, b]).await.unwrap(), offers)
    }

    async fn reserved(&self, offers: [OfferId; 2]) -> [i64; 2] {
        [self.load_offer(offers[0]).await.terms.reserved, self.load_offer(offers[1]).await.terms.reserved]
    }
}

fn refused<T>(result: Result<T>) -> &'static str {
    match result {
        Err(Error::Refused(refusal)) => refusal.code(),
        Err(fault) => panic!("{fault}"),
        Ok(_) => "ok",
    }
}

fn statuses(order: &Order) -> Vec<ReservationStatus> {
    order.lines.iter().map(|line| line.status).collect()
}

async fn purchases_become_the_lines_of_one_order(shop: Fixture) {
    let (order, offers) = shop.two_lines().await;
    assert_eq!((order.status, order.qty, order.amount, order.lines.len()), (OrderStatus::Held, 3, 3 * 4_900, 2));
    assert!(order.number > Some(1_000) && order.id == order.lines[0].id);
    assert_eq!(order.version, 4, "each line has changed once, so no older view of it replaces this");
    let ids: Vec<_> = order.lines.iter().map(|line| line.id).collect();
    assert_eq!(shop.store.open_order(&user("ann"), &ids).await.unwrap(), order, "a retry changes nothing");
    let third = shop.reserve(offers[0], "ann", 1).await;
    let more = shop.store.open_order(&user("ann"), &[third]).await.unwrap();
    assert_eq!((more.id, more.number, more.lines.len()), (order.id, order.number, 3), "it joins the open order");
    assert_eq!(shop.reserved(offers).await, [2, 2], "the counters of the offers do not change");
    shop.assert_consistent().await;
}

async fn reservation_id_stands_for_its_order(shop: Fixture) {
    let (order, offers) = shop.two_lines().await;
    for line in &order.lines {
        assert_eq!(shop.order(line.id).await, order);
    }
    let alone = shop.reserve(offers[0], "bob", 1).await;
    let own = shop.order(alone).await;
    assert_eq!((own.id, own.number, own.lines.len()), (alone, None, 1), "a purchase is an order of its own");
}

async fn only_held_reservations_of_one_buyer_and_show_are_put_together(shop: Fixture) {
    let (order, offers) = shop.two_lines().await;
    let open = async |ids: &[OrderId]| refused(shop.store.open_order(&user("ann"), ids).await);
    let (bobs, gone) = (shop.reserve(offers[0], "bob", 1).await, shop.reserve(offers[0], "ann", 1).await);
    shop.store.release_reservations(offers[0], &[gone], ReleaseReason::BuyerCancel, None).await.unwrap();
    assert_eq!(open(&[bobs]).await, "not_yours");
    assert_eq!(open(&[OrderId::new()]).await, "not_yours");
    assert_eq!(open(&[order.id, gone]).await, "lines_gone");
    let other_show = shop.reserve(offers[1], "ann", 1).await;
    shop.run(&format!(
        "update reservations set stream = {} where id = {}",
        shop.id(OrderId::new().0),
        shop.id(other_show.0)
    ))
    .await;
    assert_eq!(open(&[order.id, other_show]).await, "invalid_value");
    assert_eq!(shop.order(order.id).await, order);
}

async fn all_lines_are_paid_with_one_payment(shop: Fixture) {
    let (order, _) = shop.two_lines().await;
    let payment = shop.begin_payment(order.id, "ok").await.unwrap();
    assert_eq!((payment.amount, payment.order), (3 * 4_900, order.id));
    let (won, attempt) = shop.store.begin_capture(&payment, Some("reference")).await.unwrap().unwrap();
    assert_eq!((attempt.status, attempt.wins), (PaymentStatus::Authorized, true));
    assert_eq!(shop.store.payment(order.id, payment.attempt).await.unwrap(), Some(attempt));
    assert_eq!(statuses(&won), [ReservationStatus::Capturing; 2]);
    let paid = shop.store.finish_capture(order.id).await.unwrap().unwrap();
    assert_eq!((paid.status, statuses(&paid)), (OrderStatus::Paid, vec![ReservationStatus::Sold; 2]));
    assert_eq!((paid.number, paid.paid_at.is_some()), (order.number, true));
    assert_eq!(shop.number("select count(*) from payment_mismatches").await, 0);
    shop.assert_consistent().await;
}

async fn payment_wins_all_lines_or_names_the_lost_ones(shop: Fixture) {
    let (order, offers) = shop.two_lines().await;
    let payment = shop.begin_payment(order.id, "ok").await.unwrap();
    // No app runs yet: it would make the holds of an attempt longer whose answer is not known.
    shop.expire_holds(offers[1]).await;
    let gone = shop.store.release_expired_holds(offers[1], LockWait::Second).await.unwrap().unwrap();
    assert_eq!(shop.store.begin_capture(&payment, Some("reference")).await.unwrap(), None, "a line is gone");
    let left = shop.order(order.id).await;
    assert_eq!((left.status, left.amount, left.qty), (OrderStatus::Held, 4_900, 1));
    let now = shop.store.payment(order.id, payment.attempt).await.unwrap().unwrap();
    assert!(now.has_lost_lines && now.status == PaymentStatus::Creating);
    // The same through the verb: the provider authorises, the attempt cannot win, and its authorisation is voided.
    let with = key("pay-00001");
    shop.run("update payments set status = 'cancelled'").await;
    let app = shop.app().await;
    let ann = actor("ann");
    let third = app.checkout.buy(&ann, offers[0], 1, key("buy-00001")).await.unwrap().reservation.id;
    app.checkout.open_order(&ann, &[order.id, third]).await.unwrap();
    let now = shop.order(order.id).await;
    let seen = shop.store.quote(&now, QuoteRules::default()).await.unwrap().map(|quote| quote.version);
    let needs = app.checkout.pay(&ann, order.id, "needs_action", seen.clone(), with.clone()).await;
    assert!(matches!(needs, Err(livesouk::app::Error::Refused(Refusal::NeedsAction { .. }))), "{needs:?}");
    shop.store.release_reservations(offers[0], &[third], ReleaseReason::BuyerCancel, None).await.unwrap();
    let again = app.checkout.pay(&ann, order.id, "needs_action", seen, with).await;
    let lost = vec![gone[0].id, third];
    assert_eq!(again.err(), Some(livesouk::app::Error::Refused(Refusal::LinesGone(lost))));
    // Nobody pays less than was shown, either: a client that knows no quotes may have shown the line that is gone.
    let unseen = app.checkout.pay(&ann, order.id, "ok", None, key("pay-00002")).await;
    let Err(livesouk::app::Error::Refused(Refusal::QuoteChanged(quote))) = unseen else { panic!("{unseen:?}") };
    assert_eq!((quote.total, quote.lines.len()), (4_900, 1));
    let seen = Some(quote.version);
    let paid = app.checkout.pay(&ann, order.id, "ok", seen, key("pay-00002")).await.unwrap().order;
    assert_eq!((paid.status, paid.amount), (OrderStatus::Paid, 4_900), "what is left can be paid");
    shop.assert_money().await;
}

async fn payment_wins_no_other_lines_than_it_is_for(shop: Fixture) {
    let (order, offers) = shop.two_lines().await;
    let payment = shop.begin_payment(order.id, "ok").await.unwrap();
    // As many lines as before, and dearer ones.
    let other = shop.reserve(offers[1], "ann", 3).await;
    let join = format!("update reservations set order_id = {} where id = {}", shop.id(order.id.0), shop.id(other.0));
    shop.run(&join).await;
    let second = order.lines[1].id;
    shop.store.release_reservations(offers[1], &[second], ReleaseReason::BuyerCancel, None).await.unwrap();
    let now = shop.order(order.id).await;
    assert!(now.held_lines().count() == 2 && now.amount > payment.amount, "{now:?}");
    assert_eq!(shop.store.begin_capture(&payment, Some("reference")).await.unwrap(), None);
    assert!(shop.store.payment(order.id, payment.attempt).await.unwrap().unwrap().has_lost_lines);
}

async fn order_takes_no_line_while_a_payment_is_under_way(shop: Fixture) {
    let (order, offers) = shop.two_lines().await;
    let payment = shop.begin_payment(order.id, "ok").await.unwrap();
    let third = shop.reserve(offers[0], "ann", 1).await;
    let join = async || refused(shop.store.open_order(&user("ann"), &[order.id, third]).await);
    assert_eq!(join().await, "wrong_status");
    let alone = shop.store.open_order(&user("ann"), &[third]).await.unwrap();
    assert_eq!((alone.id, alone.lines.len()), (third, 1), "alone it is a new order");
    shop.store.begin_capture(&payment, Some("reference")).await.unwrap().unwrap();
    shop.store.finish_capture(order.id).await.unwrap().unwrap();
    assert_eq!(refused(shop.store.open_order(&user("ann"), &[order.id, third]).await), "wrong_status", "of two orders");
    let fourth = shop.reserve(offers[0], "ann", 1).await;
    assert_eq!(refused(shop.store.open_order(&user("ann"), &[order.id, fourth]).await), "already_paid");
}

async fn two_requests_open_one_order(shop: Fixture) {
    let offer = shop.offer(99, 99).await;
    for round in 0..10 {
        let buyer = format!("ann-{round}");
        let (a, b) = (shop.reserve(offer, &buyer, 1).await, shop.reserve(offer, &buyer, 1).await);
        let open = async |id| loop {
            match shop.store.open_order(&user(&buyer), &[id]).await {
                Err(Error::Refused(Refusal::Busy { .. })) => {}
                opened => return opened.unwrap().id,
            }
        };
        let (one, two) = tokio::join!(open(a), open(b));
        assert_eq!(one, two, "round {round}");
        assert_eq!(shop.order(one).await.lines.len(), 2);
    }
}

async fn paid_two_lines(shop: &Fixture) -> (Order, [OfferId; 2]) {
    let (order, offers) = shop.two_lines().await;
    shop.begin_capture(order.id).await.unwrap().unwrap();
    (shop.store.finish_capture(order.id).await.unwrap().unwrap(), offers)
}

async fn refund_gives_back_every_line(shop: Fixture) {
    for (restock, quantities) in [(true, [9, 9]), (false, [8, 7])] {
        let (order, offers) = paid_two_lines(&shop).await;
        let new = NewRefund {
            order: order.id,
            by: user("noura"),
            key: key(&format!("refund-{restock}")),
            hash: [0; 32],
            scope: RefundScope::Whole,
            restock,
            reason: None,
        };
        let refund = shop.store.begin_refund(&new).await.unwrap();
        assert_eq!(refund.amount, 3 * 4_900);
        let done = shop.store.finish_refund(&refund).await.unwrap().unwrap();
        assert_eq!((done.status, done.amount), (OrderStatus::Refunded, 3 * 4_900));
        assert!(done.lines.iter().all(|line| line.returned == line.qty && line.status == ReservationStatus::Sold));
        assert_eq!(shop.reserved(offers).await, [0, 0]);
        let quantity = async |offer| shop.load_offer(offer).await.terms.quantity;
        assert_eq!([quantity(offers[0]).await, quantity(offers[1]).await], quantities);
        shop.assert_consistent().await;
    }
    assert_eq!(shop.number("select count(*) from payment_mismatches").await, 0);
}

async fn order_of_several_offers_whose_capture_fails_ends_with_all_lines(shop: Fixture) {
    let offers = [shop.offer(9, 9).await, shop.offer(9, 9).await];
    let app = shop.app().await;
    let ann = actor("ann");
    let (a, b) = (shop.reserve(offers[0], "ann", 1).await, shop.reserve(offers[1], "ann", 1).await);
    let order = app.checkout.open_order(&ann, &[a, b]).await.unwrap().id;
    let failed = app.checkout.pay(&ann, order, "capture_fails", None, key("pay-00001")).await;
    assert_eq!(failed.err(), Some(livesouk::app::Error::Refused(Refusal::CaptureFailed)));
    let order = shop.order(order).await;
    assert_eq!((order.status, order.reason.as_deref()), (OrderStatus::Cancelled, Some("capture_failed")));
    assert_eq!(shop.reserved(offers).await, [0, 0]);
    assert_eq!(shop.number("select count(*) from orders where status = 'cancelled'").await, 1);
    shop.assert_settled().await;
}

/// The second offer cannot take its units back, as if the node died between the two: nothing is released, and the next try ends all
/// lines. A rest would be an order for which the whole amount is captured later.
async fn failed_capture_releases_all_lines_or_none(shop: Fixture) {
    let (order, offers) = shop.two_lines().await;
    let payment = shop.begin_payment(order.id, "ok").await.unwrap();
    shop.store.begin_capture(&payment, Some("reference")).await.unwrap().unwrap();
    let second = shop.id(offers.iter().max().unwrap().0);
    shop.run(&format!("update offers set reserved = 0 where id = {second}")).await;
    assert!(shop.store.release_failed_capture(order.id).await.is_err());
    assert_eq!(statuses(&shop.order(order.id).await), [ReservationStatus::Capturing; 2]);
    let units = "select sum(r.qty) from reservations r where r.offer = offers.id";
    shop.run(&format!("update offers set reserved = ({units}) where id = {second}")).await;
    let ended = shop.store.release_failed_capture(order.id).await.unwrap();
    assert_eq!(ended.iter().map(|line| line.id).collect::<Vec<_>>(), [order.lines[0].id, order.lines[1].id]);
    let ended = shop.order(order.id).await;
    assert_eq!((ended.status, shop.reserved(offers).await), (OrderStatus::Cancelled, [0, 0]));
    assert_eq!(shop.store.release_failed_capture(order.id).await.unwrap(), [], "once");
    shop.assert_consistent().await;
}

async fn cancel_ends_every_held_line(shop: Fixture) {
    let offers = [shop.offer(9, 9).await, shop.offer(9, 9).await];
    let app = shop.app().await;
    let ann = actor("ann");
    let (a, b) = (shop.reserve(offers[0], "ann", 1).await, shop.reserve(offers[1], "ann", 1).await);
    app.checkout.open_order(&ann, &[a, b]).await.unwrap();
    let cancelled = app.checkout.cancel(&ann, b, key("cancel-01")).await.unwrap();
    assert_eq!((cancelled.order.status, cancelled.is_replay), (OrderStatus::Cancelled, false));
    assert_eq!(shop.reserved(offers).await, [0, 0]);
    let again = app.checkout.cancel(&ann, b, key("cancel-01")).await.unwrap();
    assert_eq!((again.order.status, again.is_replay), (OrderStatus::Cancelled, true));
}

async fn order_is_listed_once_with_its_lines(shop: Fixture) {
    let (order, offers) = paid_two_lines(&shop).await;
    let alone = shop.reserve(offers[0], "ann", 1).await;
    let mine = shop.store.orders_of_buyer(&user("ann"), None, None, 9).await.unwrap();
    assert_eq!(mine.iter().map(|order| (order.id, order.lines.len())).collect::<Vec<_>>(), [(alone, 1), (order.id, 2)]);
    let recent = shop.store.recent_orders_of(&[user("ann")], 0).await.unwrap();
    assert_eq!(recent.len(), 2);
    assert!(recent.contains(&order));
    let listed = async |filter: ShopOrderFilter| {
        let page = shop.store.shop_orders(&filter, None, 9).await.unwrap();
        page.orders.into_iter().map(|listed| (listed.order.id, listed.order.lines.len())).collect::<Vec<_>>()
    };
    assert_eq!(listed(ShopOrderFilter::default()).await, [(alone, 1), (order.id, 2)]);
    let paid = ShopOrderFilter { status: Some(OrderStatus::Paid), ..Default::default() };
    assert_eq!(listed(paid).await, [(order.id, 2)]);
    for search in [format!("#{}", order.number.unwrap()), order.lines[1].id.to_string()] {
        let found = ShopOrderFilter { search: Some(search.clone()), ..Default::default() };
        assert_eq!(listed(found).await, [(order.id, 2)], "{search}");
    }
    let parcel = Consignment { carrier: None, tracking: Some("1Z".into()) };
    shop.store.set_fulfilment(order.id, FulfilmentStep::Sent, Some(&parcel), &user("noura")).await.unwrap();
    assert!(shop.store.fulfilment(order.id).await.unwrap().sent_at.is_some());
}

async fn what_was_noted_on_a_purchase_moves_to_the_order(shop: Fixture) {
    let offer = shop.offer(9, 9).await;
    let (a, b) = (shop.reserve(offer, "ann", 1).await, shop.reserve(offer, "ann", 1).await);
    let home = Address {
        name: "Ann".into(),
        lines: vec!["1 Road".into()],
        city: "Riyadh".into(),
        region: None,
        postcode: None,
        country: "SA".into(),
        phone: None,
        email: None,
        language: None,
    };
    let earlier = Address { city: "Jeddah".into(), ..home.clone() };
    assert!(shop.store.set_address(a, &earlier).await.unwrap());
    assert!(shop.store.set_address(b, &home).await.unwrap());
    shop.store.add_order_tag(b, "gift").await.unwrap();
    shop.store.create_order_link(b, &[9; 32]).await.unwrap();
    let order = shop.store.open_order(&user("ann"), &[a, b]).await.unwrap().id;
    assert_eq!(order, a);
    assert_eq!(shop.store.address(order).await.unwrap(), Some(home.clone()), "the newest");
    assert!(!shop.store.set_address(b, &home).await.unwrap(), "it is no order of its own any more");
    assert_eq!(
        (shop.store.address(b).await.unwrap(), shop.store.order_tags(order).await.unwrap()),
        (None, vec!["gift".into()])
    );
    assert_eq!(shop.store.order_of_link(&[9; 32]).await.unwrap(), Some(order));
}
