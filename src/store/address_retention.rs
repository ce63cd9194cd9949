//! Addresses that are no longer needed: which orders were sent, and which addresses may be erased.

use uuid::Uuid;

use super::{Result, Store, ids_to_json};
use crate::domain::{Millis, OrderId};

/// Addresses that one call of [`Store::erase_addresses_before`] erases at most.
const ERASE_BATCH_MAX: i64 = 500;

/// The orders `o` whose address the shop still needs: open, or paid and not sent.
macro_rules! needs_address {
    () => {
        "(o.status in ('held', 'capturing') or (o.status = 'paid'
            and not exists (select 1 from shipments s where s.order_id = o.id)))"
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
    /// The search runs outside the transaction, because it reads all addresses: on SQLite a long transaction would stop purchases.
    pub async fn erase_addresses_before(&self, before: Millis) -> Result<u64> {
        let search = concat!(
            "select a.order_id from addresses a join orders o on o.id = a.order_id
                left join shipments p on p.order_id = a.order_id
                where not ",
            needs_address!(),
            " and (a.erase_when_done = 1
                or (case o.status when 'paid' then p.sent_at else o.changed_at end) < $1) limit $2"
        );
        let ids: Vec<Uuid> = self.query(search).bind(before).bind(ERASE_BATCH_MAX).fetch_values().await?;
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
