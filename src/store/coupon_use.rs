//! Which orders have a coupon. A use is reserved in the transaction that sets the coupon on the order, as a unit of stock is, and given
//! back when the coupon is removed or the order has ended without a payment. A claimed coupon is set by the payment. Locks: the lines of the
//! order, its row, then coupons, ascending.

use uuid::Uuid;

use super::account::parse_person;
use super::coupon::{CouponRow, coupons, lock_coupon};
use super::coupon_claim::{decline_claims, forget_used_claim};
use super::open_order::open_order;
use super::order::{lock_lines, lock_order, order_status, read_order};
use super::quote::coupon_lines;
use super::transaction::Transaction;
use super::{Result, Store};
use crate::domain::{Coupon, CouponCode, CouponId, CouponProblem, Millis, Order, OrderId, PersonKey, Refusal, UserId};

/// Uses that one run of the job looks at.
pub const DECIDED_TOGETHER_MAX: usize = 500;

const COUPON_OF_CODE: &str = coupons!("select", "from coupons c where c.folded = $1 and c.ended_at is null");
/// The newest of those that were ended: a buyer who types its code gets the answer that it has ended.
const ENDED_COUPON_OF_CODE: &str =
    "select cast(count(*) as bigint) from (select 1 from coupons c where c.folded = $1 limit 1) known";

const ATTEMPT_UNDER_WAY: &str = "select cast(count(*) as bigint) from payments
    where order_id = $1 and status in ('creating', 'needs_action', 'authorized')";

impl Store {
    /// Gives a held order of this buyer a coupon, in place of the one that it has; a purchase by itself becomes a line of the buyer's open
    /// order. Refused when the coupon does not fit the order, is used up, or was used by this person as often as one may: then all stays as
    /// it was. To set it again changes nothing. Gives the id of the order.
    pub async fn set_coupon(
        &self,
        buyer: &UserId,
        id: OrderId,
        person: &PersonKey,
        code: &CouponCode,
    ) -> Result<OrderId> {
        self.transaction(async |tx| {
            let (order, chosen) = match read_order(tx, id).await?.first_line().order {
                Some(opened) => (lock_changeable(tx, opened).await?, find_coupon(tx, code).await?.id),
                None => open_for_coupon(tx, buyer, id, code).await?,
            };
            let id = order.id;
            let before = coupon_of(tx, id).await?;
            if before == Some(chosen) {
                return Ok(id);
            }
            // In the lock order of coupons.
            let mut ids: Vec<CouponId> = before.into_iter().chain([chosen]).collect();
            ids.sort_unstable();
            let mut coupon = None;
            for locked in ids {
                let read = lock_coupon(tx, locked).await?;
                coupon = if locked == chosen { read } else { coupon };
            }
            let coupon = coupon.ok_or(Refusal::Coupon(CouponProblem::Unknown))?;
            let now = tx.now().await?;
            let lines = coupon_lines(tx, &order).await?;
            coupon.discounts(order.stream, &order.currency, &lines, now).map_err(Refusal::Coupon)?;
            if let Some(before) = before {
                end_use(tx, id, before).await?;
            }
            begin_use(tx, id, person, &coupon, now).await?;
            Ok(id)
        })
        .await
    }

    /// Takes the coupon away from a held order, which gets none that its buyer has claimed until it is claimed again. The claims stay. A
    /// second removal has no effect.
    pub async fn remove_coupon(&self, id: OrderId) -> Result<()> {
        self.transaction(async |tx| {
            lock_changeable(tx, id).await?;
            decline_claims(tx, id).await?;
            let Some(coupon) = coupon_of(tx, id).await? else { return Ok(()) };
            end_use(tx, id, coupon).await?;
            // An attempt to pay that failed may have written them.
            let reset = "update reservations set discount = 0 where order_id = $1 and discount > 0";
            tx.query(reset).bind(id.0).execute().await.map(drop)
        })
        .await
    }

    /// Gives the use of an order back that ended without a payment, or was paid without a discount because the coupon fitted no more.
    /// Keeps that of every other paid order permanently. Doing it again changes nothing.
    pub async fn settle_coupon(&self, id: OrderId) -> Result<()> {
        self.transaction(async |tx| {
            // Other changes of the lines wait for this lock, so that none of them is held again after it was read here.
            lock_lines(tx, id).await?;
            let read = concat!(
                "select u.coupon, ",
                order_status!("u.order_id"),
                ", (select cast(coalesce(sum(r.discount), 0) as bigint) from reservations r where r.order_id = u.order_id and r.status = 'sold')
                from coupon_uses u where u.order_id = $1 and u.is_final = 0"
            );
            let found: Option<(Uuid, String, i64)> = tx.query(read).bind(id.0).fetch_optional().await?;
            match found {
                None => Ok(()),
                Some((_, status, discount)) if matches!(status.as_str(), "paid" | "refunded") && discount > 0 => {
                    let keep = "update coupon_uses set is_final = 1 where order_id = $1";
                    tx.query(keep).bind(id.0).execute().await?;
                    forget_used_claim(tx, id).await
                }
                Some((coupon, status, _)) if matches!(status.as_str(), "paid" | "refunded" | "expired" | "cancelled") => {
                    end_use(tx, id, CouponId(coupon)).await
                }
                Some(_) => Ok(()),
            }
        })
        .await
    }

    /// Finds orders with a coupon that were decided since: paid, or ended without a payment; at most 500.
    pub async fn decided_coupon_orders(&self) -> Result<Vec<OrderId>> {
        let read = "select u.order_id from coupon_uses u where u.is_final = 0 and (select count(*) from reservations r
                where r.order_id = u.order_id and r.status || '' in ('held', 'capturing', 'placed')) = 0 order by u.order_id limit $1";
        let ids: Vec<Uuid> = self.query(read).bind(DECIDED_TOGETHER_MAX as i64).fetch_values().await?;
        Ok(ids.into_iter().map(OrderId).collect())
    }
}

/// Locks an order that is held, and whose quote is not frozen by an attempt to pay.
async fn lock_changeable(tx: &mut Transaction<'_>, id: OrderId) -> Result<Order> {
    let order = lock_order(tx, id).await?;
    order.check_payable()?;
    match tx.query(ATTEMPT_UNDER_WAY).bind(id.0).fetch_value::<i64>().await? {
        0 => Ok(order),
        _ => Err(Refusal::WrongStatus("A payment of the order is under way.").into()),
    }
}

async fn find_coupon(tx: &mut Transaction<'_>, code: &CouponCode) -> Result<Coupon> {
    let row: Option<CouponRow> = tx.query(COUPON_OF_CODE).bind(&code.folded).fetch_optional().await?;
    if let Some(row) = row {
        return row.into_coupon();
    }
    let problem = match tx.query(ENDED_COUPON_OF_CODE).bind(&code.folded).fetch_value::<i64>().await? {
        0 => CouponProblem::Unknown,
        _ => CouponProblem::Ended,
    };
    Err(Refusal::Coupon(problem).into())
}

/// Makes a purchase that is in no order yet a line of the buyer's open order: a use is noted with an order. A coupon that is refused
/// after that leaves the purchase as it was, because all of it is one transaction.
async fn open_for_coupon(
    tx: &mut Transaction<'_>,
    buyer: &UserId,
    id: OrderId,
    code: &CouponCode,
) -> Result<(Order, CouponId)> {
    let coupon = find_coupon(tx, code).await?;
    // What is refused for every order is refused before, because each try to open an order uses a number up.
    coupon.check_time(tx.now().await?).map_err(Refusal::Coupon)?;
    if coupon.is_used_up() {
        return Err(Refusal::Coupon(CouponProblem::UsedUp).into());
    }
    let (opened, locked) = open_order(tx, buyer, &[id]).await?;
    if opened.lines.len() != locked {
        // A line joined it meanwhile. To lock that one now could wait for somebody who waits for us.
        return Err(Refusal::Busy { retry_ms: 100 }.into());
    }
    Ok((lock_changeable(tx, opened.id).await?, coupon.id))
}

/// Takes one use of a locked coupon that its buyer has claimed, for a locked order that is about to be paid.
pub(super) async fn begin_claimed_use(tx: &mut Transaction<'_>, order: &Order, coupon: &Coupon) -> Result<()> {
    let read = "select person from reservations where id = $1";
    let person: String = tx.query(read).bind(order.id.0).fetch_value().await?;
    let now = tx.now().await?;
    begin_use(tx, order.id, &parse_person(&person)?, coupon, now).await
}

pub(super) async fn coupon_of(tx: &mut Transaction<'_>, order: OrderId) -> Result<Option<CouponId>> {
    let find = "select coupon from coupon_uses where order_id = $1";
    let found: Option<Uuid> = tx.query(find).bind(order.0).fetch_optional_value().await?;
    Ok(found.map(CouponId))
}

/// Takes one use of a locked coupon for an order that has none.
async fn begin_use(
    tx: &mut Transaction<'_>,
    order: OrderId,
    person: &PersonKey,
    coupon: &Coupon,
    now: Millis,
) -> Result<()> {
    let take = "update coupons set uses = uses + 1 where id = $1 and (quota is null or uses < quota)";
    if tx.query(take).bind(coupon.id.0).execute().await? == 0 {
        return Err(Refusal::Coupon(CouponProblem::UsedUp).into());
    }
    // The coupon is locked, so two orders of one person are counted one after the other.
    let count = "select cast(count(*) as bigint) from coupon_uses where coupon = $1 and person = $2";
    let used: i64 = tx.query(count).bind(coupon.id.0).bind(person.as_str()).fetch_value().await?;
    if coupon.per_person <= used {
        return Err(Refusal::Coupon(CouponProblem::PersonLimit).into());
    }
    let insert = "insert into coupon_uses (order_id, coupon, person, taken_at) values ($1, $2, $3, $4)";
    let insert = tx.query(insert).bind(order.0).bind(coupon.id.0).bind(person.as_str()).bind(now);
    insert.execute().await.map(drop)
}

/// Gives the use of an order back, whose lines are locked.
async fn end_use(tx: &mut Transaction<'_>, order: OrderId, coupon: CouponId) -> Result<()> {
    let delete = "delete from coupon_uses where order_id = $1 and is_final = 0";
    if tx.query(delete).bind(order.0).execute().await? > 0 {
        tx.query("update coupons set uses = uses - 1 where id = $1").bind(coupon.0).execute().await?;
    }
    Ok(())
}
