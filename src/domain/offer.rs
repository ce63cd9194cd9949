//! The rules of selling: when an offer is open, who may hold how much, which place they get.
//!
//! [`decide`] answers a whole batch at once. The store calls it between locking the offer's row and writing,
//! so what it is told is true until it has answered, on Postgres and on SQLite alike.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::product::{self, in_range};
use super::{
    IdempotencyKey, Millis, Minor, OfferId, OrderId, ProductId, Refusal, RequestHash, StreamId, Titles, UserId,
    VariantId,
};

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OfferKind {
    /// In the bag until closed.
    Regular,
    /// A window, a countdown, a limit per buyer.
    Flash,
}

impl OfferKind {
    pub fn name(self) -> &'static str {
        match self {
            OfferKind::Regular => "regular",
            OfferKind::Flash => "flash",
        }
    }
}

/// What the host made of the offer. Countdown and sold out follow from it, the time and the stock: see [`OfferStatus`].
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

/// What a viewer is shown.
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

/// The selling half of an offer's row: everything a purchase is decided by.
#[derive(Clone, PartialEq, Debug)]
pub struct OfferTerms {
    pub stage: OfferStage,
    pub quantity: i64,
    /// Units in held, capturing and paid orders.
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
    pub fn left(&self) -> i64 {
        self.quantity - self.reserved
    }

    /// Refuses when nothing can be bought at `now`, whatever the stock.
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

    /// `unpaid`: units held or capturing, which may still come back.
    pub fn status(&self, now: Millis, unpaid: i64) -> OfferStatus {
        match (self.stage, self.check_open(now)) {
            (_, Err(Refusal::Closed)) => OfferStatus::Closed,
            (OfferStage::Draft, _) => OfferStatus::Draft,
            (OfferStage::Paused, _) => OfferStatus::Paused,
            (_, Err(_)) => OfferStatus::Countdown,
            _ if self.left() > 0 => OfferStatus::Open,
            _ if unpaid > 0 => OfferStatus::SoldOutForNow,
            _ => OfferStatus::SoldOut,
        }
    }
}

/// An offer as it is shown: the terms and the words around them.
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
    /// Its place in the run-down: lower comes first, and of two alike the older.
    pub position: i64,
    /// When the sale is to begin by itself; the countdown runs before.
    pub starts_at: Option<Millis>,
    pub terms: OfferTerms,
    /// Units held or capturing, known when none is left.
    pub unpaid: i64,
}

/// What a host asks for: checked, in the units of the form.
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
}

/// The form of a new offer as it arrives, seconds and all.
#[derive(Clone, Debug)]
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
}

/// How far ahead a sale can be planned: 90 days.
pub const SCHEDULE_AHEAD_MAX_MS: Millis = 90 * 24 * 3_600_000;

/// A planned sale nobody could start is left to the host when it is later than this: 15 minutes.
pub const SCHEDULE_LATE_MAX_MS: Millis = 15 * 60_000;

/// A time to begin by itself, still to come at `now`.
pub fn validate_starts_at(starts_at: Millis, now: Millis) -> Result<Millis, Refusal> {
    if starts_at <= now {
        return Err(Refusal::bad_field("starts_at", "is over already"));
    }
    if now + SCHEDULE_AHEAD_MAX_MS < starts_at {
        return Err(Refusal::bad_field("starts_at", "is at most 90 days ahead"));
    }
    Ok(starts_at)
}

/// Checks a new order of the run-down: exactly these offers, each once.
pub fn validate_lineup(mut requested: Vec<OfferId>, mut current: Vec<OfferId>) -> Result<(), Refusal> {
    requested.sort_unstable();
    current.sort_unstable();
    if requested != current {
        return Err(Refusal::bad_field("offers", "is each offer of the show that is not closed, once"));
    }
    Ok(())
}

impl OfferForm {
    pub fn validated(self, id: OfferId, stream: StreamId, now: Millis) -> Result<NewOffer, Refusal> {
        let price = product::validate_price(self.price)?;
        if self.old_price.is_some_and(|old| old <= price || old > product::PRICE_MAX) {
            return Err(Refusal::bad_field("old_price", "is above price"));
        }
        let quantity = in_range(self.quantity, 1, product::UNITS_MAX, "quantity")?;
        let per_buyer = in_range(self.per_buyer.unwrap_or(10), 1, 1_000, "per_buyer")?;
        let hold_ms = in_range(self.hold_s.unwrap_or(300), 10, 3_600, "hold_s")? * 1_000;
        let (countdown_ms, duration_ms) = match self.kind {
            OfferKind::Flash => (
                in_range(self.countdown_s.unwrap_or(10), 10, 300, "countdown_s")? * 1_000,
                Some(in_range(self.duration_s.unwrap_or(300), 60, 1_200, "duration_s")? * 1_000),
            ),
            OfferKind::Regular if self.countdown_s.is_some() || self.duration_s.is_some() => {
                return Err(Refusal::bad_request("countdown_s and duration_s belong to flash offers"));
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
        })
    }
}

/// `extend` moves the end of a running flash sale by 10 s to 20 min.
pub fn extension_ms(seconds: i64) -> Result<i64, Refusal> {
    Ok(in_range(seconds, 10, 1_200, "seconds")? * 1_000)
}

/// `restock` adds 1 to 10,000,000 units.
pub fn restock_units(units: i64) -> Result<i64, Refusal> {
    in_range(units, 1, product::UNITS_MAX, "add")
}

/// One wish to buy, as it enters a batch. The order's id is made once, so that a resent batch is the same batch.
#[derive(Clone, Debug)]
pub struct PurchaseRequest {
    pub order: OrderId,
    pub buyer: UserId,
    pub buyer_name: String,
    pub key: IdempotencyKey,
    pub hash: RequestHash,
    pub qty: i64,
}

/// What one asker already has, read after the lock.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct ExistingPurchase {
    /// The order this buyer's key made before.
    pub order: Option<(OrderId, RequestHash)>,
    /// Units this buyer holds or has bought of the offer.
    pub owned: i64,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Decision {
    /// A new order, at this place.
    Held {
        place: i64,
    },
    /// The key's order, as it is now.
    Replay(OrderId),
    Refused(Refusal),
}

/// Decides a batch of asks in their order. `asks` has each buyer at most once; `priors` stands beside it.
///
/// Never gives more units than are left; places continue without a gap.
pub fn decide(
    terms: &OfferTerms,
    now: Millis,
    unpaid: i64,
    requests: &[PurchaseRequest],
    existing: &[ExistingPurchase],
) -> Vec<Decision> {
    debug_assert_eq!(requests.len(), existing.len());
    let open = terms.check_open(now);
    let (mut left, mut place, mut unpaid) = (terms.left(), terms.next_place, unpaid);
    let mut decide_one = |request: &PurchaseRequest, existing: &ExistingPurchase| -> Result<Decision, Refusal> {
        if let Some((order, hash)) = existing.order {
            return if hash == request.hash { Ok(Decision::Replay(order)) } else { Err(Refusal::KeyReused) };
        }
        open.clone()?;
        if !(1..=terms.per_buyer - existing.owned).contains(&request.qty) {
            return Err(Refusal::BuyerLimit { per_buyer: terms.per_buyer, orders: Vec::new() });
        }
        if left <= 0 {
            return Err(if unpaid > 0 { Refusal::SoldOutForNow } else { Refusal::SoldOut });
        }
        if request.qty > left {
            return Err(Refusal::TooFewLeft { left });
        }
        left -= request.qty;
        unpaid += request.qty;
        place += 1;
        Ok(Decision::Held { place: place - 1 })
    };
    requests.iter().zip(existing).map(|(ask, prior)| decide_one(ask, prior).unwrap_or_else(Decision::Refused)).collect()
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
            order: OrderId::new(),
            buyer: UserId::parse(&format!("b{buyer}")).unwrap(),
            buyer_name: String::new(),
            key: IdempotencyKey::parse("12345678").unwrap(),
            hash: [0; 32],
            qty,
        }
    }

    fn one(terms: &OfferTerms, now: Millis, qty: i64, prior: ExistingPurchase) -> Decision {
        decide(terms, now, 0, &[request(0, qty)], &[prior]).remove(0)
    }

    #[test]
    fn second_buyer_of_the_last_unit_is_refused() {
        let verdicts = decide(&terms(1), 1_500, 0, &[request(0, 1), request(1, 1)], &[ExistingPurchase::default(); 2]);
        assert_eq!(verdicts, [Decision::Held { place: 1 }, Decision::Refused(Refusal::SoldOutForNow)]);
    }

    #[test]
    fn one_ask_gets_one_answer() {
        let fresh = ExistingPurchase::default();
        let had = |owned| ExistingPurchase { owned, ..fresh };
        let order = OrderId::new();
        let replay = |hash| ExistingPurchase { order: Some((order, hash)), owned: 2 };
        let limit = || Decision::Refused(Refusal::BuyerLimit { per_buyer: 2, orders: vec![] });
        let stage = |stage| OfferTerms { stage, ..terms(5) };
        for (case, terms, now, qty, prior, expected) in [
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
            ("retry after the end", stage(OfferStage::Closed), 9_000, 1, replay([0; 32]), Decision::Replay(order)),
            ("other body", terms(5), 1_500, 1, replay([1; 32]), Decision::Refused(Refusal::KeyReused)),
        ] {
            assert_eq!(one(&terms, now, qty, prior), expected, "{case}");
        }
    }

    #[test]
    fn flash_form_says_what_is_out_of_range() {
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
        };
        let check = |form: OfferForm| {
            form.validated(OfferId::new(), StreamId::new(), 1_000).map(|_| ()).map_err(|r| r.to_string())
        };
        assert_eq!(check(form.clone()), Ok(()));
        for (bad, why) in [
            (OfferForm { countdown_s: Some(9), ..form.clone() }, "countdown_s is 10 to 300"),
            (OfferForm { duration_s: Some(1_201), ..form.clone() }, "duration_s is 60 to 1200"),
            (OfferForm { hold_s: Some(9), ..form.clone() }, "hold_s is 10 to 3600"),
            (OfferForm { quantity: 0, ..form.clone() }, "quantity is 1 to 10000000"),
            (OfferForm { price: -1, ..form.clone() }, "price is 0 to 100000000000"),
            (OfferForm { old_price: Some(100), ..form.clone() }, "old_price is above price"),
            (OfferForm { starts_at: Some(1_000), ..form.clone() }, "starts_at is over already"),
            (
                OfferForm { starts_at: Some(1_001 + SCHEDULE_AHEAD_MAX_MS), ..form.clone() },
                "starts_at is at most 90 days ahead",
            ),
        ] {
            assert_eq!(check(bad), Err(why.to_owned()));
        }
    }

    /// The rule once more, as a person would tell it: walk the queue, hand out units while there are some.
    fn model(terms: &OfferTerms, asks: &[PurchaseRequest], priors: &[ExistingPurchase]) -> (i64, i64, Vec<bool>) {
        let (mut units, mut orders, mut held) = (0, 0, vec![]);
        for (ask, prior) in asks.iter().zip(priors) {
            let new = prior.order.is_none();
            let within = ask.qty >= 1 && prior.owned + ask.qty <= terms.per_buyer;
            let fits = units + ask.qty <= terms.quantity - terms.reserved;
            let yes = new && within && fits;
            if yes {
                units += ask.qty;
                orders += 1;
            }
            held.push(yes);
        }
        (units, orders, held)
    }

    proptest! {
        #[test]
        fn a_batch_never_oversells_and_places_are_dense(
            quantity in 0i64..40,
            sold in 0i64..40,
            per_buyer in 1i64..4,
            wishes in prop::collection::vec((-1i64..6, 0i64..4, 0u8..8), 0..60),
        ) {
            let sold = sold.min(quantity);
            let terms = OfferTerms { per_buyer, reserved: sold, next_place: sold + 1, ..terms(quantity) };
            let asks: Vec<_> = wishes.iter().enumerate().map(|(i, (qty, ..))| request(i, *qty)).collect();
            let priors: Vec<_> = wishes.iter().map(|(_, owned, replay)| ExistingPurchase {
                owned: *owned,
                order: (*replay == 0).then(|| (OrderId::new(), [0; 32])),
            }).collect();

            let verdicts = decide(&terms, 1_500, 0, &asks, &priors);
            let (units, orders, held) = model(&terms, &asks, &priors);

            let places: Vec<i64> = verdicts.iter().filter_map(|v| match v {
                Decision::Held { place } => Some(*place),
                _ => None,
            }).collect();
            let ours: Vec<bool> = verdicts.iter().map(|v| matches!(v, Decision::Held { .. })).collect();
            prop_assert_eq!(ours, held);
            prop_assert_eq!(&places, &(sold + 1..=sold + orders).collect::<Vec<_>>());
            prop_assert!(sold + units <= quantity);
        }
    }
}
