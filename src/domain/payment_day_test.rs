use super::*;

fn spans(first: &str, last: &str, zone: Tz) -> Vec<DaySpan> {
    days(Some(first), Some(last), zone, 0).unwrap()
}

/// How many hours each day has.
fn hours(first: &str, last: &str, zone: Tz) -> Vec<Millis> {
    spans(first, last, zone).iter().map(|day| (day.until - day.since) / 3_600_000).collect()
}

#[test]
fn day_is_as_long_as_the_clocks_of_the_shop_make_it() {
    for (zone, first, last, expected) in [
        (Tz::UTC, "2026-11-29", "2026-11-30", [24, 24].as_slice()),
        (Tz::Asia__Riyadh, "2026-03-28", "2026-03-30", &[24, 24, 24]),
        (Tz::Europe__London, "2026-03-28", "2026-03-30", &[24, 23, 24]),
        (Tz::Europe__London, "2026-10-24", "2026-10-26", &[24, 25, 24]),
        // Midnight is skipped: the day begins at one o'clock.
        (Tz::Africa__Cairo, "2026-04-23", "2026-04-25", &[24, 23, 24]),
        // The last hour of a day comes twice, and midnight itself once.
        (Tz::Africa__Cairo, "2026-10-29", "2026-10-30", &[25, 24]),
        // Midnight comes twice: the day begins with the first one.
        (Tz::America__Havana, "2026-10-31", "2026-11-02", &[24, 25, 24]),
    ] {
        assert_eq!(hours(first, last, zone), expected, "{zone} {first}");
    }
}

#[test]
fn days_leave_no_moment_out_and_count_none_twice() {
    for zone in [Tz::UTC, Tz::Africa__Cairo, Tz::America__Havana, Tz::Asia__Beirut, Tz::Australia__Lord_Howe] {
        for first in ["2026-03-01", "2026-09-15"] {
            let last = NaiveDate::parse_from_str(first, FORMAT).unwrap() + Days::new(91);
            let spans = spans(first, &last.to_string(), zone);
            assert_eq!(spans.len(), PAYMENT_DAYS_MAX);
            assert!(spans.windows(2).all(|pair| pair[0].until == pair[1].since), "{zone}");
            for day in spans {
                for at in [day.since, day.until - 1] {
                    assert_eq!(zone.timestamp_millis_opt(at).unwrap().date_naive(), day.date, "{zone}");
                }
            }
        }
    }
}

#[test]
fn without_days_the_last_thirty_of_the_shop_are_meant() {
    // 30 November, 21:30 in UTC: in Riyadh December has begun.
    let now = 1_796_074_200_000;
    let asked = |first, last, zone| {
        let spans = days(first, last, zone, now).unwrap();
        (spans[0].date.to_string(), spans[spans.len() - 1].date.to_string(), spans.len())
    };
    assert_eq!(asked(None, None, Tz::UTC), ("2026-11-01".into(), "2026-11-30".into(), 30));
    assert_eq!(asked(None, None, Tz::Asia__Riyadh), ("2026-11-02".into(), "2026-12-01".into(), 30));
    assert_eq!(asked(Some("2026-11-30"), None, Tz::Asia__Riyadh).2, 2);
    assert_eq!(asked(None, Some("2026-01-30"), Tz::UTC).0, "2026-01-01");
}

#[test]
fn what_is_no_day_or_too_long_a_time_is_refused() {
    let code = |first, last| days(Some(first), Some(last), Tz::UTC, 0).map_err(|refusal| refusal.code()).err();
    assert_eq!(code("2026-09-01", "2026-12-01"), None, "92 days");
    for (first, last) in [
        ("2026-08-31", "2026-12-01"),
        ("2026-12-01", "2026-11-30"),
        ("2026-02-30", "2026-03-01"),
        ("2026-2-3", "2026-03-01"),
        ("2026-03-01", "today"),
        ("1969-12-31", "1969-12-31"),
        ("+12026-01-01", "+12026-01-01"),
        ("9991-01-01", "9991-01-01"),
    ] {
        assert_eq!(code(first, last), Some("invalid_value"), "{first} {last}");
    }
}

fn figure(day: usize, kind: FigureKind, method: &str, currency: &str, count: i64, amount: Minor) -> PaymentFigure {
    let (method, currency) = (method.to_owned(), currency.to_owned());
    PaymentFigure { day, kind, method, currency, money: CountedMoney { count, amount }, fees: None }
}

fn with_fees(figure: PaymentFigure, currency: &str, count: i64, amount: Minor) -> PaymentFigure {
    PaymentFigure { fees: Some((currency.to_owned(), CountedMoney { count, amount })), ..figure }
}

#[test]
fn figures_fall_into_their_days_and_currencies() {
    use FigureKind as F;
    let spans = spans("2026-11-29", "2026-11-30", Tz::UTC);
    let all = [
        with_fees(figure(0, F::Captured, "stripe", "SAR", 3, 30_000), "SAR", 2, 900),
        figure(0, F::Captured, "cash_on_delivery", "SAR", 1, 5_000),
        figure(0, F::Refunded, "", "SAR", 1, 4_000),
        with_fees(figure(1, F::Captured, "stripe", "EUR", 1, 2_000), "SAR", 1, 300),
        figure(1, F::Captured, "bank_transfer", "SAR", 2, 7_000),
        figure(1, F::Owed, "", "SAR", 1, 1_000),
        with_fees(figure(1, F::OwedFee, "", "SAR", 0, 0), "SAR", 1, 50),
        figure(1, F::OwedReturned, "", "SAR", 1, 1_000),
        figure(1, F::RefundSentBack, "", "SAR", 1, 4_000),
        figure(1, F::DisputeOpened, "", "SAR", 1, 10_000),
        figure(1, F::DisputeLost, "", "SAR", 1, 10_000),
        figure(1, F::DisputeWon, "", "SAR", 1, 2_500),
    ];
    let (days, totals) = fill_days(&spans, &all);
    assert_eq!(days.iter().map(|day| day.date.as_str()).collect::<Vec<_>>(), ["2026-11-29", "2026-11-30"]);
    let counted = |count, amount| CountedMoney { count, amount };
    let first = PaymentSums {
        currency: "SAR".into(),
        captured: counted(3, 30_000),
        cash_on_delivery: counted(1, 5_000),
        refunded: counted(1, 4_000),
        fees: counted(2, 900),
        fees_unknown: 1,
        left: 30_100,
        ..PaymentSums::default()
    };
    assert_eq!(days[0].sums, [first]);
    let euro =
        PaymentSums { currency: "EUR".into(), captured: counted(1, 2_000), left: 2_000, ..PaymentSums::default() };
    assert_eq!(days[1].sums[0], euro, "its fee is known, in the currency of the account");
    assert_eq!(days[1].sums[1].fees, counted(2, 350));
    assert_eq!(days[1].sums[1].left, 7_000 + 1_000 + 4_000 - 1_000 - 10_000 - 350);
    assert_eq!(totals[0], euro);
    assert_eq!((totals[1].captured, totals[1].fees), (counted(3, 30_000), counted(4, 1_250)));
    assert_eq!(totals[1].left, days[0].sums[0].left + days[1].sums[1].left);
}

#[test]
fn sums_never_wrap_around() {
    let spans = spans("2026-11-30", "2026-11-30", Tz::UTC);
    let large = figure(0, FigureKind::Captured, "stripe", "IDR", 1, Minor::MAX);
    let (days, _) = fill_days(&spans, &[large.clone(), large]);
    assert_eq!((days[0].sums[0].captured.amount, days[0].sums[0].left), (Minor::MAX, Minor::MAX));
}

#[test]
fn checks_for_a_fee_have_an_end() {
    assert_eq!(fee_check_after(0), Some(60_000));
    assert!((1..6).all(|checks| fee_check_after(checks - 1) < fee_check_after(checks)));
    assert_eq!(fee_check_after(6), None);
}

#[test]
fn day_is_that_of_the_shop() {
    let late_in_london = 1_764_541_800_000; // 2025-11-30 22:30 UTC
    for (zone, day) in
        [(Tz::UTC, "2025-11-30"), (Tz::Asia__Riyadh, "2025-12-01"), (Tz::Pacific__Kiritimati, "2025-12-01")]
    {
        assert_eq!(date_of(late_in_london, zone).to_string(), day, "{zone}");
        assert_eq!(days(None, None, zone, late_in_london).unwrap().last().unwrap().date.to_string(), day, "{zone}");
    }
}
