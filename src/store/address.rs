//! Delivery addresses of orders: written, read and erased apart from the order.

use std::collections::HashMap;

use uuid::Uuid;

use super::mail::{queue_confirmation, queue_placed_mail};
use super::order::{lock_lines, order_status};
use super::row::from_row;
use super::transaction::Transaction;
use super::{Error, Result, Store, ids_to_json};
use crate::domain::{Address, Language, MailKind, Market, OrderId, Refusal};

struct AddressRow {
    name: String,
    lines: String,
    city: String,
    region: Option<String>,
    postcode: Option<String>,
    country: String,
    phone: Option<String>,
    email: Option<String>,
    language: Option<String>,
}

from_row!(AddressRow { name, lines, city, region, postcode, country, phone, email, language });

struct KeyedAddressRow {
    order_id: Uuid,
    address: AddressRow,
}

from_row!(KeyedAddressRow { order_id } and address);

impl AddressRow {
    fn into_address(self) -> Result<Address> {
        let AddressRow { name, lines, city, region, postcode, country, phone, email, language } = self;
        let lines = serde_json::from_str(&lines).map_err(|error| Error::CorruptRow(error.to_string()))?;
        let language = language.as_deref().and_then(Language::parse);
        Ok(Address { name, lines, city, region, postcode, country, phone, email, language })
    }
}

/// An order that is not sent and shares its parcel: it, or one that joins it, is paid or is being paid without a delivery fee. It is
/// found if the address would be another one.
const LEAVES_ITS_PARCEL: &str = "select o.id from orders o left join addresses a on a.order_id = o.id
    where o.id = $1 and (a.order_id is null or not (a.name = $2 and a.lines = $3 and a.city = $4 and a.country = $5
            and coalesce(a.region, '') = $6 and coalesce(a.postcode, '') = $7))
        and not exists (select 1 from shipments s where s.order_id = o.id)
        and exists (select 1 from orders j where (j.id = $1 and j.joins is not null or j.joins = $1)
            and (j.status in ('capturing', 'placed', 'paid') or (j.status = 'paying' and exists (select 1 from payments p
                where p.order_id = j.id and p.status in ('creating', 'needs_action', 'authorized')))))";

/// Part of a transaction; see [`Store::address`].
pub(super) async fn address_of(tx: &mut Transaction<'_>, order: OrderId) -> Result<Option<Address>> {
    let row: Option<AddressRow> = tx.query(SELECT_ADDRESS).bind(order.0).fetch_optional().await?;
    row.map(AddressRow::into_address).transpose()
}

/// Refuses an order whose address is in a country to which the shop does not deliver (any more). An order may have no address yet: the
/// one that it gets later is checked then.
pub(super) async fn check_country(tx: &mut Transaction<'_>, order: OrderId, market: &Market) -> Result<()> {
    if market.is_everywhere() {
        return Ok(());
    }
    let country: Option<String> =
        tx.query("select country from addresses where order_id = $1").bind(order.0).fetch_optional_value().await?;
    Ok(country.map_or(Ok(()), |country| market.check(&country, None))?)
}

const SELECT_ADDRESS: &str =
    "select name, lines, city, region, postcode, country, phone, email, language from addresses where order_id = $1";

impl Store {
    pub async fn address(&self, order: OrderId) -> Result<Option<Address>> {
        let row: Option<AddressRow> = self.query(SELECT_ADDRESS).bind(order.0).fetch_optional().await?;
        row.map(AddressRow::into_address).transpose()
    }

    /// Reads the addresses of several orders; an order without one is not among them.
    pub async fn addresses_of(&self, orders: &[OrderId]) -> Result<HashMap<OrderId, Address>> {
        let read = self.choose(
            "select order_id, name, lines, city, region, postcode, country, phone, email, language from addresses
                where order_id = any (array(select json_array_elements_text($1::json)::uuid))",
            "select order_id, name, lines, city, region, postcode, country, phone, email, language from addresses
                where order_id in (select unhex(value) from json_each($1))",
        );
        let ids = ids_to_json(orders.iter().map(|id| id.0))?;
        let rows: Vec<KeyedAddressRow> = self.query(read).bind(ids).fetch_all().await?;
        rows.into_iter().map(|row| Ok((OrderId(row.order_id), row.address.into_address()?))).collect()
    }

    /// Writes the address of an order and replaces the one before. The buyer of an order that is paid already gets the
    /// confirmation that could not be sent then. Refuses another place for an order that goes into an open parcel. `false`: the order has ended or was put
    /// into another one, or there is none.
    pub async fn set_address(&self, order: OrderId, address: &Address) -> Result<bool> {
        let lines = serde_json::to_string(&address.lines).map_err(|error| Error::CorruptRow(error.to_string()))?;
        self.transaction(async |tx| {
            // An attempt to pay may look for the parcel at this moment.
            lock_lines(tx, order).await?;
            let elsewhere =
                tx.query(LEAVES_ITS_PARCEL).bind(order.0).bind(&address.name).bind(&lines).bind(&address.city);
            let elsewhere = elsewhere.bind(&address.country).bind(address.region.as_deref().unwrap_or_default());
            let elsewhere = elsewhere.bind(address.postcode.as_deref().unwrap_or_default());
            if elsewhere.fetch_optional_value::<Uuid>().await?.is_some() {
                return Err(Refusal::WrongStatus(
                    "The order goes into one parcel with another one, without a delivery fee: its address stays.",
                )
                .into());
            }
            let now = tx.now().await?;
            let write = concat!(
                "insert into addresses
                    (order_id, name, lines, city, region, postcode, country, phone, changed_at, email, language)
                select o.id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11 from reservations o
                    where o.id = $1 and coalesce(o.order_id, o.id) = o.id and ",
                order_status!("o.id"),
                " in ('held', 'capturing', 'placed', 'paid')
                on conflict (order_id) do update set name = excluded.name, lines = excluded.lines,
                    city = excluded.city, region = excluded.region, postcode = excluded.postcode,
                    country = excluded.country, phone = excluded.phone, changed_at = excluded.changed_at,
                    email = excluded.email, language = excluded.language"
            );
            let written = tx
                .query(write)
                .bind(order.0)
                .bind(&address.name)
                .bind(&lines)
                .bind(&address.city)
                .bind(&address.region)
                .bind(&address.postcode)
                .bind(&address.country)
                .bind(&address.phone)
                .bind(now)
                .bind(&address.email)
                .bind(address.language.map(Language::tag))
                .execute()
                .await?;
            if written > 0 {
                remember_country(tx, order, &address.country).await?;
            }
            if written > 0 && address.email.is_some() {
                confirm_late(tx, order).await?;
            }
            Ok(written > 0)
        })
        .await
    }

    /// Erases the address of an order. To erase it again is no error. `false`: the address stays, because the order is placed, or paid
    /// and not sent, or its invoice is still to be made.
    pub async fn erase_address(&self, order: OrderId) -> Result<bool> {
        self.transaction(async |tx| {
            let erase = concat!(
                "delete from addresses where order_id = $1 and not exists (select 1 from orders d where d.id = $1
                    and d.documented is null and d.paid_at >= (select since from billing_begin where one = 1))
                and case ",
                order_status!("$1"),
                " when 'placed' then false
                    when 'capturing' then exists (select 1 from shipments s where s.order_id = $1)
                    when 'paid' then exists (select 1 from shipments s where s.order_id = $1) else true end"
            );
            tx.query(erase).bind(order.0).execute().await?;
            let left: Option<i64> = tx
                .query("select cast(1 as bigint) from addresses where order_id = $1")
                .bind(order.0)
                .fetch_optional_value()
                .await?;
            Ok(left.is_none())
        })
        .await
    }
}

/// Writes down where an order goes. What was written when it was paid stays: a later address does not change the rights of its buyer.
async fn remember_country(tx: &mut Transaction<'_>, order: OrderId, country: &str) -> Result<()> {
    let write = concat!(
        "insert into order_countries (order_id, country) values ($1, $2)
        on conflict (order_id) do update set country = excluded.country where ",
        order_status!("$1"),
        " = 'held'"
    );
    tx.query(write).bind(order.0).bind(country).execute().await.map(drop)
}

/// Writes what the buyer of a placed or paid order has not been told.
async fn confirm_late(tx: &mut Transaction<'_>, order: OrderId) -> Result<()> {
    let find = concat!(
        "select o.id from reservations o where o.id = $1 and ",
        order_status!("o.id"),
        " = 'paid' and not exists (select 1 from mails m where m.order_id = o.id and m.kind = $2)"
    );
    let untold = concat!(
        "select o.id from reservations o where o.id = $1 and ",
        order_status!("o.id"),
        " = 'placed' and not exists (select 1 from mails m where m.order_id = o.id and m.kind = $2)"
    );
    let untold = tx.query(untold).bind(order.0).bind(MailKind::OrderPlaced.name());
    if untold.fetch_optional_value::<Uuid>().await?.is_some() {
        return queue_placed_mail(tx, order).await;
    }
    let unconfirmed = tx.query(find).bind(order.0).bind(MailKind::OrderConfirmed.name());
    match unconfirmed.fetch_optional_value::<Uuid>().await? {
        Some(_) => queue_confirmation(tx, order).await,
        None => Ok(()),
    }
}
