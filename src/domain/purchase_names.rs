//! How the chat names a buyer, when it tells everybody of a purchase. The shop chooses; the team always sees the whole name with the
//! order.

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PurchaseNames {
    #[default]
    Full,
    /// The first letters of the first two words.
    Initials,
    Hidden,
}

impl PurchaseNames {
    /// The name as everybody sees it; empty: no name is shown.
    pub fn shown(self, name: &str) -> String {
        match self {
            Self::Full => name.to_owned(),
            Self::Initials => {
                let letters = name.split_whitespace().filter_map(|word| word.chars().find(|c| c.is_alphanumeric()));
                let initials = letters.take(2).map(|letter| format!("{}.", letter.to_uppercase()));
                initials.collect::<Vec<_>>().join(" ")
            }
            Self::Hidden => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_are_the_first_letters_of_two_words() {
        for (name, shown) in [
            ("Ann", "A."),
            ("ann baker", "A. B."),
            ("Siti Nur Aisyah", "S. N."),
            ("  (Ann)  de Vries", "A. D."),
            ("بدر السعيد", "ب. ا."),
            ("night_owl99", "N."),
            ("♥ ♥", ""),
            ("", ""),
        ] {
            assert_eq!(PurchaseNames::Initials.shown(name), shown, "{name}");
        }
    }

    #[test]
    fn shop_shows_whole_names_or_none() {
        assert_eq!(PurchaseNames::default().shown("Ann Baker"), "Ann Baker");
        assert_eq!(PurchaseNames::Hidden.shown("Ann Baker"), "");
    }
}
