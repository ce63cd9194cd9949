//! The delivery address of an order. It is stored apart from the order, so that it can be erased while the order stays.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::text::exact_line;
use super::{EmailAddress, Language, Refusal};

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Address {
    /// The recipient's name: 1–80 characters.
    pub name: String,
    /// Street, house, floor: 1 to 3 lines of at most 120 characters.
    pub lines: Vec<String>,
    /// 1–80 characters.
    pub city: String,
    /// Province, state, governorate: at most 80 characters.
    #[serde(default)]
    pub region: Option<String>,
    /// At most 16 characters. Many countries have no postcodes.
    #[serde(default)]
    pub postcode: Option<String>,
    /// The two-letter code of ISO 3166-1, for example `SA`.
    pub country: String,
    /// 5 to 20 digits, with optional `+`, spaces, brackets, dots and hyphens.
    #[serde(default)]
    pub phone: Option<String>,
    /// Where e-mails about the order go: confirmed, sent, refunded.
    #[serde(default)]
    #[schema(max_length = 254)]
    pub email: Option<String>,
    /// The language of these e-mails. Without it they are in English.
    #[serde(default)]
    pub language: Option<Language>,
}

const ADDRESS_LINES_MAX: usize = 3;

impl Address {
    /// Checks an address that a buyer typed. An empty optional field becomes `None`; empty lines are left out.
    pub fn validated(self) -> Result<Self, Refusal> {
        let lines: Vec<&String> = self.lines.iter().filter(|text| !text.trim().is_empty()).collect();
        if lines.is_empty() || lines.len() > ADDRESS_LINES_MAX {
            return Err(Refusal::bad_field("lines", "must be 1 to 3 lines."));
        }
        Ok(Self {
            name: required(&self.name, 80, "name")?,
            lines: lines.into_iter().map(|text| required(text, 120, "lines")).collect::<Result<_, _>>()?,
            city: required(&self.city, 80, "city")?,
            region: optional(self.region, 80, "region")?,
            postcode: optional(self.postcode, 16, "postcode")?,
            country: country(&self.country)?,
            phone: optional(self.phone, 40, "phone")?.map(phone).transpose()?,
            email: self.email.filter(|text| !text.trim().is_empty()).map(|text| email(&text)).transpose()?,
            language: self.language,
        })
    }
}

fn required(text: &str, length_max: usize, field: &'static str) -> Result<String, Refusal> {
    exact_line(text, length_max).map_err(|fault| fault.refusal(field, length_max))
}

fn optional(text: Option<String>, length_max: usize, field: &'static str) -> Result<Option<String>, Refusal> {
    text.filter(|text| !text.trim().is_empty()).map(|text| required(&text, length_max, field)).transpose()
}

fn country(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        Ok(text.to_ascii_uppercase())
    } else {
        Err(Refusal::bad_field("country", "must be a two-letter code of ISO 3166-1."))
    }
}

fn email(text: &str) -> Result<String, Refusal> {
    EmailAddress::parse(text).map(|address| address.as_str().to_owned())
}

/// Phones with an Arabic or Persian keyboard type Arabic-Indic digits. They become ASCII digits, which couriers can dial.
fn phone(text: String) -> Result<String, Refusal> {
    let to_ascii_digit = |c: char| match c {
        '\u{660}'..='\u{669}' => char::from_digit(u32::from(c) - 0x660, 10).unwrap_or(c),
        '\u{6f0}'..='\u{6f9}' => char::from_digit(u32::from(c) - 0x6f0, 10).unwrap_or(c),
        _ => c,
    };
    let text: String = text.chars().map(to_ascii_digit).collect();
    let is_phone_text = text.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | ' ' | '(' | ')' | '-' | '.'));
    let digits = text.chars().filter(char::is_ascii_digit).count();
    if is_phone_text && (5..=20).contains(&digits) {
        Ok(text)
    } else {
        Err(Refusal::bad_field("phone", "must have 5 to 20 digits."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed() -> Address {
        Address {
            name: " Ann ".into(),
            lines: vec!["12  King Fahd Rd".into(), " ".into()],
            city: "Riyadh".into(),
            region: Some(String::new()),
            postcode: Some("12271".into()),
            country: "sa".into(),
            phone: Some("+٩٦٦ 50 000 0000".into()),
            email: Some(" Ann@Example.com".into()),
            language: Some(Language::Arabic),
        }
    }

    #[test]
    fn typed_address_is_normalised() {
        let address = typed().validated().unwrap();
        assert_eq!((address.name.as_str(), address.country.as_str(), address.region), ("Ann", "SA", None));
        assert_eq!(address.lines, ["12 King Fahd Rd"]);
        assert_eq!(address.phone.as_deref(), Some("+966 50 000 0000"));
        assert_eq!(address.email.as_deref(), Some("ann@example.com"));
        let without = Address { email: Some(" ".into()), ..typed() };
        assert_eq!(without.validated().unwrap().email, None);
    }

    #[test]
    fn invalid_address_is_refused_with_the_name_of_the_field() {
        let long = || "x".repeat(121);
        let rows: [(&str, Address); 10] = [
            ("name", Address { name: " ".into(), ..typed() }),
            ("lines", Address { lines: vec![], ..typed() }),
            ("lines", Address { lines: vec!["a".into(); 4], ..typed() }),
            ("lines", Address { lines: vec![long()], ..typed() }),
            ("city", Address { city: long(), ..typed() }),
            ("postcode", Address { postcode: Some("1".repeat(17)), ..typed() }),
            ("country", Address { country: "KSA".into(), ..typed() }),
            ("phone", Address { phone: Some("call me".into()), ..typed() }),
            ("phone", Address { phone: Some("+966".into()), ..typed() }),
            ("email", Address { email: Some("ann@example".into()), ..typed() }),
        ];
        for (field, address) in rows {
            let refusal = address.clone().validated().unwrap_err();
            assert!(refusal.to_string().starts_with(field), "{address:?}: {refusal}");
        }
    }
}
