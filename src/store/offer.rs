//! Offers: made from a variant's pool, opened, paused, restocked, closed; and the units that flow back.

use uuid::Uuid;

use super::{Error, Result, Store, in_transaction, now_in, on_reader, require_known, titles_from_json, with_deadline};
use crate::domain::offer::NewOffer;
use crate::domain::{
    Millis, Offer, OfferId, OfferKind, OfferStage, OfferTerms, ProductId, Refusal, StreamId, VariantId,
};

/// The selling half of an offer's row. On SQLite the transaction is the lock.
pub(super) const READ_OFFER_TERMS: &str = terms_of_offer!("");
/// The same, and nobody else changes it until the transaction ends. Orders may still name the offer.
pub(super) const LOCK_OFFER_TERMS: &str = terms_of_offer!(" for no key update");

macro_rules! terms_of_offer {
    ($lock:literal) => {
        concat!(
            "select stream, currency, stage, quantity, reserved, next_place, version, opens_at, closes_at, per_buyer,
                hold_ms, price from offers where id = $1",
            $lock
        )
    };
}
use terms_of_offer;

/// The selling half of a row, as a batch reads it under the lock.
#[derive(sqlx::FromRow, Debug)]
pub(super) struct OfferTermsRow {
    pub stream: Uuid,
    pub currency: String,
    stage: String,
    quantity: i64,
    reserved: i64,
    next_place: i64,
    version: i64,
    opens_at: Option<i64>,
    closes_at: Option<i64>,
    per_buyer: i64,
    hold_ms: i64,
    price: i64,
}

impl OfferTermsRow {
    pub fn terms(&self) -> Result<OfferTerms> {
        Ok(OfferTerms {
            stage: parse_stage(&self.stage)?,
            quantity: self.quantity,
            reserved: self.reserved,
            next_place: self.next_place,
            version: self.version,
            opens_at: self.opens_at,
            closes_at: self.closes_at,
            per_buyer: self.per_buyer,
            hold_ms: self.hold_ms,
            price: self.price,
        })
    }
}

fn parse_stage(text: &str) -> Result<OfferStage> {
    require_known(OfferStage::ALL.into_iter().find(|stage| stage.name() == text), "stage", text)
}

#[derive(sqlx::FromRow)]
struct OfferRow {
    id: Uuid,
    variant: Uuid,
    product: Uuid,
    kind: String,
    title: String,
    titles: String,
    name: String,
    names: String,
    image: Option<String>,
    old_price: Option<i64>,
    countdown_ms: i64,
    duration_ms: Option<i64>,
    position: i64,
    starts_at: Option<i64>,
    unpaid: i64,
    #[sqlx(flatten)]
    terms: OfferTermsRow,
}

/// Enough of an offer to see whether it changed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct OfferVersion {
    pub id: OfferId,
    pub version: i64,
}

impl OfferRow {
    fn into_offer(self) -> Result<Offer> {
        Ok(Offer {
            id: OfferId(self.id),
            stream: StreamId(self.terms.stream),
            product: ProductId(self.product),
            variant: VariantId(self.variant),
            kind: if self.kind == OfferKind::Flash.name() { OfferKind::Flash } else { OfferKind::Regular },
            title: self.title,
            titles: titles_from_json(&self.titles)?,
            variant_name: self.name,
            variant_names: titles_from_json(&self.names)?,
            image: self.image,
            old_price: self.old_price,
            currency: self.terms.currency.clone(),
            countdown_ms: self.countdown_ms,
            duration_ms: self.duration_ms,
            position: self.position,
            starts_at: self.starts_at,
            unpaid: self.unpaid,
            terms: self.terms.terms()?,
        })
    }
}

/// `select …` of whole offers; a `where` follows. What may come back is summed only when none is left: before that
/// nobody asks, and a rush has thousands of holds.
macro_rules! offers {
    ($rest:literal) => {
        concat!(
            "select o.id, o.stream, o.variant, v.product, o.kind, p.title, p.titles, v.name, v.names, p.image,
                o.old_price, o.currency, o.countdown_ms, o.duration_ms, o.position, o.starts_at, o.stage, o.quantity, o.reserved,
                o.next_place, o.version, o.opens_at, o.closes_at, o.per_buyer, o.hold_ms, o.price,
                case when o.reserved < o.quantity then 0 else (select cast(coalesce(sum(r.qty), 0) as bigint)
                    from orders r where r.offer = o.id and r.status in ('held', 'capturing')) end as unpaid
            from offers o join variants v on v.id = o.variant join products p on p.id = v.product ",
            $rest
        )
    };
}

impl Store {
    pub async fn offer(&self, id: OfferId) -> Result<Option<Offer>> {
        let read = offers!("where o.id = $1");
        let row: Option<OfferRow> =
            on_reader!(self, pool => sqlx::query_as(read).bind(id.0).fetch_optional(pool).await?);
        row.map(OfferRow::into_offer).transpose()
    }

    /// A show's offers in the order of its run-down; at most 500, which is more than a bag can show.
    pub async fn offers_of_stream(&self, stream: StreamId) -> Result<Vec<Offer>> {
        let read = offers!("where o.stream = $1 order by o.position, o.id limit 500");
        let rows: Vec<OfferRow> = on_reader!(self, pool => sqlx::query_as(read).bind(stream.0).fetch_all(pool).await?);
        rows.into_iter().map(OfferRow::into_offer).collect()
    }

    /// Every offer on sale (open or paused) in the shop, at most 10,000: what nodes poll each second to mend a lost
    /// message. Only the pulse, for most have not changed.
    pub async fn offers_on_sale(&self) -> Result<Vec<OfferVersion>> {
        let read = "select id, version from offers where stage in ('open', 'paused') order by id limit 10000";
        let rows: Vec<(Uuid, i64)> = on_reader!(self, pool => sqlx::query_as(read).fetch_all(pool).await?);
        Ok(rows.into_iter().map(|(id, version)| OfferVersion { id: OfferId(id), version }).collect())
    }

    /// These offers, as far as they exist.
    pub async fn offers_by_id(&self, ids: &[OfferId]) -> Result<Vec<Offer>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<OfferRow> = match self {
            Store::Postgres(db) => {
                let read = offers!("where o.id = any($1) order by o.id");
                let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
                with_deadline(async { Ok(sqlx::query_as(read).bind(ids).fetch_all(db.pool()).await?) }).await?
            }
            Store::Sqlite(db) => {
                let read = offers!("where o.id in (select unhex(value) from json_each($1)) order by o.id");
                let ids: Vec<String> = ids.iter().map(|id| id.0.simple().to_string()).collect();
                let ids = serde_json::to_string(&ids).map_err(|error| Error::CorruptRow(error.to_string()))?;
                with_deadline(async { Ok(sqlx::query_as(read).bind(ids).fetch_all(db.readers()).await?) }).await?
            }
        };
        rows.into_iter().map(OfferRow::into_offer).collect()
    }

    /// Moves the units out of the variant's pool and makes a draft of them.
    pub async fn create_offer(&self, new: &NewOffer) -> Result<()> {
        in_transaction!(self, |tx, _dialect| {
            take_from_pool!(tx, new.variant.0, new.quantity);
            let insert = "insert into offers (id, stream, variant, kind, stage, price, old_price, currency, quantity,
                    per_buyer, countdown_ms, duration_ms, hold_ms, starts_at, position)
                select $1, s.id, $3, $4, 'draft', $5, $6, h.currency, $7, $8, $9, $10, $11, $12,
                    (select coalesce(max(o.position), 0) + 1 from offers o where o.stream = s.id)
                from streams s join shops h on h.id = s.shop where s.id = $2 and s.status <> 'ended'";
            let made = sqlx::query(insert)
                .bind(new.id.0)
                .bind(new.stream.0)
                .bind(new.variant.0)
                .bind(new.kind.name())
                .bind(new.price)
                .bind(new.old_price)
                .bind(new.quantity)
                .bind(new.per_buyer)
                .bind(new.countdown_ms)
                .bind(new.duration_ms)
                .bind(new.hold_ms)
                .bind(new.starts_at)
                .execute(&mut *tx)
                .await?;
            if made.rows_affected() == 0 {
                return_refused!(Refusal::StreamEnded);
            }
        });
        Ok(())
    }

    /// Draft: starts the countdown (none for a regular offer). Paused: goes on.
    pub async fn open_offer(&self, id: OfferId) -> Result<()> {
        in_transaction!(self, |tx, dialect| {
            let terms = lock_offer!(tx, dialect, id);
            match terms.stage {
                OfferStage::Open => {}
                OfferStage::Closed => return_refused!(Refusal::Closed),
                OfferStage::Paused => set_stage!(tx, id, OfferStage::Open),
                OfferStage::Draft => {
                    let now: Millis = now_in!(self, tx);
                    let open = "update offers set stage = 'open', opens_at = $2 + countdown_ms,
                        closes_at = $2 + countdown_ms + duration_ms, version = version + 1 where id = $1
                        and exists (select 1 from streams s where s.id = offers.stream and s.status <> 'ended')";
                    if sqlx::query(open).bind(id.0).bind(now).execute(&mut *tx).await?.rows_affected() == 0 {
                        return_refused!(Refusal::StreamEnded);
                    }
                }
            }
        });
        Ok(())
    }

    pub async fn pause_offer(&self, id: OfferId) -> Result<()> {
        in_transaction!(self, |tx, dialect| {
            let terms = lock_offer!(tx, dialect, id);
            match terms.stage {
                OfferStage::Paused => {}
                OfferStage::Closed => return_refused!(Refusal::Closed),
                OfferStage::Draft => {
                    return_refused!(Refusal::WrongStatus("a draft cannot be paused; it is not on sale"))
                }
                OfferStage::Open => set_stage!(tx, id, OfferStage::Paused),
            }
        });
        Ok(())
    }

    /// Ends the sale and returns what nobody holds to the pool. `false`: it was closed already.
    pub async fn close_offer(&self, id: OfferId) -> Result<bool> {
        let variant = self.variant_of(id).await?;
        let closed = in_transaction!(self, |tx, dialect| {
            lock_variant!(tx, dialect, variant);
            let terms = lock_offer!(tx, dialect, id);
            if terms.stage == OfferStage::Closed {
                false
            } else {
                add_to_pool!(tx, variant, terms.left());
                let close =
                    "update offers set stage = 'closed', quantity = reserved, version = version + 1 where id = $1";
                sqlx::query(close).bind(id.0).execute(&mut *tx).await?;
                true
            }
        });
        Ok(closed)
    }

    /// Moves `add` more units out of the pool into the offer.
    pub async fn restock_offer(&self, id: OfferId, add: i64) -> Result<()> {
        let variant = self.variant_of(id).await?;
        in_transaction!(self, |tx, dialect| {
            take_from_pool!(tx, variant, add);
            let terms = lock_offer!(tx, dialect, id);
            if terms.stage == OfferStage::Closed {
                return_refused!(Refusal::Closed);
            }
            let grow = "update offers set quantity = quantity + $2, version = version + 1 where id = $1";
            sqlx::query(grow).bind(id.0).bind(add).execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// Moves the end of a running window.
    pub async fn extend_offer(&self, id: OfferId, ms: i64) -> Result<()> {
        in_transaction!(self, |tx, dialect| {
            let terms = lock_offer!(tx, dialect, id);
            let now: Millis = now_in!(self, tx);
            match terms.closes_at {
                _ if terms.stage == OfferStage::Closed => return_refused!(Refusal::Closed),
                Some(end) if end <= now => return_refused!(Refusal::Closed),
                None => return_refused!(Refusal::WrongStatus("only a flash sale that has started can be extended")),
                Some(_) => {
                    let move_end = "update offers set closes_at = closes_at + $2, version = version + 1 where id = $1";
                    sqlx::query(move_end).bind(id.0).bind(ms).execute(&mut *tx).await?;
                }
            }
        });
        Ok(())
    }

    /// Offers that nobody has closed yet although their window or their show is over.
    pub async fn offers_to_close(&self, now: Millis) -> Result<Vec<OfferId>> {
        let read = "select o.id from offers o where o.stage <> 'closed' and (o.closes_at <= $1
            or exists (select 1 from streams s where s.id = o.stream and s.status = 'ended')) order by o.id limit 500";
        let ids: Vec<Uuid> = on_reader!(self, pool => sqlx::query_scalar(read).bind(now).fetch_all(pool).await?);
        Ok(ids.into_iter().map(OfferId).collect())
    }

    pub(super) async fn variant_of(&self, id: OfferId) -> Result<Uuid> {
        let read = "select variant from offers where id = $1";
        let variant: Option<Uuid> =
            on_reader!(self, pool => sqlx::query_scalar(read).bind(id.0).fetch_optional(pool).await?);
        variant.ok_or(Error::Refused(Refusal::NoSuchOffer))
    }
}

// The statements of a transaction, in lock order: variants, then offers. Macros, because `tx` has another type on
// each database.

macro_rules! return_refused {
    ($refusal:expr) => {
        Err($crate::store::Error::Refused($refusal))?
    };
}

macro_rules! lock_variant {
    ($tx:ident, $dialect:ident, $variant:expr) => {
        let lock = $dialect
            .pick("select id from variants where id = $1 for no key update", "select id from variants where id = $1");
        sqlx::query_scalar::<_, Uuid>(lock).bind($variant).fetch_optional(&mut *$tx).await?;
    };
}

macro_rules! lock_offer {
    ($tx:ident, $dialect:ident, $id:expr) => {{
        let lock = $dialect.pick($crate::store::offer::LOCK_OFFER_TERMS, $crate::store::offer::READ_OFFER_TERMS);
        let row: Option<OfferTermsRow> = sqlx::query_as(lock).bind($id.0).fetch_optional(&mut *$tx).await?;
        row.ok_or(Refusal::NoSuchOffer)?.terms()?
    }};
}

macro_rules! set_stage {
    ($tx:ident, $id:expr, $stage:expr) => {{
        let set = "update offers set stage = $2, version = version + 1 where id = $1";
        sqlx::query(set).bind($id.0).bind($stage.name()).execute(&mut *$tx).await?;
    }};
}

macro_rules! add_to_pool {
    ($tx:ident, $variant:expr, $units:expr) => {{
        let add = "update variants set stock = stock + $2 where id = $1";
        sqlx::query(add).bind($variant).bind($units).execute(&mut *$tx).await?;
    }};
}

macro_rules! take_from_pool {
    ($tx:ident, $variant:expr, $units:expr) => {{
        let take = "update variants set stock = stock - $2 where id = $1 and stock >= $2";
        let taken = sqlx::query(take).bind($variant).bind($units).execute(&mut *$tx).await?;
        if taken.rows_affected() == 0 {
            let read = "select stock from variants where id = $1";
            let left: Option<i64> = sqlx::query_scalar(read).bind($variant).fetch_optional(&mut *$tx).await?;
            return_refused!(left.map_or(Refusal::NoSuchProduct, |left| Refusal::NotEnoughStock { left }));
        }
    }};
}

use {add_to_pool, return_refused, set_stage, take_from_pool};
pub(super) use {lock_offer, lock_variant};
