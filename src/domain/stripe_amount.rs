//! Amounts as Stripe writes them. Our minor unit is that of ISO 4217; in a few currencies that of Stripe is another one.

use super::Minor;
use super::currency;

/// Whole units at Stripe, whatever ISO 4217 says.
const WHOLE: [&str; 1] = ["MGA"];
/// Whole units in ISO 4217, written with two decimals at Stripe that must be 00.
const PADDED: [&str; 2] = ["ISK", "UGX"];
/// Thousandths of which the last digit must be 0.
const THREE_DECIMALS: [&str; 5] = ["BHD", "JOD", "KWD", "OMR", "TND"];
/// The largest amount of a charge in most currencies, in Stripe's unit.
const MAXIMUM: Minor = 99_999_999;
/// Indonesian rupiah may have more digits.
const MAXIMUM_IDR: Minor = 999_999_999_999;

/// The steps in which amounts of a currency can be charged and given back, in our minor units: 10 where the last of three decimals must be 0.
pub fn amount_step(currency: &str) -> Minor {
    match currency {
        code if WHOLE.contains(&code) => 100,
        code if THREE_DECIMALS.contains(&code) => 10,
        _ => 1,
    }
}

/// The amount in Stripe's unit. `None`: Stripe cannot charge exactly this amount, or not in this currency.
pub fn to_stripe(amount: Minor, currency: &str) -> Option<Minor> {
    let converted = match currency {
        code if WHOLE.contains(&code) => (amount % 100 == 0).then_some(amount / 100)?,
        code if PADDED.contains(&code) => amount.checked_mul(100)?,
        code if THREE_DECIMALS.contains(&code) => (amount % 10 == 0).then_some(amount)?,
        code => matches!(currency::decimals(code), Some(0 | 2)).then_some(amount)?,
    };
    let most = if currency == "IDR" { MAXIMUM_IDR } else { MAXIMUM };
    (0..=most).contains(&converted).then_some(converted)
}

/// The amount that Stripe reports, in our unit. `None`: it cannot be written in our unit.
pub fn from_stripe(amount: Minor, currency: &str) -> Option<Minor> {
    match currency {
        code if WHOLE.contains(&code) => amount.checked_mul(100),
        code if PADDED.contains(&code) => (amount % 100 == 0).then_some(amount / 100),
        _ => Some(amount),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_in_both_directions_or_refused() {
        for (ours, currency, stripe) in [
            (4_900, "SAR", Some(4_900)),
            (1_250, "JPY", Some(1_250)),
            (5_120, "KWD", Some(5_120)),
            (5_124, "KWD", None),
            (12, "ISK", Some(1_200)),
            (500, "UGX", Some(50_000)),
            (1_200, "MGA", Some(12)),
            (1_250, "MGA", None),
            (100_000_000, "USD", None),
            (150_000_000, "IDR", Some(150_000_000)),
            (10, "CLF", None),
            (10, "ABC", None),
            (-1, "USD", None),
        ] {
            assert_eq!(to_stripe(ours, currency), stripe, "{ours} {currency}");
            if let Some(stripe) = stripe {
                assert_eq!(from_stripe(stripe, currency), Some(ours), "{stripe} {currency}");
            }
        }
        assert_eq!(from_stripe(1_250, "ISK"), None, "half a króna is not ours");
        for currency in ["SAR", "KWD", "BHD", "JPY", "ISK", "MGA"] {
            assert!((1..50).all(|n| to_stripe(n * amount_step(currency), currency).is_some()), "{currency}");
        }
    }
}
