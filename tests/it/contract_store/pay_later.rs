//! Whether an order can be paid later follows from its offers: their hosts decide, and else the shop.

use livesouk::domain::{ManualMethod, OfferId, OfferKind, OfferPayLater, OrderId, OrderStatus, Refusal, StreamId};
use livesouk::store::NewPlacement;

use super::builders::{purchase_request, refusal, stream, user};
use super::fixture::{Fixture, facts};
use super::placed_order::placement;

facts! {
    offer_decides_whether_it_is_paid_later
    one_line_that_is_paid_at_once_is_enough
    line_that_has_ended_decides_nothing
    offer_of_a_node_of_the_version_before_follows_the_shop
    copy_of_a_show_keeps_the_choice
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
        let expected = if is_placed { Ok(OrderStatus::Placed) } else { Err(Refusal::MethodOff) };
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
        ("bob", vec![regular, refused], Err(Refusal::MethodOff)),
        ("cat", vec![refused, allowed], Err(Refusal::MethodOff)),
        ("dan", vec![regular, flash], Err(Refusal::MethodOff)),
    ] {
        let order = shop.bag(buyer, &offers).await;
        assert_eq!(shop.place_cash(order, buyer, false).await, expected, "{buyer}");
    }
}

async fn line_that_has_ended_decides_nothing(shop: Fixture) {
    let (regular, refused) = (shop.offer_to_pay(Regular, None).await, shop.offer_to_pay(Regular, Some(false)).await);
    let order = shop.bag("ann", &[regular, refused]).await;
    assert_eq!(shop.place_cash(order, "ann", false).await, Err(Refusal::MethodOff));
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
