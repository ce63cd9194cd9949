//! Orders as the seller sees them: the list of the shop, the steps of fulfilment, notes and tags.
//!
//! No index serves the filters: each index of the reservations is paid for under the lock of an offer's row. Ids are in the order of
//! time, and an order has the id of its first reservation, so the list goes backwards along the primary key and looks at a bounded
//! number of reservations a page.

use std::collections::HashMap;

use uuid::{NoContext, Timestamp, Uuid};

use super::address_retention::needs_address;
use super::mail::{queue_order_mail, unqueue_sent_mail};
use super::order::{lock_lines, order_status, read_order};
use super::row::from_row;
use super::transaction::Transaction;
use super::{Result, Store, ids_to_json, require_known};
use crate::domain::{
    Consignment, Fulfilment, FulfilmentStatus, FulfilmentStep, MailContent, Millis, Order, OrderId, OrderStatus,
    PaymentStatus, Refusal, ShopOrderFilter, UserId, fulfilment,
};

/// Reservations that one page looks at, at most, when few of their orders match the filter.
pub const ORDERS_EXAMINED_MAX: i64 = 20_000;

/// An order with what the seller noted on it.
#[derive(Clone, PartialEq, Debug)]
pub struct ShopOrder {
    pub order: Order,
    pub fulfilment: Fulfilment,
    pub tags: Vec<String>,
}

/// A page of the list, newest order first.
#[derive(Clone, PartialEq, Debug)]
pub struct ShopOrderPage {
    pub orders: Vec<ShopOrder>,
    /// Where the next page begins; `None`: no older order matches. A page may be short, or empty, and have a next one.
    pub next: Option<OrderId>,
}

/// A note of the team on an order.
#[derive(Clone, PartialEq, Debug)]
pub struct OrderNote {
    pub id: Uuid,
    pub at: Millis,
    pub by: String,
    pub by_name: String,
    pub text: String,
}

/// One attempt to pay an order, as the seller sees it.
#[derive(Clone, PartialEq, Debug)]
pub struct PaymentAttempt {
    pub attempt: i64,
    pub provider: String,
    pub reference: Option<String>,
    pub status: PaymentStatus,
    pub created_at: Millis,
    pub changed_at: Millis,
}

struct FulfilmentRow {
    packed_at: Option<i64>,
    sent_at: Option<i64>,
    delivered_at: Option<i64>,
    carrier: Option<String>,
    tracking: Option<String>,
}

from_row!(FulfilmentRow { packed_at, sent_at, delivered_at, carrier, tracking });

impl FulfilmentRow {
    fn into_fulfilment(self) -> Fulfilment {
        let Self { packed_at, sent_at, delivered_at, carrier, tracking } = self;
        Fulfilment { packed_at, sent_at, delivered_at, carrier, tracking }
    }
}

struct ShopOrderRow {
    id: Uuid,
    packed_at: Option<i64>,
    sent_at: Option<i64>,
    delivered_at: Option<i64>,
    carrier: Option<String>,
    tracking: Option<String>,
}

from_row!(ShopOrderRow { id, packed_at, sent_at, delivered_at, carrier, tracking });

const SELECT_FULFILMENT: &str = "select f.packed_at, s.sent_at, f.delivered_at, f.carrier, f.tracking
    from (select $1 as id) o left join fulfilments f on f.order_id = o.id left join shipments s on s.order_id = o.id";

/// `$examined`: a subquery for the reservations that the page looks at. Those that represent their order are listed: the first line,
/// or a purchase that is in no order yet.
macro_rules! shop_orders {
    ($examined:literal) => {
        concat!(
            "select o.id, f.packed_at, s.sent_at, f.delivered_at, f.carrier, f.tracking from (select e.*, ",
            order_status!("e.id"),
            " as order_status from ",
            $examined,
            " e where (e.order_id is null or e.order_id = e.id) and ($4 or e.stream = $5)) o
            left join fulfilments f on f.order_id = o.id left join shipments s on s.order_id = o.id
            where ($6 = '' or o.order_status = $6)
                and ($7 = '' or ((o.order_status = 'paid' or o.order_status = 'placed' and exists (select 1 from orders c
                        where c.id = o.id and c.placement like '%cash_on_delivery%')) and $7 = case when f.delivered_at is not null then 'delivered'
                    when s.sent_at is not null then 'sent' when f.packed_at is not null then 'packed'
                    else 'unfulfilled' end))
                and ($8 = '' or exists (select 1 from order_tags t where t.order_id = o.id and t.tag = $8))
                and ($9 = '' or o.buyer = $9
                    or o.id in ((select coalesce(r.order_id, r.id) from reservations r where r.id = $10),
                        (select n.id from orders n where n.number = $12))
                    or lower(o.buyer_name) like '%' || replace(replace(replace(lower($9), '!', '!!'), '%', '!%'), '_', '!_')
                        || '%' escape '!')
            order by o.id desc limit $3"
        )
    };
}

const SHOP_ORDERS: &str =
    shop_orders!("(select * from reservations where id < $1 and id >= $2 order by id desc limit $11)");
/// Materialized: otherwise the planner may read all reservations from the newest on, looking for those of the buyer.
const ORDERS_OF_BUYER: &str = concat!(
    "with mine as materialized (select * from reservations where buyer = $13) ",
    shop_orders!("(select * from mine where id < $1 and id >= $2 order by id desc limit $11)")
);

/// The smallest id of an order that is created at `at` or later.
fn first_id_at(at: Millis) -> Uuid {
    let ms = at.clamp(0, (1 << 48) - 1).unsigned_abs();
    let timestamp = Timestamp::from_unix(NoContext, ms / 1_000, (ms % 1_000) as u32 * 1_000_000);
    let mut bytes = *Uuid::new_v7(timestamp).as_bytes();
    bytes[6..].fill(0);
    Uuid::from_bytes(bytes)
}

impl Store {
    /// Reads a page of the shop's orders, newest first, before `after`. It looks at [`ORDERS_EXAMINED_MAX`] orders at most.
    pub async fn shop_orders(
        &self,
        filter: &ShopOrderFilter,
        after: Option<OrderId>,
        limit: i64,
    ) -> Result<ShopOrderPage> {
        let before = after.map_or(Uuid::max(), |id| id.0).min(filter.until.map_or(Uuid::max(), first_id_at));
        let from = filter.since.map_or(Uuid::nil(), first_id_at);
        let search = filter.search.as_deref().unwrap_or_default();
        let query = self
            .report_query(if filter.buyer.is_some() { ORDERS_OF_BUYER } else { SHOP_ORDERS })
            .bind(before)
            .bind(from)
            .bind(limit + 1)
            .bind(filter.stream.is_none())
            .bind(filter.stream.map_or(Uuid::nil(), |id| id.0))
            .bind(filter.status.map_or("", OrderStatus::name))
            .bind(filter.fulfilment.map_or("", FulfilmentStatus::name))
            .bind(filter.tag.as_deref().unwrap_or_default())
            .bind(search)
            .bind(search.parse().unwrap_or(Uuid::nil()))
            .bind(ORDERS_EXAMINED_MAX)
            .bind(search.trim_start_matches('#').parse().unwrap_or(-1_i64));
        let query = match &filter.buyer {
            Some(buyer) => query.bind(buyer.as_str()),
            None => query,
        };
        let mut rows: Vec<ShopOrderRow> = query.fetch_all().await?;
        let is_full = limit < rows.len() as i64;
        rows.truncate(usize::try_from(limit).unwrap_or_default());
        let next = match rows.last().filter(|_| is_full) {
            Some(last) => Some(OrderId(last.id)),
            None => self.last_examined(filter, before, from).await?,
        };
        Ok(ShopOrderPage { orders: self.with_lines_and_tags(rows).await?, next })
    }

    /// The last reservation that a page looked at, if there are older ones.
    async fn last_examined(&self, filter: &ShopOrderFilter, before: Uuid, from: Uuid) -> Result<Option<OrderId>> {
        let read = if filter.buyer.is_some() {
            "with mine as materialized (select id from reservations where buyer = $4) select id from mine
                where id < $1 and id >= $2 order by id desc limit 1 offset $3"
        } else {
            "select id from reservations where id < $1 and id >= $2 order by id desc limit 1 offset $3"
        };
        let query = self.report_query(read).bind(before).bind(from).bind(ORDERS_EXAMINED_MAX - 1);
        let query = match &filter.buyer {
            Some(buyer) => query.bind(buyer.as_str()),
            None => query,
        };
        let last: Option<Uuid> = query.fetch_optional_value().await?;
        Ok(last.map(OrderId))
    }

    async fn with_lines_and_tags(&self, rows: Vec<ShopOrderRow>) -> Result<Vec<ShopOrder>> {
        let read = self.choose(
            "select order_id, tag from order_tags
                where order_id = any (array(select json_array_elements_text($1::json)::uuid)) order by order_id, tag",
            "select order_id, tag from order_tags where order_id in (select unhex(value) from json_each($1))
                order by order_id, tag",
        );
        let ids: Vec<OrderId> = rows.iter().map(|row| OrderId(row.id)).collect();
        let of = ids_to_json(ids.iter().map(|id| id.0))?;
        let tags: Vec<(Uuid, String)> = self.query(read).bind(of).fetch_all().await?;
        let orders = self.orders_by_id(&ids).await?;
        let mut orders: HashMap<Uuid, Order> = orders.into_iter().map(|order| (order.id.0, order)).collect();
        let with_all = |row: ShopOrderRow| {
            let ShopOrderRow { id, packed_at, sent_at, delivered_at, carrier, tracking } = row;
            let tags = tags.iter().filter(|(order, _)| *order == id).map(|(_, tag)| tag.clone()).collect();
            let fulfilment = Fulfilment { packed_at, sent_at, delivered_at, carrier, tracking };
            Some(ShopOrder { order: orders.remove(&id)?, fulfilment, tags })
        };
        Ok(rows.into_iter().filter_map(with_all).collect())
    }

    /// Reads the steps of fulfilment of an order. An order without any has the default.
    pub async fn fulfilment(&self, order: OrderId) -> Result<Fulfilment> {
        let row: FulfilmentRow = self.query(SELECT_FULFILMENT).bind(order.0).fetch_one().await?;
        Ok(row.into_fulfilment())
    }

    /// Does a step of fulfilment, if the rule allows it now. What `consignment` gives replaces the carrier and the number from
    /// before. The flag says whether the step is new; its first time stays.
    pub async fn set_fulfilment(
        &self,
        order: OrderId,
        step: FulfilmentStep,
        consignment: Option<&Consignment>,
        by: &UserId,
    ) -> Result<(Fulfilment, bool)> {
        self.transaction(async |tx| {
            let (after, is_new) = set_step(tx, order, step, consignment, by).await?;
            if is_new && step == FulfilmentStep::Sent {
                queue_order_mail(tx, order, MailContent::OrderSent { order, with: Vec::new() }).await?;
            }
            Ok((after, is_new))
        })
        .await
    }

    /// Sends orders as one parcel, all or none, with one mail for all of which it is news. The result is in the order of the ids.
    pub async fn send_parcel(
        &self,
        orders: &[OrderId],
        consignment: &Consignment,
        by: &UserId,
    ) -> Result<Vec<(OrderId, Fulfilment, bool)>> {
        let mut orders = orders.to_vec();
        orders.sort_unstable();
        orders.dedup();
        self.transaction(async |tx| {
            let mut sent = Vec::with_capacity(orders.len());
            for order in orders {
                let (after, is_new) = set_step(tx, order, FulfilmentStep::Sent, Some(consignment), by).await?;
                sent.push((order, after, is_new));
            }
            let mut news = sent.iter().filter(|(.., is_new)| *is_new).map(|(order, ..)| *order);
            if let Some(order) = news.next() {
                queue_order_mail(tx, order, MailContent::OrderSent { order, with: news.collect() }).await?;
            }
            Ok(sent)
        })
        .await
    }

    /// Undoes a step of fulfilment, if no later step is done. To undo it again is no error; the flag says whether it was done.
    pub async fn undo_fulfilment(&self, order: OrderId, step: FulfilmentStep) -> Result<(Fulfilment, bool)> {
        self.transaction(async |tx| {
            let before = lock_fulfilment(tx, order).await?;
            before.check_undo(step)?;
            let undo = match step {
                FulfilmentStep::Packed => "update fulfilments set packed_at = null where order_id = $1",
                FulfilmentStep::Sent => "delete from shipments where order_id = $1",
                FulfilmentStep::Delivered => "update fulfilments set delivered_at = null where order_id = $1",
            };
            tx.query(undo).bind(order.0).execute().await?;
            if step == FulfilmentStep::Sent {
                unqueue_sent_mail(tx, order).await?;
            }
            let after: FulfilmentRow = tx.query(SELECT_FULFILMENT).bind(order.0).fetch_one().await?;
            let after = after.into_fulfilment();
            let is_changed = after != before;
            Ok((after, is_changed))
        })
        .await
    }

    /// Reads the attempts to pay an order, the oldest first, at most 100.
    pub async fn payments_of_order(&self, order: OrderId) -> Result<Vec<PaymentAttempt>> {
        let read = "select attempt, provider, reference, status, created_at, changed_at from payments
            where order_id = $1 order by attempt limit 100";
        let rows: Vec<(i64, String, Option<String>, String, i64, i64)> =
            self.query(read).bind(order.0).fetch_all().await?;
        rows.into_iter()
            .map(|(attempt, provider, reference, status, created_at, changed_at)| {
                let status = require_known(PaymentStatus::parse(&status), "payment status", &status)?;
                Ok(PaymentAttempt { attempt, provider, reference, status, created_at, changed_at })
            })
            .collect()
    }

    /// Reads the notes on an order, oldest first.
    pub async fn order_notes(&self, order: OrderId) -> Result<Vec<OrderNote>> {
        let read =
            "select id, at, by_user, by_name, body from order_notes where order_id = $1 order by at, id limit $2";
        let rows: Vec<(Uuid, i64, String, String, String)> =
            self.query(read).bind(order.0).bind(fulfilment::NOTES_PER_ORDER_MAX).fetch_all().await?;
        Ok(rows.into_iter().map(|(id, at, by, by_name, text)| OrderNote { id, at, by, by_name, text }).collect())
    }

    /// Adds a note. An id that is known already changes nothing, so a retry is safe.
    pub async fn add_order_note(&self, order: OrderId, note: &OrderNote) -> Result<()> {
        self.transaction(async |tx| {
            lock_fulfilment(tx, order).await?;
            let count = "select cast(count(*) as bigint) from order_notes where order_id = $1 and id <> $2";
            let count: i64 = tx.query(count).bind(order.0).bind(note.id).fetch_value().await?;
            if fulfilment::NOTES_PER_ORDER_MAX <= count {
                return Err(Refusal::bad_field("text", "cannot be added: the order has 100 notes.").into());
            }
            let insert = "insert into order_notes (id, order_id, at, by_user, by_name, body)
                values ($1, $2, $3, $4, $5, $6) on conflict (id) do nothing";
            let insert = tx.query(insert).bind(note.id).bind(order.0).bind(note.at);
            insert.bind(&note.by).bind(&note.by_name).bind(&note.text).execute().await?;
            Ok(())
        })
        .await
    }

    /// Reads the tags of an order, in the order of the alphabet.
    pub async fn order_tags(&self, order: OrderId) -> Result<Vec<String>> {
        self.query("select tag from order_tags where order_id = $1 order by tag").bind(order.0).fetch_values().await
    }

    /// Puts a tag on an order. To put it there again is no error.
    pub async fn add_order_tag(&self, order: OrderId, tag: &str) -> Result<()> {
        self.transaction(async |tx| {
            lock_fulfilment(tx, order).await?;
            let count = "select cast(count(*) as bigint) from order_tags where order_id = $1 and tag <> $2";
            let count: i64 = tx.query(count).bind(order.0).bind(tag).fetch_value().await?;
            if fulfilment::TAGS_PER_ORDER_MAX <= count {
                return Err(Refusal::bad_field("tag", "cannot be added: the order has 10 tags.").into());
            }
            let insert =
                "insert into order_tags (order_id, tag) values ($1, $2) on conflict (order_id, tag) do nothing";
            tx.query(insert).bind(order.0).bind(tag).execute().await?;
            Ok(())
        })
        .await
    }

    /// Takes a tag from an order. To take it again is no error.
    pub async fn remove_order_tag(&self, order: OrderId, tag: &str) -> Result<()> {
        let delete = "delete from order_tags where order_id = $1 and tag = $2";
        self.transaction(async |tx| tx.query(delete).bind(order.0).bind(tag).execute().await).await?;
        Ok(())
    }

    /// Reads the tags that are in use in the shop, in the order of the alphabet, at most 100.
    pub async fn tags_in_use(&self) -> Result<Vec<String>> {
        // Goes from tag to tag along the index, whatever the number of orders.
        let read = "with recursive used (tag) as (
                select min(tag) from order_tags
                union all
                select (select min(o.tag) from order_tags o where o.tag > used.tag) from used where used.tag is not null
            )
            select tag from used where tag is not null limit 100";
        self.query(read).fetch_values().await
    }
}

/// Locks what the seller noted on the order.
async fn lock_fulfilment(tx: &mut Transaction<'_>, order: OrderId) -> Result<Fulfilment> {
    let insert = "insert into fulfilments (order_id) select id from reservations where id = $1 on conflict (order_id) do nothing";
    tx.query(insert).bind(order.0).execute().await?;
    let lock = tx.choose(
        "select order_id from fulfilments where order_id = $1 for update",
        "select order_id from fulfilments where order_id = $1",
    );
    let locked: Option<Uuid> = tx.query(lock).bind(order.0).fetch_optional_value().await?;
    if locked.is_none() {
        return Err(Refusal::NoSuchOrder.into());
    }
    let row: FulfilmentRow = tx.query(SELECT_FULFILMENT).bind(order.0).fetch_one().await?;
    Ok(row.into_fulfilment())
}

/// Does a step, if the rule allows it now. The flag says whether it is new.
async fn set_step(
    tx: &mut Transaction<'_>,
    order: OrderId,
    step: FulfilmentStep,
    consignment: Option<&Consignment>,
    by: &UserId,
) -> Result<(Fulfilment, bool)> {
    // A placed order may be cancelled at this moment.
    lock_lines(tx, order).await?;
    let now_order = read_order(tx, order).await?;
    let before = lock_fulfilment(tx, order).await?;
    before.check_step(step, now_order.status, now_order.placement.map(|placement| placement.method))?;
    let now = tx.now().await?;
    match step {
        FulfilmentStep::Packed => {
            let write = "update fulfilments set packed_at = coalesce(packed_at, $2) where order_id = $1";
            tx.query(write).bind(order.0).bind(now).execute().await?;
        }
        FulfilmentStep::Sent => {
            let write = "insert into shipments (order_id, sent_at, by_user) values ($1, $2, $3)
                on conflict (order_id) do nothing";
            tx.query(write).bind(order.0).bind(now).bind(by.as_str()).execute().await?;
            erase_address_that_waited(tx, order).await?;
        }
        FulfilmentStep::Delivered => {
            let write = "update fulfilments set delivered_at = coalesce(delivered_at, $2) where order_id = $1";
            tx.query(write).bind(order.0).bind(now).execute().await?;
        }
    }
    if let Some(given) = consignment {
        let write = "update fulfilments set
            carrier = case when $2 is null then carrier else nullif($2, '') end,
            tracking = case when $3 is null then tracking else nullif($3, '') end where order_id = $1";
        tx.query(write).bind(order.0).bind(&given.carrier).bind(&given.tracking).execute().await?;
    }
    let after: FulfilmentRow = tx.query(SELECT_FULFILMENT).bind(order.0).fetch_one().await?;
    Ok((after.into_fulfilment(), before.done_at(step).is_none()))
}

/// A user who asked for erasure waits no longer once the order was sent, unless its invoice is still to be made: the job that erases old
/// addresses comes back to it.
async fn erase_address_that_waited(tx: &mut Transaction<'_>, order: OrderId) -> Result<()> {
    let erase = concat!(
        "delete from addresses where order_id = $1 and erase_when_done = 1
            and not exists (select 1 from reservations o where o.id = $1 and ",
        needs_address!(),
        ")"
    );
    tx.query(erase).bind(order.0).execute().await?;
    Ok(())
}
