//! Offers: created from a variant's stock, opened, paused, restocked and closed; and units that go back to the stock.

use uuid::Uuid;

use super::announcement::announce_product;
use super::product_change::insert_stock_change;
use super::row::from_row;
use super::transaction::Transaction;
use super::{Error, KeyedRequest, Result, Store, ids_to_json, require_known, titles_from_json};
use crate::domain::offer::NewOffer;
use crate::domain::{
    Millis, Offer, OfferBuyers, OfferId, OfferKind, OfferStage, OfferTerms, ProductId, Refusal, StockReason, StreamId,
    VariantId,
};

/// The columns of an offer's row that selling needs. On SQLite the transaction is the lock.
pub(super) const READ_OFFER_TERMS: &str = offer_terms!("");
/// The same, and the row is locked until the transaction ends. Orders may still reference the offer.
pub(super) const LOCK_OFFER_TERMS: &str = offer_terms!(" for no key update");
/// The same, unless another transaction has the row locked: then it gives no row, at once.
const TRY_LOCK_OFFER_TERMS: &str = offer_terms!(" for no key update skip locked");

macro_rules! offer_terms {
    ($lock:literal) => {
        concat!(
            "select stream, currency, stage, quantity, reserved, next_place, version, opens_at, closes_at, per_buyer,
                hold_ms, price from offers where id = $1",
            $lock
        )
    };
}
use offer_terms;

/// The columns that selling needs, as a batch reads them under the lock.
#[derive(Debug)]
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

from_row!(OfferTermsRow {
    stream,
    currency,
    stage,
    quantity,
    reserved,
    next_place,
    version,
    opens_at,
    closes_at,
    per_buyer,
    hold_ms,
    price
});

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
    buyers: String,
    pay_later: Option<i64>,
    has_unpaid: bool,
    terms: OfferTermsRow,
}

from_row!(OfferRow { id, variant, product, kind, title, titles, name, names, image, old_price, countdown_ms, duration_ms, position, starts_at, buyers, pay_later, has_unpaid } and terms);

/// Offers of a show that are not closed: more than a product list can show. A moment of two hosts may add a few more.
pub const OPEN_OFFERS_MAX: i64 = 2_000;
/// Offers that one call of [`Store::offers_to_close`] finds at most.
pub const OFFERS_TO_CLOSE_MAX: usize = 500;
/// Shows and offers that one query reads, so that none takes long.
const STREAMS_READ_TOGETHER_MAX: usize = 200;
const OFFERS_READ_TOGETHER_MAX: usize = 1_000;

/// An offer's id, show and version: enough to see whether it changed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct OfferVersion {
    pub id: OfferId,
    pub stream: StreamId,
    pub version: i64,
}

impl OfferRow {
    fn into_offer(self) -> Result<Offer> {
        Ok(Offer {
            id: OfferId(self.id),
            stream: StreamId(self.terms.stream),
            product: ProductId(self.product),
            variant: VariantId(self.variant),
            kind: OfferKind::of_name(&self.kind),
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
            buyers: require_known(
                OfferBuyers::ALL.into_iter().find(|buyers| buyers.name() == self.buyers),
                "buyers",
                &self.buyers,
            )?,
            pay_later: self.pay_later.map(|choice| choice == 1),
            has_unpaid: self.has_unpaid,
            terms: self.terms.terms()?,
        })
    }
}

/// Every column of an offer; a condition follows. Unpaid reservations are looked for only when no unit is left: before that nothing
/// depends on them.
macro_rules! offers {
    ($condition:literal) => {
        concat!(
            "select o.id, o.stream, o.variant, v.product, o.kind, p.title, p.titles, v.name, v.names, p.image,
                o.old_price, o.currency, o.countdown_ms, o.duration_ms, o.position, o.starts_at, o.buyers, o.pay_later,
                o.stage, o.quantity,
                o.reserved, o.next_place, o.version, o.opens_at, o.closes_at, o.per_buyer, o.hold_ms, o.price,
                o.reserved >= o.quantity and exists (select 1 from reservations r
                    where r.offer = o.id and r.status in ('held', 'capturing')) as has_unpaid
            from offers o join variants v on v.id = o.variant join products p on p.id = v.product ",
            $condition
        )
    };
}

/// Part of a transaction: moves units of a variant into a new draft.
pub(super) async fn insert_offer(
    tx: &mut Transaction<'_>,
    new: &NewOffer,
    request: Option<&KeyedRequest>,
) -> Result<()> {
    let count = "select count(*) from offers where stream = $1 and stage <> 'closed'";
    if OPEN_OFFERS_MAX <= tx.query(count).bind(new.stream.0).fetch_value::<i64>().await? {
        return Err(Refusal::WrongStatus("The show has too many offers; close some first.").into());
    }
    take_from_stock(tx, new.variant.0, new.quantity).await?;
    check_can_be_offered(tx, new.variant.0).await?;
    log_move(tx, new.variant.0, (-new.quantity, StockReason::ToOffer), request).await?;
    let insert = "insert into offers (id, stream, variant, kind, stage, price, old_price, currency, quantity,
            per_buyer, countdown_ms, duration_ms, hold_ms, starts_at, buyers, pay_later, position)
        select $1, s.id, $3, $4, 'draft', $5, $6, h.currency, $7, $8, $9, $10, $11, $12, $13, $14,
            (select coalesce(max(o.position), 0) + 1 from offers o where o.stream = s.id)
        from streams s join shops h on h.id = s.shop where s.id = $2 and (s.status <> 'ended' or s.replay is not null)";
    let created = tx
        .query(insert)
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
        .bind(new.buyers.name())
        .bind(new.pay_later.map(i64::from))
        .execute()
        .await?;
    if created == 0 {
        return Err(Refusal::StreamEnded.into());
    }
    let sums = "insert into offer_sums (offer, stream) values ($1, $2)";
    tx.query(sums).bind(new.id.0).bind(new.stream.0).execute().await?;
    Ok(())
}

/// Part of a transaction that has locked the draft: its countdown starts.
pub(super) async fn open_draft(tx: &mut Transaction<'_>, id: OfferId) -> Result<()> {
    let now = tx.now().await?;
    let open = "update offers set stage = 'open', opens_at = $2 + countdown_ms,
        closes_at = $2 + countdown_ms + duration_ms, version = version + 1 where id = $1
        and exists (select 1 from streams s where s.id = offers.stream and (s.status <> 'ended' or s.replay is not null))";
    let opened = tx.query(open).bind(id.0).bind(now).execute().await?;
    if opened == 0 { Err(Refusal::StreamEnded.into()) } else { announce_product(tx, id).await }
}

impl Store {
    pub async fn offer(&self, id: OfferId) -> Result<Option<Offer>> {
        let row: Option<OfferRow> = self.query(offers!("where o.id = $1")).bind(id.0).fetch_optional().await?;
        row.map(OfferRow::into_offer).transpose()
    }

    /// Reads a show's offers in the order of its line-up: all that are not closed, of which a show has at most
    /// [`OPEN_OFFERS_MAX`], and closed ones, the newest first, up to twice that number in all.
    pub async fn offers_of_stream(&self, stream: StreamId) -> Result<Vec<Offer>> {
        let open = offers!("where o.stream = $1 and o.stage <> 'closed' order by o.id limit $2");
        let mut rows: Vec<OfferRow> = self.query(open).bind(stream.0).bind(OPEN_OFFERS_MAX).fetch_all().await?;
        let closed = offers!("where o.stream = $1 and o.stage = 'closed' order by o.id desc limit $2");
        rows.extend(self.query(closed).bind(stream.0).bind(OPEN_OFFERS_MAX).fetch_all::<OfferRow>().await?);
        rows.sort_unstable_by_key(|row| (row.position, row.id));
        rows.into_iter().map(OfferRow::into_offer).collect()
    }

    /// Reads the versions of all offers on sale (open or paused) in these shows. Nodes poll this once a second for the shows that
    /// have viewers here, to repair a lost message; most offers have not changed, so it reads only their versions.
    pub async fn offers_on_sale(&self, streams: &[StreamId]) -> Result<Vec<OfferVersion>> {
        let read = self.choose(
            "select id, stream, version from offers where stage <> 'closed' and stage in ('open', 'paused')
                and stream = any (array(select value::uuid from json_array_elements_text($1::json)))",
            "select id, stream, version from offers where stage <> 'closed' and stage in ('open', 'paused')
                and stream in (select unhex(value) from json_each($1))",
        );
        let mut found = Vec::new();
        for streams in streams.chunks(STREAMS_READ_TOGETHER_MAX) {
            let streams = ids_to_json(streams.iter().map(|id| id.0))?;
            let rows: Vec<(Uuid, Uuid, i64)> = self.query(read).bind(streams).fetch_all().await?;
            let version = |(id, stream, version)| OfferVersion { id: OfferId(id), stream: StreamId(stream), version };
            found.extend(rows.into_iter().map(version));
        }
        Ok(found)
    }

    /// Reads the offers with these ids, as far as they exist.
    pub async fn offers_by_id(&self, ids: &[OfferId]) -> Result<Vec<Offer>> {
        let mut found = Vec::with_capacity(ids.len());
        let read = self.choose(
            offers!(
                "where o.id = any (array(select value::uuid from json_array_elements_text($1::json))) order by o.id"
            ),
            offers!("where o.id in (select unhex(value) from json_each($1)) order by o.id"),
        );
        for ids in ids.chunks(OFFERS_READ_TOGETHER_MAX) {
            let ids = ids_to_json(ids.iter().map(|id| id.0))?;
            let rows: Vec<OfferRow> = self.query(read).bind(ids).fetch_all().await?;
            for row in rows {
                found.push(row.into_offer()?);
            }
        }
        Ok(found)
    }

    /// Takes the units out of the variant's stock and creates a draft that owns them. Gives the id of the offer, which is
    /// another one if the request was carried out before.
    pub async fn create_offer(&self, new: &NewOffer, request: Option<&KeyedRequest>) -> Result<OfferId> {
        self.transaction(async |tx| {
            if let Some(earlier) = tx.take_key(request, new.id.0).await? {
                return Ok(OfferId(earlier));
            }
            insert_offer(tx, new, request).await?;
            Ok(new.id)
        })
        .await
    }

    /// Opens a draft, which starts its countdown (a regular offer has none), or resumes a paused offer.
    pub async fn open_offer(&self, id: OfferId) -> Result<()> {
        self.transaction(async |tx| match lock_offer(tx, id).await?.stage {
            OfferStage::Open => Ok(()),
            OfferStage::Closed => Err(Refusal::Closed.into()),
            OfferStage::Paused => {
                set_stage(tx, id, OfferStage::Open).await?;
                announce_product(tx, id).await
            }
            OfferStage::Draft => open_draft(tx, id).await,
        })
        .await
    }

    pub async fn pause_offer(&self, id: OfferId) -> Result<()> {
        self.transaction(async |tx| match lock_offer(tx, id).await?.stage {
            OfferStage::Paused => Ok(()),
            OfferStage::Closed => Err(Refusal::Closed.into()),
            OfferStage::Draft => Err(Refusal::WrongStatus("A draft cannot be paused; it is not on sale.").into()),
            OfferStage::Open => set_stage(tx, id, OfferStage::Paused).await,
        })
        .await
    }

    /// Ends the sale and returns the units that are not reserved to the stock. `false`: the offer was closed before.
    pub async fn close_offer(&self, id: OfferId) -> Result<bool> {
        let variant = self.variant_of(id).await?;
        self.transaction(async |tx| {
            lock_variant(tx, variant).await?;
            let terms = lock_offer(tx, id).await?;
            if terms.stage == OfferStage::Closed {
                return Ok(false);
            }
            add_to_stock(tx, variant, terms.left()).await?;
            if terms.left() > 0 {
                log_move(tx, variant, (terms.left(), StockReason::FromOffer), None).await?;
            }
            let close = "update offers set stage = 'closed', quantity = reserved, version = version + 1 where id = $1";
            tx.query(close).bind(id.0).execute().await?;
            Ok(true)
        })
        .await
    }

    /// Moves `add` more units from the stock into the offer. `false`: the request was carried out before.
    pub async fn restock_offer(&self, id: OfferId, add: i64, request: Option<&KeyedRequest>) -> Result<bool> {
        let variant = self.variant_of(id).await?;
        self.transaction(async |tx| {
            if tx.take_key(request, id.0).await?.is_some() {
                return Ok(false);
            }
            take_from_stock(tx, variant, add).await?;
            log_move(tx, variant, (-add, StockReason::ToOffer), request).await?;
            if lock_offer(tx, id).await?.stage == OfferStage::Closed {
                return Err(Refusal::Closed.into());
            }
            let restock = "update offers set quantity = quantity + $2, version = version + 1 where id = $1";
            tx.query(restock).bind(id.0).bind(add).execute().await?;
            Ok(true)
        })
        .await
    }

    /// Moves the end of a flash sale that has started by `ms`. `false`: the request was carried out before.
    pub async fn extend_offer(&self, id: OfferId, ms: i64, request: Option<&KeyedRequest>) -> Result<bool> {
        self.transaction(async |tx| {
            if tx.take_key(request, id.0).await?.is_some() {
                return Ok(false);
            }
            let terms = lock_offer(tx, id).await?;
            let now = tx.now().await?;
            match terms.closes_at {
                _ if terms.stage == OfferStage::Closed => Err(Refusal::Closed.into()),
                Some(closes_at) if closes_at <= now => Err(Refusal::Closed.into()),
                None => Err(Refusal::WrongStatus("Only a flash sale that has started can be extended.").into()),
                Some(_) => {
                    let extend = "update offers set closes_at = closes_at + $2, version = version + 1 where id = $1";
                    tx.query(extend).bind(id.0).bind(ms).execute().await?;
                    Ok(true)
                }
            }
        })
        .await
    }

    /// Finds offers that are not closed although their time window or their show has ended, at most
    /// [`OFFERS_TO_CLOSE_MAX`] at once. A show with a recording goes on selling.
    pub async fn offers_to_close(&self, now: Millis) -> Result<Vec<OfferId>> {
        let over = "select id from offers where stage <> 'closed' and closes_at <= $1 order by closes_at limit $2";
        let mut ids: Vec<Uuid> = self.query(over).bind(now).bind(OFFERS_TO_CLOSE_MAX as i64).fetch_values().await?;
        // Goes from show to show along the index, whatever the number of their offers.
        let of_ended = "with recursive busy (stream) as (
                select (select o.stream from offers o where o.stage <> 'closed' order by o.stream limit 1)
                union all
                select (select o.stream from offers o where o.stage <> 'closed' and o.stream > busy.stream
                    order by o.stream limit 1) from busy where busy.stream is not null
            )
            select o.id from busy join streams s on s.id = busy.stream
                join offers o on o.stream = busy.stream and o.stage <> 'closed'
            where s.status = 'ended' and s.replay is null limit $1";
        ids.extend(self.query(of_ended).bind(OFFERS_TO_CLOSE_MAX as i64).fetch_values::<Uuid>().await?);
        ids.sort_unstable();
        ids.dedup();
        ids.truncate(OFFERS_TO_CLOSE_MAX);
        Ok(ids.into_iter().map(OfferId).collect())
    }

    pub(super) async fn variant_of(&self, id: OfferId) -> Result<Uuid> {
        let read = "select variant from offers where id = $1";
        let variant: Option<Uuid> = self.query(read).bind(id.0).fetch_optional_value().await?;
        variant.ok_or(Error::Refused(Refusal::NoSuchOffer))
    }
}

// Parts of a transaction, in lock order: variants, then offers.

/// Locks a variant's row. On SQLite the transaction is the lock.
pub(super) async fn lock_variant(tx: &mut Transaction<'_>, variant: Uuid) -> Result<()> {
    let lock =
        tx.choose("select id from variants where id = $1 for no key update", "select id from variants where id = $1");
    tx.query(lock).bind(variant).fetch_optional_value::<Uuid>().await?;
    Ok(())
}

/// Locks an offer's row and reads its terms.
pub(super) async fn lock_offer(tx: &mut Transaction<'_>, id: OfferId) -> Result<OfferTerms> {
    let lock = tx.choose(LOCK_OFFER_TERMS, READ_OFFER_TERMS);
    let row: Option<OfferTermsRow> = tx.query(lock).bind(id.0).fetch_optional().await?;
    row.ok_or(Refusal::NoSuchOffer)?.terms()
}

/// Locks an offer's row and reads its terms. `None`: another transaction has it locked.
pub(super) async fn try_lock_offer(tx: &mut Transaction<'_>, id: OfferId) -> Result<Option<OfferTerms>> {
    let lock = tx.choose(TRY_LOCK_OFFER_TERMS, READ_OFFER_TERMS);
    let row: Option<OfferTermsRow> = tx.query(lock).bind(id.0).fetch_optional().await?;
    row.map(|row| row.terms()).transpose()
}

async fn set_stage(tx: &mut Transaction<'_>, id: OfferId, stage: OfferStage) -> Result<()> {
    let set = "update offers set stage = $2, version = version + 1 where id = $1";
    tx.query(set).bind(id.0).bind(stage.name()).execute().await?;
    Ok(())
}

/// Adds units to the stock of a variant.
pub(super) async fn add_to_stock(tx: &mut Transaction<'_>, variant: Uuid, units: i64) -> Result<()> {
    let add = "update variants set stock = stock + $2 where id = $1";
    tx.query(add).bind(variant).bind(units).execute().await?;
    Ok(())
}

/// Takes units out of the stock of a variant. Refused when it has fewer.
pub(super) async fn take_from_stock(tx: &mut Transaction<'_>, variant: Uuid, units: i64) -> Result<()> {
    let take = "update variants set stock = stock - $2 where id = $1 and stock >= $2";
    if tx.query(take).bind(variant).bind(units).execute().await? > 0 {
        return Ok(());
    }
    let read = "select stock from variants where id = $1";
    let left: Option<i64> = tx.query(read).bind(variant).fetch_optional_value().await?;
    Err(left.map_or(Refusal::NoSuchProduct, |left| Refusal::NotEnoughStock { left }).into())
}

/// The product of a new offer is not archived. A transaction that archives it locks the variants first: while the caller has the lock of this
/// one, the answer stays true.
pub(super) async fn check_can_be_offered(tx: &mut Transaction<'_>, variant: Uuid) -> Result<()> {
    let read = "select cast(case when p.archived_at is not null then 1 when v.removed_at is not null then 2 else 0 end as bigint)
        from variants v join products p on p.id = v.product where v.id = $1";
    match tx.query(read).bind(variant).fetch_value::<i64>().await? {
        0 => Ok(()),
        1 => Err(Refusal::WrongStatus("The product is archived. Restore it first.").into()),
        _ => Err(Refusal::NoSuchProduct.into()),
    }
}

/// Writes into the stock log that units moved into an offer or back.
pub(super) async fn log_move(
    tx: &mut Transaction<'_>,
    variant: Uuid,
    (units, reason): (i64, StockReason),
    request: Option<&KeyedRequest>,
) -> Result<()> {
    let (by, now) = (request.map(KeyedRequest::author), tx.now().await?);
    insert_stock_change(tx, variant, (units, reason, None), (by.as_ref(), now)).await
}
