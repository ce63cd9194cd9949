//! The market of a shop: the countries to which it delivers. A shop has one market.

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::{Refusal, country};

/// Where the shop delivers. Stored as JSON; a field that is new has its default.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Market {
    /// Codes of ISO 3166-1, two letters, in alphabetical order. Empty: every country.
    pub countries: Vec<String>,
}

/// What somebody typed into the market. What is left out stays as it is.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize, ToSchema)]
pub struct MarketForm {
    /// The countries to which the shop delivers: codes of ISO 3166-1, two capital letters. Empty or null: every country.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<String>>)]
    pub countries: Option<Option<Vec<String>>>,
}

/// Distinguishes null from a field that is left out.
fn given<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Option<Vec<String>>>, D::Error> {
    Option::deserialize(input).map(Some)
}

impl MarketForm {
    /// The market with the changes of this form.
    pub fn apply(self, before: &Market) -> Result<Market, Refusal> {
        let Some(given) = self.countries else { return Ok(before.clone()) };
        let mut countries = given.unwrap_or_default();
        let refused = |why| Err(Refusal::invalid_value("market.countries", why));
        if countries.len() > country::CODES.len() {
            return refused("must be at most 249 countries.");
        }
        if !countries.iter().all(|code| country::is_code(code)) {
            return refused("must be codes of ISO 3166-1 in capital letters, like SA.");
        }
        countries.sort_unstable();
        countries.dedup();
        Ok(Market { countries })
    }
}

impl Market {
    /// Does the shop deliver to every country?
    pub fn is_everywhere(&self) -> bool {
        self.countries.is_empty()
    }

    pub fn serves(&self, country: &str) -> bool {
        self.is_everywhere() || self.countries.iter().any(|code| code == country)
    }

    /// Refuses an address in a country to which the shop does not deliver. `agreed`: the country of an order that is placed or paid
    /// already. The shop has taken it on, so a mistake in its address can be corrected whatever the market is now.
    pub fn check(&self, country: &str, agreed: Option<&str>) -> Result<(), Refusal> {
        match self.serves(country) || agreed == Some(country) {
            true => Ok(()),
            false => Err(Refusal::CountryNotServed { countries: self.countries.clone() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn market(countries: &[&str]) -> Market {
        Market { countries: countries.iter().map(|code| (*code).to_owned()).collect() }
    }

    fn form(json: &str) -> MarketForm {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn address_is_refused_outside_the_market_unless_the_shop_has_agreed_to_it() {
        for (countries, country, agreed, is_accepted) in [
            (&[][..], "DE", None, true),
            (&[], "XX", None, true),
            (&["AE", "SA"], "SA", None, true),
            (&["AE", "SA"], "AE", None, true),
            (&["AE", "SA"], "DE", None, false),
            (&["AE", "SA"], "sa", None, false),
            (&["SA"], "DE", Some("DE"), true),
            (&["SA"], "FR", Some("DE"), false),
            (&["SA"], "SA", Some("DE"), true),
        ] {
            let market = market(countries);
            let refusal = Err(Refusal::CountryNotServed { countries: market.countries.clone() });
            let expected = if is_accepted { Ok(()) } else { refusal };
            assert_eq!(market.check(country, agreed), expected, "{countries:?} {country} {agreed:?}");
        }
    }

    #[test]
    fn countries_are_sorted_and_listed_once_and_what_is_left_out_stays() {
        for (typed, expected) in [
            (r#"{"countries": ["SA", "AE", "SA"]}"#, &["AE", "SA"][..]),
            (r#"{"countries": []}"#, &[]),
            (r#"{"countries": null}"#, &[]),
            ("{}", &["KW"]),
        ] {
            assert_eq!(form(typed).apply(&market(&["KW"])), Ok(market(expected)), "{typed}");
        }
    }

    #[test]
    fn unknown_country_is_refused_with_the_name_of_the_field() {
        let too_many = vec!["SA"; 250];
        for countries in [&["SA", "XX"][..], &["sa"], &["SAU"], &[""], &["A E"], &too_many[..]] {
            let typed = MarketForm { countries: Some(Some(market(countries).countries)) };
            let refusal = typed.apply(&Market::default()).unwrap_err();
            assert_eq!((refusal.code(), refusal.field()), ("invalid_value", Some("market.countries")), "{countries:?}");
        }
    }
}
