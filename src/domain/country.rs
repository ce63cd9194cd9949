//! Countries of shops, and what follows from one: currency, language of the pages, time zone and tax.
//!
//! Each value is a default that the merchant may change. Sources: codes from ISO 3166-1, currencies from ISO 4217 (list one), time
//! zones from the IANA database (of several, the one in which most people live), standard rates of value added tax or of goods and
//! services tax from the European Commission's Taxes in Europe database and from the tax authorities, as of January 2026. The
//! rate is 0 where there is no such tax (Kuwait, Qatar, Hong Kong, …), or where it depends on the state or the goods (United
//! States, Brazil, Malaysia). Indonesia's 12 % apply to eleven twelfths of the price of ordinary goods: 11 %.

use serde::Serialize;
use utoipa::ToSchema;

/// A country in which a shop may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct Country {
    /// ISO 3166-1, two letters.
    pub code: &'static str,
    /// ISO 4217.
    pub currency: &'static str,
    /// One of the languages of the pages: `en`, `ar` or `id`.
    pub language: &'static str,
    /// A name of the IANA database.
    pub time_zone: &'static str,
    /// The standard rate of the tax on goods, in basis points: 1500 is 15 %.
    pub tax_bp: i64,
    /// Do shown prices contain the tax?
    pub tax_included: bool,
}

const fn country(
    code: &'static str,
    currency: &'static str,
    language: &'static str,
    time_zone: &'static str,
    tax_bp: i64,
    tax_included: bool,
) -> Country {
    Country { code, currency, language, time_zone, tax_bp, tax_included }
}

/// Sorted by code.
#[rustfmt::skip]
pub const COUNTRIES: [Country; 86] = [
    country("AE", "AED", "ar", "Asia/Dubai", 500, true),
    country("AR", "ARS", "en", "America/Argentina/Buenos_Aires", 2100, true),
    country("AT", "EUR", "en", "Europe/Vienna", 2000, true),
    country("AU", "AUD", "en", "Australia/Sydney", 1000, true),
    country("BD", "BDT", "en", "Asia/Dhaka", 1500, true),
    country("BE", "EUR", "en", "Europe/Brussels", 2100, true),
    country("BG", "EUR", "en", "Europe/Sofia", 2000, true),
    country("BH", "BHD", "ar", "Asia/Bahrain", 1000, true),
    country("BN", "BND", "en", "Asia/Brunei", 0, true),
    country("BR", "BRL", "en", "America/Sao_Paulo", 0, true),
    country("CA", "CAD", "en", "America/Toronto", 500, false),
    country("CH", "CHF", "en", "Europe/Zurich", 810, true),
    country("CI", "XOF", "en", "Africa/Abidjan", 1800, true),
    country("CL", "CLP", "en", "America/Santiago", 1900, true),
    country("CN", "CNY", "en", "Asia/Shanghai", 1300, true),
    country("CO", "COP", "en", "America/Bogota", 1900, true),
    country("CY", "EUR", "en", "Asia/Nicosia", 1900, true),
    country("CZ", "CZK", "en", "Europe/Prague", 2100, true),
    country("DE", "EUR", "en", "Europe/Berlin", 1900, true),
    country("DK", "DKK", "en", "Europe/Copenhagen", 2500, true),
    country("DZ", "DZD", "ar", "Africa/Algiers", 1900, true),
    country("EE", "EUR", "en", "Europe/Tallinn", 2400, true),
    country("EG", "EGP", "ar", "Africa/Cairo", 1400, true),
    country("ES", "EUR", "en", "Europe/Madrid", 2100, true),
    country("ET", "ETB", "en", "Africa/Addis_Ababa", 1500, true),
    country("FI", "EUR", "en", "Europe/Helsinki", 2550, true),
    country("FR", "EUR", "en", "Europe/Paris", 2000, true),
    country("GB", "GBP", "en", "Europe/London", 2000, true),
    country("GH", "GHS", "en", "Africa/Accra", 1500, true),
    country("GR", "EUR", "en", "Europe/Athens", 2400, true),
    country("HK", "HKD", "en", "Asia/Hong_Kong", 0, true),
    country("HR", "EUR", "en", "Europe/Zagreb", 2500, true),
    country("HU", "HUF", "en", "Europe/Budapest", 2700, true),
    country("ID", "IDR", "id", "Asia/Jakarta", 1100, true),
    country("IE", "EUR", "en", "Europe/Dublin", 2300, true),
    country("IN", "INR", "en", "Asia/Kolkata", 1800, true),
    country("IQ", "IQD", "ar", "Asia/Baghdad", 0, true),
    country("IS", "ISK", "en", "Atlantic/Reykjavik", 2400, true),
    country("IT", "EUR", "en", "Europe/Rome", 2200, true),
    country("JO", "JOD", "ar", "Asia/Amman", 1600, true),
    country("JP", "JPY", "en", "Asia/Tokyo", 1000, true),
    country("KE", "KES", "en", "Africa/Nairobi", 1600, true),
    country("KR", "KRW", "en", "Asia/Seoul", 1000, true),
    country("KW", "KWD", "ar", "Asia/Kuwait", 0, true),
    country("LB", "LBP", "ar", "Asia/Beirut", 1100, true),
    country("LK", "LKR", "en", "Asia/Colombo", 1800, true),
    country("LT", "EUR", "en", "Europe/Vilnius", 2100, true),
    country("LU", "EUR", "en", "Europe/Luxembourg", 1700, true),
    country("LV", "EUR", "en", "Europe/Riga", 2100, true),
    country("LY", "LYD", "ar", "Africa/Tripoli", 0, true),
    country("MA", "MAD", "ar", "Africa/Casablanca", 2000, true),
    country("MT", "EUR", "en", "Europe/Malta", 1800, true),
    country("MX", "MXN", "en", "America/Mexico_City", 1600, true),
    country("MY", "MYR", "en", "Asia/Kuala_Lumpur", 0, true),
    country("NG", "NGN", "en", "Africa/Lagos", 750, true),
    country("NL", "EUR", "en", "Europe/Amsterdam", 2100, true),
    country("NO", "NOK", "en", "Europe/Oslo", 2500, true),
    country("NP", "NPR", "en", "Asia/Kathmandu", 1300, true),
    country("NZ", "NZD", "en", "Pacific/Auckland", 1500, true),
    country("OM", "OMR", "ar", "Asia/Muscat", 500, true),
    country("PE", "PEN", "en", "America/Lima", 1800, true),
    country("PH", "PHP", "en", "Asia/Manila", 1200, true),
    country("PK", "PKR", "en", "Asia/Karachi", 1800, true),
    country("PL", "PLN", "en", "Europe/Warsaw", 2300, true),
    country("PT", "EUR", "en", "Europe/Lisbon", 2300, true),
    country("QA", "QAR", "ar", "Asia/Qatar", 0, true),
    country("RO", "RON", "en", "Europe/Bucharest", 2100, true),
    country("SA", "SAR", "ar", "Asia/Riyadh", 1500, true),
    country("SD", "SDG", "ar", "Africa/Khartoum", 1700, true),
    country("SE", "SEK", "en", "Europe/Stockholm", 2500, true),
    country("SG", "SGD", "en", "Asia/Singapore", 900, true),
    country("SI", "EUR", "en", "Europe/Ljubljana", 2200, true),
    country("SK", "EUR", "en", "Europe/Bratislava", 2300, true),
    country("SN", "XOF", "en", "Africa/Dakar", 1800, true),
    country("SY", "SYP", "ar", "Asia/Damascus", 0, true),
    country("TH", "THB", "en", "Asia/Bangkok", 700, true),
    country("TN", "TND", "ar", "Africa/Tunis", 1900, true),
    country("TR", "TRY", "en", "Europe/Istanbul", 2000, true),
    country("TW", "TWD", "en", "Asia/Taipei", 500, true),
    country("TZ", "TZS", "en", "Africa/Dar_es_Salaam", 1800, true),
    country("UA", "UAH", "en", "Europe/Kyiv", 2000, true),
    country("UG", "UGX", "en", "Africa/Kampala", 1800, true),
    country("US", "USD", "en", "America/New_York", 0, false),
    country("VN", "VND", "en", "Asia/Ho_Chi_Minh", 1000, true),
    country("YE", "YER", "ar", "Asia/Aden", 500, true),
    country("ZA", "ZAR", "en", "Africa/Johannesburg", 1500, true),
];

/// Every code of ISO 3166-1 that is assigned, in alphabetical order: where an address may be.
#[rustfmt::skip]
pub const CODES: &[&str] = &[
    "AD", "AE", "AF", "AG", "AI", "AL", "AM", "AO", "AQ", "AR", "AS", "AT", "AU", "AW", "AX", "AZ", "BA", "BB", "BD", "BE",
    "BF", "BG", "BH", "BI", "BJ", "BL", "BM", "BN", "BO", "BQ", "BR", "BS", "BT", "BV", "BW", "BY", "BZ", "CA", "CC", "CD",
    "CF", "CG", "CH", "CI", "CK", "CL", "CM", "CN", "CO", "CR", "CU", "CV", "CW", "CX", "CY", "CZ", "DE", "DJ", "DK", "DM",
    "DO", "DZ", "EC", "EE", "EG", "EH", "ER", "ES", "ET", "FI", "FJ", "FK", "FM", "FO", "FR", "GA", "GB", "GD", "GE", "GF",
    "GG", "GH", "GI", "GL", "GM", "GN", "GP", "GQ", "GR", "GS", "GT", "GU", "GW", "GY", "HK", "HM", "HN", "HR", "HT", "HU",
    "ID", "IE", "IL", "IM", "IN", "IO", "IQ", "IR", "IS", "IT", "JE", "JM", "JO", "JP", "KE", "KG", "KH", "KI", "KM", "KN",
    "KP", "KR", "KW", "KY", "KZ", "LA", "LB", "LC", "LI", "LK", "LR", "LS", "LT", "LU", "LV", "LY", "MA", "MC", "MD", "ME",
    "MF", "MG", "MH", "MK", "ML", "MM", "MN", "MO", "MP", "MQ", "MR", "MS", "MT", "MU", "MV", "MW", "MX", "MY", "MZ", "NA",
    "NC", "NE", "NF", "NG", "NI", "NL", "NO", "NP", "NR", "NU", "NZ", "OM", "PA", "PE", "PF", "PG", "PH", "PK", "PL", "PM",
    "PN", "PR", "PS", "PT", "PW", "PY", "QA", "RE", "RO", "RS", "RU", "RW", "SA", "SB", "SC", "SD", "SE", "SG", "SH", "SI",
    "SJ", "SK", "SL", "SM", "SN", "SO", "SR", "SS", "ST", "SV", "SX", "SY", "SZ", "TC", "TD", "TF", "TG", "TH", "TJ", "TK",
    "TL", "TM", "TN", "TO", "TR", "TT", "TV", "TW", "TZ", "UA", "UG", "UM", "US", "UY", "UZ", "VA", "VC", "VE", "VG", "VI",
    "VN", "VU", "WF", "WS", "YE", "YT", "ZA", "ZM", "ZW",
];

/// Is this a code of ISO 3166-1, in capital letters?
pub fn is_code(code: &str) -> bool {
    CODES.binary_search(&code).is_ok()
}

/// The country with this code, if a shop may be there.
pub fn find(code: &str) -> Option<&'static Country> {
    COUNTRIES.iter().find(|country| country.code == code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::currency;

    #[test]
    fn every_country_has_a_known_currency_and_language_and_a_plausible_tax() {
        assert!(COUNTRIES.is_sorted_by(|a, b| a.code < b.code));
        assert!(CODES.is_sorted_by(|a, b| a < b) && CODES.len() == 249);
        for country in COUNTRIES {
            assert!(
                country.code.len() == 2 && country.code.bytes().all(|byte| byte.is_ascii_uppercase()),
                "{country:?}"
            );
            assert!(is_code(country.code), "{country:?}");
            assert!(currency::decimals(country.currency).is_some(), "{country:?}");
            assert!(["en", "ar", "id"].contains(&country.language), "{country:?}");
            assert!(country.time_zone.contains('/'), "{country:?}");
            assert!((0..=2_700).contains(&country.tax_bp), "{country:?}");
        }
    }

    #[test]
    fn defaults_of_the_first_markets_are_known() {
        for (code, currency, language, tax_bp) in
            [("SA", "SAR", "ar", 1_500), ("ID", "IDR", "id", 1_100), ("KW", "KWD", "ar", 0), ("DE", "EUR", "en", 1_900)]
        {
            let found = find(code).unwrap();
            assert_eq!((found.currency, found.language, found.tax_bp), (currency, language, tax_bp), "{code}");
        }
        assert_eq!((find("XX"), find("sa")), (None, None));
    }
}
