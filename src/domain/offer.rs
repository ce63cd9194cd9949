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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn terms(quantity: i64) -> OfferTerms {
        OfferTerms {
            stage: OfferStage::Open,
            quantity,
            reserved: 0,
            next_place: 1,
            version: 1,
            opens_at: Some(1_000),
            closes_at: Some(2_000),
            per_buyer: 2,
            hold_ms: 300_000,
            price: 4_900,
        }
    }

    fn request(buyer: usize, qty: i64) -> PurchaseRequest {
        PurchaseRequest {
            reservation: ReservationId::new(),
            buyer: UserId::parse(&format!("b{buyer}")).unwrap(),
            person: PersonKey::of_user(&UserId::parse(&format!("b{buyer}")).unwrap()),
            buyer_name: String::new(),
            key: IdempotencyKey::parse("12345678").unwrap(),
            hash: [0; 32],
            qty,
        }
    }

    fn one(terms: &OfferTerms, now: Millis, qty: i64, existing: ExistingPurchase) -> Decision {
        decide(terms, now, false, &[request(0, qty)], &[existing]).remove(0)
    }

    #[test]
    fn second_buyer_of_last_unit_is_refused() {
        let decisions =
            decide(&terms(1), 1_500, false, &[request(0, 1), request(1, 1)], &[ExistingPurchase::default(); 2]);
        assert_eq!(decisions, [Decision::Held { place: 1 }, Decision::Refused(Refusal::SoldOutForNow)]);
    }

    #[test]
    fn each_request_gets_the_decision_of_the_table() {
        let fresh = ExistingPurchase::default();
        let had = |owned| ExistingPurchase { owned, ..fresh };
        let reservation = ReservationId::new();
        let replay = |hash| ExistingPurchase { reservation: Some((reservation, hash)), owned: 2 };
        let limit = || Decision::Refused(Refusal::BuyerLimit { per_buyer: 2, orders: vec![] });
        let stage = |stage| OfferTerms { stage, ..terms(5) };
        for (case, terms, now, qty, existing, expected) in [
            ("open", terms(5), 1_000, 2, fresh, Decision::Held { place: 1 }),
            ("1 ms early", terms(5), 999, 1, fresh, {
                Decision::Refused(Refusal::NotOpen { opens_at: Some(1_000), now: 999 })
            }),
            ("last ms", terms(5), 1_999, 1, fresh, Decision::Held { place: 1 }),
            ("1 ms late", terms(5), 2_000, 1, fresh, Decision::Refused(Refusal::Closed)),
            ("over the limit", terms(5), 1_500, 3, fresh, limit()),
            ("limit reached", terms(5), 1_500, 1, had(2), limit()),
            ("below the limit", terms(5), 1_500, 1, had(1), Decision::Held { place: 1 }),
            ("zero", terms(5), 1_500, 0, fresh, limit()),
            ("negative", terms(5), 1_500, -5, fresh, limit()),
            ("too few", terms(1), 1_500, 2, fresh, Decision::Refused(Refusal::TooFewLeft { left: 1 })),
            ("sold out", terms(0), 1_500, 1, fresh, Decision::Refused(Refusal::SoldOut)),
            ("draft", stage(OfferStage::Draft), 1_500, 1, fresh, {
                Decision::Refused(Refusal::NotOpen { opens_at: None, now: 1_500 })
            }),
            ("closed", stage(OfferStage::Closed), 1_500, 1, fresh, Decision::Refused(Refusal::Closed)),
            (
                "retry after the end",
                stage(OfferStage::Closed),
                9_000,
                1,
                replay([0; 32]),
                Decision::Replay(reservation),
            ),
            ("other body", terms(5), 1_500, 1, replay([1; 32]), Decision::Refused(Refusal::KeyReused)),
        ] {
            assert_eq!(one(&terms, now, qty, existing), expected, "{case}");
        }
    }

    #[test]
    fn flash_form_names_the_field_that_is_out_of_range() {
        let form = OfferForm {
            variant: VariantId::new(),
            kind: OfferKind::Flash,
            price: 100,
            old_price: None,
            quantity: 5,
            per_buyer: None,
            countdown_s: Some(10),
            duration_s: Some(60),
            hold_s: None,
            starts_at: Some(2_000),
            buyers: None,
            pay_later: None,
        };
        let check = |form: OfferForm| {
            form.validated(OfferId::new(), StreamId::new(), false, 1_000).map(|_| ()).map_err(|r| r.to_string())
        };
        assert_eq!(check(form.clone()), Ok(()));
        // The hash of a request with an idempotency key is made of it, and a node of the version before may get the retry.
        assert!(!serde_json::to_string(&form).unwrap().contains("pay_later"));
        for (bad, why) in [
            (OfferForm { countdown_s: Some(9), ..form.clone() }, "countdown_s must be 10 to 300."),
            (OfferForm { duration_s: Some(1_201), ..form.clone() }, "duration_s must be 60 to 1200."),
            (OfferForm { hold_s: Some(9), ..form.clone() }, "hold_s must be 10 to 3600."),
            (OfferForm { quantity: 0, ..form.clone() }, "quantity must be 1 to 10000000."),
            (OfferForm { price: -1, ..form.clone() }, "price must be 0 to 100000000000."),
            (OfferForm { old_price: Some(100), ..form.clone() }, "old_price must be above price."),
            (OfferForm { starts_at: Some(1_000), ..form.clone() }, "starts_at must be in the future."),
            (
                OfferForm { starts_at: Some(1_001 + SCHEDULE_AHEAD_MAX_MS), ..form.clone() },
                "starts_at must be at most 90 days ahead.",
            ),
        ] {
            assert_eq!(check(bad), Err(why.to_owned()));
        }
    }

    /// A simple model of the same rule: go through the requests in order and reserve units while some are left.
    fn model(terms: &OfferTerms, requests: &[PurchaseRequest], existing: &[ExistingPurchase]) -> (i64, i64, Vec<bool>) {
        let (mut units, mut reservations, mut held) = (0, 0, vec![]);
        for (request, existing) in requests.iter().zip(existing) {
            let new = existing.reservation.is_none();
            let within = request.qty >= 1 && existing.owned + request.qty <= terms.per_buyer;
            let fits = units + request.qty <= terms.quantity - terms.reserved;
            let yes = new && within && fits;
            if yes {
                units += request.qty;
                reservations += 1;
            }
            held.push(yes);
        }
        (units, reservations, held)
    }

    proptest! {
        #[test]
        fn batch_never_oversells_and_places_have_no_gaps(
            quantity in 0i64..40,
            sold in 0i64..40,
            per_buyer in 1i64..4,
            inputs in prop::collection::vec((-1i64..6, 0i64..4, 0u8..8), 0..60),
        ) {
            let sold = sold.min(quantity);
            let terms = OfferTerms { per_buyer, reserved: sold, next_place: sold + 1, ..terms(quantity) };
            let requests: Vec<_> = inputs.iter().enumerate().map(|(i, (qty, ..))| request(i, *qty)).collect();
            let existing: Vec<_> = inputs.iter().map(|(_, owned, replay)| ExistingPurchase {
                owned: *owned,
                reservation: (*replay == 0).then(|| (ReservationId::new(), [0; 32])),
            }).collect();

            let decisions = decide(&terms, 1_500, false, &requests, &existing);
            let (units, reservations, held) = model(&terms, &requests, &existing);

            let places: Vec<i64> = decisions.iter().filter_map(|v| match v {
                Decision::Held { place } => Some(*place),
                _ => None,
            }).collect();
            let ours: Vec<bool> = decisions.iter().map(|v| matches!(v, Decision::Held { .. })).collect();
            prop_assert_eq!(ours, held);
            prop_assert_eq!(&places, &(sold + 1..=sold + reservations).collect::<Vec<_>>());
            prop_assert!(sold + units <= quantity);
        }
    }
}
