//! Holds whose payment is under way are made longer, so that no buyer loses a unit while the shop or the payment provider is working.
//!
//! While an attempt waits in our own queue, that costs the buyer nothing: its holds move on for as long as it waits. What the beginnings
//! of attempts and the requests to the provider add counts, [`EXTENSION_MAX_MS`] at most for a hold: otherwise declined cards, one
//! after another, would keep a unit forever. An attempt that waits for its buyer (`needs_action`) adds nothing. The end of a hold only moves forward, and only while the hold is not released: the lock on its row
//! decides between a release and an extension.

use uuid::Uuid;

use super::transaction::Transaction;
use super::{Result, Store, ids_to_json};
use crate::domain::payment::{EXTENSION_MAX_MS, QUEUE_HOLD_MS};
use crate::domain::{Millis, Order, OrderId};

/// `$1`: the new end, if the hold may move so far. `$2`: the most that requests may add.
macro_rules! extend_for_request {
    ($where:literal) => {
        concat!(
            "update reservations set version = version + 1, changed_at = $3,
                hold_until = case when $1 - hold_until < $2 - coalesce(extended_ms, 0) then $1
                    else hold_until + $2 - coalesce(extended_ms, 0) end,
                extended_ms = case when $1 - hold_until < $2 - coalesce(extended_ms, 0)
                    then coalesce(extended_ms, 0) + $1 - hold_until else $2 end ",
            $where
        )
    };
}

const EXTEND_ORDER_FOR_REQUEST: &str = extend_for_request!(
    "where order_id = $4 and status || '' = 'held' and hold_until < $1 and coalesce(extended_ms, 0) < $2"
);

/// Attempts that the provider was asked about, and whose answer is not known yet.
const EXTEND_CALLED_ON_POSTGRES: &str = extend_for_request!(
    "from (select r.id as due from payments p join reservations r on r.order_id = p.order_id
        where p.status in ('creating', 'needs_action', 'authorized', 'voiding') and p.status in ('creating', 'authorized')
            and (p.queue_number is null or p.called_at is not null)
            and r.status = 'held' and r.hold_until < $4 and coalesce(r.extended_ms, 0) < $2
        order by r.id for no key update of r skip locked) due where id = due.due returning order_id"
);
const EXTEND_CALLED_ON_SQLITE: &str = extend_for_request!(
    "where id in (select r.id from payments p join reservations r on r.order_id = p.order_id
        where p.status in ('creating', 'needs_action', 'authorized', 'voiding') and p.status in ('creating', 'authorized')
            and (p.queue_number is null or p.called_at is not null)
            and r.status = 'held' and r.hold_until < $4 and coalesce(r.extended_ms, 0) < $2) returning order_id"
);

/// Attempts about which the provider is asked now.
const EXTEND_ORDERS_ON_POSTGRES: &str = extend_for_request!(
    "from (select r.id as due from reservations r
        where r.order_id = any (array(select value::uuid from json_array_elements_text($4::json)))
            and r.status || '' = 'held' and r.hold_until < $1 and coalesce(r.extended_ms, 0) < $2
        order by r.id for no key update of r skip locked) due where id = due.due returning order_id"
);
const EXTEND_ORDERS_ON_SQLITE: &str = extend_for_request!(
    "where order_id in (select unhex(value) from json_each($4))
        and status || '' = 'held' and hold_until < $1 and coalesce(extended_ms, 0) < $2 returning order_id"
);

/// Attempts that wait for their turn.
const EXTEND_QUEUED_ON_POSTGRES: &str =
    "update reservations set version = version + 1, changed_at = $2, hold_until = $1
    from (select r.id as due from payments p join reservations r on r.order_id = p.order_id
        where p.queue_number is not null and p.status = 'creating' and p.called_at is null and p.provider = $4
            and r.status = 'held' and r.hold_until < $3
        order by r.id for no key update of r skip locked) due where id = due.due returning order_id";
const EXTEND_QUEUED_ON_SQLITE: &str = "update reservations set version = version + 1, changed_at = $2, hold_until = $1
    where id in (select r.id from payments p join reservations r on r.order_id = p.order_id
        where p.queue_number is not null and p.status = 'creating' and p.called_at is null and p.provider = $4
            and r.status = 'held' and r.hold_until < $3) returning order_id";

impl Store {
    /// Moves the ends of all holds forward whose attempt waits in the queue of this provider and that end before `before`, in one statement. Gives their
    /// orders. What another transaction has locked is left for the next time.
    pub async fn extend_queued_holds(&self, provider: &str, before: Millis, until: Millis) -> Result<Vec<OrderId>> {
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let extend = tx.choose(EXTEND_QUEUED_ON_POSTGRES, EXTEND_QUEUED_ON_SQLITE);
            let query = tx.query(extend).bind(until).bind(now).bind(before).bind(provider);
            Ok(distinct(query.fetch_values().await?))
        })
        .await
    }

    /// Moves the ends of all holds forward that end before `before`, and about whose attempt the provider was asked without an answer
    /// so far, in one statement: to `until`, as far as [`EXTENSION_MAX_MS`] allows. Gives their orders.
    pub async fn extend_called_holds(&self, before: Millis, until: Millis) -> Result<Vec<OrderId>> {
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let extend = tx.choose(EXTEND_CALLED_ON_POSTGRES, EXTEND_CALLED_ON_SQLITE);
            let query = tx.query(extend).bind(until).bind(EXTENSION_MAX_MS).bind(now).bind(before);
            Ok(distinct(query.fetch_values().await?))
        })
        .await
    }

    /// Moves the ends of the holds of these orders forward to `until`, as far as [`EXTENSION_MAX_MS`] allows: the provider is about to be
    /// asked. Gives the orders that changed.
    pub async fn extend_holds_of_orders(&self, orders: &[OrderId], until: Millis) -> Result<Vec<OrderId>> {
        let orders = ids_to_json(orders.iter().map(|order| order.0))?;
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let extend = tx.choose(EXTEND_ORDERS_ON_POSTGRES, EXTEND_ORDERS_ON_SQLITE);
            let query = tx.query(extend).bind(until).bind(EXTENSION_MAX_MS).bind(now).bind(orders);
            Ok(distinct(query.fetch_values().await?))
        })
        .await
    }
}

/// Moves the ends of the holds of a locked order forward, for an attempt that joins the queue, or for a request that takes at most
/// `request_ms`, as far as [`EXTENSION_MAX_MS`] allows. `false`: they end late enough.
pub(super) async fn extend_holds_of(
    tx: &mut Transaction<'_>,
    order: &Order,
    is_queued: bool,
    request_ms: Millis,
    now: Millis,
) -> Result<bool> {
    let until = now + if is_queued { QUEUE_HOLD_MS } else { request_ms };
    if order.held_lines().all(|line| line.hold_until >= until) {
        return Ok(false);
    }
    let query = tx.query(EXTEND_ORDER_FOR_REQUEST).bind(until).bind(EXTENSION_MAX_MS).bind(now).bind(order.id.0);
    Ok(query.execute().await? > 0)
}

fn distinct(mut ids: Vec<Uuid>) -> Vec<OrderId> {
    ids.sort_unstable();
    ids.dedup();
    ids.into_iter().map(OrderId).collect()
}
