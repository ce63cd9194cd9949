//! Claims of coupons in shows: what a person wants to have at the checkout. A claim reserves nothing. The quote of an order that has no
//! coupon shows the newest claimed one that fits, and the payment takes its use (`quote.rs`). A claim is used when an order has its coupon
//! since it was claimed: when that order ends without a payment, its use ends, and the claim is valid again.

use std::cmp::Reverse;

use uuid::Uuid;

use super::audit::insert_audit_entry;
use super::coupon::{CouponRow, coupons};
use super::row::from_row;
use super::stream::read_stream;
use super::transaction::Transaction;
use super::{Result, Store, from_json, to_json};
use crate::domain::{
    AppliedCoupon, AuditEntry, Coupon, CouponId, CouponLine, LiveStream, Millis, Order, OrderId, PersonKey, Refusal,
    ShownCoupon, StreamId, UserId,
};

/// Claims of coupons that were ended, which one step deletes.
const DELETED_TOGETHER_MAX: i64 = 500;

/// A coupon that an order has, or that its buyer has claimed for it.
pub(super) struct OfferedCouponRow {
    /// 0: the order has it.
    claimed_at: i64,
    coupon: CouponRow,
}

from_row!(OfferedCouponRow { claimed_at } and coupon);

/// The coupon of an order, or those that its buyer has claimed for it, the newest first.
pub(super) enum OfferedCoupons {
    Set(Box<Coupon>),
    Claimed(Vec<Coupon>),
}

impl OfferedCoupons {
    pub fn of(mut rows: Vec<OfferedCouponRow>) -> Result<Self> {
        rows.sort_by_key(|row| Reverse(row.claimed_at));
        let mut claimed = Vec::with_capacity(rows.len());
        for row in rows {
            let coupon = row.coupon.into_coupon()?;
            if row.claimed_at == 0 {
                return Ok(Self::Set(Box::new(coupon)));
            }
            claimed.push(coupon);
        }
        Ok(Self::Claimed(claimed))
    }

    /// What comes off these lines: the coupon that the order has, also when it takes nothing off, or the first claimed one that does.
    pub fn apply(&self, order: &Order, lines: &[CouponLine], now: Millis) -> Option<AppliedCoupon> {
        let apply = |coupon: &Coupon| coupon.apply(order.stream, &order.currency, lines, now);
        match self {
            Self::Set(coupon) => Some(apply(coupon)),
            Self::Claimed(coupons) => {
                coupons.iter().map(apply).find(|applied| applied.discounts.iter().any(|(_, discount)| *discount > 0))
            }
        }
    }
}

/// The coupon of an order, and the claims that can give it one, the newest first, at most 10. A claim counts while the buyer has not taken it
/// away from this order, no order has taken the coupon since, uses are left, and no attempt to pay has frozen the quote. A purchase by
/// itself gets none while the buyer has an open order in that show: that one comes first. Counts, because subqueries with `exists` become
/// joins, which read whole tables where the plan was made while they were small.
pub(super) const COUPONS_FOR_ORDER: &str = concat!(
    coupons!("select cast(0 as bigint) as claimed_at,", "from coupon_uses u join coupons c on c.id = u.coupon where u.order_id = $1"),
    " union all select * from (",
    coupons!(
        "select l.claimed_at,",
        "from reservations r join coupon_claims l on l.person = r.person join coupons c on c.id = l.coupon
            where r.id = $1 and c.ended_at is null and (c.quota is null or c.uses < c.quota)
                and (select count(*) from reservations d where d.id = l.declined_order and (d.id = r.id or d.order_id = r.id)) = 0
                and (select count(*) from coupon_uses v
                    where v.coupon = l.coupon and v.person = l.person and v.taken_at >= l.claimed_at) = 0
                and (select count(*) from coupon_uses v where v.coupon = l.coupon and v.person = l.person) < c.per_person
                and (select count(*) from payments p
                    where p.order_id = r.id and p.status in ('creating', 'needs_action', 'authorized')) = 0
                and (r.order_id is not null or (select count(*) from orders o
                    where o.buyer = r.buyer and o.stream = r.stream and o.status = 'open') = 0)
            order by l.claimed_at desc, l.coupon desc limit 10"
    ),
    ") claims"
);

/// A show that shows a coupon to its viewers.
#[derive(Clone, PartialEq, Debug)]
pub struct CouponInShow {
    pub stream: StreamId,
    /// The version of the show, which each coupon that is shown or hidden raises.
    pub version: i64,
    pub coupon: ShownCoupon,
}

impl Store {
    /// Shows a coupon to the viewers of a show, in place of the one before; `None` hides it. A show that has ended without a recording
    /// shows none.
    pub async fn show_coupon(
        &self,
        id: StreamId,
        coupon: Option<&ShownCoupon>,
        entry: &AuditEntry,
    ) -> Result<LiveStream> {
        let coupon = coupon.map(to_json).transpose()?;
        self.transaction(async |tx| {
            let update = "update streams set version = version + 1, coupon = $2 where id = $1
                and (status <> 'ended' or replay is not null or $3)";
            let update = tx.query(update).bind(id.0).bind(coupon.as_deref()).bind(coupon.is_none());
            if update.execute().await? == 0 {
                return Err(Refusal::StreamEnded.into());
            }
            insert_audit_entry(tx, entry).await?;
            Ok(read_stream(tx, id).await?.ok_or(Refusal::NoSuchStream)?)
        })
        .await
    }

    /// Hides a coupon that was found to be shown, if nothing of the show has changed since. `None`: it has, so the coupon may be another one
    /// now, or the same one that the team has just shown again.
    pub async fn hide_coupon_if_unchanged(&self, found: &CouponInShow) -> Result<Option<LiveStream>> {
        self.transaction(async |tx| {
            let hide = "update streams set version = version + 1, coupon = null
                where id = $1 and version = $2 and coupon is not null";
            match tx.query(hide).bind(found.stream.0).bind(found.version).execute().await? {
                0 => Ok(None),
                _ => read_stream(tx, found.stream).await,
            }
        })
        .await
    }

    /// The coupons that are shown somewhere, at most 500.
    pub async fn shown_coupons(&self) -> Result<Vec<CouponInShow>> {
        let read = "select id, version, coupon from streams where coupon is not null order by id desc limit 500";
        let rows: Vec<(Uuid, i64, String)> = self.query(read).fetch_all().await?;
        let found = |(id, version, coupon): (Uuid, i64, String)| {
            Ok(CouponInShow { stream: StreamId(id), version, coupon: from_json(&coupon)? })
        };
        rows.into_iter().map(found).collect()
    }

    /// Keeps the claim of a coupon. To claim it again makes it the newest, also for an order from which it was taken away.
    pub async fn claim_coupon(&self, coupon: CouponId, person: &PersonKey, user: &UserId) -> Result<()> {
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let insert = "insert into coupon_claims (coupon, person, user_id, claimed_at) values ($1, $2, $3, $4)
                on conflict (person, coupon) do update
                    set user_id = excluded.user_id, claimed_at = excluded.claimed_at, declined_order = null";
            let insert = tx.query(insert).bind(coupon.0).bind(person.as_str()).bind(user.as_str()).bind(now);
            insert.execute().await.map(drop)
        })
        .await
    }

    /// Deletes claims of coupons that were ended, at most 500, and gives how many.
    pub async fn delete_ended_claims(&self) -> Result<u64> {
        self.transaction(async |tx| {
            let delete = "delete from coupon_claims where (person, coupon) in (
                select l.person, l.coupon from coupons c join coupon_claims l on l.coupon = c.id
                    where c.ended_at is not null limit $1)";
            tx.query(delete).bind(DELETED_TOGETHER_MAX).execute().await
        })
        .await
    }
}

/// Notes that the buyer wants none of the claimed coupons on this order. Other orders get them. A claim remembers the last such order only.
pub(super) async fn decline_claims(tx: &mut Transaction<'_>, order: OrderId) -> Result<()> {
    // The persons of the lines, as the quote reads them: a guest may have signed in since.
    let decline = "update coupon_claims set declined_order = $1 where person in
        (select person from reservations where id = $1 union select person from reservations where order_id = $1)";
    tx.query(decline).bind(order.0).execute().await.map(drop)
}

/// Forgets the claim that became the coupon of this paid order.
pub(super) async fn forget_used_claim(tx: &mut Transaction<'_>, order: OrderId) -> Result<()> {
    let delete = "delete from coupon_claims where (person, coupon) in (select u.person, u.coupon from coupon_uses u
            where u.order_id = $1) and claimed_at <= (select u.taken_at from coupon_uses u where u.order_id = $1)";
    tx.query(delete).bind(order.0).execute().await.map(drop)
}
