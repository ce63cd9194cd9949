//! Mails to followers: the one that asks whether an address wants mails, and the news.

use super::compose::MailParts;
use super::mail_text::Block;
use super::words::{Words, fill};
use crate::domain::{FollowedProduct, Language, LiveStream, MailContent};
use crate::store::FollowOfMail;

/// What a mail to a follower says.
pub enum FollowFacts {
    /// What is to be confirmed; `None`: the shop.
    Asked(Option<FollowedProduct>),
    News(FollowOfMail, Box<LiveStream>),
}

/// Composes what a mail to a follower says. `None`: the facts are of another kind, or there is no address for links.
pub fn follow_mail_text(
    (language, words): (Language, &Words),
    content: &MailContent,
    facts: &FollowFacts,
    (shop, public_url): (&str, Option<&str>),
    until: &str,
) -> Option<MailParts> {
    let url = public_url?;
    let product = match facts {
        FollowFacts::Asked(product) => product.as_ref(),
        FollowFacts::News(follow, _) => follow.product.as_ref(),
    };
    let product = product.map(|product| language.title_of(&product.title, &product.titles).to_owned());
    let show = match facts {
        FollowFacts::News(_, show) => language.title_of(&show.title, &show.titles).to_owned(),
        FollowFacts::Asked(_) => String::new(),
    };
    let host = if let FollowFacts::News(_, show) = facts { show.host.clone() } else { String::new() };
    let is_of_product = product.is_some();
    let values = vec![("product", product.unwrap_or_default()), ("show", show), ("host", host)];
    let all: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let all = [all, vec![("shop", shop), ("time", until)]].concat();
    let say = |text: &str| fill(language, text, &all);
    let link = |label: &str, url: String| Block::Link { label: label.to_owned(), url };
    match (content, facts) {
        (MailContent::FollowConfirmation { secret, .. }, FollowFacts::Asked(_)) => {
            let intro = if is_of_product { words.follow_product_intro } else { words.follow_shop_intro };
            let blocks = vec![
                Block::Text(say(intro)),
                link(words.follow_link, format!("{url}/follow?lang={}#confirm={secret}", language.tag())),
                Block::Text(say(words.follow_valid)),
                Block::Small(say(words.follow_ignore)),
            ];
            Some(MailParts { subject: words.follow_subject, blocks, stop: None, values })
        }
        (MailContent::ShowStarted { .. } | MailContent::ProductUp { .. }, FollowFacts::News(follow, show)) => {
            let (subject, intro, why) = match is_of_product {
                true => (words.product_up_subject, words.product_up_intro, words.product_up_why),
                false => (words.show_started_subject, words.show_started_intro, words.show_started_why),
            };
            let stop = format!("{url}/unsubscribe/{}", follow.stop_secret);
            let blocks = vec![
                Block::Text(say(intro)),
                link(words.watch_link, format!("{url}/watch?stream={}", show.id)),
                Block::Small(say(why)),
                link(words.stop_link, format!("{stop}?lang={}", language.tag())),
            ];
            Some(MailParts { subject, blocks, stop: Some(stop), values })
        }
        _ => None,
    }
}
