use proptest::prelude::*;

use super::*;
use super::{coupon::*, stripe_amount::amount_step};

const NOW: Millis = 1_800_000_000_000;
const DAY: Millis = 86_400_000;

fn coupon(form: CouponForm) -> Coupon {
    form.validated(CouponId::new(), "SAR", NOW).unwrap()
}

fn percent(rate: i64) -> CouponForm {
    CouponForm { code: "SAVE".into(), percent_bp: Some(rate), ..CouponForm::default() }
}

fn amount(amount: Minor) -> CouponForm {
    CouponForm { code: "SAVE".into(), amount: Some(amount), ..CouponForm::default() }
}

fn line(product: ProductId, amount: Minor) -> CouponLine {
    CouponLine { reservation: ReservationId::new(), product, amount }
}

fn parts(coupon: &Coupon, lines: &[CouponLine]) -> Result<Vec<Minor>, CouponProblem> {
    let stream = coupon.stream.unwrap_or_default();
    let found = coupon.discounts(stream, &coupon.currency, lines, NOW)?;
    let of = |line: &CouponLine| found.iter().find(|(id, _)| *id == line.reservation).map_or(0, |(_, part)| *part);
    Ok(lines.iter().map(of).collect())
}

#[test]
fn code_is_found_however_it_is_typed() {
    for (typed, folded) in [
        ("SAVE-10", Some("save10")),
        (" save 10 ", Some("save10")),
        ("ＳＡＶＥ１０", Some("save10")),
        ("save١٠", Some("save10")),
        ("save۱۰", Some("save10")),
        ("save१०", Some("save10")),
        ("save๑๐", Some("save10")),
        ("Été_25", Some("ete25")),
        ("خصم ٢٠", Some("خصم20")),
        ("خَصْم-20", Some("خصم20")),
        ("ab", None),
        ("- - -", None),
        ("", None),
        (&"x".repeat(32), Some("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")),
        (&"x".repeat(33), None),
    ] {
        assert_eq!(CouponCode::parse(typed).map(|code| code.folded).as_deref(), folded, "{typed:?}");
    }
    assert_eq!(CouponCode::parse(" Save  10 ").unwrap().text, "Save 10", "the team reads what it wrote");
}

#[test]
fn discount_is_split_to_the_last_unit() {
    let product = ProductId::new();
    for (form, amounts, expected) in [
        (percent(1_000), vec![4_900], vec![490]),
        // 10 % of 0.05 is 0.005: half up.
        (percent(1_000), vec![5], vec![1]),
        (percent(10_000), vec![4_900, 1], vec![4_900, 1]),
        (amount(100), vec![100, 100, 100], vec![34, 33, 33]),
        (amount(200), vec![100, 100, 100], vec![67, 67, 66]),
        // The largest remainder first: 1/3 of 10 is 3.33, 2/3 are 6.67.
        (amount(10), vec![100, 200], vec![3, 7]),
        (amount(5_000), vec![4_900], vec![4_900]),
        (amount(1), vec![0, 50, 0], vec![0, 1, 0]),
    ] {
        let lines: Vec<_> = amounts.iter().map(|amount| line(product, *amount)).collect();
        assert_eq!(parts(&coupon(form.clone()), &lines), Ok(expected), "{form:?} {amounts:?}");
    }
}

#[test]
fn coupon_says_why_it_takes_nothing_off() {
    let (lamp, rug, show) = (ProductId::new(), ProductId::new(), StreamId::new());
    let of_lamps = CouponForm { products: vec![lamp], minimum: Some(5_000), ..percent(1_000) };
    let lines = [line(lamp, 4_900), line(rug, 90_000)];
    for (form, stream, expected) in [
        (CouponForm { starts_at: Some(NOW + 1), ..percent(1_000) }, show, Some(CouponProblem::NotStarted)),
        (CouponForm { starts_at: Some(NOW), ..percent(1_000) }, show, None),
        (CouponForm { products: vec![ProductId::new()], ..percent(1_000) }, show, Some(CouponProblem::Products)),
        // What counts for the minimum is what the coupon is for: the rug is not.
        (of_lamps.clone(), show, Some(CouponProblem::Minimum(5_000))),
        (CouponForm { minimum: Some(4_900), ..of_lamps }, show, None),
        (CouponForm { stream: Some(show), ..percent(1_000) }, show, None),
        (CouponForm { stream: Some(show), ..percent(1_000) }, StreamId::new(), Some(CouponProblem::OtherShow)),
    ] {
        let coupon = coupon(form);
        assert_eq!(coupon.discounts(stream, "SAR", &lines, NOW).err(), expected, "{coupon:?}");
        let applied = coupon.apply(stream, "SAR", &lines, NOW);
        let code = expected.map(|problem| Refusal::Coupon(problem).code());
        assert_eq!(applied.coupon.problem.as_deref(), code);
        assert_eq!(applied.discounts.is_empty(), expected.is_some());
    }
    let ends = coupon(CouponForm { ends_at: Some(NOW + DAY), ..percent(1_000) });
    assert!(ends.check_time(NOW + DAY - 1).is_ok(), "the last millisecond counts");
    assert_eq!(ends.check_time(NOW + DAY), Err(CouponProblem::Ended));
    let ended = Coupon { ended_at: Some(NOW), ..ends };
    assert_eq!(ended.check_time(NOW), Err(CouponProblem::Ended));
    assert_eq!(
        coupon(percent(1_000)).discounts(show, "SAR", &[line(lamp, 0)], NOW),
        Err(CouponProblem::Products),
        "of nothing"
    );
}

#[test]
fn form_of_a_coupon_is_checked() {
    let fits = |form: CouponForm| form.validated(CouponId::new(), "KWD", NOW);
    for (form, field) in [
        (CouponForm { code: "x".into(), ..percent(1) }, "code"),
        (CouponForm { amount: Some(10), ..percent(1) }, "amount"),
        (CouponForm { percent_bp: None, ..percent(1) }, "amount"),
        (percent(0), "percent_bp"),
        (percent(10_001), "percent_bp"),
        (amount(0), "amount"),
        // The last of three decimals must be 0, or no payment provider could charge the rest.
        (amount(1_005), "amount"),
        (CouponForm { ends_at: Some(NOW), ..percent(1) }, "ends_at"),
        (CouponForm { starts_at: Some(NOW + DAY), ends_at: Some(NOW + DAY), ..percent(1) }, "ends_at"),
        (CouponForm { starts_at: Some(1_800_000_000), ..percent(1) }, "starts_at"),
        (CouponForm { quota: Some(0), ..percent(1) }, "quota"),
        (CouponForm { per_person: Some(0), ..percent(1) }, "per_person"),
        (CouponForm { minimum: Some(-1), ..percent(1) }, "minimum"),
        (CouponForm { products: (0..101).map(|_| ProductId::new()).collect(), ..percent(1) }, "products"),
    ] {
        assert_eq!(fits(form.clone()).unwrap_err().field(), Some(field), "{form:?}");
    }
    let plain = fits(amount(1_000)).unwrap();
    assert_eq!((plain.starts_at, plain.per_person, plain.minimum, plain.quota), (NOW, 1, 0, None));
}

#[test]
fn change_of_a_coupon_is_checked() {
    let before = Coupon { uses: 5, ..coupon(CouponForm { quota: Some(10), ..percent(1_000) }) };
    let change = CouponChange { version: 1, ..CouponChange::default() };
    let apply = |change: CouponChange| change.apply(&before, NOW).map_err(|refusal| refusal.code());
    assert_eq!(apply(CouponChange { version: 2, ..change }), Err("outdated"));
    assert_eq!(apply(CouponChange { quota: Some(Some(4)), ..change }), Err("invalid_value"));
    assert_eq!(apply(CouponChange { quota: Some(Some(5)), ..change }).unwrap().quota, Some(5));
    assert_eq!(apply(CouponChange { quota: Some(None), ..change }).unwrap().quota, None);
    assert_eq!(apply(CouponChange { ends_at: Some(Some(NOW)), ..change }), Err("invalid_value"));
    assert_eq!(apply(CouponChange { per_person: Some(0), ..change }), Err("bad_request"));
    assert_eq!(apply(change), Ok(before.clone()), "no change is no new version");
    let ended = apply(CouponChange { is_ended: true, ..change }).unwrap();
    assert_eq!((ended.ended_at, ended.version), (Some(NOW), 2));
    assert_eq!(CouponChange { version: 2, ..change }.apply(&ended, NOW).unwrap_err().code(), "wrong_status");
}

#[test]
fn only_a_coupon_that_viewers_can_use_is_shown() {
    let show = StreamId::new();
    let shown = |coupon: &Coupon| coupon.shown(show, "SAR", NOW).map(|shown| shown.code);
    let good = coupon(CouponForm { quota: Some(2), ..percent(1_000) });
    assert_eq!(shown(&good), Ok("SAVE".to_owned()));
    assert_eq!(shown(&Coupon { uses: 2, ..good.clone() }), Err(CouponProblem::UsedUp));
    assert_eq!(shown(&Coupon { stream: Some(StreamId::new()), ..good.clone() }), Err(CouponProblem::OtherShow));
    assert_eq!(shown(&Coupon { ended_at: Some(1), ..good.clone() }), Err(CouponProblem::Ended));
    assert_eq!(shown(&Coupon { starts_at: NOW + 1, ..good }), Err(CouponProblem::NotStarted));
}

/// Dinars that were riyals are worth another sum: a coupon in riyals takes nothing off them.
#[test]
fn sums_of_a_coupon_count_in_its_currency_only() {
    let (show, lamp) = (StreamId::new(), ProductId::new());
    let lines = [line(lamp, 49_005), line(lamp, 1_000)];
    let tenth = coupon(percent(1_000));
    for (coupon, expected) in [
        (coupon(amount(1_000)), Some(CouponProblem::Currency)),
        (coupon(CouponForm { minimum: Some(1), ..percent(1_000) }), Some(CouponProblem::Currency)),
        (tenth.clone(), None),
    ] {
        assert_eq!(coupon.discounts(show, "KWD", &lines, NOW).err(), expected);
        assert_eq!(coupon.shown(show, "KWD", NOW).err(), expected);
        assert_eq!(coupon.apply(show, "KWD", &lines, NOW).coupon.problem.is_some(), expected.is_some());
        assert!(coupon.shown(show, "SAR", NOW).is_ok());
    }
    // A tenth of 50.005 dinars, in the steps of the order's currency.
    let parts: Vec<Minor> = tenth.discounts(show, "KWD", &lines, NOW).unwrap().iter().map(|(_, part)| *part).collect();
    assert_eq!(parts, [4_900, 100]);
}

/// Three lamps for 3.330 dinars each and a discount of 1.000: a third of it is 0.333, which no provider gives back.
#[test]
fn discount_is_split_in_steps_that_a_provider_gives_back() {
    let lamp = ProductId::new();
    for (discount, amounts, expected) in [
        (1_000, vec![3_330, 3_330, 3_330], vec![340, 330, 330]),
        (500, vec![10, 10, 990], vec![10, 0, 490]),
        // Odd prices: what is left is as even as they allow, and the parts are the discount all the same.
        (30, vec![19, 19], vec![15, 15]),
        (20, vec![19, 19], vec![10, 10]),
        (10, vec![5, 5, 5], vec![4, 3, 3]),
    ] {
        let coupon = Coupon { currency: "KWD".into(), ..coupon(amount(discount)) };
        let lines: Vec<_> = amounts.iter().map(|amount| line(lamp, *amount)).collect();
        assert_eq!(parts(&coupon, &lines), Ok(expected), "{discount} of {amounts:?}");
    }
}

fn any_discount() -> impl Strategy<Value = CouponForm> {
    prop_oneof![(1..=10_000_i64).prop_map(percent), (1..=9_000_000_000_i64).prop_map(amount)]
}

proptest! {
    #[test]
    fn parts_are_the_discount_and_never_more_than_their_line(
        form in any_discount(),
        amounts in prop::collection::vec((0..=9_000_000_000_000_i64, any::<bool>()), 1..50),
        of_currency in any::<prop::sample::Index>(),
        is_rounded in any::<bool>(),
    ) {
        let codes: Vec<&str> = currency::codes().collect();
        let code = codes[of_currency.index(codes.len())];
        // Prices that a provider can charge, or any.
        let whole = if is_rounded { amount_step(code) } else { 1 };
        let amounts: Vec<_> = amounts.iter().map(|(amount, counts)| (amount / whole * whole, *counts)).collect();
        let (wanted, other) = (ProductId::new(), ProductId::new());
        let coupon = Coupon { currency: code.into(), products: vec![wanted], ..coupon(form) };
        let lines: Vec<_> =
            amounts.iter().map(|(amount, counts)| line(if *counts { wanted } else { other }, *amount)).collect();
        let goods: Minor = lines.iter().filter(|line| line.product == wanted).map(|line| line.amount).sum();
        let Ok(parts) = parts(&coupon, &lines) else {
            prop_assert_eq!(goods, 0);
            return Ok(());
        };
        let discount: Minor = parts.iter().sum();
        let step = amount_step(code);
        let is_even = lines.iter().all(|line| line.amount % step == 0);
        for (part, line) in parts.iter().zip(&lines) {
            prop_assert!((0..=line.amount).contains(part), "{} of {}", part, line.amount);
            prop_assert!(line.product == wanted || *part == 0);
            if !is_even {
                continue;
            }
            // No part is a step or more away from its exact share, and what is left of a line can be given back by itself.
            let off = i128::from(*part) * i128::from(goods) - i128::from(discount) * i128::from(line.amount);
            prop_assert!(line.product == other || off.abs() < i128::from(goods * step), "{} of {}", part, line.amount);
            prop_assert_eq!(part % step, 0);
        }
        let exact = match coupon.discount {
            CouponDiscount::Amount(amount) => amount.min(goods),
            CouponDiscount::Percent(rate) => ((i128::from(goods) * i128::from(rate) + 5_000) / 10_000) as Minor,
        };
        prop_assert!(discount <= exact && exact - discount < step, "{} for {}", discount, exact);
        // What could be charged before can be charged afterwards.
        prop_assert!(goods % step != 0 || (goods - discount) % step == 0);
    }
}
