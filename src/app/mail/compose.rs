//! Composes the letter of a mail from its words and what is known of its order, and the message from the letter.

use std::time::{Duration, SystemTime};

use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart};

use super::follow_letter::{FollowFacts, follow_letter};
use super::format::{date_time, money};
use super::letter::{Block, Letter, isolated, left_to_right};
use super::words::{Words, fill, words};
use crate::domain::{
    Address, ClaimedMail, EmailAddress, Fulfilment, Language, MailContent, ManualMethod, Millis, Minor, Order,
    OrderQuote, ReservationStatus, Shop,
};
use crate::protocol::{OrderView, ReservationView};
use crate::store::RefundRecord;

/// What a letter about an order says of it.
pub struct OrderFacts {
    /// The other orders in the same parcel.
    pub others: Vec<(Order, OrderView)>,
    pub order: Order,
    pub view: OrderView,
    pub fulfilment: Fulfilment,
    pub address: Option<Address>,
    /// The refund that the letter is about.
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

/// Composes the letter. Without the facts of a mail about an order (the order is gone) there is no letter.
pub fn compose(mail: &ClaimedMail, all_facts: &Facts, sender: &Sender<'_>) -> Option<Letter> {
    let facts = all_facts.order();
    let language = mail.language;
    let (words, shop) = (words(language), language.title_of(&sender.shop.title, &sender.shop.titles));
    let name = facts.map_or("", |facts| facts.order.buyer_name.as_str());
    let at = |time: Millis| date_time(language, time);
    let written = at(mail.created_at);
    let mut values = vec![("shop", shop), ("name", name)];
    let (expiry, mut stop, about);
    stop = None;
    let (subject, mut blocks) = match &mail.content {
        MailContent::SignInCode { code, expires_at } => {
            expiry = at(*expires_at);
            values.push(("time", &expiry));
            let say = |text| Block::Text(fill(language, text, &values));
            let ignore = Block::Small(fill(language, words.code_ignore, &values));
            (words.code_subject, vec![say(words.code_intro), Block::Code(code.clone()), say(words.code_valid), ignore])
        }
        MailContent::StaffInvite { url, role, by, expires_at } => {
            expiry = at(*expires_at);
            values.extend([("time", expiry.as_str()), ("by", by), ("role", words.role(role))]);
            let link = Block::Link { label: words.invite_link.to_owned(), url: url.clone() };
            let say = |text| Block::Text(fill(language, text, &values));
            (words.invite_subject, vec![say(words.invite_intro), link, say(words.invite_valid)])
        }
        MailContent::PasskeyAdded { passkey } | MailContent::PasskeyRemoved { passkey } => {
            values.extend([("time", written.as_str()), ("passkey", passkey)]);
            let is_new = matches!(mail.content, MailContent::PasskeyAdded { .. });
            let (subject, intro) = match is_new {
                true => (words.passkey_added_subject, words.passkey_added_intro),
                false => (words.passkey_removed_subject, words.passkey_removed_intro),
            };
            let say = |text| Block::Text(fill(language, text, &values));
            (subject, vec![say(intro), say(words.passkey_not_you)])
        }
        MailContent::FollowConfirmation { .. } | MailContent::ShowStarted { .. } | MailContent::ProductUp { .. } => {
            let Facts::Follow(facts) = all_facts else { return None };
            let until = match &mail.content {
                MailContent::FollowConfirmation { expires_at, .. } => at(*expires_at),
                _ => String::new(),
            };
            let (about_shop, spoken) = ((shop, sender.public_url), (language, words));
            let letter = follow_letter(spoken, &mail.content, facts, about_shop, &until)?;
            stop = letter.stop;
            about = letter.values;
            values.extend(about.iter().map(|(name, value)| (*name, value.as_str())));
            (letter.subject, letter.blocks)
        }
        MailContent::Test => (words.test_subject, vec![Block::Text(fill(language, words.test_intro, &values))]),
        MailContent::OrderPlaced { .. }
        | MailContent::OrderConfirmed { .. }
        | MailContent::OrderCancelled { .. }
        | MailContent::OrderSent { .. }
        | MailContent::OrderRefunded { .. }
        | MailContent::Withdrawal { .. } => {
            values.push(("time", &written));
            let is_part = facts.is_some_and(|facts| {
                facts.refund.as_ref().is_some_and(|refund| refund.refund.amount < facts.order.total())
            });
            let order = &facts?.order;
            let (subject, intro) = order_words(words, &mail.content, order, is_part);
            let mut blocks = Vec::new();
            // The name is gone when its user asked for erasure.
            if !name.is_empty() {
                blocks.push(Block::Text(fill(language, words.greeting, &values)));
            }
            blocks.push(Block::Text(fill(language, intro, &values)));
            blocks.push(Block::Rows(order_rows(language, words, facts?, &mail.content, sender.bank_details)));
            if let Some(url) = sender.public_url {
                let (label, url) = match &mail.content {
                    MailContent::OrderConfirmed { link: Some(secret), .. }
                    | MailContent::OrderPlaced { link: Some(secret), .. } => {
                        (words.this_order, format!("{url}/orders#order={secret}"))
                    }
                    _ => (words.my_orders, format!("{url}/orders")),
                };
                blocks.push(Block::Link { label: label.to_owned(), url });
            }
            (subject, blocks)
        }
    };
    blocks.push(Block::Small(fill(language, words.footer, &values)));
    Some(Letter { language, subject: fill(language, subject, &values), blocks, stop })
}

fn order_words(words: &Words, content: &MailContent, order: &Order, is_part: bool) -> (&'static str, &'static str) {
    match content {
        MailContent::OrderPlaced { .. } if is_transfer(order) => (words.placed_subject, words.placed_transfer_intro),
        MailContent::OrderPlaced { .. } => (words.placed_subject, words.placed_cash_intro),
        MailContent::OrderCancelled { .. } if order.reason.as_deref() == Some("not_paid_in_time") => {
            // Cash is paid when the parcel arrives: the shop did not send it.
            let intro = if is_transfer(order) { words.not_paid_intro } else { words.not_sent_intro };
            (words.cancelled_subject, intro)
        }
        MailContent::OrderCancelled { .. } => (words.cancelled_subject, words.cancelled_intro),
        MailContent::OrderSent { .. } => (words.sent_subject, words.sent_intro),
        MailContent::OrderRefunded { .. } if is_part => (words.refunded_part_subject, words.refunded_part_intro),
        MailContent::OrderRefunded { .. } => (words.refunded_subject, words.refunded_intro),
        MailContent::Withdrawal { .. } => (words.withdrawal_subject, words.withdrawal_intro),
        _ => (words.confirmed_subject, words.confirmed_intro),
    }
}

fn is_transfer(order: &Order) -> bool {
    order.placement.is_some_and(|placement| placement.method == ManualMethod::BankTransfer)
}

/// What the lines cost that the buyer pays for.
fn goods(order: &Order) -> Minor {
    order.quote.as_ref().map_or(order.amount, |quote| quote.goods)
}

fn order_rows(
    language: Language,
    words: &Words,
    facts: &OrderFacts,
    content: &MailContent,
    bank_details: &str,
) -> Vec<(String, String)> {
    let OrderFacts { order, view, others, fulfilment, address, refund } = facts;
    let mut rows = Vec::new();
    let mut add = |label: &str, value: String| rows.push((label.to_owned(), value));
    for (order, view) in std::iter::once((order, view)).chain(others.iter().map(|(order, view)| (order, view))) {
        let number = order.number.map_or_else(|| order.id.to_string(), |number| format!("#{number} · {}", order.id));
        add(words.order_number, left_to_right(language, &number));
        // What ended before the payment was never a part of what was bought.
        let is_bought = |line: &ReservationView| match content {
            // The order ended without a payment: its lines have the same reason.
            MailContent::OrderCancelled { .. } => line.reason == order.reason,
            _ => matches!(line.status, ReservationStatus::Placed | ReservationStatus::Sold),
        };
        for line in view.lines.iter().filter(|line| is_bought(line)) {
            let title = language.title_of(&line.title, &line.titles);
            let variant = language.title_of(&line.variant_name, &line.variant_names);
            let product = if variant.is_empty() { title.to_owned() } else { format!("{title} · {variant}") };
            let qty = match refund {
                Some(refund) => {
                    refund.lines.iter().find(|returned| returned.reservation == line.id).map(|line| line.qty)
                }
                None => Some(line.qty),
            };
            // The mail about a refund lists only what the refund returns.
            let Some(qty) = qty else { continue };
            add(words.product, isolated(language, &product));
            add(words.quantity, qty.to_string());
        }
    }
    let all = || std::iter::once(order).chain(others.iter().map(|(other, _)| other));
    let sum = |of: fn(&Order) -> Minor| all().map(of).fold(0, Minor::saturating_add);
    if let Some(refund) = refund {
        if refund.delivery > 0 {
            add(words.delivery, money(language, refund.delivery, &order.currency));
        }
        add(words.amount_refunded, money(language, refund.refund.amount, &order.currency));
        return rows;
    }
    let discount = sum(|order| order.quote.as_ref().map_or(0, |quote| quote.discount));
    let is_more_than_goods = |quote: &OrderQuote| !quote.is_plain() || quote.tax > 0 || quote.discount > 0;
    if all().any(|order| order.quote.as_deref().is_some_and(is_more_than_goods)) {
        add(words.goods, money(language, sum(goods), &order.currency));
        if discount > 0 {
            add(words.discount, money(language, -discount, &order.currency));
        }
        let delivery = sum(|order| order.quote.as_ref().map_or(0, |quote| quote.delivery));
        add(words.delivery, money(language, delivery, &order.currency));
        let tax = sum(|order| order.quote.as_ref().map_or(0, |quote| quote.tax));
        let is_included = all().all(|order| order.quote.as_ref().is_none_or(|quote| quote.tax_included));
        if tax > 0 {
            let label = if is_included { words.tax_included } else { words.tax_added };
            add(label, money(language, tax, &order.currency));
        }
    }
    let amount = money(language, sum(Order::total), &order.currency);
    match content {
        MailContent::OrderRefunded { .. } => add(words.amount_refunded, amount),
        _ => add(words.total, amount),
    }
    match content {
        MailContent::OrderPlaced { .. } => {
            if let Some(placement) = order.placement.filter(|_| is_transfer(order)) {
                add(words.due_at, date_time(language, placement.due_at));
                let lines: Vec<String> = bank_details.lines().map(|line| isolated(language, line)).collect();
                add(words.pay_to, lines.join("\n"));
                let reference = order.number.map_or_else(|| order.id.to_string(), |number| format!("#{number}"));
                add(words.reference, left_to_right(language, &reference));
            }
        }
        MailContent::OrderCancelled { .. } => {
            // The intro says why, and names the date.
            let is_late = is_transfer(order) && order.reason.as_deref() == Some("not_paid_in_time");
            if let Some(placement) = order.placement.filter(|_| is_late) {
                add(words.due_at, date_time(language, placement.due_at));
            }
        }
        MailContent::OrderConfirmed { .. } => {
            if let Some(paid_at) = order.paid_at {
                add(words.paid_at, date_time(language, paid_at));
            }
        }
        MailContent::OrderSent { .. } => {
            if let Some(sent_at) = fulfilment.sent_at {
                add(words.sent_at, date_time(language, sent_at));
            }
            if let Some(carrier) = &fulfilment.carrier {
                add(words.carrier, isolated(language, carrier));
            }
            if let Some(tracking) = &fulfilment.tracking {
                add(words.tracking, left_to_right(language, tracking));
            }
        }
        _ => {}
    }
    let has_address = matches!(
        content,
        MailContent::OrderPlaced { .. } | MailContent::OrderConfirmed { .. } | MailContent::OrderSent { .. }
    );
    if let (true, Some(address)) = (has_address, address) {
        add(words.deliver_to, address_lines(language, address));
    }
    rows
}

fn address_lines(language: Language, address: &Address) -> String {
    let place = [address.postcode.as_deref(), Some(address.city.as_str()), address.region.as_deref()];
    let place = place.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let lines = std::iter::once(address.name.as_str()).chain(address.lines.iter().map(String::as_str));
    let lines = lines.chain([place.as_str(), address.country.as_str()]);
    lines.map(|line| isolated(language, line)).collect::<Vec<_>>().join("\n")
}

/// Answering machines stay silent (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// The address that ends such mails: programs show it as a button (RFC 2369).
#[derive(Clone)]
struct ListUnsubscribe(String);

impl Header for ListUnsubscribe {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), format!("<{}>", self.0))
    }
}

/// One request to that address is enough, without asking (RFC 8058). Only for an address with TLS.
#[derive(Clone)]
struct ListUnsubscribePost;

impl Header for ListUnsubscribePost {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe-Post")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "List-Unsubscribe=One-Click".to_owned())
    }
}

/// The message as it goes over the wire, with the same id at each attempt: a program that gets it twice can tell. The error is a
/// sentence for the log.
pub fn message(mail: &ClaimedMail, letter: &Letter, sender: &Sender<'_>) -> Result<Vec<u8>, String> {
    let unusable = |what: &str| format!("The address {what} cannot be written in a header.");
    let from = sender.address.as_str().parse().map_err(|_| unusable(sender.address.as_str()))?;
    let to = mail.to.as_str().parse().map_err(|_| unusable(mail.to.as_str()))?;
    let name = sender.name.unwrap_or_else(|| letter.language.title_of(&sender.shop.title, &sender.shop.titles));
    let written = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(mail.created_at).unwrap_or_default());
    let mut builder = Message::builder();
    if let Some(stop) = &letter.stop {
        builder = builder.header(ListUnsubscribe(stop.clone()));
        if stop.starts_with("https://") {
            builder = builder.header(ListUnsubscribePost);
        }
    }
    let built = builder
        .from(Mailbox::new(Some(one_line(name)), from))
        .to(Mailbox::new(None, to))
        .subject(one_line(&letter.subject))
        .date(written)
        .message_id(Some(format!("<{}@{}>", mail.id, sender.address.domain())))
        .header(AutoSubmitted)
        .multipart(MultiPart::alternative_plain_html(letter.plain(), letter.html()));
    built.map(|message| message.formatted()).map_err(|error| format!("The mail cannot be written: {error}."))
}

/// A header is one line. Whatever a name contains, it begins no other header.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
