//! Quotes: computed from the lines, the address and the rules of the shop when they are read, and frozen in the order's row by an attempt
//! to pay.

use std::collections::HashMap;

use uuid::Uuid;

use super::coupon::lock_coupon;
use super::coupon_claim::{COUPONS_FOR_ORDER, OfferedCouponRow, OfferedCoupons};
use super::coupon_use::{begin_claimed_use, coupon_of};
use super::row::from_row;
use super::transaction::Transaction;
use super::{Error, Result, Store, ids_to_json, titles_from_json};
use crate::domain::{
    CouponLine, Millis, Order, OrderId, OrderQuote, OrderStatus, ProductId, QuoteRules, Refusal, Reservation, SoldItem,
};

struct SoldItemRow {
    id: Uuid,
    product: Uuid,
    title: String,
    titles: String,
    variant_name: String,
    variant_names: String,
    sku: Option<String>,
}

from_row!(SoldItemRow { id, product, title, titles, variant_name, variant_names, sku });

impl SoldItemRow {
    fn into_item(self) -> Result<(Uuid, SoldItem)> {
        let Self { id, product: _, title, titles, variant_name, variant_names, sku } = self;
        let (titles, variant_names) = (titles_from_json(&titles)?, titles_from_json(&variant_names)?);
        Ok((id, SoldItem { title, titles, variant_name, variant_names, sku }))
    }
}

/// Reads what is sold in the reservations that the condition selects.
macro_rules! select_sold_items {
    ($condition:literal) => {
        concat!(
            "select r.id, p.id as product, p.title, p.titles, v.name as variant_name, v.names as variant_names, v.sku
    from reservations r join offers o on o.id = r.offer join variants v on v.id = o.variant
    join products p on p.id = v.product where ",
            $condition
        )
    };
}

/// What is sold in the lines of an order.
const SOLD_ITEMS: &str = select_sold_items!("r.id = $1 or r.order_id = $1");

/// The same, of many orders at once, by their lines.
const SOLD_ITEMS_OF_LINES: &str =
    select_sold_items!("r.id = any (array(select value::uuid from json_array_elements_text($1::json)))");

/// The open parcel of a buyer: the oldest order of the same show that is paid, that goes to the same place, was not sent, and is not
/// being given back. A placed order opens none: its buyer may never pay its delivery. Materialized: otherwise the planner may follow
/// the order of the ids, and read everybody's reservations.
const OPEN_PARCEL: &str = "with theirs as materialized (select r.order_id from reservations r
        where r.buyer = $2 and r.stream = $3 and r.status = 'sold' and r.returned < r.qty)
    select t.order_id from theirs t join addresses a on a.order_id = t.order_id join addresses b on b.order_id = $1
        where t.order_id <> $1 and (a.name, a.lines, a.city, a.country) = (b.name, b.lines, b.city, b.country)
            and coalesce(a.region, '') = coalesce(b.region, '') and coalesce(a.postcode, '') = coalesce(b.postcode, '')
            and not exists (select 1 from shipments s where s.order_id = t.order_id)
            and not exists (select 1 from withdrawals w where w.order_id = t.order_id)
            and not exists (select 1 from refunds f where f.order_id = t.order_id
                and (f.status = 'pending' or f.status = 'done' and f.delivery > 0))
        order by t.order_id limit 1";

/// The quote of an order for which an attempt to pay is under way: it holds until the attempt ends.
const QUOTE_UNDER_WAY: &str = "select o.quote from orders o where o.id = $1 and o.quote is not null and exists (
        select 1 from payments p where p.order_id = o.id and p.status in ('creating', 'needs_action', 'authorized'))";

/// Reads the quote of an order that is held, in a transaction or from the pool: the one that is under way, if it is for the lines that
/// are still held, else the one of now.
macro_rules! read_quote {
    ($source:expr, $order:expr, $rules:expr) => {{
        let (order, rules): (&Order, QuoteRules) = ($order, $rules);
        let is_opened = order.first_line().order.is_some();
        let under_way: Option<String> = match is_opened {
            true => $source.query(QUOTE_UNDER_WAY).bind(order.id.0).fetch_optional_value().await?,
            false => None,
        };
        let under_way = under_way.as_deref().map(parse_quote).transpose()?;
        match under_way.filter(|quote| quote.is_for(order.held_lines())) {
            Some(quote) => quote,
            None => {
                let parcel: Option<Uuid> = match rules.delivery_fee {
                    0 => None,
                    _ => {
                        let find = $source.query(OPEN_PARCEL).bind(order.id.0).bind(order.buyer.as_str());
                        find.bind(order.stream.0).fetch_optional_value().await?
                    }
                };
                let items: Vec<SoldItemRow> = $source.query(SOLD_ITEMS).bind(order.id.0).fetch_all().await?;
                let coupons: Vec<OfferedCouponRow> =
                    $source.query(COUPONS_FOR_ORDER).bind(order.id.0).fetch_all().await?;
                let coupons = match coupons.is_empty() {
                    true => None,
                    false => Some((OfferedCoupons::of(coupons)?, $source.now().await?)),
                };
                compute(order, items, parcel.map(OrderId), rules, coupons)?
            }
        }
    }};
}

/// `coupons`: those that the order has or can get, and the time at which they are looked at.
fn compute(
    order: &Order,
    items: Vec<SoldItemRow>,
    joins: Option<OrderId>,
    rules: QuoteRules,
    coupons: Option<(OfferedCoupons, Millis)>,
) -> Result<OrderQuote> {
    let coupon = coupons.and_then(|(coupons, now)| coupons.apply(order, &lines_of(order, &items), now));
    let mut items = items.into_iter().map(SoldItemRow::into_item).collect::<Result<HashMap<_, _>>>()?;
    let lines: Vec<(&Reservation, SoldItem)> =
        order.held_lines().map(|line| (line, items.remove(&line.id.0).unwrap_or_default())).collect();
    Ok(OrderQuote::of(&lines, joins, rules, coupon)?)
}

/// The held lines of an order, as a coupon looks at them.
fn lines_of(order: &Order, items: &[SoldItemRow]) -> Vec<CouponLine> {
    let product =
        |line: &Reservation| items.iter().find(|item| item.id == line.id.0).map(|item| ProductId(item.product));
    let line =
        |line: &Reservation| Some(CouponLine { reservation: line.id, product: product(line)?, amount: line.amount });
    order.held_lines().filter_map(line).collect()
}

/// The held lines of a locked order.
pub(super) async fn coupon_lines(tx: &mut Transaction<'_>, order: &Order) -> Result<Vec<CouponLine>> {
    let items: Vec<SoldItemRow> = tx.query(SOLD_ITEMS).bind(order.id.0).fetch_all().await?;
    Ok(lines_of(order, &items))
}

pub(super) fn parse_quote(text: &str) -> Result<OrderQuote> {
    serde_json::from_str(text).map_err(|error| Error::CorruptRow(format!("quote of an order: {error}")))
}

/// The quote for which an attempt to pay a locked order is made. A coupon that its buyer has claimed becomes the coupon of the order:
/// one use is taken. Refused with the new quote when somebody else took the last one meanwhile.
pub(super) async fn quote_to_pay(tx: &mut Transaction<'_>, order: &Order, rules: QuoteRules) -> Result<OrderQuote> {
    let quote = read_quote!(tx, order, rules);
    let Some(claimed) = quote.coupon.as_ref().map(|coupon| coupon.id) else { return Ok(quote) };
    if coupon_of(tx, order.id).await?.is_some() {
        return Ok(quote);
    }
    // In the order in which everybody locks: the row of the order, then coupons.
    let lock =
        tx.choose("select id from orders where id = $1 for no key update", "select id from orders where id = $1");
    tx.query(lock).bind(order.id.0).fetch_optional_value::<Uuid>().await?;
    let coupon = lock_coupon(tx, claimed).await?;
    // Read again: until the lock was there, another order may have taken the last use, or that of this person.
    let now = read_quote!(tx, order, rules);
    match coupon.filter(|_| now.coupon.as_ref().is_some_and(|coupon| coupon.id == claimed)) {
        Some(coupon) => begin_claimed_use(tx, order, &coupon).await.map(|()| now),
        None => Err(Refusal::QuoteChanged(Box::new(now)).into()),
    }
}

/// The frozen quote of an order, or the one of now while it is held.
macro_rules! frozen_or_read_quote {
    ($source:expr, $order:expr, $rules:expr) => {
        match &$order.quote {
            Some(quote) => Some((**quote).clone()),
            None if $order.status == OrderStatus::Held => Some(read_quote!($source, $order, $rules)),
            None => None,
        }
    };
}

/// What an order costs: as of now while it is held, as it was paid afterwards. `None`: it has ended without a payment, or it was paid
/// before there were quotes.
pub(super) async fn quote_of(tx: &mut Transaction<'_>, order: &Order, rules: QuoteRules) -> Result<Option<OrderQuote>> {
    Ok(frozen_or_read_quote!(tx, order, rules))
}

/// The quotes of orders on PostgreSQL that have neither an address, so that they join no parcel, nor a coupon, nor a payment.
pub(super) async fn quotes_without_coupons(
    tx: &mut Transaction<'_>,
    orders: &[&Order],
    rules: QuoteRules,
) -> Result<Vec<OrderQuote>> {
    if orders.is_empty() {
        return Ok(Vec::new());
    }
    let lines = ids_to_json(orders.iter().flat_map(|order| &order.lines).map(|line| line.id.0))?;
    let rows: Vec<SoldItemRow> = tx.query(SOLD_ITEMS_OF_LINES).bind(lines).fetch_all().await?;
    let mut items: HashMap<Uuid, SoldItemRow> = rows.into_iter().map(|row| (row.id, row)).collect();
    let quote = |order: &&Order| {
        let of_order = order.lines.iter().filter_map(|line| items.remove(&line.id.0)).collect();
        compute(order, of_order, None, rules, None)
    };
    orders.iter().map(quote).collect()
}

impl Store {
    /// The same outside of a transaction.
    pub async fn quote(&self, order: &Order, rules: QuoteRules) -> Result<Option<OrderQuote>> {
        Ok(frozen_or_read_quote!(self, order, rules))
    }
}
