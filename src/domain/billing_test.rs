use proptest::prelude::*;

use super::*;
use crate::domain::refund::{PaidOrder, RefundPart, RefundScope, RefundedSoFar};
use crate::domain::{OfferId, OrderHeader, QuoteRules, Reservation, ReservationStatus, ShopId, StreamId, UserId};

fn sold(amount: Minor, qty: i64) -> Reservation {
    Reservation {
        id: ReservationId::new(),
        stream: StreamId(uuid::Uuid::nil()),
        offer: OfferId(uuid::Uuid::nil()),
        order: None,
        buyer: UserId::parse("ann").unwrap(),
        buyer_name: "Ann".into(),
        status: ReservationStatus::Sold,
        qty,
        returned: 0,
        amount,
        currency: "SAR".into(),
        place: 1,
        created_at: 0,
        hold_until: 0,
        reason: None,
        version: 1,
    }
}

fn order(lines: Vec<Reservation>) -> Order {
    let mut lines = lines.into_iter();
    let first = lines.next().unwrap();
    Order::of_lines(OrderHeader::default(), first, lines.collect())
}

fn quote(order: &Order, rules: QuoteRules) -> OrderQuote {
    let lines: Vec<_> = order.lines.iter().map(|line| (line, SoldItem::default())).collect();
    OrderQuote::of(&lines, None, rules, None).unwrap()
}

const KSA: QuoteRules = QuoteRules { tax_bp: 1_500, tax_included: true, delivery_fee: 2_000, delivery_free_from: 0 };

fn invoice_of(order: &Order, quote: &OrderQuote) -> BillingBody {
    BillingBody::invoice(&Issuer::default(), order, quote, None, 7)
}

/// All that follows from a refund of this amount, without lines.
fn amount(amount: Minor, given_back: Minor) -> RefundToCredit {
    RefundToCredit { amount, given_back, ..RefundToCredit::default() }
}

fn credit(invoice: &BillingBody, before: &CreditedSoFar, refund: &RefundToCredit) -> Option<BillingBody> {
    BillingBody::credit_note(&Issuer::default(), invoice, "INV-2026-00001".into(), before, refund).unwrap()
}

#[test]
fn invoice_says_what_was_paid() {
    let bought = order(vec![sold(11_500, 1), sold(2_300, 2)]);
    for (rules, expected) in [
        (KSA, TaxSum { tax_bp: 1_500, net: 13_739, tax: 2_061, gross: 15_800 }),
        (QuoteRules { tax_included: false, ..KSA }, TaxSum { tax_bp: 1_500, net: 15_800, tax: 2_370, gross: 18_170 }),
        (QuoteRules { tax_bp: 0, ..KSA }, TaxSum { tax_bp: 0, net: 15_800, tax: 0, gross: 15_800 }),
    ] {
        let quote = quote(&bought, rules);
        let invoice = invoice_of(&bought, &quote);
        assert_eq!(invoice.taxes, [expected], "{rules:?}");
        assert_eq!((invoice.total, invoice.tax), (quote.total, quote.tax));
        assert_eq!(invoice.buyer.unwrap().name, "Ann");
    }
}

#[test]
fn issuer_without_settings_names_the_shop() {
    let shop = Shop { id: ShopId::new(), title: "Souk".into(), titles: Titles::default(), currency: "SAR".into() };
    let issuer = Issuer::of(&shop, &ShopProfile::default());
    assert_eq!((issuer.seller.name.as_str(), issuer.seller.vat_number), ("Souk", None));
    assert_eq!((issuer.time_zone.as_str(), issuer.language.as_str()), ("UTC", "en"));
    let legal = ShopProfile { legal_name: Some("Souk LLC".into()), ..ShopProfile::default() };
    assert_eq!(Issuer::of(&shop, &legal).seller.name, "Souk LLC");
}

#[test]
fn year_begins_at_midnight_of_the_shop() {
    // The last minute of 2026 in Riyadh is 20:59 in UTC.
    const LAST_MINUTE: Millis = 1_798_750_740_000;
    for (zone, at, year) in [
        ("Asia/Riyadh", LAST_MINUTE, 2026),
        ("Asia/Riyadh", LAST_MINUTE + 59_999, 2026),
        ("Asia/Riyadh", LAST_MINUTE + 60_000, 2027),
        ("UTC", LAST_MINUTE + 60_000, 2026),
        ("America/New_York", LAST_MINUTE + 7 * 3_600_000, 2026),
        ("Mars/Olympus", LAST_MINUTE + 60_000, 2026),
    ] {
        let issuer = Issuer { time_zone: zone.into(), ..Issuer::default() };
        assert_eq!(issuer.year_of(at), year, "{zone} {at}");
    }
}

#[test]
fn numbers_are_read_alike_in_all_languages() {
    assert_eq!(DocumentKind::Invoice.number_text(2026, 42), "INV-2026-00042");
    assert_eq!(DocumentKind::CreditNote.number_text(2026, 123_456), "CN-2026-123456");
}

#[test]
fn credit_note_names_what_comes_back_and_what_was_kept() {
    let bought = order(vec![sold(11_500, 2), sold(2_300, 1)]);
    let invoice = invoice_of(&bought, &quote(&bought, KSA));
    let line = ReturnedLine { reservation: bought.lines[0].id, qty: 1, amount: 5_750, goods: 5_750 };
    let kept = RefundToCredit { amount: 5_000, lines: vec![line], given_back: 5_000, ..RefundToCredit::default() };
    let note = credit(&invoice, &CreditedSoFar::default(), &kept).unwrap();
    assert_eq!((note.lines[0].qty, note.lines[0].amount, note.adjustment, note.total), (1, 5_750, -750, 5_000));
    assert_eq!(note.taxes, [TaxSum { tax_bp: 1_500, net: 4_348, tax: 652, gross: 5_000 }]);
    assert_eq!(note.invoice_number.as_deref(), Some("INV-2026-00001"));
}

#[test]
fn money_that_the_bank_sent_back_is_not_credited_twice() {
    let bought = order(vec![sold(10_000, 1)]);
    let invoice = invoice_of(&bought, &quote(&bought, QuoteRules { delivery_fee: 0, ..KSA }));
    let mut before = CreditedSoFar::default();
    before.add(&credit(&invoice, &before, &amount(6_000, 6_000)).unwrap());
    // The 60.00 came back from the bank, and are given again in two parts.
    assert_eq!(credit(&invoice, &before, &amount(2_000, 2_000)), None);
    assert_eq!(credit(&invoice, &before, &amount(4_000, 6_000)), None);
    let more = credit(&invoice, &before, &amount(3_000, 9_000)).unwrap();
    assert_eq!(more.total, 3_000);
    before.add(&more);
    assert_eq!(credit(&invoice, &before, &amount(1_500, 10_500)).unwrap().total, 1_000, "never more than the invoice");
}

proptest! {
    /// Whatever is given back in which parts: no sum of the credit notes is more than that of the invoice, and after the last part each is
    /// the same.
    #[test]
    fn credit_notes_together_are_the_invoice(
        amounts in prop::collection::vec((0..=9_000_000_i64, 1..=4_i64), 1..5),
        rates in prop::collection::vec(0..=5_000_i64, 5),
        tax_included in any::<bool>(),
        delivery_fee in 0..=100_000_i64,
        steps in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>(), prop::option::of(0..=200_i64)), 1..8),
    ) {
        let bought = order(amounts.iter().map(|(amount, qty)| sold(*amount, *qty)).collect());
        let rules = QuoteRules { tax_bp: rates[0], tax_included, delivery_fee, delivery_free_from: 0 };
        let mut invoice = invoice_of(&bought, &quote(&bought, rules));
        prop_assert_eq!(invoice.taxes.iter().map(|sum| sum.gross).sum::<Minor>(), invoice.total);
        // Each line at a rate of its own, as a later quote may have it.
        let whole = quote(&bought, rules);
        invoice.taxes.clear();
        for (line, rate) in invoice.lines.iter_mut().zip(&rates) {
            line.tax_bp = *rate;
            let tax = line.tax.unwrap_or(0);
            let net = if tax_included { line.amount - tax } else { line.amount };
            add_to_rate(&mut invoice.taxes, TaxSum { tax_bp: *rate, net, tax, gross: net + tax });
        }
        let net = if tax_included { whole.delivery - whole.delivery_tax } else { whole.delivery };
        let delivery = TaxSum { tax_bp: rates[0], net, tax: whole.delivery_tax, gross: net + whole.delivery_tax };
        add_to_rate(&mut invoice.taxes, delivery);
        let mut so_far = RefundedSoFar::default();
        let mut before = CreditedSoFar::default();
        let mut give = |scope: &RefundScope| {
            let paid = PaidOrder { order: &bought, quote: Some(&whole), captured: whole.total, so_far: so_far.clone(), is_manual: false, is_parcel_shared: false };
            let Ok(plan) = paid.plan(scope) else { return };
            so_far.amount += plan.amount;
            so_far.delivery += plan.delivery;
            for line in &plan.lines {
                match so_far.lines.iter_mut().find(|known| known.reservation == line.reservation) {
                    Some(known) => {
                        known.qty += line.qty;
                        known.amount += line.amount;
                        known.goods += line.goods;
                    }
                    None => so_far.lines.push(line.clone()),
                }
            }
            let refund = RefundToCredit {
                at: 0, amount: plan.amount, delivery: plan.delivery, lines: plan.lines, given_back: so_far.amount,
            };
            if let Some(note) = credit(&invoice, &before, &refund) {
                assert_eq!(note.total, plan.amount);
                assert_eq!(note.taxes.iter().map(|sum| sum.gross).sum::<Minor>(), note.total);
                assert!(note.taxes.iter().all(|sum| sum.net >= 0 && sum.tax >= 0), "{note:?}");
                before.add(&note);
            } else {
                assert_eq!(plan.amount, 0);
            }
            for sum in &invoice.taxes {
                let (gross, tax) = before.of_rate(sum.tax_bp);
                assert!(gross <= sum.gross && tax <= sum.tax, "{sum:?} {gross} {tax}");
            }
        };
        for (line, delivery, percent) in &steps {
            let line = &bought.lines[line.index(bought.lines.len())];
            let amount = percent.map(|percent| line.amount * percent / 100);
            give(&RefundScope::Part(RefundPart { lines: vec![(line.id, 1)], delivery: *delivery, amount }));
        }
        give(&RefundScope::Whole);
        prop_assert_eq!(before.total, invoice.total);
        for sum in &invoice.taxes {
            prop_assert_eq!(before.of_rate(sum.tax_bp), (sum.gross, sum.tax));
        }
    }
}
