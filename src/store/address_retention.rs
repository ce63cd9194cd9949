//! Addresses that are no longer needed: which orders were sent, and which addresses may be erased.

use uuid::Uuid;

use super::order::order_status;
use super::{Result, Store, ids_to_json};
use crate::domain::{Millis, OrderId};

/// Addresses that one call of [`Store::erase_addresses_before`] erases at most.
const ERASE_BATCH_MAX: i64 = 500;

/// The time in an order's id is that of a node, the others are the database's.
pub(super) const CLOCKS_DIFFER_MS: Millis = 86_400_000;
/// The largest time that an id can have.
pub(super) const ID_TIME_MAX: Millis = (1 << 48) - 1;

/// The orders, named by their first reservation `o`, whose address the shop still needs: open or placed, paid and not sent, or without
/// the invoice that names it.
macro_rules! needs_address {
    () => {
        concat!(
            "(exists (select 1 from orders d where d.id = o.id and d.documented is null
                and d.paid_at >= (select since from billing_begin where one = 1)) or case ",
            $crate::store::order::order_status!("o.id"),
            " when 'held' then true when 'capturing' then true when 'placed' then true
                when 'paid' then not exists (select 1 from shipments s where s.order_id = o.id) else false end)"
        )
    };
}

pub(super) use needs_address;

impl Store {
    pub async fn sent_at(&self, order: OrderId) -> Result<Option<Millis>> {
        self.query("select sent_at from shipments where order_id = $1").bind(order.0).fetch_optional_value().await
    }

    /// Erases addresses of orders that ended or were sent before `before`, at most 500 at a time, and gives how many. Addresses whose
    /// user asked for erasure do not wait for `before`. Call it until it gives 0.
    ///
    /// The search runs outside the transaction: on SQLite a long transaction would stop purchases.
    pub async fn erase_addresses_before(&self, before: Millis) -> Result<u64> {
        let marked = concat!(
            "select a.order_id from addresses a join reservations o on o.id = a.order_id
                where a.erase_when_done = 1 and not ",
            needs_address!(),
            " limit $1"
        );
        let mut ids: Vec<Uuid> = self.query(marked).bind(ERASE_BATCH_MAX).fetch_values().await?;
        if ids.is_empty() {
            // What ended before a time was created before it. Of those, only the addresses that are still needed are left.
            let old = concat!(
                "select a.order_id from addresses a join reservations o on o.id = a.order_id
                    left join shipments p on p.order_id = a.order_id
                    where a.order_id < $1 and (not ",
                needs_address!(),
                // Nobody may ever note its payment: it waits no longer than a paid one.
                " or p.sent_at is not null and exists
                        (select 1 from orders d where d.id = o.id and d.status = 'placed'))
                    and (case ",
                order_status!("o.id"),
                " when 'paid' then p.sent_at when 'placed' then p.sent_at else (select max(c.changed_at) from reservations c
                    where c.id = o.id or c.order_id = o.id) end) < $2 limit $3"
            );
            let created_before = OrderId::first_at(before.saturating_add(CLOCKS_DIFFER_MS).min(ID_TIME_MAX));
            let query = self.query(old).bind(created_before.0).bind(before).bind(ERASE_BATCH_MAX);
            ids = query.fetch_values().await?;
        }
        if ids.is_empty() {
            return Ok(0);
        }
        let ids = ids_to_json(ids.into_iter())?;
        // An order that has ended stays so, and so does one that was sent.
        self.transaction(async |tx| {
            let delete = tx.choose(
                "delete from addresses where order_id = any (array(select json_array_elements_text($1::json)::uuid))",
                "delete from addresses where order_id in (select unhex(value) from json_each($1))",
            );
            tx.query(delete).bind(ids).execute().await
        })
        .await
    }
}
