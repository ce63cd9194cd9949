//! What the facts about coupons need: coupons, orders that have one, and the shortest way to each verb.

use livesouk::domain::order::request_hash;
use livesouk::domain::{
    AuditAction, AuditEntry, Coupon, CouponChange, CouponCode, CouponForm, CouponId, Market, Minor, OfferId, Order,
    OrderId, OrderQuote, Payment, QuoteRules, RefundScope, Refusal,
};
use livesouk::store::{Error, KeyedRequest, NewPayment, NewRefund, Result};

use super::builders::{audit_entry, key, person, purchase_request, user};
use super::fixture::Fixture;

pub const PERCENT_10: i64 = 1_000;

pub fn percent(code: &str, rate: i64) -> CouponForm {
    CouponForm { code: code.into(), percent_bp: Some(rate), per_person: Some(100), ..CouponForm::default() }
}

pub fn request(with: &str) -> KeyedRequest {
    let hash = request_hash(&["create_coupon", with]);
    KeyedRequest { user: user("noura"), name: "Noura".into(), verb: "create_coupon", key: key(with), hash, entry: None }
}

pub fn code_of(text: &str) -> CouponCode {
    CouponCode::parse(text).unwrap()
}

pub fn entry() -> AuditEntry {
    audit_entry(AuditEntry::WHOLE_SHOP, AuditAction::EndCoupon)
}

impl Fixture {
    pub async fn coupon(&self, form: CouponForm) -> Coupon {
        let now = self.store.now().await.unwrap();
        let with = format!("coupon-{:016x}", rand::random::<u64>());
        let coupon = form.validated(CouponId::new(), "SAR", now).unwrap();
        self.store.create_coupon(&coupon, &request(&with)).await.unwrap();
        coupon
    }

    pub async fn reserve_some(&self, offer: OfferId, buyer: &str, qty: i64) -> OrderId {
        let with = format!("key-{:016x}", rand::random::<u64>());
        self.buy(offer, &purchase_request(buyer, &with, qty)).await.unwrap().reservation.id
    }

    /// An order of this buyer with one line of so many units for each number.
    pub async fn opened(&self, buyer: &str, units: &[i64]) -> Order {
        let mut ids = Vec::new();
        for qty in units {
            let offer = self.offer(99, 99).await;
            ids.push(self.reserve_some(offer, buyer, *qty).await);
        }
        self.store.open_order(&user(buyer), &ids).await.unwrap()
    }

    pub async fn set(&self, order: &Order, code: &str) -> std::result::Result<(), Refusal> {
        self.set_for(order, order.buyer.as_str(), code).await
    }

    pub async fn set_for(&self, order: &Order, who: &str, code: &str) -> std::result::Result<(), Refusal> {
        refusal_of(self.store.set_coupon(&order.buyer, order.id, &person(who), &code_of(code)).await).map(drop)
    }

    pub async fn remove(&self, order: &Order) -> std::result::Result<(), Refusal> {
        refusal_of(self.store.remove_coupon(order.id).await)
    }

    pub async fn claim(&self, coupon: &Coupon, who: &str) {
        self.store.claim_coupon(coupon.id, &person(who), &user(who)).await.unwrap();
    }

    pub async fn quote_of(&self, order: OrderId) -> OrderQuote {
        let order = self.order(order).await;
        self.store.quote(&order, QuoteRules::default()).await.unwrap().unwrap()
    }

    pub async fn pay_seen(&self, order: &Order, quote: &OrderQuote) -> std::result::Result<Payment, Refusal> {
        let new = NewPayment {
            order: order.id,
            buyer: order.buyer.clone(),
            key: key(&format!("try-{:016x}", rand::random::<u64>())),
            hash: request_hash(&["pay"]),
            provider: "test",
            token: "ok".into(),
            quote_version: Some(quote.version.clone()),
            rules: QuoteRules::default(),
            market: Market::default(),
            is_queued: false,
            request_ms: 0,
            card: Default::default(),
        };
        refusal_of(self.store.begin_payment(&new).await).map(|begun| begun.payment)
    }

    pub async fn paid(&self, order: &Order) -> Order {
        let quote = self.quote_of(order.id).await;
        let payment = self.pay_seen(order, &quote).await.unwrap();
        self.store.begin_capture(&payment, Some(payment.create_key().as_str())).await.unwrap().expect("it wins");
        self.store.finish_capture(order.id).await.unwrap().expect("it is paid")
    }

    pub async fn uses(&self, coupon: &Coupon) -> i64 {
        assert_eq!(self.store.coupon_mismatches().await.unwrap(), []);
        self.store.coupon(coupon.id).await.unwrap().unwrap().uses
    }

    pub async fn end_coupon(&self, coupon: &Coupon) {
        let change = CouponChange { version: coupon.version, is_ended: true, ..CouponChange::default() };
        self.store.change_coupon(coupon.id, change, &entry()).await.unwrap();
    }

    /// What the background job does.
    pub async fn settle(&self) {
        for order in self.store.decided_coupon_orders().await.unwrap() {
            self.store.settle_coupon(order).await.unwrap();
        }
    }

    pub async fn give_back(&self, order: OrderId, scope: RefundScope) -> Minor {
        let new = NewRefund {
            order,
            by: user("noura"),
            key: key(&format!("refund-{:016x}", rand::random::<u64>())),
            hash: request_hash(&["refund"]),
            scope,
            restock: true,
            reason: None,
        };
        let refund = self.store.begin_refund(&new).await.unwrap();
        self.store.finish_refund(&refund).await.unwrap().unwrap();
        refund.amount
    }
}

pub fn refusal_of<T>(result: Result<T>) -> std::result::Result<T, Refusal> {
    result.map_err(|error| match error {
        Error::Refused(refusal) => refusal,
        fault => panic!("{fault}"),
    })
}

impl Fixture {
    pub async fn paid_by(&self, order: &Order, payment: &Payment) -> Order {
        self.store.begin_capture(payment, Some("none")).await.unwrap().expect("it wins");
        self.store.finish_capture(order.id).await.unwrap().expect("it is paid")
    }
}
