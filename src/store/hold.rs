//! Released units: reservations that end give their units back to the offer, or to the variant if the offer is closed.
//!
//! A release locks the offer's row, so it never waits in the way of others: holds that ended are released per offer, and an
//! offer that somebody else has locked is left for later.

use uuid::Uuid;

use super::offer::{add_to_stock, lock_offer, lock_variant, try_lock_offer};
use super::order::{IdempotencyRecord, insert_idempotency_record};
use super::reservation::{ReservationRow, reservations};
use super::transaction::Transaction;
use super::{Result, Store, ids_to_json};
use crate::domain::reservation::CARD_LIMIT;
use crate::domain::{
    Millis, OfferId, OfferStage, OfferTerms, Refusal, Reservation, ReservationId, ReservationStatus, UserId,
};

/// Holds that one transaction releases: the offer's row is locked for a few milliseconds, and its buyers wait no longer.
pub const RELEASED_TOGETHER_MAX: usize = 500;
/// Offers that are found at once.
const DUE_OFFERS_MAX: i64 = 1_000;

/// Why the units of a reservation are released.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum ReleaseReason {
    HoldEnded,
    BuyerCancel,
    /// The card has paid for as many units as one person may have.
    CardLimit,
}

impl ReleaseReason {
    fn name(self) -> &'static str {
        match self {
            ReleaseReason::HoldEnded => "hold_ended",
            ReleaseReason::BuyerCancel => "buyer_cancel",
            ReleaseReason::CardLimit => CARD_LIMIT,
        }
    }
}

/// What to do about a row that another transaction has locked.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum LockWait {
    /// Give up at once.
    Skip,
    /// Wait for a second.
    Second,
}

/// The locks that a release needs. The variant is locked only for a closed offer, because only that gives units back to it.
enum Locked {
    Offer(OfferTerms),
    /// Another transaction has the lock.
    ByOthers,
    /// The offer was closed between the check and the lock: the variant must be locked first.
    JustClosed,
}

const END_RESERVATIONS_ON_POSTGRES: &str = reservations!(
    "with due as (select r.id as due from reservations r
        where r.id = any (array(select value::uuid from json_array_elements_text($1::json)))
            and r.offer = $2
            and case $5 when 'hold_ended' then r.status = 'held' and r.hold_until <= $3
                else r.status = 'held' end
        order by r.id for update)
    update reservations set status = $4, reason = $5, version = version + 1, changed_at = $3
        from due where id = due.due returning",
    ""
);
const END_RESERVATIONS_ON_SQLITE: &str = reservations!(
    "update reservations set status = $4, reason = $5, version = version + 1, changed_at = $3
        where id in (select unhex(value) from json_each($1)) and offer = $2
            and case $5 when 'hold_ended' then status = 'held' and hold_until <= $3
                else status = 'held' end returning",
    ""
);

/// The holds of an offer that ended first. A hold that is being paid at this moment is skipped.
///
/// `status in ('held', 'capturing')` repeats the condition of the partial index `reservations_unpaid`: SQLite takes such an index only for
/// a query that contains its condition. `status = 'held'` is what decides.
const END_HOLDS_ON_POSTGRES: &str = reservations!(
    "with due as (select r.id as due from reservations r
        where r.offer = $1 and r.status in ('held', 'capturing') and r.status = 'held' and r.hold_until <= $2
        order by r.hold_until limit $3 for update skip locked)
    update reservations set status = 'expired', reason = 'hold_ended', version = version + 1, changed_at = $2
        from due where id = due.due returning",
    ""
);
const END_HOLDS_ON_SQLITE: &str = reservations!(
    "update reservations set status = 'expired', reason = 'hold_ended', version = version + 1, changed_at = $2
        where id in (select r.id from reservations r
            where r.offer = $1 and r.status in ('held', 'capturing') and r.status = 'held' and r.hold_until <= $2
            order by r.hold_until limit $3) returning",
    ""
);

impl Store {
    /// Ends reservations of one offer and puts their units back on sale, or back into the stock if the offer is closed, in one
    /// transaction. Gives those that ended; those that had ended before are not among them.
    pub async fn release_reservations(
        &self,
        offer: OfferId,
        ids: &[ReservationId],
        why: ReleaseReason,
        record: Option<(&UserId, &IdempotencyRecord)>,
    ) -> Result<Vec<Reservation>> {
        let ids = ids_to_json(ids.iter().map(|id| id.0))?;
        let (variant, mut is_closed) = self.variant_and_stage(offer).await?;
        loop {
            let ended = self
                .transaction(async |tx| {
                    let terms = match lock_for_release(tx, offer, variant, is_closed, None).await? {
                        Locked::Offer(terms) => terms,
                        Locked::ByOthers | Locked::JustClosed => return Ok(None),
                    };
                    let now = tx.now().await?;
                    // One statement for all of them: the offer's row is locked, and hundreds of holds can end together.
                    let end = tx.choose(END_RESERVATIONS_ON_POSTGRES, END_RESERVATIONS_ON_SQLITE);
                    let status = match why {
                        ReleaseReason::HoldEnded => ReservationStatus::Expired,
                        ReleaseReason::BuyerCancel | ReleaseReason::CardLimit => ReservationStatus::Cancelled,
                    };
                    let end = tx.query(end).bind(&ids).bind(offer.0).bind(now).bind(status.name()).bind(why.name());
                    let ended: Vec<ReservationRow> = end.fetch_all().await?;
                    give_back_units(tx, offer, variant, &terms, units_of(&ended)).await?;
                    // Only a change is recorded: a cancel that came too late is refused, and refusals are not stored.
                    if let Some((buyer, record)) = record.filter(|_| !ended.is_empty()) {
                        insert_idempotency_record(tx, buyer, record, now).await?;
                    }
                    Ok(Some(ended))
                })
                .await?;
            match ended {
                Some(rows) => return in_order(rows),
                // A closed offer is never opened again, so this happens once.
                None => is_closed = true,
            }
        }
    }

    /// Ends the holds of an offer whose time is over, at most [`RELEASED_TOGETHER_MAX`], as [`release_reservations`] does.
    /// `None`: another transaction has the offer locked, or the variant of a closed offer.
    ///
    /// [`release_reservations`]: Self::release_reservations
    pub async fn release_expired_holds(&self, offer: OfferId, wait: LockWait) -> Result<Option<Vec<Reservation>>> {
        let (variant, mut is_closed) = self.variant_and_stage(offer).await?;
        loop {
            let ended = self
                .transaction(async |tx| {
                    let terms = match lock_for_release(tx, offer, variant, is_closed, Some(wait)).await? {
                        Locked::Offer(terms) => terms,
                        Locked::ByOthers => return Ok(None),
                        Locked::JustClosed => return Ok(Some(None)),
                    };
                    let now = tx.now().await?;
                    let end = tx.choose(END_HOLDS_ON_POSTGRES, END_HOLDS_ON_SQLITE);
                    let end = tx.query(end).bind(offer.0).bind(now).bind(RELEASED_TOGETHER_MAX as i64);
                    let ended: Vec<ReservationRow> = end.fetch_all().await?;
                    give_back_units(tx, offer, variant, &terms, units_of(&ended)).await?;
                    Ok(Some(Some(ended)))
                })
                .await;
            match ended {
                Ok(Some(Some(rows))) => return in_order(rows).map(Some),
                Ok(Some(None)) => is_closed = true,
                Ok(None) => return Ok(None),
                Err(fault) if fault.is_lock_timeout() => return Ok(None),
                Err(fault) => return Err(fault),
            }
        }
    }

    /// Finds the offers with holds whose time is over, in the order of their ids; at most 1,000.
    pub async fn offers_with_expired_holds(&self, now: Millis) -> Result<Vec<OfferId>> {
        // Goes from offer to offer along the index, with one look-up for each offer that has unpaid reservations, whatever their
        // number.
        let read = "with recursive busy (offer) as (
                select (select o.offer from reservations o where o.status in ('held', 'capturing') order by o.offer limit 1)
                union all
                select (select o.offer from reservations o where o.status in ('held', 'capturing') and o.offer > busy.offer
                    order by o.offer limit 1) from busy where busy.offer is not null
            )
            select offer from busy where offer is not null and exists (select 1 from reservations o where o.offer = busy.offer
                and o.status in ('held', 'capturing') and o.status = 'held' and o.hold_until <= $1) limit $2";
        let offers: Vec<Uuid> = self.query(read).bind(now).bind(DUE_OFFERS_MAX).fetch_values().await?;
        Ok(offers.into_iter().map(OfferId).collect())
    }

    /// The offer's variant, and whether the offer is closed.
    async fn variant_and_stage(&self, offer: OfferId) -> Result<(Uuid, bool)> {
        let read = "select variant, stage from offers where id = $1";
        let row: Option<(Uuid, String)> = self.query(read).bind(offer.0).fetch_optional().await?;
        let (variant, stage) = row.ok_or(Refusal::NoSuchOffer)?;
        Ok((variant, stage == OfferStage::Closed.name()))
    }
}

/// Locks the variant of a closed offer, then the offer. `wait`: `None` waits as long as every transaction does.
async fn lock_for_release(
    tx: &mut Transaction<'_>,
    offer: OfferId,
    variant: Uuid,
    is_closed: bool,
    wait: Option<LockWait>,
) -> Result<Locked> {
    let is_skipping = wait == Some(LockWait::Skip);
    if wait == Some(LockWait::Second) {
        tx.limit_lock_wait().await?;
    }
    if is_closed {
        if is_skipping {
            let lock = tx.choose(
                "select id from variants where id = $1 for no key update skip locked",
                "select id from variants where id = $1",
            );
            if tx.query(lock).bind(variant).fetch_optional_value::<Uuid>().await?.is_none() {
                return Ok(Locked::ByOthers);
            }
        } else {
            lock_variant(tx, variant).await?;
        }
    }
    let terms = match is_skipping {
        true => try_lock_offer(tx, offer).await?,
        false => Some(lock_offer(tx, offer).await?),
    };
    Ok(match terms {
        None => Locked::ByOthers,
        Some(terms) if terms.stage == OfferStage::Closed && !is_closed => Locked::JustClosed,
        Some(terms) => Locked::Offer(terms),
    })
}

fn units_of(ended: &[ReservationRow]) -> i64 {
    ended.iter().map(ReservationRow::qty).sum()
}

/// Puts units of a locked offer back on sale, or into the stock of its locked variant if the offer is closed.
pub(super) async fn give_back_units(
    tx: &mut Transaction<'_>,
    offer: OfferId,
    variant: Uuid,
    terms: &OfferTerms,
    units: i64,
) -> Result<()> {
    if units == 0 {
        return Ok(());
    }
    let is_closed = terms.stage == OfferStage::Closed;
    let to_stock = if is_closed { units } else { 0 };
    let release = "update offers set reserved = reserved - $2, quantity = quantity - $3, version = version + 1
        where id = $1";
    tx.query(release).bind(offer.0).bind(units).bind(to_stock).execute().await?;
    if is_closed {
        add_to_stock(tx, variant, units).await?;
    }
    Ok(())
}

fn in_order(mut rows: Vec<ReservationRow>) -> Result<Vec<Reservation>> {
    rows.sort_unstable_by_key(ReservationRow::id);
    rows.into_iter().map(ReservationRow::into_reservation).collect()
}
