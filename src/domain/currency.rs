//! How many decimals a currency has: the minor units of ISO 4217, list one, as its maintenance agency (SIX Group) published it
//! in January 2026. Precious metals, test codes and withdrawn currencies are left out: nobody can be charged in them.
//!
//! The pages get the number from here. Browsers have numbers of their own that follow habit instead of the standard: some show
//! prices in IDR without decimals, others with two, and a price must not depend on the browser in which it was typed.

use super::Minor;

const NONE: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
const TWO: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW \
    CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR \
    IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN \
    NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB \
    TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG";
const THREE: &str = "BHD IQD JOD KWD LYD OMR TND";
const FOUR: &str = "CLF UYW";

/// The decimals of a currency: 2 for SAR, 3 for KWD, 0 for JPY. `None`: ISO 4217 has no such currency.
pub fn decimals(code: &str) -> Option<u8> {
    let lists = [(NONE, 0), (TWO, 2), (THREE, 3), (FOUR, 4)];
    lists.into_iter().find(|(codes, _)| codes.split(' ').any(|known| known == code)).map(|(_, decimals)| decimals)
}

/// An amount as machines read it: `149.00`, `12` where the currency has no decimals.
pub fn decimal_text(minor: Minor, code: &str) -> String {
    let decimals = usize::from(decimals(code).unwrap_or(2));
    let digits = format!("{:0>width$}", minor.unsigned_abs(), width = decimals + 1);
    let (whole, rest) = digits.split_at(digits.len() - decimals);
    let sign = if minor < 0 { "-" } else { "" };
    if decimals == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{rest}") }
}

/// The codes of all currencies.
#[cfg(test)]
pub fn codes() -> impl Iterator<Item = &'static str> {
    [NONE, TWO, THREE, FOUR].into_iter().flat_map(|codes| codes.split(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_those_of_iso_4217_and_not_those_of_browsers() {
        let rows = [("SAR", 2), ("IDR", 2), ("HUF", 2), ("IQD", 3), ("KWD", 3), ("JPY", 0), ("VND", 0), ("CLF", 4)];
        for (code, expected) in rows {
            assert_eq!(decimals(code), Some(expected), "{code}");
        }
        for code in ["", "sar", "SA", "XXX", "XAU", "ABC", "SAR USD"] {
            assert_eq!(decimals(code), None, "{code:?}");
        }
    }

    #[test]
    fn amounts_for_machines_have_the_decimals_of_their_currency() {
        for (minor, code, expected) in [
            (14_900, "SAR", "149.00"),
            (5, "SAR", "0.05"),
            (0, "SAR", "0.00"),
            (-1_250, "KWD", "-1.250"),
            (12, "JPY", "12"),
        ] {
            assert_eq!(decimal_text(minor, code), expected);
        }
    }

    #[test]
    fn each_currency_is_listed_once() {
        let mut codes: Vec<&str> = super::codes().collect();
        assert!(codes.iter().all(|code| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase())));
        let listed = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), listed);
    }
}
