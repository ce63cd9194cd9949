//! The policies of the shop: what buyers may read before they order. Staff writes them at the desk, in each language by itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Language, Refusal, Titles, text};

/// In characters, for each language.
pub const POLICY_LENGTH_MAX: usize = 20_000;

/// What a policy is about. They are shown in this order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PolicyKind {
    /// The terms of sale.
    Terms,
    /// Delivery, returns and withdrawal.
    Returns,
    /// What happens with personal data.
    Privacy,
    /// Who the seller is, and how to reach it.
    Contact,
}

impl PolicyKind {
    pub const ALL: [PolicyKind; 4] = [Self::Terms, Self::Returns, Self::Privacy, Self::Contact];

    pub fn name(self) -> &'static str {
        match self {
            Self::Terms => "terms",
            Self::Returns => "returns",
            Self::Privacy => "privacy",
            Self::Contact => "contact",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == text)
    }
}

/// The texts of the policies in Markdown, by language. A policy without a text is not there.
pub type Policies = BTreeMap<PolicyKind, Titles>;

/// The policies after a change: each kind in `given` has the new texts only. Empty texts are left out.
pub fn change(policies: &Policies, given: Policies) -> Result<Policies, Refusal> {
    let mut changed = policies.clone();
    for (kind, texts) in given {
        if let Some(unknown) = texts.keys().find(|tag| Language::ALL.iter().all(|language| language.tag() != *tag)) {
            return Err(Refusal::bad_field("policies", format!("{} is not en, ar or id.", unknown.escape_debug())));
        }
        let texts =
            texts.into_iter().map(|(tag, text)| Ok((tag, text::paragraphs(&text, POLICY_LENGTH_MAX, "policies")?)));
        let mut texts: Titles = texts.collect::<Result<_, Refusal>>()?;
        texts.retain(|_, text| !text.trim().is_empty());
        match texts.is_empty() {
            true => drop(changed.remove(&kind)),
            false => drop(changed.insert(kind, texts)),
        }
    }
    Ok(changed)
}

/// A policy for a reader: in their language, else in that of the shop, else in any. Gives the language with the text.
pub fn read<'p>(
    policies: &'p Policies,
    kind: PolicyKind,
    reader: Language,
    shop: Option<&str>,
) -> Option<(Language, &'p str)> {
    let texts = policies.get(&kind)?;
    let wanted = [Some(reader.tag()), shop].into_iter().flatten();
    let (tag, text) = wanted.filter_map(|tag| texts.get_key_value(tag)).next().or_else(|| texts.iter().next())?;
    Some((Language::of_tag(tag), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(given: &[(&str, &str)]) -> Titles {
        given.iter().map(|(tag, text)| ((*tag).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn change_replaces_the_policies_that_it_names_and_an_empty_text_removes_one() {
        let before = Policies::from([
            (PolicyKind::Terms, texts(&[("en", "Old"), ("ar", "قديم")])),
            (PolicyKind::Privacy, texts(&[("en", "Private")])),
        ]);
        let given = Policies::from([
            (PolicyKind::Terms, texts(&[("en", "New\r\nline "), ("id", " ")])),
            (PolicyKind::Contact, texts(&[("en", "")])),
        ]);
        let after = change(&before, given).unwrap();
        let expected = Policies::from([
            (PolicyKind::Terms, texts(&[("en", "New\nline")])),
            (PolicyKind::Privacy, texts(&[("en", "Private")])),
        ]);
        assert_eq!(after, expected);
        let none = Policies::from([(PolicyKind::Terms, Titles::new())]);
        assert_eq!(change(&after, none).unwrap().keys().collect::<Vec<_>>(), [&PolicyKind::Privacy]);
    }

    #[test]
    fn policy_that_is_too_long_or_in_another_language_is_refused() {
        for bad in [texts(&[("fr", "Bonjour")]), texts(&[("en", &"x".repeat(POLICY_LENGTH_MAX + 1))])] {
            let refusal = change(&Policies::new(), Policies::from([(PolicyKind::Terms, bad)])).unwrap_err();
            assert!(matches!(refusal, Refusal::BadField { ref field, .. } if field == "policies"), "{refusal:?}");
        }
    }

    #[test]
    fn reader_gets_the_own_language_else_that_of_the_shop_else_any() {
        let all = Policies::from([(PolicyKind::Terms, texts(&[("en", "E"), ("id", "I")]))]);
        for (reader, shop, expected) in [
            (Language::English, None, Some((Language::English, "E"))),
            (Language::Arabic, Some("id"), Some((Language::Indonesian, "I"))),
            (Language::Arabic, None, Some((Language::English, "E"))),
            (Language::Arabic, Some("ar"), Some((Language::English, "E"))),
        ] {
            assert_eq!(read(&all, PolicyKind::Terms, reader, shop), expected, "{reader:?} {shop:?}");
        }
        assert_eq!(read(&all, PolicyKind::Privacy, Language::English, None), None);
    }
}
