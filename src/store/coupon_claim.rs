//! Claims of coupons in shows: what a person wants to have at the checkout. A claim reserves nothing; the use is reserved when the order takes
//! the coupon.

use uuid::Uuid;

use super::audit::insert_audit_entry;
use super::stream::read_stream;
use super::{Result, Store, from_json, to_json};
use crate::domain::{AuditEntry, CouponId, LiveStream, PersonKey, Refusal, ShownCoupon, StreamId, UserId};

/// Claims of one person that are tried at a checkout.
const CLAIMS_TRIED_MAX: i64 = 10;
/// Claims of coupons that were ended, which one step deletes.
const DELETED_TOGETHER_MAX: i64 = 500;

impl Store {
    /// Shows a coupon to the viewers of a show, in place of the one before; `None` hides it. A show that has ended without a recording
    /// shows none.
    pub async fn show_coupon(
        &self,
        id: StreamId,
        coupon: Option<&ShownCoupon>,
        entry: Option<&AuditEntry>,
    ) -> Result<LiveStream> {
        let coupon = coupon.map(to_json).transpose()?;
        self.transaction(async |tx| {
            let update = "update streams set version = version + 1, coupon = $2 where id = $1
                and (status <> 'ended' or replay is not null or $3)";
            let update = tx.query(update).bind(id.0).bind(coupon.as_deref()).bind(coupon.is_none());
            if update.execute().await? == 0 {
                return Err(Refusal::StreamEnded.into());
            }
            if let Some(entry) = entry {
                insert_audit_entry(tx, entry).await?;
            }
            Ok(read_stream(tx, id).await?.ok_or(Refusal::NoSuchStream)?)
        })
        .await
    }

    /// The coupons that are shown somewhere, at most 500.
    pub async fn shown_coupons(&self) -> Result<Vec<(StreamId, ShownCoupon)>> {
        let read = "select id, coupon from streams where coupon is not null order by id desc limit 500";
        let rows: Vec<(Uuid, String)> = self.query(read).fetch_all().await?;
        rows.into_iter().map(|(id, coupon)| Ok((StreamId(id), from_json(&coupon)?))).collect()
    }

    /// Keeps the claim of a coupon. To claim it again makes it the newest.
    pub async fn claim_coupon(&self, coupon: CouponId, person: &PersonKey, user: &UserId) -> Result<()> {
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let insert = "insert into coupon_claims (coupon, person, user_id, claimed_at) values ($1, $2, $3, $4)
                on conflict (person, coupon) do update set claimed_at = excluded.claimed_at";
            let insert = tx.query(insert).bind(coupon.0).bind(person.as_str()).bind(user.as_str()).bind(now);
            insert.execute().await.map(drop)
        })
        .await
    }

    /// The coupons that a person has claimed and not used, the newest first, at most 10.
    pub async fn claims_of(&self, person: &PersonKey) -> Result<Vec<CouponId>> {
        let read = "select coupon from coupon_claims where person = $1 order by claimed_at desc, coupon desc limit $2";
        let ids: Vec<Uuid> = self.query(read).bind(person.as_str()).bind(CLAIMS_TRIED_MAX).fetch_values().await?;
        Ok(ids.into_iter().map(CouponId).collect())
    }

    /// Forgets a claim: its coupon is on an order, or cannot be used any more.
    pub async fn forget_claim(&self, coupon: CouponId, person: &PersonKey) -> Result<()> {
        self.transaction(async |tx| {
            let delete = "delete from coupon_claims where person = $1 and coupon = $2";
            tx.query(delete).bind(person.as_str()).bind(coupon.0).execute().await.map(drop)
        })
        .await
    }

    /// Forgets every claim of a person, who wants no coupon.
    pub async fn forget_claims(&self, person: &PersonKey) -> Result<()> {
        self.transaction(async |tx| {
            let delete = "delete from coupon_claims where person = $1";
            tx.query(delete).bind(person.as_str()).execute().await.map(drop)
        })
        .await
    }

    /// Whether the buyer has an open order in this show.
    pub async fn has_open_order(&self, buyer: &UserId, stream: StreamId) -> Result<bool> {
        let find = "select id from orders where buyer = $1 and stream = $2 and status = 'open'";
        Ok(self.query(find).bind(buyer.as_str()).bind(stream.0).fetch_optional_value::<Uuid>().await?.is_some())
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
