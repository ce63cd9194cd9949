//! Coupons as the team sees them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{Coupon, CouponId, Millis, Minor, ProductId, StreamId};

/// A coupon of the shop.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Coupon)]
pub struct CouponView {
    pub id: CouponId,
    /// As the team wrote it. Buyers may type it in another case, with or without spaces and signs, and in the digits of any language.
    pub code: String,
    /// What it takes off, in basis points: 1000 is 10 %. Null: it takes off an `amount`.
    pub percent_bp: Option<i64>,
    /// The most that it takes off, in minor units.
    pub amount: Option<Minor>,
    pub currency: String,
    pub starts_at: Millis,
    /// From this time on it takes nothing off; null: it has no end.
    pub ends_at: Option<Millis>,
    /// Orders that can have it; null: any number.
    pub quota: Option<i64>,
    /// Orders that have it now: those that are paid, and those that may still be.
    pub uses: i64,
    /// Orders of one person that can have it.
    pub per_person: i64,
    /// What the products that it counts for must cost together; 0: anything.
    pub minimum: Minor,
    /// Empty: it counts for all products.
    pub products: Vec<ProductId>,
    /// Null: it counts in every show.
    pub stream: Option<StreamId>,
    /// When the team ended it; null: nobody did.
    pub ended_at: Option<Millis>,
    pub created_at: Millis,
    /// Grows with every change by the team.
    pub version: i64,
    /// The server's time at which this view was made.
    pub now: Millis,
}

impl CouponView {
    pub fn of(coupon: Coupon, now: Millis) -> Self {
        let (percent_bp, amount) = coupon.discount.parts();
        Self {
            id: coupon.id,
            code: coupon.code.text,
            percent_bp,
            amount,
            currency: coupon.currency,
            starts_at: coupon.starts_at,
            ends_at: coupon.ends_at,
            quota: coupon.quota,
            uses: coupon.uses,
            per_person: coupon.per_person,
            minimum: coupon.minimum,
            products: coupon.products,
            stream: coupon.stream,
            ended_at: coupon.ended_at,
            created_at: coupon.created_at,
            version: coupon.version,
            now,
        }
    }
}
