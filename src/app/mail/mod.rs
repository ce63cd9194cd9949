//! E-mails: the outbox, the job that sends it, and the log at the seller's desk.
//!
//! A mail is written to the outbox in the transaction that made it true, so it is neither lost nor sent for something that did not
//! happen. The job of any node sends it.

mod compose;
mod follow_mail_text;
mod format;
mod job;
mod log;
mod mail_text;
mod message;
mod order_mail_text;
mod words;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::audit::AuditLog;
use super::catalogue::Catalogue;
use super::context::Context;
use super::error::Result;
use super::mail_server::MailTransport;
use super::stream_cache::StreamCache;
use crate::domain::{ClaimedMail, EmailAddress, Language, MailContent, MailId, MailOutcome, Millis, NewMail, Shop};
use compose::{Facts, Sender};

pub use job::{MailJob, MailRetentionJob};
pub use log::mail_view;

pub struct Mail {
    context: Arc<Context>,
    stream_cache: Arc<StreamCache>,
    audit: Arc<AuditLog>,
    catalogue: Arc<Catalogue>,
}

impl Mail {
    pub fn new(
        context: &Arc<Context>,
        stream_cache: &Arc<StreamCache>,
        audit: &Arc<AuditLog>,
        catalogue: &Arc<Catalogue>,
    ) -> Arc<Self> {
        let (context, stream_cache) = (context.clone(), stream_cache.clone());
        Arc::new(Self { context, stream_cache, audit: audit.clone(), catalogue: catalogue.clone() })
    }

    /// Whether a mail that is written now will be sent. A demo without a mail server writes codes to its log, which counts.
    pub fn can_send(&self) -> bool {
        self.context.mail().is_some()
    }

    /// Whether mails leave this server: not those of a demo that writes them to its log.
    pub fn has_server(&self) -> bool {
        self.context.sends_email()
    }

    /// Writes a mail that belongs to no other change, and starts to send it. Refused as `busy` when too many mails wait: this one would be
    /// late.
    pub async fn queue(&self, mail: NewMail) -> Result<MailId> {
        if mail.content.kind().is_urgent() {
            self.context.store.check_mail_queue_not_full(mail.content.kind()).await?;
        }
        let context = self.context.clone();
        self.context
            .spawn_write(async move {
                let id = context.store.queue_mail(&mail).await?;
                context.mail_queued.notify_one();
                Ok(id)
            })
            .await
    }
}

/// Sends a test message at once, past the outbox, and gives the error as a sentence for the operator.
pub async fn send_test_mail(
    transport: &MailTransport,
    shop: &Shop,
    to: EmailAddress,
    language: Language,
    now: Millis,
) -> std::result::Result<(), String> {
    let MailTransport::Smtp { server, from, name } = transport else {
        return Err("There is no mail server.".to_owned());
    };
    let mail = ClaimedMail {
        id: MailId::new(),
        to,
        language,
        content: MailContent::Test,
        attempts: 1,
        unknown_outcomes: 0,
        created_at: now,
        give_up_at: Millis::MAX,
    };
    let sender = Sender { shop, address: from, name: name.as_deref(), public_url: None, bank_details: "" };
    let text = compose::compose(&mail, &Facts::None, &sender).ok_or("The message cannot be written.")?;
    let message = message::message(&mail, &text, &sender)?;
    match server.send(from, &mail.to, &message, &AtomicBool::new(false)).await {
        MailOutcome::Accepted => Ok(()),
        MailOutcome::ServerUnavailable(why)
        | MailOutcome::Deferred(why)
        | MailOutcome::Rejected(why)
        | MailOutcome::Unknown(why) => Err(why),
        MailOutcome::Interrupted | MailOutcome::Unwanted => {
            Err("The server is stopping; the message was not sent.".to_owned())
        }
    }
}
