//! Whether an order can be paid later follows from its offers: their hosts decide, and else the shop.

use livesouk::domain::{
    AuditAction, ManualMethod, OfferId, OfferKind, OfferPayLater, OrderId, OrderStatus, Refusal, StreamId,
};
use livesouk::store::{NewPlacement, ReceivedPayment};

use super::builders::{audit_entry, purchase_request, refusal, stream, user};
use super::fixture::{Fixture, facts};
use super::placed_order::placement;

facts! {
    offer_decides_whether_it_is_paid_later
    one_line_that_is_paid_at_once_is_enough
    line_that_has_ended_decides_nothing
    offer_of_a_node_of_the_version_before_follows_the_shop
    copy_of_a_show_keeps_the_choice
    choice_that_changes_counts_for_held_orders_and_not_for_placed_ones
    same_choice_again_writes_nothing
    closed_offer_keeps_its_choice
}

use OfferKind::{Flash, Regular};

impl Fixture {
    async fn offer_to_pay(&self, kind: OfferKind, pay_later: Option<bool>) -> OfferId {
        let mut new = self.new_offer(5, 5);
        (new.kind, new.pay_later) = (kind, pay_later);
        new.duration_ms = (kind == Flash).then_some(600_000);
        self.store.create_offer(&new, None).await.unwrap();
        self.store.open_offer(new.id).await.unwrap();
        new.id
    }

    /// An order of this buyer with a line of each offer.
    async fn bag(&self, buyer: &str, offers: &[OfferId]) -> OrderId {
        let mut lines = Vec::new();
        for offer in offers {
            let with = format!("key-{:016x}", rand::random::<u64>());
            lines.push(OrderId(self.buy(*offer, &purchase_request(buyer, &with, 1)).await.unwrap().reservation.id.0));
        }
        self.store.open_order(&user(buyer), &lines).await.unwrap().id
    }

    async fn place_cash(&self, order: OrderId, buyer: &str, for_flash_sales: bool) -> Result<OrderStatus, Refusal> {
        let new = placement(order, buyer, ManualMethod::CashOnDelivery);
        let settings = livesouk::domain::ManualPayments { for_flash_sales, ..new.settings.clone() };
        match self.store.place_order(&NewPlacement { settings, ..new }).await {
            Ok((order, _)) => Ok(order.status),
            refused => Err(refusal(refused)),
        }
    }
}

/// The refusal that names the offers because of which an order cannot be paid later.
fn at_once(offers: &[OfferId]) -> Result<OrderStatus, Refusal> {
    Err(Refusal::MethodOff { offers: offers.to_vec() })
}

async fn offer_decides_whether_it_is_paid_later(shop: Fixture) {
    for (kind, pay_later, for_flash_sales, is_placed) in [
        (Regular, None, false, true),
        (Regular, Some(false), false, false),
        (Regular, Some(false), true, false),
        (Regular, Some(true), false, true),
        (Flash, None, false, false),
        (Flash, None, true, true),
        (Flash, Some(true), false, true),
        (Flash, Some(false), true, false),
    ] {
        let offer = shop.offer_to_pay(kind, pay_later).await;
        assert_eq!(shop.load_offer(offer).await.pay_later, pay_later);
        let buyer = format!("ann-{}", offer.0.simple());
        let order = shop.hold_one(offer, &buyer).await.id;
        let read = shop.store.pay_later_of_offers(order).await.unwrap();
        assert_eq!(read, [OfferPayLater { offer, kind, choice: pay_later }]);
        let expected = if is_placed { Ok(OrderStatus::Placed) } else { at_once(&[offer]) };
        let case = format!("{kind:?}, {pay_later:?}, flash sales {for_flash_sales}");
        assert_eq!(shop.place_cash(order, &buyer, for_flash_sales).await, expected, "{case}");
        let now = if is_placed { OrderStatus::Placed } else { OrderStatus::Held };
        assert_eq!(shop.order(order).await.status, now, "{case}");
    }
}

async fn one_line_that_is_paid_at_once_is_enough(shop: Fixture) {
    let regular = shop.offer_to_pay(Regular, None).await;
    let allowed = shop.offer_to_pay(Flash, Some(true)).await;
    let refused = shop.offer_to_pay(Regular, Some(false)).await;
    let flash = shop.offer_to_pay(Flash, None).await;
    for (buyer, offers, expected) in [
        ("ann", vec![regular, allowed], Ok(OrderStatus::Placed)),
        ("bob", vec![regular, refused], at_once(&[refused])),
        ("cat", vec![refused, allowed], at_once(&[refused])),
        ("dan", vec![regular, flash], at_once(&[flash])),
    ] {
        let order = shop.bag(buyer, &offers).await;
        assert_eq!(shop.place_cash(order, buyer, false).await, expected, "{buyer}");
    }
}

async fn line_that_has_ended_decides_nothing(shop: Fixture) {
    let (regular, refused) = (shop.offer_to_pay(Regular, None).await, shop.offer_to_pay(Regular, Some(false)).await);
    let order = shop.bag("ann", &[regular, refused]).await;
    assert_eq!(shop.place_cash(order, "ann", false).await, at_once(&[refused]));
    let expire = "update reservations set status = 'expired', reason = 'hold_ended' where offer = ";
    shop.run(&format!("{expire}{}", shop.id(refused.0))).await;
    let read = shop.store.pay_later_of_offers(order).await.unwrap();
    assert_eq!(read, [OfferPayLater { offer: regular, kind: Regular, choice: None }]);
    let seen = shop.store.quote(&shop.order(order).await, Default::default()).await.unwrap().unwrap();
    let new = placement(order, "ann", ManualMethod::CashOnDelivery);
    let new = NewPlacement { quote_version: Some(seen.version), ..new };
    assert_eq!(shop.store.place_order(&new).await.unwrap().0.status, OrderStatus::Placed);
}

/// It inserts without the column, as every node did before.
async fn offer_of_a_node_of_the_version_before_follows_the_shop(shop: Fixture) {
    for (kind, is_placed) in [("regular", true), ("flash", false)] {
        let offer = OfferId::new();
        shop.run(&format!(
            "insert into offers (id, stream, variant, kind, stage, price, currency, quantity, per_buyer, countdown_ms, hold_ms, opens_at)
            values ({}, {}, {}, '{kind}', 'open', 4900, 'SAR', 5, 5, 0, 300000, 1)",
            shop.id(offer.0),
            shop.id(shop.stream.0),
            shop.id(shop.variant.0)
        ))
        .await;
        assert_eq!(shop.load_offer(offer).await.pay_later, None);
        let order = shop.hold_one(offer, kind).await.id;
        assert_eq!(shop.place_cash(order, kind, false).await.is_ok(), is_placed, "{kind}");
    }
}

async fn copy_of_a_show_keeps_the_choice(shop: Fixture) {
    let mut expected = Vec::new();
    for (kind, choice) in [(Regular, Some(false)), (Flash, Some(true)), (Regular, None)] {
        shop.offer_to_pay(kind, choice).await;
        expected.push((kind, choice));
    }
    let copy = stream(StreamId::new());
    let copied = shop.store.copy_stream(shop.shop.id, (Some(shop.stream), &copy), None).await.unwrap();
    assert_eq!((copied.copied, copied.skipped), (3, 0));
    let offers = shop.store.offers_of_stream(copy.id).await.unwrap();
    let choices: Vec<_> = offers.iter().map(|offer| (offer.kind, offer.pay_later)).collect();
    assert_eq!(choices, expected);
}

async fn choice_that_changes_counts_for_held_orders_and_not_for_placed_ones(shop: Fixture) {
    let offer = shop.offer_to_pay(Regular, None).await;
    let set = async |choice| {
        let entry = audit_entry(shop.stream, AuditAction::SetPayLater);
        assert!(shop.store.set_pay_later(offer, choice, &entry).await.unwrap(), "{choice:?}");
        assert_eq!(shop.load_offer(offer).await.pay_later, choice);
    };
    let placed = shop.hold_one(offer, "ann").await.id;
    let held = shop.hold_one(offer, "bob").await.id;
    let request = placement(placed, "ann", ManualMethod::CashOnDelivery);
    let before = shop.store.place_order(&request).await.unwrap().0;

    set(Some(false)).await;
    assert_eq!(shop.place_cash(held, "bob", false).await, at_once(&[offer]));
    assert_eq!(shop.order(held).await.status, OrderStatus::Held);
    assert_eq!(shop.order(placed).await, before, "what was agreed stays");
    // Its buyer sends the same request again, and the shop takes the money as it was agreed.
    assert_eq!(shop.store.place_order(&request).await.unwrap(), (before.clone(), false));
    let received = ReceivedPayment { order: placed, amount: before.total(), paid_at: None };
    assert_eq!(shop.store.receive_payment(&received).await.unwrap().0.status, OrderStatus::Paid);

    set(Some(true)).await;
    assert_eq!(shop.place_cash(held, "bob", false).await, Ok(OrderStatus::Placed));
    // The host takes the choice back: the shop decides again.
    set(None).await;
    let later = shop.hold_one(offer, "cat").await.id;
    assert_eq!(shop.place_cash(later, "cat", false).await, Ok(OrderStatus::Placed));
    shop.assert_consistent().await;
}

async fn same_choice_again_writes_nothing(shop: Fixture) {
    let offer = shop.offer_to_pay(Flash, None).await;
    for (choice, is_change) in
        [(None, false), (Some(true), true), (Some(true), false), (Some(false), true), (None, true)]
    {
        let count = "select count(*) from audit_log where kind = 'set_pay_later'";
        let (version, entries) = (shop.load_offer(offer).await.terms.version, shop.number(count).await);
        let entry = audit_entry(shop.stream, AuditAction::SetPayLater);
        assert_eq!(shop.store.set_pay_later(offer, choice, &entry).await.unwrap(), is_change, "{choice:?}");
        let after = shop.load_offer(offer).await;
        assert_eq!(after.pay_later, choice);
        assert_eq!(
            (after.terms.version - version, shop.number(count).await - entries),
            (is_change.into(), is_change.into())
        );
    }
}

async fn closed_offer_keeps_its_choice(shop: Fixture) {
    let offer = shop.offer_to_pay(Regular, Some(false)).await;
    let entry = || audit_entry(shop.stream, AuditAction::SetPayLater);
    let draft = shop.new_offer(1, 1);
    shop.store.create_offer(&draft, None).await.unwrap();
    assert!(shop.store.set_pay_later(draft.id, Some(false), &entry()).await.unwrap(), "a draft can be changed");
    shop.store.close_offer(offer).await.unwrap();
    assert_eq!(refusal(shop.store.set_pay_later(offer, Some(true), &entry()).await), Refusal::Closed);
    assert_eq!(refusal(shop.store.set_pay_later(OfferId::new(), None, &entry()).await), Refusal::NoSuchOffer);
    assert_eq!(shop.load_offer(offer).await.pay_later, Some(false));
}
