//! Mails about an order: what happened to it, and the rows that say what was bought and what it costs.

use super::compose::{MailParts, OrderFacts, Sender, all_values};
use super::format::{date_time, money};
use super::mail_text::{Block, isolated, left_to_right};
use super::words::{Words, fill};
use crate::domain::{
    Address, ClaimedMail, Language, MailContent, ManualMethod, Minor, Order, OrderQuote, ReservationStatus,
};
use crate::protocol::{OrderView, ReservationView};
use crate::store::RefundRecord;

/// Composes what a mail about an order says.
pub fn order_mail_text(
    (language, words): (Language, &Words),
    mail: &ClaimedMail,
    facts: &OrderFacts,
    sender: &Sender<'_>,
    common: &[(&'static str, &str)],
) -> MailParts {
    let order = &facts.order;
    let is_part = facts.refund.as_ref().is_some_and(|refund| refund.refund.amount < order.total());
    let (subject, intro) = order_words(words, &mail.content, order, is_part);
    let values = vec![("time", date_time(language, mail.created_at))];
    let all = all_values(common, &values);
    let say = |text: &str| Block::Text(fill(language, text, &all));
    let mut blocks = Vec::new();
    // The name is gone when its user asked for erasure.
    if !order.buyer_name.is_empty() {
        blocks.push(say(words.greeting));
    }
    blocks.push(say(intro));
    blocks.push(Block::Rows(OrderRows::of((language, words), facts, &mail.content, sender.bank_details)));
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
    MailParts { subject, blocks, stop: None, values }
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

fn sum(orders: &[&Order], of: fn(&Order) -> Minor) -> Minor {
    orders.iter().map(|order| of(order)).fold(0, Minor::saturating_add)
}

/// Labels and values, in the order in which they are read.
struct OrderRows<'w> {
    language: Language,
    words: &'w Words,
    rows: Vec<(String, String)>,
}

impl<'w> OrderRows<'w> {
    fn of(
        (language, words): (Language, &'w Words),
        facts: &OrderFacts,
        content: &MailContent,
        bank_details: &str,
    ) -> Vec<(String, String)> {
        let OrderFacts { order, view, others, refund, .. } = facts;
        let mut rows = Self { language, words, rows: Vec::new() };
        rows.add_lines(order, view, content, refund.as_ref());
        for (order, view) in others {
            rows.add_lines(order, view, content, refund.as_ref());
        }
        if let Some(refund) = refund {
            rows.add_refund(refund, &order.currency);
            return rows.rows;
        }
        let orders: Vec<&Order> = std::iter::once(order).chain(others.iter().map(|(other, _)| other)).collect();
        rows.add_costs(&orders, content, &order.currency);
        rows.add_what_happened(facts, content, bank_details);
        let has_address = matches!(
            content,
            MailContent::OrderPlaced { .. } | MailContent::OrderConfirmed { .. } | MailContent::OrderSent { .. }
        );
        if let (true, Some(address)) = (has_address, &facts.address) {
            rows.add(words.deliver_to, address_lines(language, address));
        }
        rows.rows
    }

    fn add(&mut self, label: &str, value: String) {
        self.rows.push((label.to_owned(), value));
    }

    fn add_amount(&mut self, label: &str, amount: Minor, currency: &str) {
        self.add(label, money(self.language, amount, currency));
    }

    /// The number of an order, and what was bought; in a mail about a refund, only what it gives back.
    fn add_lines(&mut self, order: &Order, view: &OrderView, content: &MailContent, refund: Option<&RefundRecord>) {
        let (language, words) = (self.language, self.words);
        let number = order.number.map_or_else(|| order.id.to_string(), |number| format!("#{number} · {}", order.id));
        self.add(words.order_number, left_to_right(language, &number));
        // What ended before the payment was never a part of what was bought.
        let is_bought = |line: &ReservationView| match content {
            // The order ended without a payment: its lines have the same reason.
            MailContent::OrderCancelled { .. } => line.reason == order.reason,
            _ => matches!(line.status, ReservationStatus::Placed | ReservationStatus::Sold),
        };
        for line in view.lines.iter().filter(|line| is_bought(line)) {
            let qty = match refund {
                Some(refund) => {
                    refund.lines.iter().find(|returned| returned.reservation == line.id).map(|line| line.qty)
                }
                None => Some(line.qty),
            };
            let Some(qty) = qty else { continue };
            let title = language.title_of(&line.title, &line.titles);
            let variant = language.title_of(&line.variant_name, &line.variant_names);
            let product = if variant.is_empty() { title.to_owned() } else { format!("{title} · {variant}") };
            self.add(words.product, isolated(language, &product));
            self.add(words.quantity, qty.to_string());
        }
    }

    fn add_refund(&mut self, refund: &RefundRecord, currency: &str) {
        if refund.delivery > 0 {
            self.add_amount(self.words.delivery, refund.delivery, currency);
        }
        self.add_amount(self.words.amount_refunded, refund.refund.amount, currency);
    }

    /// The total of all orders of the parcel, and its parts if it is more than the goods.
    fn add_costs(&mut self, orders: &[&Order], content: &MailContent, currency: &str) {
        let words = self.words;
        let is_more_than_goods = |quote: &OrderQuote| !quote.is_plain() || quote.tax > 0 || quote.discount > 0;
        if orders.iter().any(|order| order.quote.as_deref().is_some_and(is_more_than_goods)) {
            self.add_amount(words.goods, sum(orders, goods), currency);
            let discount = sum(orders, |order| order.quote.as_ref().map_or(0, |quote| quote.discount));
            if discount > 0 {
                self.add_amount(words.discount, -discount, currency);
            }
            let delivery = sum(orders, |order| order.quote.as_ref().map_or(0, |quote| quote.delivery));
            self.add_amount(words.delivery, delivery, currency);
            let tax = sum(orders, |order| order.quote.as_ref().map_or(0, |quote| quote.tax));
            let is_included = orders.iter().all(|order| order.quote.as_ref().is_none_or(|quote| quote.tax_included));
            if tax > 0 {
                self.add_amount(if is_included { words.tax_included } else { words.tax_added }, tax, currency);
            }
        }
        let label = match content {
            MailContent::OrderRefunded { .. } => words.amount_refunded,
            _ => words.total,
        };
        self.add_amount(label, sum(orders, Order::total), currency);
    }

    /// When and how it was paid, is to be paid, or was sent.
    fn add_what_happened(&mut self, facts: &OrderFacts, content: &MailContent, bank_details: &str) {
        let (language, words) = (self.language, self.words);
        let OrderFacts { order, fulfilment, .. } = facts;
        match content {
            MailContent::OrderPlaced { .. } => {
                if let Some(placement) = order.placement.filter(|_| is_transfer(order)) {
                    self.add(words.due_at, date_time(language, placement.due_at));
                    let lines: Vec<String> = bank_details.lines().map(|line| isolated(language, line)).collect();
                    self.add(words.pay_to, lines.join("\n"));
                    let reference = order.number.map_or_else(|| order.id.to_string(), |number| format!("#{number}"));
                    self.add(words.reference, left_to_right(language, &reference));
                }
            }
            MailContent::OrderCancelled { .. } => {
                // The intro says why, and names the date.
                let is_late = is_transfer(order) && order.reason.as_deref() == Some("not_paid_in_time");
                if let Some(placement) = order.placement.filter(|_| is_late) {
                    self.add(words.due_at, date_time(language, placement.due_at));
                }
            }
            MailContent::OrderConfirmed { .. } => {
                if let Some(paid_at) = order.paid_at {
                    self.add(words.paid_at, date_time(language, paid_at));
                }
            }
            MailContent::OrderSent { .. } => {
                if let Some(sent_at) = fulfilment.sent_at {
                    self.add(words.sent_at, date_time(language, sent_at));
                }
                if let Some(carrier) = &fulfilment.carrier {
                    self.add(words.carrier, isolated(language, carrier));
                }
                if let Some(tracking) = &fulfilment.tracking {
                    self.add(words.tracking, left_to_right(language, tracking));
                }
            }
            _ => {}
        }
    }
}

fn address_lines(language: Language, address: &Address) -> String {
    let place = [address.postcode.as_deref(), Some(address.city.as_str()), address.region.as_deref()];
    let place = place.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let lines = std::iter::once(address.name.as_str()).chain(address.lines.iter().map(String::as_str));
    let lines = lines.chain([place.as_str(), address.country.as_str()]);
    lines.map(|line| isolated(language, line)).collect::<Vec<_>>().join("\n")
}
