//! Composes the text of a mail from its words and what is known of its order.

use super::follow_mail_text::{FollowFacts, follow_mail_text};
use super::format::date_time;
use super::mail_text::{Block, MailText};
use super::order_mail_text::order_mail_text;
use super::words::{Words, fill, words};
use crate::domain::{Address, ClaimedMail, EmailAddress, Fulfilment, Language, MailContent, Order, Shop};
use crate::protocol::OrderView;
use crate::store::RefundRecord;

/// What a mail about an order says of it.
pub struct OrderFacts {
    /// The other orders in the same parcel.
    pub others: Vec<(Order, OrderView)>,
    pub order: Order,
    pub view: OrderView,
    pub fulfilment: Fulfilment,
    pub address: Option<Address>,
    /// The refund that the mail is about.
    pub refund: Option<RefundRecord>,
}

/// Who sends the mails.
pub struct Sender<'s> {
    pub shop: &'s Shop,
    pub address: &'s EmailAddress,
    /// The name beside the address; the title of the shop if the operator gave none.
    pub name: Option<&'s str>,
    /// Where the pages of the shop are, without a slash at the end.
    pub public_url: Option<&'s str>,
    /// Where transfers go.
    pub bank_details: &'s str,
}

/// What is read for a mail when it is sent.
pub enum Facts {
    None,
    Order(Box<OrderFacts>),
    Follow(FollowFacts),
}

impl Facts {
    fn order(&self) -> Option<&OrderFacts> {
        if let Facts::Order(facts) = self { Some(facts) } else { None }
    }
}

/// What a mail of one kind says.
pub struct MailParts {
    pub subject: &'static str,
    pub blocks: Vec<Block>,
    /// The address at which one request ends such mails.
    pub stop: Option<String>,
    /// The values of the places of the subject, beside those of every mail.
    pub values: Vec<(&'static str, String)>,
}

/// The values of the places of a text: those of every mail, and those of this one.
pub fn all_values<'v>(
    common: &[(&'static str, &'v str)],
    own: &'v [(&'static str, String)],
) -> Vec<(&'static str, &'v str)> {
    common.iter().copied().chain(own.iter().map(|(name, value)| (*name, value.as_str()))).collect()
}

/// Composes the text. Without the facts of a mail about an order (the order is gone) there is none.
pub fn compose(mail: &ClaimedMail, facts: &Facts, sender: &Sender<'_>) -> Option<MailText> {
    let language = mail.language;
    let words = words(language);
    let shop = language.title_of(&sender.shop.title, &sender.shop.titles);
    let name = facts.order().map_or("", |facts| facts.order.buyer_name.as_str());
    let common = [("shop", shop), ("name", name)];
    let parts = match &mail.content {
        MailContent::SignInCode { .. }
        | MailContent::StaffInvite { .. }
        | MailContent::PasskeyAdded { .. }
        | MailContent::PasskeyRemoved { .. }
        | MailContent::Test => account_mail_text((language, words), mail, &common)?,
        MailContent::FollowConfirmation { .. } | MailContent::ShowStarted { .. } | MailContent::ProductUp { .. } => {
            let Facts::Follow(facts) = facts else { return None };
            let until = match &mail.content {
                MailContent::FollowConfirmation { expires_at, .. } => date_time(language, *expires_at),
                _ => String::new(),
            };
            follow_mail_text((language, words), &mail.content, facts, (shop, sender.public_url), &until)?
        }
        MailContent::OrderPlaced { .. }
        | MailContent::OrderConfirmed { .. }
        | MailContent::OrderCancelled { .. }
        | MailContent::OrderSent { .. }
        | MailContent::OrderRefunded { .. }
        | MailContent::Withdrawal { .. } => order_mail_text((language, words), mail, facts.order()?, sender, &common),
    };
    let values = all_values(&common, &parts.values);
    let mut blocks = parts.blocks;
    blocks.push(Block::Small(fill(language, words.footer, &values)));
    Some(MailText { language, subject: fill(language, parts.subject, &values), blocks, stop: parts.stop })
}

/// Composes what a mail about an account says, or a mail that tests the mail server. `None`: it is a mail about something else.
fn account_mail_text(
    (language, words): (Language, &Words),
    mail: &ClaimedMail,
    common: &[(&'static str, &str)],
) -> Option<MailParts> {
    let values = match &mail.content {
        MailContent::SignInCode { expires_at, .. } => vec![("time", date_time(language, *expires_at))],
        MailContent::StaffInvite { role, by, expires_at, .. } => {
            let time = date_time(language, *expires_at);
            vec![("time", time), ("by", by.clone()), ("role", words.role(role).to_owned())]
        }
        MailContent::PasskeyAdded { passkey } | MailContent::PasskeyRemoved { passkey } => {
            vec![("time", date_time(language, mail.created_at)), ("passkey", passkey.clone())]
        }
        _ => Vec::new(),
    };
    let all = all_values(common, &values);
    let filled = |text: &str| fill(language, text, &all);
    let say = |text: &str| Block::Text(filled(text));
    let (subject, blocks) = match &mail.content {
        MailContent::SignInCode { code, .. } => {
            let ignore = Block::Small(filled(words.code_ignore));
            (words.code_subject, vec![say(words.code_intro), Block::Code(code.clone()), say(words.code_valid), ignore])
        }
        MailContent::StaffInvite { url, .. } => {
            let link = Block::Link { label: words.invite_link.to_owned(), url: url.clone() };
            (words.invite_subject, vec![say(words.invite_intro), link, say(words.invite_valid)])
        }
        MailContent::PasskeyAdded { .. } => {
            (words.passkey_added_subject, vec![say(words.passkey_added_intro), say(words.passkey_not_you)])
        }
        MailContent::PasskeyRemoved { .. } => {
            (words.passkey_removed_subject, vec![say(words.passkey_removed_intro), say(words.passkey_not_you)])
        }
        MailContent::Test => (words.test_subject, vec![say(words.test_intro)]),
        _ => return None,
    };
    Some(MailParts { subject, blocks, stop: None, values })
}
