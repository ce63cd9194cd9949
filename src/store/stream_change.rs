//! Changes of shows: their form, calling one off, and a copy with its line-up.

use uuid::Uuid;

use super::audit::insert_audit_entry;
use super::offer::{check_can_be_offered, log_move, take_from_stock};
use super::picture::claim_picture;
use super::stream::{insert_stream, read_stream};
use super::transaction::Transaction;
use super::{KeyedRequest, Result, Store, titles_to_json, to_json};
use crate::domain::stream_change::{StreamForm, copied_quantity};
use crate::domain::{
    AuditEntry, LiveStream, Millis, OfferId, OfferStage, Refusal, ShopId, StockReason, StreamId, StreamStatus,
};

/// A copy of a show.
#[derive(Clone, PartialEq, Debug)]
pub struct CopiedStream {
    pub id: StreamId,
    /// Offers of the line-up that the copy has.
    pub copied: i64,
    /// Those that it lacks: nothing is left in stock, or the product is archived.
    pub skipped: i64,
}

impl Store {
    /// Changes a show. Refused as [`Refusal::Outdated`] if it has another edition than the form.
    pub async fn change_stream(&self, id: StreamId, form: &StreamForm, entry: &AuditEntry) -> Result<LiveStream> {
        self.transaction(async |tx| {
            let before = lock_stream(tx, id).await?;
            let after = form.apply(&before)?;
            if (LiveStream { edition: before.edition, ..after.clone() }) == before {
                return Ok(before);
            }
            if let Some(poster) = &after.poster {
                claim_picture(tx, poster, "poster").await?;
            }
            let update = "update streams set version = version + 1, edition = $2, title = $3, titles = $4, video = $5,
                poster = $6, scheduled_at = $7, tags = $8, replay = $9, replay_started_at = $10, whep = $11 where id = $1";
            tx.query(update)
                .bind(id.0)
                .bind(after.edition)
                .bind(&after.title)
                .bind(titles_to_json(&after.titles))
                .bind(&after.video)
                .bind(&after.poster)
                .bind(after.scheduled_at)
                .bind(to_json(&after.tags)?)
                .bind(&after.replay)
                .bind(after.replay_started_at)
                .bind(&after.whep)
                .execute()
                .await?;
            insert_audit_entry(tx, entry).await?;
            read_stream(tx, id).await?.ok_or(Refusal::NoSuchStream.into())
        })
        .await
    }

    /// Cancels a show that has not begun. To cancel it again changes nothing.
    pub async fn cancel_stream(&self, id: StreamId, now: Millis, entry: &AuditEntry) -> Result<LiveStream> {
        self.transaction(async |tx| {
            let before = lock_stream(tx, id).await?;
            match (before.status, before.cancelled_at) {
                (_, Some(_)) => return Ok(before),
                (StreamStatus::Scheduled, None) => {}
                (StreamStatus::Live, None) => {
                    return Err(Refusal::WrongStatus("The show is on air. End it instead.").into());
                }
                (StreamStatus::Ended, None) => return Err(Refusal::StreamEnded.into()),
            }
            let cancel = "update streams set version = version + 1, edition = edition + 1, status = 'ended',
                ended_at = $2, cancelled_at = $2 where id = $1";
            tx.query(cancel).bind(id.0).bind(now).execute().await?;
            insert_audit_entry(tx, entry).await?;
            read_stream(tx, id).await?.ok_or(Refusal::NoSuchStream.into())
        })
        .await
    }

    /// Creates `copy` with drafts of the offers of `source`, whose units are taken from the stock, unless the request was carried out
    /// before. Of an ended show every offer is copied, else those that are not closed. Without a source the copy has no line-up.
    pub async fn copy_stream(
        &self,
        shop: ShopId,
        (source, copy): (Option<StreamId>, &LiveStream),
        request: Option<&KeyedRequest>,
    ) -> Result<CopiedStream> {
        self.transaction(async |tx| {
            if let Some(earlier) = tx.take_key(request, copy.id.0).await? {
                let count = "select cast(count(*) as bigint) from offers where stream = $1";
                let copied = tx.query(count).bind(earlier).fetch_value().await?;
                return Ok(CopiedStream { id: StreamId(earlier), copied, skipped: 0 });
            }
            insert_stream(tx, shop, copy).await?;
            let mut result = CopiedStream { id: copy.id, copied: 0, skipped: 0 };
            let Some(source) = source else { return Ok(result) };
            // By variant: this is the order in which variants are locked.
            let read = "select o.id, o.variant, o.stage, o.quantity from offers o join streams s on s.id = o.stream
                where o.stream = $1 and (o.stage <> 'closed' or s.status = 'ended') order by o.variant, o.id limit $2";
            let offers: Vec<(Uuid, Uuid, String, i64)> =
                tx.query(read).bind(source.0).bind(super::OPEN_OFFERS_MAX).fetch_all().await?;
            for (offer, variant, stage, quantity) in offers {
                let is_closed = stage == OfferStage::Closed.name();
                match copy_offer(tx, (offer, copy.id), variant, (is_closed, quantity), request).await? {
                    true => result.copied += 1,
                    false => result.skipped += 1,
                }
            }
            Ok(result)
        })
        .await
    }
}

/// Copies an offer as a draft. `false`: nothing is in stock, or the product can get no offer.
async fn copy_offer(
    tx: &mut Transaction<'_>,
    (offer, stream): (Uuid, StreamId),
    variant: Uuid,
    (is_closed, quantity): (bool, i64),
    request: Option<&KeyedRequest>,
) -> Result<bool> {
    let lock = tx.choose(
        "select stock from variants where id = $1 for no key update",
        "select stock from variants where id = $1",
    );
    let in_stock: i64 = tx.query(lock).bind(variant).fetch_value().await?;
    let units = copied_quantity(is_closed, quantity, in_stock);
    if units == 0 || check_can_be_offered(tx, variant).await.is_err_and(|error| error.is_refusal()) {
        return Ok(false);
    }
    take_from_stock(tx, variant, units).await?;
    log_move(tx, variant, (-units, StockReason::ToOffer), request).await?;
    let id = OfferId::new();
    let insert =
        "insert into offers (id, stream, variant, kind, stage, price, old_price, currency, quantity, per_buyer,
            countdown_ms, duration_ms, hold_ms, buyers, pay_later, position)
        select $1, $2, variant, kind, 'draft', price, old_price, currency, $3, per_buyer, countdown_ms, duration_ms,
            hold_ms, buyers, pay_later, position from offers where id = $4";
    tx.query(insert).bind(id.0).bind(stream.0).bind(units).bind(offer).execute().await?;
    let sums = "insert into offer_sums (offer, stream) values ($1, $2)";
    tx.query(sums).bind(id.0).bind(stream.0).execute().await?;
    Ok(true)
}

async fn lock_stream(tx: &mut Transaction<'_>, id: StreamId) -> Result<LiveStream> {
    let lock =
        tx.choose("select id from streams where id = $1 for no key update", "select id from streams where id = $1");
    tx.query(lock).bind(id.0).fetch_optional_value::<Uuid>().await?;
    read_stream(tx, id).await?.ok_or(Refusal::NoSuchStream.into())
}
