//! The message of a mail as it goes over the wire.

use std::time::{Duration, SystemTime};

use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart};

use super::compose::Sender;
use super::mail_text::MailText;
use crate::domain::ClaimedMail;

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
pub fn message(mail: &ClaimedMail, text: &MailText, sender: &Sender<'_>) -> Result<Vec<u8>, String> {
    let unusable = |what: &str| format!("The address {what} cannot be written in a header.");
    let from = sender.address.as_str().parse().map_err(|_| unusable(sender.address.as_str()))?;
    let to = mail.to.as_str().parse().map_err(|_| unusable(mail.to.as_str()))?;
    let name = sender.name.unwrap_or_else(|| text.language.title_of(&sender.shop.title, &sender.shop.titles));
    let written = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(mail.created_at).unwrap_or_default());
    let mut builder = Message::builder();
    if let Some(stop) = &text.stop {
        builder = builder.header(ListUnsubscribe(stop.clone()));
        if stop.starts_with("https://") {
            builder = builder.header(ListUnsubscribePost);
        }
    }
    let built = builder
        .from(Mailbox::new(Some(one_line(name)), from))
        .to(Mailbox::new(None, to))
        .subject(one_line(&text.subject))
        .date(written)
        .message_id(Some(format!("<{}@{}>", mail.id, sender.address.domain())))
        .header(AutoSubmitted)
        .multipart(MultiPart::alternative_plain_html(text.plain(), text.html()));
    built.map(|message| message.formatted()).map_err(|error| format!("The mail cannot be written: {error}."))
}

/// A header is one line. Whatever a name contains, it begins no other header.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
