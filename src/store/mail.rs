//! The outbox of e-mails: written in the transaction that made them true, claimed by one node at a time, and kept as the log.

use uuid::Uuid;

use super::guest_orders::add_order_link;
use super::row::from_row;
use super::transaction::Transaction;
use super::{Error, Result, Store, require_known};
use crate::domain::account::GUEST_PREFIX;
use crate::domain::mail::BULK_PRIORITY;
use crate::domain::{
    AccountId, ClaimedMail, EmailAddress, Language, MailContent, MailId, MailKind, MailStatus, MailStep, Millis,
    NewMail, OrderId, Refusal, SessionSecret, UserId,
};

/// For how long a claimed mail belongs to its node. Sending one takes less; a node that died keeps it no longer.
pub const MAIL_CLAIM_MS: Millis = 180_000;
/// Mails that one call deletes or gives up at most.
const BATCH_MAX: i64 = 500;
/// The maximum number of mails of one priority that wait; another mail that a user waits for is refused.
pub const WAITING_MAILS_MAX: i64 = 1_000;
/// Characters of an error that are kept.
const ERROR_LENGTH_MAX: usize = 300;

/// A mail as the log shows it: without what it says.
#[derive(Clone, PartialEq, Debug)]
pub struct LoggedMail {
    pub id: MailId,
    pub kind: MailKind,
    pub to: String,
    pub language: Language,
    pub order: Option<OrderId>,
    pub status: MailStatus,
    pub attempts: i64,
    pub last_error: Option<String>,
    pub created_at: Millis,
    /// When it is tried next, if it waits.
    pub next_try_at: Option<Millis>,
    pub sent_at: Option<Millis>,
}

/// The mails that wait.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct MailQueue {
    /// At most [`COUNTED_MAX`].
    pub waiting: i64,
    /// When the oldest was written.
    pub oldest_at: Option<Millis>,
}

/// A longer queue is not counted to its end.
pub const COUNTED_MAX: i64 = 10_000;

struct ClaimedRow {
    id: Uuid,
    to_address: String,
    language: String,
    content: String,
    attempts: i64,
    unknown_outcomes: i64,
    created_at: i64,
    give_up_at: i64,
}

from_row!(ClaimedRow { id, to_address, language, content, attempts, unknown_outcomes, created_at, give_up_at });

impl ClaimedRow {
    fn into_mail(self) -> Result<ClaimedMail> {
        let corrupt = |what: &str| Error::CorruptRow(format!("{what} of the mail {}", self.id));
        Ok(ClaimedMail {
            id: MailId(self.id),
            to: EmailAddress::parse(&self.to_address).map_err(|_| corrupt("address"))?,
            language: require_known(Language::parse(&self.language), "language", &self.language)?,
            content: serde_json::from_str(&self.content).map_err(|_| corrupt("content"))?,
            attempts: self.attempts,
            unknown_outcomes: self.unknown_outcomes,
            created_at: self.created_at,
            give_up_at: self.give_up_at,
        })
    }
}

struct LoggedRow {
    id: Uuid,
    kind: String,
    to_address: String,
    language: String,
    order_id: Option<Uuid>,
    status: String,
    attempts: i64,
    last_error: Option<String>,
    created_at: i64,
    next_try_at: i64,
    sent_at: Option<i64>,
}

from_row!(LoggedRow {
    id,
    kind,
    to_address,
    language,
    order_id,
    status,
    attempts,
    last_error,
    created_at,
    next_try_at,
    sent_at
});

impl LoggedRow {
    fn into_mail(self) -> Result<LoggedMail> {
        let status = require_known(MailStatus::parse(&self.status), "mail status", &self.status)?;
        Ok(LoggedMail {
            id: MailId(self.id),
            kind: require_known(MailKind::parse(&self.kind), "mail kind", &self.kind)?,
            to: self.to_address,
            language: require_known(Language::parse(&self.language), "language", &self.language)?,
            order: self.order_id.map(OrderId),
            status,
            attempts: self.attempts,
            last_error: self.last_error,
            created_at: self.created_at,
            next_try_at: (status == MailStatus::Queued).then_some(self.next_try_at),
            sent_at: self.sent_at,
        })
    }
}

/// Every column of the log; a condition follows.
macro_rules! logged_mails {
    ($condition:literal) => {
        concat!(
            "select id, kind, to_address, language, order_id, status, attempts, last_error, created_at, next_try_at,
            sent_at from mails where ",
            $condition
        )
    };
}

/// Writes a mail to the outbox, in the transaction that makes it true.
pub(super) async fn queue_mail(tx: &mut Transaction<'_>, mail: &NewMail) -> Result<MailId> {
    let (id, now, kind) = (MailId::new(), tx.now().await?, mail.content.kind());
    let content = serde_json::to_string(&mail.content).map_err(|error| Error::CorruptRow(error.to_string()))?;
    let insert = "insert into mails (id, kind, priority, to_address, language, user_id, order_id, content, status,
            next_try_at, give_up_at, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, 'queued', $10, $9, $10)";
    tx.query(insert)
        .bind(id.0)
        .bind(kind.name())
        .bind(kind.priority())
        .bind(mail.to.as_str())
        .bind(mail.language.tag())
        .bind(mail.user.as_ref().map(UserId::as_str))
        .bind(mail.content.order().map(|order| order.0))
        .bind(content)
        .bind(mail.give_up_at(now))
        .bind(now)
        .execute()
        .await?;
    Ok(id)
}

/// Who gets the mails about an order.
struct OrderRecipient {
    to: EmailAddress,
    language: Language,
    user: UserId,
}

/// The address that the buyer gave for this order, else the one that the buyer's account has proven.
async fn recipient(tx: &mut Transaction<'_>, order: OrderId) -> Result<Option<OrderRecipient>> {
    let find = "select o.buyer, a.email, a.language from reservations o left join addresses a on a.order_id = o.id
        where o.id = $1";
    let Some((buyer, email, language)): Option<(String, Option<String>, Option<String>)> =
        tx.query(find).bind(order.0).fetch_optional().await?
    else {
        return Ok(None);
    };
    let user = UserId::parse(&buyer).map_err(|_| Error::CorruptRow(format!("buyer `{buyer}`")))?;
    let mut known = email.map(|email| (email, language.clone()));
    if let (None, Some(account)) = (&known, AccountId::of_user(&user)) {
        let of_account = "select email, language from accounts where id = $1 and email is not null";
        let found: Option<(String, String)> = tx.query(of_account).bind(account.0).fetch_optional().await?;
        known = found.map(|(email, own)| (email, language.or(Some(own))));
    }
    Ok(known.and_then(|(email, language)| {
        let language = language.as_deref().map(Language::of_tag).unwrap_or_default();
        Some(OrderRecipient { to: EmailAddress::parse(&email).ok()?, language, user })
    }))
}

/// Writes a mail to the buyer of an order, if we know where it goes.
pub(super) async fn queue_order_mail(tx: &mut Transaction<'_>, order: OrderId, content: MailContent) -> Result<()> {
    let Some(OrderRecipient { to, language, user }) = recipient(tx, order).await? else { return Ok(()) };
    queue_mail(tx, &NewMail { to, language, user: Some(user), content }).await.map(drop)
}

/// Writes the confirmation of an order, if we know where it goes. A buyer who has no account gets a link to the order in it: the
/// session of a guest ends with the browser's memory.
pub(super) async fn queue_confirmation(tx: &mut Transaction<'_>, order: OrderId) -> Result<()> {
    queue_mail_with_link(tx, order, |link| MailContent::OrderConfirmed { order, link }).await
}

/// Writes to the buyer of a placed order what is to be paid, if we know where the mail goes, with a link as in the confirmation.
pub(super) async fn queue_placed_mail(tx: &mut Transaction<'_>, order: OrderId) -> Result<()> {
    queue_mail_with_link(tx, order, |link| MailContent::OrderPlaced { order, link }).await
}

async fn queue_mail_with_link(
    tx: &mut Transaction<'_>,
    order: OrderId,
    content: impl FnOnce(Option<String>) -> MailContent,
) -> Result<()> {
    let Some(OrderRecipient { to, language, user }) = recipient(tx, order).await? else { return Ok(()) };
    let secret = user.as_str().starts_with(GUEST_PREFIX).then(|| SessionSecret::new(rand::random()));
    if let Some(secret) = &secret {
        add_order_link(tx, order, &secret.hash()).await?;
    }
    let content = content(secret.map(|secret| secret.as_str().to_owned()));
    queue_mail(tx, &NewMail { to, language, user: Some(user), content }).await.map(drop)
}

/// What replaces the content of a mail that was sent; `None`: nothing. The store keeps no secret that somebody else has: only the
/// hash of a link to an order stays.
fn kept_after_sending(content: &MailContent) -> Option<String> {
    match content {
        secret if secret.kind().is_secret() => Some(String::new()),
        MailContent::OrderConfirmed { order, link: Some(_) } => {
            serde_json::to_string(&MailContent::OrderConfirmed { order: *order, link: None }).ok()
        }
        MailContent::OrderPlaced { order, link: Some(_) } => {
            serde_json::to_string(&MailContent::OrderPlaced { order: *order, link: None }).ok()
        }
        _ => None,
    }
}

/// Removes the mail that an order was sent, if it is still waiting for its first attempt: the seller has undone the step.
pub(super) async fn unqueue_sent_mail(tx: &mut Transaction<'_>, order: OrderId) -> Result<()> {
    let unqueue = "delete from mails where order_id = $1 and kind = $2 and status = 'queued' and attempts = 0";
    tx.query(unqueue).bind(order.0).bind(MailKind::OrderSent.name()).execute().await.map(drop)
}

impl Store {
    /// Writes a mail that belongs to no other change.
    pub async fn queue_mail(&self, mail: &NewMail) -> Result<MailId> {
        self.transaction(async |tx| queue_mail(tx, mail).await).await
    }

    /// Claims the next mail that is due, the urgent ones first, and counts the attempt. No other node gets it until it is
    /// finished or [`MAIL_CLAIM_MS`] have passed. A claim that passed counts as an attempt without a known outcome.
    pub async fn claim_mail(&self) -> Result<Option<ClaimedMail>> {
        let row: Option<ClaimedRow> = self
            .transaction(async |tx| {
                let now = tx.now().await?;
                let claim = tx.choose(
                    "update mails set status = 'sending', attempts = attempts + 1, next_try_at = $2,
                            unknown_outcomes = unknown_outcomes + case status when 'sending' then 1 else 0 end
                        where id = (select m.id from mails m where m.status in ('queued', 'sending')
                            and m.next_try_at <= $1 order by m.priority, m.next_try_at limit 1 for update skip locked)
                        returning id, to_address, language, content, attempts, unknown_outcomes, created_at,
                            give_up_at",
                    "update mails set status = 'sending', attempts = attempts + 1, next_try_at = $2,
                            unknown_outcomes = unknown_outcomes + case status when 'sending' then 1 else 0 end
                        where id = (select m.id from mails m where m.status in ('queued', 'sending')
                            and m.next_try_at <= $1 order by m.priority, m.next_try_at limit 1)
                        returning id, to_address, language, content, attempts, unknown_outcomes, created_at,
                            give_up_at",
                );
                tx.query(claim).bind(now).bind(now + MAIL_CLAIM_MS).fetch_optional().await
            })
            .await?;
        let Some(row) = row else { return Ok(None) };
        let id = row.id;
        match row.into_mail() {
            Ok(mail) => Ok(Some(mail)),
            Err(corrupt) => {
                // Otherwise it would be claimed, and stop its sender, again and again.
                let fail = "update mails set status = 'failed', last_error = 'Its row cannot be read.' where id = $1";
                self.transaction(async |tx| tx.query(fail).bind(id).execute().await).await?;
                Err(corrupt)
            }
        }
    }

    /// Writes what became of an attempt. `false`: the claim had passed, and another node has the mail.
    pub async fn finish_mail(&self, mail: &ClaimedMail, step: &MailStep) -> Result<bool> {
        let is_secret = mail.content.kind().is_secret();
        let kept = kept_after_sending(&mail.content);
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let finish = match step {
                MailStep::Sent => {
                    let sent = "update mails set status = 'sent', sent_at = $3, last_error = null,
                        content = coalesce($4, content)
                        where id = $1 and status = 'sending' and attempts = $2";
                    tx.query(sent).bind(mail.id.0).bind(mail.attempts).bind(now).bind(&kept)
                }
                MailStep::Fail { error } => {
                    let fail = "update mails set status = 'failed', last_error = $3,
                        content = case $4 when 1 then '' else content end
                        where id = $1 and status = 'sending' and attempts = $2";
                    let fail = tx.query(fail).bind(mail.id.0).bind(mail.attempts);
                    fail.bind(shortened(error)).bind(i64::from(is_secret))
                }
                MailStep::Retry { after_ms, error, was_unknown } => {
                    let retry = "update mails set status = 'queued', next_try_at = $3, last_error = $4,
                        unknown_outcomes = unknown_outcomes + $5
                        where id = $1 and status = 'sending' and attempts = $2";
                    let retry = tx.query(retry).bind(mail.id.0).bind(mail.attempts).bind(now + after_ms);
                    retry.bind(shortened(error)).bind(i64::from(*was_unknown))
                }
                MailStep::Release => {
                    let release = "update mails set status = 'queued', attempts = attempts - 1, next_try_at = $3
                        where id = $1 and status = 'sending' and attempts = $2";
                    tx.query(release).bind(mail.id.0).bind(mail.attempts).bind(now)
                }
                MailStep::Drop => {
                    let drop = "delete from mails where id = $1 and status = 'sending' and attempts = $2";
                    tx.query(drop).bind(mail.id.0).bind(mail.attempts)
                }
            };
            Ok(finish.execute().await? > 0)
        })
        .await
    }

    /// Gives up mails whose time is over, at most 500 at a time: for a shop without a mail server.
    pub async fn expire_mails(&self) -> Result<u64> {
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let expire = "update mails set status = 'failed', last_error = 'No mail server took it in time.',
                    content = case when priority <> 1 or kind = $3 then '' else content end
                where id in (select id from mails where status in ('queued', 'sending') and give_up_at <= $1 limit $2)";
            tx.query(expire).bind(now).bind(BATCH_MAX).bind(MailKind::FollowConfirmation.name()).execute().await
        })
        .await
    }

    /// Refuses as `busy` when too many mails wait that go before or with one of this kind: it would be late.
    pub async fn check_mail_queue_not_full(&self, kind: MailKind) -> Result<()> {
        let count = "select cast(count(*) as bigint) from (
            select id from mails where status in ('queued', 'sending') and priority <= $2 limit $1) waiting";
        let waiting: i64 = self.query(count).bind(WAITING_MAILS_MAX).bind(kind.priority()).fetch_value().await?;
        if waiting >= WAITING_MAILS_MAX { Err(Refusal::Busy { retry_ms: 10_000 }.into()) } else { Ok(()) }
    }

    /// How many mails wait, and since when, without those to followers.
    pub async fn mail_queue(&self) -> Result<MailQueue> {
        let count = "select cast(count(*) as bigint), min(created_at) from (
            select created_at from mails where status in ('queued', 'sending') and priority < $2
                order by created_at limit $1) waiting";
        let (waiting, oldest_at) = self.query(count).bind(COUNTED_MAX).bind(BULK_PRIORITY).fetch_one().await?;
        Ok(MailQueue { waiting, oldest_at })
    }

    /// A page of the log, the newest first.
    pub async fn mails(
        &self,
        status: Option<MailStatus>,
        after: Option<MailId>,
        limit: i64,
    ) -> Result<Vec<LoggedMail>> {
        let before = after.map_or(Uuid::max(), |id| id.0);
        let rows: Vec<LoggedRow> = match status {
            None => {
                let read = logged_mails!("id < $1 order by id desc limit $2");
                self.query(read).bind(before).bind(limit).fetch_all().await?
            }
            Some(status) => {
                let read = logged_mails!("status = $3 and id < $1 order by id desc limit $2");
                self.query(read).bind(before).bind(limit).bind(status.name()).fetch_all().await?
            }
        };
        rows.into_iter().map(LoggedRow::into_mail).collect()
    }

    /// The mails about an order, the newest first, at most 100.
    pub async fn mails_of_order(&self, order: OrderId) -> Result<Vec<LoggedMail>> {
        let read = logged_mails!("order_id = $1 order by id desc limit 100");
        let rows: Vec<LoggedRow> = self.query(read).bind(order.0).fetch_all().await?;
        rows.into_iter().map(LoggedRow::into_mail).collect()
    }

    pub async fn mail(&self, id: MailId) -> Result<Option<LoggedMail>> {
        let read = logged_mails!("id = $1");
        let row: Option<LoggedRow> = self.query(read).bind(id.0).fetch_optional().await?;
        row.map(LoggedRow::into_mail).transpose()
    }

    /// Puts a mail that was sent or has failed back into the outbox, for a whole new round of attempts. `None`: there is no
    /// such mail. A mail that waits, or that had a secret, stays as it is.
    pub async fn send_mail_again(&self, id: MailId) -> Result<Option<LoggedMail>> {
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let again = "update mails set status = 'queued', attempts = 0, unknown_outcomes = 0, next_try_at = $2,
                    give_up_at = $2 + $3, last_error = null, sent_at = null
                where id = $1 and status in ('sent', 'failed') and content <> ''";
            tx.query(again).bind(id.0).bind(now).bind(crate::domain::mail::MAIL_LIFETIME_MS).execute().await?;
            let row: Option<LoggedRow> = tx.query(logged_mails!("id = $1")).bind(id.0).fetch_optional().await?;
            row.map(LoggedRow::into_mail).transpose()
        })
        .await
    }

    /// Deletes mails that were written before `before` and do not wait, at most 500 at a time, and gives how many. Those with
    /// a secret go when they were written before `secret_before`. Call it until it gives 0.
    pub async fn delete_mails_before(&self, before: Millis, secret_before: Millis) -> Result<u64> {
        self.transaction(async |tx| {
            // Ids grow with time, so the primary key finds the oldest mails.
            let old = "delete from mails where id in (select id from mails where status in ('sent', 'failed')
                and id < $1 order by id limit $2)";
            let deleted = tx.query(old).bind(MailId::first_at(before).0).bind(BATCH_MAX).execute().await?;
            let secret = "delete from mails where id in (select id from mails where content = '' and id < $1 limit $2)";
            let secret = tx.query(secret).bind(MailId::first_at(secret_before).0).bind(BATCH_MAX);
            Ok(deleted + secret.execute().await?)
        })
        .await
    }
}

/// The error as the log keeps it: on one line, and not too long.
fn shortened(error: &str) -> String {
    let line: String = error.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.chars().take(ERROR_LENGTH_MAX).collect()
}
