//! Sends the outbox: a few mails at a time, each claimed by one node. A mail server that hangs holds these few and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::Mail;
use super::compose::{Facts, OrderFacts, Sender, compose};
use super::follow_mail_text::FollowFacts;
use super::message::message;
use crate::app::context::Context;
use crate::app::error::Result;
use crate::app::jobs::{BackgroundJob, JobSpec, NextRun};
use crate::app::mail_server::MailTransport;
use crate::domain::{ClaimedMail, MailContent, MailOutcome, MailStep, Millis, OrderId, StreamStatus};

/// For mails that another node wrote, and for those whose next attempt is due.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// Mails that a node sends at once.
const SENDERS: usize = 4;
/// Mails that one sender sends in one run.
const BATCH_MAX: usize = 25;
/// How long a mail that is being transferred when the server stops may take.
const STOP_GRACE: Duration = Duration::from_secs(5);
const RETENTION_INTERVAL: Duration = Duration::from_secs(600);
/// How long the log keeps mails that had a secret. There may be many, and there is nothing to send again.
const SECRET_KEPT_MS: Millis = 24 * 3_600_000;

pub struct MailJob(pub Arc<Mail>);

impl BackgroundJob for MailJob {
    fn spec(&self) -> JobSpec {
        // Each of the senders may wait for its whole batch.
        JobSpec::new("mails", POLL_INTERVAL, Duration::from_secs(1_800))
    }

    fn wake(&self) -> Option<Arc<Notify>> {
        Some(self.0.context.mail_queued.clone())
    }

    async fn run(&mut self, _is_last: bool) -> Result<NextRun> {
        if !self.0.can_send() {
            // A node with a mail server may share the database, so they wait; they do not wait forever.
            self.0.context.store.expire_mails().await?;
            self.0.count_queue().await?;
            return Ok(NextRun::AfterInterval);
        }
        let mut senders = JoinSet::new();
        for _ in 0..SENDERS {
            let mail = self.0.clone();
            senders.spawn(async move { mail.send_batch().await });
        }
        let mut result = Ok(());
        while let Some(ended) = senders.join_next().await {
            // A panic was reported where it happened; its mail is claimed again later.
            result = result.and(ended.unwrap_or(Ok(())));
        }
        self.0.count_queue().await?;
        result.map(|()| NextRun::AfterInterval)
    }
}

impl Mail {
    /// Sends until nothing is due, the mail server is unavailable, or the batch is full.
    async fn send_batch(&self) -> Result<()> {
        for _ in 0..BATCH_MAX {
            if self.context.stop.is_cancelled() {
                return Ok(());
            }
            let Some(mail) = self.context.store.claim_mail().await? else { return Ok(()) };
            let attempted = match mail.check_worth_sending(self.context.now()) {
                Ok(()) => self.attempt(&mail).await,
                Err(why) => Ok(MailOutcome::Rejected(why)),
            };
            let outcome = match attempted {
                Ok(outcome) => outcome,
                Err(fault) => {
                    self.context.store.finish_mail(&mail, &MailStep::Release).await?;
                    return Err(fault);
                }
            };
            let is_unavailable = matches!(outcome, MailOutcome::ServerUnavailable(_) | MailOutcome::Interrupted);
            let step = mail.after(outcome, self.context.now());
            self.record(&mail, &step);
            self.context.store.finish_mail(&mail, &step).await?;
            if is_unavailable {
                return Ok(());
            }
        }
        self.context.mail_queued.notify_one();
        Ok(())
    }

    async fn attempt(&self, mail: &ClaimedMail) -> Result<MailOutcome> {
        let Some(facts) = self.facts(&mail.content).await? else { return Ok(MailOutcome::Unwanted) };
        match self.context.mail().as_deref() {
            Some(MailTransport::Smtp { server, from, name }) => {
                let (shop, profile) = (self.context.shop(), self.context.profile());
                let sender = Sender {
                    shop: &shop,
                    address: from,
                    name: name.as_deref(),
                    public_url: self.context.settings.public_url.as_deref(),
                    bank_details: &profile.manual_payments.bank_details,
                };
                let Some(text) = compose(mail, &facts, &sender) else {
                    return Ok(MailOutcome::Rejected("Its order does not exist any more.".to_owned()));
                };
                let message = match message(mail, &text, &sender) {
                    Ok(message) => message,
                    Err(why) => return Ok(MailOutcome::Rejected(why)),
                };
                let is_transferring = AtomicBool::new(false);
                let sending = server.send(from, &mail.to, &message, &is_transferring);
                Ok(tokio::select! {
                    outcome = sending => outcome,
                    () = self.stop_is_due() => match is_transferring.load(Ordering::Relaxed) {
                        true => MailOutcome::Unknown("This server stopped before the answer came.".to_owned()),
                        false => MailOutcome::Interrupted,
                    },
                })
            }
            Some(MailTransport::DemoLog) => {
                log_mail(mail);
                Ok(MailOutcome::Accepted)
            }
            None => Ok(MailOutcome::Interrupted),
        }
    }

    async fn stop_is_due(&self) {
        self.context.stop.cancelled().await;
        sleep(STOP_GRACE).await;
    }

    /// What the mail says beside its content. `None`: nobody wants it any more.
    async fn facts(&self, content: &MailContent) -> Result<Option<Facts>> {
        let store = &self.context.store;
        match content {
            MailContent::FollowConfirmation { product, .. } => {
                let product = match product {
                    Some(product) => store.followed_product(*product).await?,
                    None => None,
                };
                Ok(Some(Facts::Follow(FollowFacts::Asked(product))))
            }
            MailContent::ShowStarted { follow, stream, .. } | MailContent::ProductUp { follow, stream, .. } => {
                let Some(follow) = store.follow_of_mail(*follow).await? else { return Ok(None) };
                let show = store.stream(*stream).await?.filter(|show| show.status == StreamStatus::Live);
                Ok(show.map(|show| Facts::Follow(FollowFacts::News(follow, Box::new(show)))))
            }
            _ => Ok(Some(match content.order() {
                Some(order) => {
                    self.order_facts(order, content).await?.map_or(Facts::None, |facts| Facts::Order(Box::new(facts)))
                }
                None => Facts::None,
            })),
        }
    }

    async fn order_facts(&self, id: OrderId, content: &MailContent) -> Result<Option<OrderFacts>> {
        let store = &self.context.store;
        let Some(order) = store.order(id).await? else { return Ok(None) };
        let (fulfilment, address) = (store.fulfilment(id).await?, store.address(id).await?);
        let mut others = Vec::new();
        if let MailContent::OrderSent { with, .. } = content {
            for other in with {
                // Its step may have been undone since.
                let is_sent = store.sent_at(*other).await?.is_some();
                if let (true, Some(other)) = (is_sent, store.order(*other).await?) {
                    others.push((other.clone(), self.catalogue.order_view(&other).await));
                }
            }
        }
        let refund = match content {
            MailContent::OrderRefunded { n: Some(n), .. } => {
                store.refunds_of_order(id).await?.into_iter().find(|record| record.refund.n == *n)
            }
            _ => None,
        };
        Ok(Some(OrderFacts {
            view: self.catalogue.order_view(&order).await,
            order,
            others,
            fulfilment,
            address,
            refund,
        }))
    }

    fn record(&self, mail: &ClaimedMail, step: &MailStep) {
        let (counters, kind) = (&self.context.counters.mail_outcomes, mail.content.kind().name());
        match step {
            MailStep::Sent => counters.increment("sent"),
            MailStep::Retry { error, .. } => {
                counters.increment("retried");
                tracing::info!(mail = %mail.id, kind, attempts = mail.attempts, error, "a mail was not sent; it is tried again");
            }
            MailStep::Fail { error } => {
                counters.increment("failed");
                tracing::warn!(mail = %mail.id, kind, attempts = mail.attempts, error, "a mail could not be sent and is not tried again");
            }
            MailStep::Drop => counters.increment("unwanted"),
            MailStep::Release => {}
        }
    }

    async fn count_queue(&self) -> Result<()> {
        let (queue, counters) = (self.context.store.mail_queue().await?, &self.context.counters);
        counters.mails_waiting.store(u64::try_from(queue.waiting).unwrap_or_default(), Ordering::Relaxed);
        counters.mails_oldest_at.store(queue.oldest_at.unwrap_or_default(), Ordering::Relaxed);
        Ok(())
    }
}

/// What a demo does instead of sending: the code or the link is written to its log.
fn log_mail(mail: &ClaimedMail) {
    let kind = mail.content.kind().name();
    match &mail.content {
        MailContent::SignInCode { code, .. } => {
            tracing::info!(to = %mail.to, code, "demo: a sign-in code, which is not sent");
        }
        MailContent::StaffInvite { url, .. } => {
            tracing::info!(to = %mail.to, url, "demo: an invite, which is not sent");
        }
        _ => tracing::info!(to = %mail.to, kind, "demo: a mail, which is not sent"),
    }
}

/// Deletes mails from the log that are older than the operator keeps them.
pub struct MailRetentionJob(pub Arc<Context>);

impl BackgroundJob for MailRetentionJob {
    fn spec(&self) -> JobSpec {
        JobSpec::new("mail_retention", RETENTION_INTERVAL, Duration::from_secs(300))
    }

    async fn run(&mut self, _is_last: bool) -> Result<NextRun> {
        let (context, now) = (&self.0, self.0.now());
        let before = context.mail_kept_ms().map_or(0, |kept_ms| now - kept_ms);
        while !context.stop.is_cancelled() && context.store.delete_mails_before(before, now - SECRET_KEPT_MS).await? > 0
        {
            sleep(Duration::from_millis(50)).await;
        }
        Ok(NextRun::AfterInterval)
    }
}
