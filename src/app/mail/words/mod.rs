//! The texts of the mails, one file per language. A text may have places like `{shop}`, which [`fill`] fills.

mod ar;
mod en;
mod id;

use super::mail_text::isolated;
use crate::domain::Language;

/// What every language has to say. Each field is used by the mail of its name.
pub struct Words {
    pub greeting: &'static str,
    pub code_subject: &'static str,
    pub code_intro: &'static str,
    pub code_valid: &'static str,
    pub code_ignore: &'static str,
    pub placed_subject: &'static str,
    /// The buyer pays into the account of the shop.
    pub placed_transfer_intro: &'static str,
    pub placed_cash_intro: &'static str,
    pub cancelled_subject: &'static str,
    /// The shop cancelled it.
    pub cancelled_intro: &'static str,
    pub not_paid_intro: &'static str,
    /// It was to be paid in cash on delivery, and the shop did not send it.
    pub not_sent_intro: &'static str,
    pub confirmed_subject: &'static str,
    pub confirmed_intro: &'static str,
    pub sent_subject: &'static str,
    pub sent_intro: &'static str,
    pub refunded_subject: &'static str,
    pub refunded_intro: &'static str,
    pub refunded_part_subject: &'static str,
    pub refunded_part_intro: &'static str,
    pub withdrawal_subject: &'static str,
    pub withdrawal_intro: &'static str,
    pub invite_subject: &'static str,
    pub invite_intro: &'static str,
    pub invite_link: &'static str,
    pub invite_valid: &'static str,
    pub passkey_added_subject: &'static str,
    pub passkey_added_intro: &'static str,
    pub passkey_removed_subject: &'static str,
    pub passkey_removed_intro: &'static str,
    /// What to do if it was somebody else.
    pub passkey_not_you: &'static str,
    pub follow_subject: &'static str,
    pub follow_shop_intro: &'static str,
    pub follow_product_intro: &'static str,
    pub follow_link: &'static str,
    pub follow_valid: &'static str,
    pub follow_ignore: &'static str,
    pub show_started_subject: &'static str,
    pub show_started_intro: &'static str,
    /// Why the reader gets it.
    pub show_started_why: &'static str,
    pub product_up_subject: &'static str,
    pub product_up_intro: &'static str,
    pub product_up_why: &'static str,
    pub watch_link: &'static str,
    /// The link that ends such mails.
    pub stop_link: &'static str,
    pub test_subject: &'static str,
    pub test_intro: &'static str,
    pub order_number: &'static str,
    pub product: &'static str,
    pub quantity: &'static str,
    pub goods: &'static str,
    pub discount: &'static str,
    pub delivery: &'static str,
    /// The prices contain it.
    pub tax_included: &'static str,
    /// It was added to the prices.
    pub tax_added: &'static str,
    pub total: &'static str,
    pub amount_refunded: &'static str,
    pub due_at: &'static str,
    pub pay_to: &'static str,
    /// What the buyer writes into the transfer.
    pub reference: &'static str,
    pub paid_at: &'static str,
    pub sent_at: &'static str,
    pub deliver_to: &'static str,
    pub carrier: &'static str,
    pub tracking: &'static str,
    pub my_orders: &'static str,
    /// The link that shows one order without signing in.
    pub this_order: &'static str,
    pub footer: &'static str,
    /// The names of the roles of the team, by their names on the wire.
    pub roles: &'static [(&'static str, &'static str)],
}

pub fn words(language: Language) -> &'static Words {
    match language {
        Language::English => &en::WORDS,
        Language::Arabic => &ar::WORDS,
        Language::Indonesian => &id::WORDS,
    }
}

impl Words {
    /// The name of a role; a role that has none keeps its name on the wire.
    pub fn role<'t>(&self, name: &'t str) -> &'t str {
        self.roles.iter().find(|(wire, _)| *wire == name).map_or(name, |(_, role)| role)
    }
}

/// Fills the places of a text with isolated values.
pub fn fill(language: Language, text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(text.len() + 32);
    let mut rest = text;
    // In one pass, so that a place inside a value is not filled.
    while let Some((before, tail)) = rest.split_once('{') {
        let Some((name, after)) = tail.split_once('}') else { break };
        filled.push_str(before);
        if let Some((_, value)) = values.iter().find(|(known, _)| *known == name) {
            filled.push_str(&isolated(language, value));
        }
        rest = after;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_once_with_isolated_values() {
        let fill = |language, value| fill(language, "{by} · {shop}!", &[("by", value), ("shop", "Souk")]);
        assert_eq!(fill(Language::English, "Ann"), "Ann · Souk!");
        assert_eq!(fill(Language::Arabic, "Ann"), "\u{2068}Ann\u{2069} · \u{2068}Souk\u{2069}!");
        assert_eq!(fill(Language::English, "{shop}"), "{shop} · Souk!", "a name is no place");
    }

    #[test]
    fn every_language_has_the_same_places() {
        let places = |text: &str| {
            let mut found: Vec<String> =
                text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0.to_owned())).collect();
            found.sort();
            found
        };
        let texts = |words: &Words| {
            [
                words.greeting,
                words.code_subject,
                words.code_intro,
                words.code_valid,
                words.code_ignore,
                words.placed_subject,
                words.placed_transfer_intro,
                words.placed_cash_intro,
                words.cancelled_subject,
                words.cancelled_intro,
                words.not_paid_intro,
                words.not_sent_intro,
                words.confirmed_subject,
                words.confirmed_intro,
                words.sent_subject,
                words.sent_intro,
                words.refunded_subject,
                words.refunded_intro,
                words.withdrawal_subject,
                words.withdrawal_intro,
                words.invite_subject,
                words.invite_intro,
                words.invite_valid,
                words.follow_subject,
                words.follow_shop_intro,
                words.follow_product_intro,
                words.follow_link,
                words.follow_valid,
                words.follow_ignore,
                words.show_started_subject,
                words.show_started_intro,
                words.show_started_why,
                words.product_up_subject,
                words.product_up_intro,
                words.product_up_why,
                words.watch_link,
                words.stop_link,
                words.test_subject,
                words.test_intro,
                words.footer,
            ]
        };
        for language in Language::ALL {
            let (ours, english) = (texts(words(language)), texts(words(Language::English)));
            for (own, theirs) in ours.into_iter().zip(english) {
                assert_eq!(places(own), places(theirs), "{}: {own}", language.tag());
            }
            let roles: Vec<&str> = words(language).roles.iter().map(|(wire, _)| *wire).collect();
            assert_eq!(roles, ["owner", "admin", "host", "producer", "moderator", "analyst"], "{}", language.tag());
        }
    }
}
