//! Tests of the rules of offers.

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
    let decisions = decide(&terms(1), 1_500, false, &[request(0, 1), request(1, 1)], &[ExistingPurchase::default(); 2]);
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
        ("retry after the end", stage(OfferStage::Closed), 9_000, 1, replay([0; 32]), Decision::Replay(reservation)),
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
