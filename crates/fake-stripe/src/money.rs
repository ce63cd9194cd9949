//! What amounts a charge may have in each currency (docs.stripe.com/currencies).

use crate::error::ApiError;

/// The amount is in whole units of the currency.
const ZERO_DECIMALS: [&str; 15] =
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"];
/// The amount is in thousandths, and its last digit is 0.
const THREE_DECIMALS: [&str; 5] = ["bhd", "jod", "kwd", "omr", "tnd"];
/// Written with two decimals that must be 00.
const WHOLE_HUNDREDS: [&str; 2] = ["isk", "ugx"];
/// Smallest charges, in the smallest unit.
const MINIMUM: [(&str, i64); 8] =
    [("usd", 50), ("eur", 50), ("gbp", 30), ("aed", 200), ("jpy", 50), ("kwd", 150), ("bhd", 190), ("idr", 1)];
const MAXIMUM: i64 = 99_999_999;

/// Refuses an amount or a currency that a charge cannot have.
pub fn check(amount: i64, currency: &str) -> Result<(), ApiError> {
    if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return Err(ApiError::invalid("parameter_invalid", format!("Invalid currency: {currency}. Use lower case.")));
    }
    let minimum = MINIMUM.iter().find(|(code, _)| *code == currency).map_or(1, |(_, least)| *least);
    if amount < minimum {
        return Err(ApiError::invalid("amount_too_small", "Amount must be at least the minimum of its currency."));
    }
    if amount > MAXIMUM && currency != "idr" {
        return Err(ApiError::invalid("amount_too_large", "Amount must be no more than 99999999."));
    }
    let step = match currency {
        code if ZERO_DECIMALS.contains(&code) => 1,
        code if THREE_DECIMALS.contains(&code) => 10,
        code if WHOLE_HUNDREDS.contains(&code) => 100,
        _ => 1,
    };
    if amount % step != 0 {
        let message = format!("Invalid amount in {currency}: it must be a multiple of {step}.");
        return Err(ApiError::invalid("parameter_invalid_integer", message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn amounts_follow_the_rules_of_their_currency() {
        for (amount, currency, is_allowed) in [
            (50, "usd", true),
            (49, "usd", false),
            (4_900, "SAR", false),
            (4_900, "sar", true),
            (5_124, "kwd", false),
            (5_120, "kwd", true),
            (1_250, "isk", false),
            (1_200, "isk", true),
            (1_250, "jpy", true),
            (100_000_000, "usd", false),
        ] {
            assert_eq!(check(amount, currency).is_ok(), is_allowed, "{amount} {currency}");
        }
    }
}
