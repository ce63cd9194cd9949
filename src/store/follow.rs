//! Follows: asking for one, confirming it by the link that was sent, and ending it. What is stored for a request does not depend on
//! whether the address follows already.

use uuid::Uuid;

use super::mail::queue_mail;
use super::transaction::Transaction;
use super::{Error, Result, Store, titles_from_json};
use crate::domain::follow::{
    CONFIRMATION_TTL_MS, CONFIRMATION_WINDOW_MS, CONFIRMATIONS_PER_HOUR, FOLLOWS_OF_MAILBOX_MAX,
};
use crate::domain::{
    AccountId, EmailAddress, Follow, FollowId, FollowTarget, FollowedProduct, Language, MailContent, Millis, NewFollow,
    NewMail, ProductId, Refusal, SecretHash, SessionSecret, UserId,
};

/// What a mail to a follower says about the follow.
#[derive(Clone, PartialEq, Debug)]
pub struct FollowOfMail {
    pub product: Option<FollowedProduct>,
    /// Ends the follow by a link.
    pub stop_secret: String,
}

type FollowRow = (Uuid, String, i64, Uuid, Option<String>, Option<String>);

fn into_follow((id, email, created_at, target, title, titles): FollowRow) -> Result<Follow> {
    Ok(Follow { id: FollowId(id), email, product: followed_product(target, title, titles)?, created_at })
}

/// The product of a target. One that does not exist any more has no title.
fn followed_product(target: Uuid, title: Option<String>, titles: Option<String>) -> Result<Option<FollowedProduct>> {
    let Some(id) = FollowTarget::of_id(target).product() else { return Ok(None) };
    let titles = titles.as_deref().map(titles_from_json).transpose()?.unwrap_or_default();
    Ok(Some(FollowedProduct { id, title: title.unwrap_or_default(), titles }))
}

impl Store {
    /// Stores a request to follow and writes the mail that asks to confirm it. Refused when the mailbox got as many within an hour as it
    /// may get.
    pub async fn request_follow(&self, new: &NewFollow, secret: &SessionSecret) -> Result<()> {
        let mailbox = new.email.normalized();
        self.transaction(async |tx| {
            check_target(tx, new.target).await?;
            tx.lock_name(&format!("follow {mailbox}")).await?;
            let now = tx.time_of_day().await?;
            let since = now - CONFIRMATION_WINDOW_MS;
            let sent = "select cast(count(*) as bigint), min(created_at) from follow_requests
                where email_normalized = $1 and created_at > $2";
            let (sent, first): (i64, Option<i64>) = tx.query(sent).bind(&mailbox).bind(since).fetch_one().await?;
            if sent >= CONFIRMATIONS_PER_HOUR {
                return Err(Refusal::TooManyRequests { retry_ms: (first.unwrap_or(now) - since).max(1) }.into());
            }
            let expires_at = now + CONFIRMATION_TTL_MS;
            let insert = "insert into follow_requests
                    (secret_hash, target, email, email_normalized, language, user_id, created_at, expires_at)
                values ($1, $2, $3, $4, $5, $6, $7, $8)";
            tx.query(insert)
                .bind(&secret.hash()[..])
                .bind(new.target.id())
                .bind(new.email.as_str())
                .bind(&mailbox)
                .bind(new.language.tag())
                .bind(new.user.as_ref().map(UserId::as_str))
                .bind(now)
                .bind(expires_at)
                .execute()
                .await?;
            let (secret, product) = (secret.as_str().to_owned(), new.target.product());
            let content = MailContent::FollowConfirmation { secret, product, expires_at };
            let NewFollow { email: to, language, user, .. } = new.clone();
            queue_mail(tx, &NewMail { to, language, user, content }).await.map(drop)
        })
        .await
    }

    /// Confirms the request with this secret. To do it again changes nothing, until the time of the link is over.
    pub async fn confirm_follow(&self, secret: &SecretHash, stop_secret: &SessionSecret) -> Result<Follow> {
        self.transaction(async |tx| {
            let now = tx.time_of_day().await?;
            let read = "select target, email, language, user_id from follow_requests
                where secret_hash = $1 and expires_at > $2";
            let row: Option<(Uuid, String, String, Option<String>)> =
                tx.query(read).bind(&secret[..]).bind(now).fetch_optional().await?;
            let (target, email, language, user) = row.ok_or(Refusal::FollowLinkInvalid)?;
            let new = NewFollow {
                target: FollowTarget::of_id(target),
                email: EmailAddress::parse(&email).map_err(|_| Error::CorruptRow("an e-mail address".to_owned()))?,
                language: Language::of_tag(&language),
                user: user.as_deref().and_then(|user| UserId::parse(user).ok()),
            };
            insert_follow(tx, &new, stop_secret, now).await
        })
        .await
    }

    /// Follows for an address that its owner has proven otherwise. To do it again changes nothing.
    pub async fn add_follow(&self, new: &NewFollow, stop_secret: &SessionSecret) -> Result<Follow> {
        self.transaction(async |tx| {
            check_target(tx, new.target).await?;
            let now = tx.time_of_day().await?;
            insert_follow(tx, new, stop_secret, now).await
        })
        .await
    }

    /// The follows of a mailbox that its owner has proven, newest first.
    pub async fn follows_of(&self, email: &EmailAddress) -> Result<Vec<Follow>> {
        let read = "select f.id, f.email, f.created_at, f.target, p.title, p.titles
            from follows f left join products p on p.id = f.target
            where f.email_normalized = $1 order by f.id desc limit $2";
        let rows: Vec<FollowRow> =
            self.query(read).bind(email.normalized()).bind(FOLLOWS_OF_MAILBOX_MAX).fetch_all().await?;
        rows.into_iter().map(into_follow).collect()
    }

    /// Ends a follow of a mailbox that its owner has proven. Without effect on others.
    pub async fn delete_follow(&self, id: FollowId, email: &EmailAddress) -> Result<()> {
        let mailbox = email.normalized();
        self.transaction(async |tx| {
            let delete = "delete from follows where id = $1 and email_normalized = $2";
            tx.query(delete).bind(id.0).bind(&mailbox).execute().await.map(drop)
        })
        .await
    }

    pub async fn knows_stop_secret(&self, stop_secret: &str) -> Result<bool> {
        let count = "select cast(count(*) as bigint) from follows where stop_secret = $1";
        Ok(self.query(count).bind(stop_secret).fetch_value::<i64>().await? > 0)
    }

    /// Ends the follow whose mails have this secret, or all of its mailbox. Gives how many have ended.
    pub async fn stop_follows(&self, stop_secret: &str, all: bool) -> Result<u64> {
        self.transaction(async |tx| {
            let delete = if all {
                "delete from follows where email_normalized =
                    (select f.email_normalized from follows f where f.stop_secret = $1)"
            } else {
                "delete from follows where stop_secret = $1"
            };
            tx.query(delete).bind(stop_secret).execute().await
        })
        .await
    }

    /// What a mail says about a follow; `None`: it has ended.
    pub async fn follow_of_mail(&self, id: FollowId) -> Result<Option<FollowOfMail>> {
        let read = "select f.target, f.stop_secret, p.title, p.titles
            from follows f left join products p on p.id = f.target where f.id = $1";
        let row: Option<(Uuid, String, Option<String>, Option<String>)> =
            self.query(read).bind(id.0).fetch_optional().await?;
        row.map(|(target, stop_secret, title, titles)| {
            Ok(FollowOfMail { product: followed_product(target, title, titles)?, stop_secret })
        })
        .transpose()
    }

    /// The titles of a product that somebody wants to follow.
    pub async fn followed_product(&self, id: ProductId) -> Result<Option<FollowedProduct>> {
        let read = "select id, title, titles from products where id = $1";
        let row: Option<(Uuid, String, String)> = self.query(read).bind(id.0).fetch_optional().await?;
        let found = row.map(|(id, title, titles)| followed_product(id, Some(title), Some(titles))).transpose()?;
        Ok(found.flatten())
    }

    /// Deletes requests whose time is over, `most` at most. Gives how many were deleted.
    pub async fn delete_old_follow_requests(&self, most: i64) -> Result<u64> {
        self.transaction(async |tx| {
            let now = tx.time_of_day().await?;
            let delete = "delete from follow_requests where secret_hash in
                (select secret_hash from follow_requests where expires_at < $1 order by expires_at limit $2)";
            tx.query(delete).bind(now).bind(most).execute().await
        })
        .await
    }
}

/// Nobody follows a product that does not exist, or that gets no more offers.
async fn check_target(tx: &mut Transaction<'_>, target: FollowTarget) -> Result<()> {
    let Some(product) = target.product() else { return Ok(()) };
    let find = "select cast(count(*) as bigint) from products where id = $1 and archived_at is null";
    let found: i64 = tx.query(find).bind(product.0).fetch_value().await?;
    if found == 0 { Err(Refusal::NoSuchProduct.into()) } else { Ok(()) }
}

async fn insert_follow(
    tx: &mut Transaction<'_>,
    new: &NewFollow,
    stop_secret: &SessionSecret,
    now: Millis,
) -> Result<Follow> {
    let mailbox = new.email.normalized();
    tx.lock_name(&format!("follow {mailbox}")).await?;
    let count = "select cast(count(*) as bigint) from follows where email_normalized = $1 and target <> $2";
    let others: i64 = tx.query(count).bind(&mailbox).bind(new.target.id()).fetch_value().await?;
    if others >= FOLLOWS_OF_MAILBOX_MAX {
        return Err(Refusal::WrongStatus("This address follows too much already; stop something first.").into());
    }
    let insert = "insert into follows (id, target, email, email_normalized, language, user_id, stop_secret, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        on conflict (email_normalized, target) do update set user_id = coalesce(follows.user_id, excluded.user_id)";
    tx.query(insert)
        .bind(FollowId::new().0)
        .bind(new.target.id())
        .bind(new.email.as_str())
        .bind(&mailbox)
        .bind(new.language.tag())
        .bind(new.user.as_ref().map(UserId::as_str))
        .bind(stop_secret.as_str())
        .bind(now)
        .execute()
        .await?;
    let read = "select f.id, f.email, f.created_at, f.target, p.title, p.titles
        from follows f left join products p on p.id = f.target where f.email_normalized = $1 and f.target = $2";
    into_follow(tx.query(read).bind(&mailbox).bind(new.target.id()).fetch_one().await?)
}

/// Erases the follows of a user, and of the mailbox of an account. Before the account itself is erased.
pub(super) async fn erase_follows(tx: &mut Transaction<'_>, user: &UserId) -> Result<()> {
    tx.query("delete from follows where user_id = $1").bind(user.as_str()).execute().await?;
    tx.query("delete from follow_requests where user_id = $1").bind(user.as_str()).execute().await?;
    let Some(account) = AccountId::of_user(user) else { return Ok(()) };
    let follows = "delete from follows where email_normalized = (select email_normalized from accounts where id = $1)";
    tx.query(follows).bind(account.0).execute().await?;
    let requests =
        "delete from follow_requests where email_normalized = (select email_normalized from accounts where id = $1)";
    tx.query(requests).bind(account.0).execute().await.map(drop)
}
