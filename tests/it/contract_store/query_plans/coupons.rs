//! The queries about coupons.

use livesouk::domain::{
    AuditAction, AuditEntry, CouponChange, CouponCode, CouponForm, CouponId, IdempotencyKey, QuoteRules,
};
use livesouk::store::KeyedRequest;

use super::every_query::{Calls, call};
use crate::contract_store::builders::{audit_entry, key, person, user};

fn request(key: IdempotencyKey) -> KeyedRequest {
    KeyedRequest { user: user("noura"), name: "Noura".into(), verb: "create_coupon", key, hash: [3; 32], entry: None }
}

pub(super) async fn all(c: &Calls) {
    let now = c.shop.store.now().await.unwrap();
    let form = CouponForm {
        percent_bp: Some(1_000),
        products: vec![c.shop.product],
        stream: Some(c.shop.stream),
        ..CouponForm::default()
    };
    let made =
        |code: &str| CouponForm { code: code.into(), ..form.clone() }.validated(CouponId::new(), "SAR", now).unwrap();
    let (first, second) = (made("first"), made("second"));
    call!(c, create_coupon(&first, &request(key("coupon-0001")))).unwrap();
    call!(c, create_coupon(&second, &request(key("coupon-0002")))).unwrap();
    call!(c, coupon(first.id));
    call!(c, coupons(None, 50));
    call!(c, has_coupons());
    let offer = c.shop.offer(5, 5).await;
    let order = c.shop.hold_one(offer, "coupon-buyer").await.id;
    let buyer = user("coupon-buyer");
    call!(c, open_order(&buyer, &[order])).unwrap();
    for code in ["first", "second"] {
        let code = CouponCode::parse(code).unwrap();
        call!(c, set_coupon(&buyer, order, &person("coupon-buyer"), &code)).unwrap();
    }
    call!(c, remove_coupon(order)).unwrap();
    let unknown = CouponCode::parse("unknown").unwrap();
    call!(c, set_coupon(&buyer, order, &person("coupon-buyer"), &unknown));
    let shown = first.shown(c.shop.stream, "SAR", now).unwrap();
    let entry = audit_entry(c.shop.stream, AuditAction::ShowCoupon);
    call!(c, show_coupon(c.shop.stream, Some(&shown), &entry)).unwrap();
    let found = call!(c, shown_coupons()).unwrap();
    call!(c, hide_coupon_if_unchanged(&found[0])).unwrap();
    call!(c, claim_coupon(first.id, &person("coupon-buyer"), &buyer)).unwrap();
    // The payment takes a use of the coupon that was claimed.
    let claimer = c.shop.order(order).await;
    let quote = call!(c, quote(&claimer, QuoteRules::default())).unwrap().unwrap();
    assert!(quote.coupon.is_some(), "{quote:?}");
    c.shop.pay_seen(&claimer, &quote).await.unwrap();
    call!(c, delete_ended_claims());
    call!(c, decided_coupon_orders());
    call!(c, settle_coupon(order)).unwrap();
    let entry = audit_entry(AuditEntry::WHOLE_SHOP, AuditAction::EndCoupon);
    let change = CouponChange { version: 1, is_ended: true, ..CouponChange::default() };
    call!(c, change_coupon(first.id, change, &entry)).unwrap();
}
