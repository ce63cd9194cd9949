//! The rules of selling: when an offer is open, how many units a buyer can reserve, and which place the buyer gets.
//!
//! [`decide`] decides a whole batch of purchase requests. The store calls it while it holds the lock on the offer's row, before it
//! writes. The inventory that is passed in therefore cannot change until the decision is written, on PostgreSQL and on SQLite.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::limits;
use super::product::{self, in_range};
use super::{
    IdempotencyKey, Millis, Minor, OfferBuyers, OfferId, PersonKey, ProductId, Refusal, RequestHash, ReservationId,
    StreamId, Titles, UserId, VariantId,
};

/// How an offer is sold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OfferKind {
    /// In the product list until it is closed.
    Regular,
    /// A flash sale: a time window, a countdown, a limit per buyer.
    Flash,
}

impl OfferKind {
    pub fn name(self) -> &'static str {
        match self {
            OfferKind::Regular => "regular",
            OfferKind::Flash => "flash",
        }
    }

    /// The kind with this name. The database has no others.
    pub fn of_name(name: &str) -> Self {
        if name == OfferKind::Flash.name() { OfferKind::Flash } else { OfferKind::Regular }
    }
}

/// The stage that the host has set. Countdown and sold out are derived from it, the time and the stock: see [`OfferStatus`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OfferStage {
    Draft,
    Open,
    Paused,
    Closed,
}

impl OfferStage {
    pub const ALL: [OfferStage; 4] = [OfferStage::Draft, OfferStage::Open, OfferStage::Paused, OfferStage::Closed];

    pub fn name(self) -> &'static str {
        match self {
            OfferStage::Draft => "draft",
            OfferStage::Open => "open",
            OfferStage::Paused => "paused",
            OfferStage::Closed => "closed",
        }
    }
}

/// The status that a viewer sees.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OfferStatus {
    Draft,
    Countdown,
    Open,
    Paused,
    SoldOutForNow,
    SoldOut,
    Closed,
}

/// The part of an offer's row that decides a purchase.
#[derive(Clone, PartialEq, Debug)]
pub struct OfferTerms {
    pub stage: OfferStage,
    pub quantity: i64,
    /// Units in held, capturing and sold reservations, without those that were given back.
    pub reserved: i64,
    pub next_place: i64,
    pub version: i64,
    pub opens_at: Option<Millis>,
    pub closes_at: Option<Millis>,
    pub per_buyer: i64,
    pub hold_ms: i64,
    pub price: Minor,
}

impl OfferTerms {
    /// Units that are not reserved.
    pub fn left(&self) -> i64 {
        self.quantity - self.reserved
    }

    /// Refuses when the offer is not open at `now`. The stock is not checked.
    pub fn check_open(&self, now: Millis) -> Result<(), Refusal> {
        if self.stage == OfferStage::Closed || self.closes_at.is_some_and(|end| end <= now) {
            return Err(Refusal::Closed);
        }
        match (self.stage, self.opens_at) {
            (OfferStage::Open, Some(start)) if start <= now => Ok(()),
            (OfferStage::Open, opens_at) => Err(Refusal::NotOpen { opens_at, now }),
            _ => Err(Refusal::NotOpen { opens_at: None, now }),
        }
    }

    /// `has_unpaid`: there are held or capturing reservations, whose units may become available again.
    pub fn status(&self, now: Millis, has_unpaid: bool) -> OfferStatus {
        match (self.stage, self.check_open(now)) {
            (_, Err(Refusal::Closed)) => OfferStatus::Closed,
            (OfferStage::Draft, _) => OfferStatus::Draft,
            (OfferStage::Paused, _) => OfferStatus::Paused,
            (_, Err(_)) => OfferStatus::Countdown,
            _ if self.left() > 0 => OfferStatus::Open,
            _ if has_unpaid => OfferStatus::SoldOutForNow,
            _ => OfferStatus::SoldOut,
        }
    }
}

/// An offer as it is shown: its terms and the texts around them.
#[derive(Clone, PartialEq, Debug)]
pub struct Offer {
    pub id: OfferId,
    pub stream: StreamId,
    pub product: ProductId,
    pub variant: VariantId,
    pub kind: OfferKind,
    pub title: String,
    pub titles: Titles,
    pub variant_name: String,
    pub variant_names: Titles,
    pub image: Option<String>,
    pub old_price: Option<Minor>,
    pub currency: String,
    pub countdown_ms: i64,
    pub duration_ms: Option<i64>,
    /// The position in the line-up: a lower number comes first; of two equal numbers, the older offer comes first.
    pub position: i64,
    /// The scheduled start of the sale. The countdown runs before it.
    pub starts_at: Option<Millis>,
    pub terms: OfferTerms,
    pub buyers: OfferBuyers,
    pub pay_later: Option<bool>,
    /// There are held or capturing reservations. It is known only when no unit is left, and `false` otherwise.
    pub has_unpaid: bool,
}

/// A new offer after validation, with times in milliseconds.
#[derive(Clone, PartialEq, Debug)]
pub struct NewOffer {
    pub id: OfferId,
    pub stream: StreamId,
    pub variant: VariantId,
    pub kind: OfferKind,
    pub price: Minor,
    pub old_price: Option<Minor>,
    pub quantity: i64,
    pub per_buyer: i64,
    pub countdown_ms: i64,
    pub duration_ms: Option<i64>,
    pub hold_ms: i64,
    pub starts_at: Option<Millis>,
    pub buyers: OfferBuyers,
    pub pay_later: Option<bool>,
}

/// The form of a new offer as the client sends it, with times in seconds.
#[derive(Clone, Debug, Serialize)]
pub struct OfferForm {
    pub variant: VariantId,
    pub kind: OfferKind,
    pub price: Minor,
    pub old_price: Option<Minor>,
    pub quantity: i64,
    pub per_buyer: Option<i64>,
    pub countdown_s: Option<i64>,
    pub duration_s: Option<i64>,
    pub hold_s: Option<i64>,
    pub starts_at: Option<Millis>,
    pub buyers: Option<OfferBuyers>,
    /// Nothing is written for `None`: the hash of a request that does not say it is that of the version before, whose nodes may get its retry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pay_later: Option<bool>,
}

/// How far ahead a sale can be scheduled: 90 days.
pub const SCHEDULE_AHEAD_MAX_MS: Millis = 90 * 24 * 3_600_000;

/// How late a scheduled sale can still start: 15 minutes. When no node could start it by then, the host has to start it.
pub const SCHEDULE_LATE_MAX_MS: Millis = 15 * 60_000;

/// Checks the scheduled start of a sale: after `now`, and at most 90 days ahead.
pub fn validate_starts_at(starts_at: Millis, now: Millis) -> Result<Millis, Refusal> {
    if starts_at <= now {
        return Err(Refusal::invalid_value("starts_at", "must be in the future."));
    }
    if now + SCHEDULE_AHEAD_MAX_MS < starts_at {
        return Err(Refusal::invalid_value("starts_at", "must be at most 90 days ahead."));
    }
    Ok(starts_at)
}

/// Checks a new order of the line-up: it must contain exactly the current offers, each once.
pub fn validate_lineup(mut requested: Vec<OfferId>, mut current: Vec<OfferId>) -> Result<(), Refusal> {
    requested.sort_unstable();
    current.sort_unstable();
    if requested != current {
        return Err(Refusal::invalid_value("offers", "must contain each offer of the show that is not closed, once."));
    }
    Ok(())
}

impl OfferForm {
    /// Checks the form. Defaults: at most 10 per buyer, hold 300 s; for flash sales a countdown of 10 s and a duration of 300 s.
    /// `sends_email`: the shop can send codes, so that people can be told apart.
    pub fn validated(self, id: OfferId, stream: StreamId, sends_email: bool, now: Millis) -> Result<NewOffer, Refusal> {
        let price = product::validate_price(self.price)?;
        if let Some(old_price) = self.old_price {
            in_range(old_price, limits::PRICE, "old_price")?;
            if old_price <= price {
                return Err(Refusal::invalid_value("old_price", "must be above price."));
            }
        }
        let quantity = in_range(self.quantity, limits::QUANTITY, "quantity")?;
        let per_buyer = in_range(self.per_buyer.unwrap_or(10), limits::PER_BUYER, "per_buyer")?;
        let hold_ms = in_range(self.hold_s.unwrap_or(300), limits::HOLD_S, "hold_s")? * 1_000;
        let (countdown_ms, duration_ms) = match self.kind {
            OfferKind::Flash => (
                in_range(self.countdown_s.unwrap_or(10), limits::COUNTDOWN_S, "countdown_s")? * 1_000,
                Some(in_range(self.duration_s.unwrap_or(300), limits::DURATION_S, "duration_s")? * 1_000),
            ),
            OfferKind::Regular if self.countdown_s.is_some() || self.duration_s.is_some() => {
                return Err(Refusal::invalid_value("countdown_s", "and duration_s are for flash offers only."));
            }
            OfferKind::Regular => (0, None),
        };
        let starts_at = self.starts_at.map(|at| validate_starts_at(at, now)).transpose()?;
        Ok(NewOffer {
            id,
            stream,
            variant: self.variant,
            kind: self.kind,
            price,
            old_price: self.old_price,
            quantity,
            per_buyer,
            countdown_ms,
            duration_ms,
            hold_ms,
            starts_at,
            buyers: self.buyers.unwrap_or(OfferBuyers::default_for(self.kind, sends_email)),
            pay_later: self.pay_later,
        })
    }
}

/// Checks the seconds by which `extend` moves the end of a flash sale, 10 s to 20 min, and converts them to milliseconds.
pub fn extension_ms(seconds: i64) -> Result<i64, Refusal> {
    Ok(in_range(seconds, limits::EXTEND_S, "seconds")? * 1_000)
}

/// Checks the units that `restock` adds: 1 to 10,000,000.
pub fn restock_units(units: i64) -> Result<i64, Refusal> {
    in_range(units, limits::ADD, "add")
}

/// One purchase request in a batch. The reservation's id is made once, before the first try, so that a retried batch writes the
/// same reservations.
#[derive(Clone, Debug)]
pub struct PurchaseRequest {
    pub reservation: ReservationId,
    pub buyer: UserId,
    /// The person for whom the limit per buyer holds.
    pub person: PersonKey,
    pub buyer_name: String,
    pub key: IdempotencyKey,
    pub hash: RequestHash,
    pub qty: i64,
}

/// The existing purchases of the person of one request, read after the lock was taken.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct ExistingPurchase {
    /// The reservation that an earlier request with the same idempotency key made.
    pub reservation: Option<(ReservationId, RequestHash)>,
    /// Units of this offer that the person holds or has bought.
    pub owned: i64,
}

/// The decision about one purchase request.
#[derive(Clone, PartialEq, Debug)]
pub enum Decision {
    /// A new reservation with this place.
    Held {
        place: i64,
    },
    /// The reservation that the same idempotency key made before.
    Replay(ReservationId),
    Refused(Refusal),
}

/// Decides a batch of purchase requests, one after the other. `requests` contains each person at most once; `existing` has the
/// same length and order.
///
/// The decisions never reserve more units than are left, and the places continue without gaps.
pub fn decide(
    terms: &OfferTerms,
    now: Millis,
    has_unpaid: bool,
    requests: &[PurchaseRequest],
    existing: &[ExistingPurchase],
) -> Vec<Decision> {
    debug_assert_eq!(requests.len(), existing.len());
    let open = terms.check_open(now);
    let (mut left, mut place, mut has_unpaid) = (terms.left(), terms.next_place, has_unpaid);
    let mut decide_one = |request: &PurchaseRequest, existing: &ExistingPurchase| -> Result<Decision, Refusal> {
        if let Some((reservation, hash)) = existing.reservation {
            return if hash == request.hash { Ok(Decision::Replay(reservation)) } else { Err(Refusal::KeyReused) };
        }
        open.clone()?;
        if !(1..=terms.per_buyer - existing.owned).contains(&request.qty) {
            return Err(Refusal::BuyerLimit { per_buyer: terms.per_buyer, orders: Vec::new() });
        }
        if left <= 0 {
            return Err(if has_unpaid { Refusal::SoldOutForNow } else { Refusal::SoldOut });
        }
        if request.qty > left {
            return Err(Refusal::TooFewLeft { left });
        }
        left -= request.qty;
        has_unpaid = true;
        place += 1;
        Ok(Decision::Held { place: place - 1 })
    };
    requests
        .iter()
        .zip(existing)
        .map(|(request, existing)| decide_one(request, existing).unwrap_or_else(Decision::Refused))
        .collect()
}

#[cfg(test)]
#[path = "offer_test.rs"]
mod tests;
