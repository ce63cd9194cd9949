//! One-time codes by e-mail. A right code and what follows from it are one transaction: an account, a session for it, and the
//! orders of the guest who typed it.

use super::account::find_or_create_account;
use super::guest_orders::join_guest;
use super::mail::queue_mail;
use super::sign_in_session::{NewSession, insert_account_session};
use super::{Error, Result, Store};
use crate::domain::email_code::{
    EMAIL_CODE_TTL_MS, EMAIL_CODE_WINDOW_MS, EMAIL_CODES_PER_HOUR, StoredEmailCode, hash_email_code,
};
use crate::domain::{
    Actor, EmailAddress, EmailCodeId, Language, MailContent, Millis, Name, NewMail, Refusal, SecretHash, SessionSecret,
    SignInSession, StreamId,
};

/// A code that was asked for.
#[derive(Clone, Debug)]
pub struct NewEmailCode {
    pub id: EmailCodeId,
    pub email: EmailAddress,
    pub language: Language,
    pub code: SecretHash,
    pub browser: SecretHash,
    /// The code itself, if it is sent by e-mail: the mail is written in the same transaction.
    pub mailed: Option<String>,
}

/// A code as somebody typed it, and what its account gets.
#[derive(Clone, Debug)]
pub struct TypedEmailCode {
    pub id: EmailCodeId,
    pub code: String,
    pub browser: SessionSecret,
    /// For a new account.
    pub name: Option<Name>,
    /// The guest of this browser, whose orders join the account.
    pub guest: Option<Actor>,
    pub session: NewSession,
}

/// What came of a typed code. A wrong one is committed too: it counts.
enum Attempt {
    SignedIn(SignInSession, Vec<StreamId>),
    Refused(Refusal),
}

impl Store {
    /// Stores a code that is valid from now on, and gives the time at which it expires. Refused when the mailbox got as many codes
    /// within an hour as it may get. What is stored does not depend on whether the address has an account.
    pub async fn create_email_code(&self, new: &NewEmailCode) -> Result<Millis> {
        let mailbox = new.email.normalized();
        self.transaction(async |tx| {
            tx.lock_name(&format!("mailbox {mailbox}")).await?;
            let now = tx.time_of_day().await?;
            let sent = "select cast(count(*) as bigint), min(created_at) from email_codes
                where email_normalized = $1 and created_at > $2";
            let since = now - EMAIL_CODE_WINDOW_MS;
            let (sent, first): (i64, Option<i64>) = tx.query(sent).bind(&mailbox).bind(since).fetch_one().await?;
            if sent >= EMAIL_CODES_PER_HOUR {
                let retry_ms = (first.unwrap_or(now) - since).max(1);
                return Err(Refusal::TooManyRequests { retry_ms }.into());
            }
            let expires_at = now + EMAIL_CODE_TTL_MS;
            let insert = "insert into email_codes
                    (id, email, email_normalized, code_hash, browser_hash, language, created_at, expires_at)
                values ($1, $2, $3, $4, $5, $6, $7, $8)";
            tx.query(insert)
                .bind(new.id.0)
                .bind(new.email.as_str())
                .bind(&mailbox)
                .bind(&new.code[..])
                .bind(&new.browser[..])
                .bind(new.language.tag())
                .bind(now)
                .bind(expires_at)
                .execute()
                .await?;
            if let Some(code) = &new.mailed {
                let content = MailContent::SignInCode { code: code.clone(), expires_at };
                let (to, language) = (new.email.clone(), new.language);
                queue_mail(tx, &NewMail { to, language, user: None, content }).await?;
            }
            Ok(expires_at)
        })
        .await
    }

    /// Signs in with a code: finds or creates the account of its address, and creates a session for it. A code works once.
    /// Gives the session, and the shows in which something was imposed on the guest who became the account.
    pub async fn use_email_code(&self, typed: &TypedEmailCode) -> Result<(SignInSession, Vec<StreamId>)> {
        let attempt = self
            .transaction(async |tx| {
                let TypedEmailCode { id, code, browser, name, guest, session } = typed;
                let read = tx.choose(
                    "select email, language, code_hash, browser_hash, tries, expires_at, used_at from email_codes
                    where id = $1 for update",
                    "select email, language, code_hash, browser_hash, tries, expires_at, used_at from email_codes
                    where id = $1",
                );
                type Row = (String, String, Vec<u8>, Vec<u8>, i64, i64, Option<i64>);
                let row: Option<Row> = tx.query(read).bind(id.0).fetch_optional().await?;
                let Some((email, language, code_hash, browser_hash, tries, expires_at, used_at)) = row else {
                    return Ok(Attempt::Refused(Refusal::EmailCodeInvalid));
                };
                let stored = StoredEmailCode {
                    code_hash: to_hash(code_hash)?,
                    browser_hash: to_hash(browser_hash)?,
                    tries,
                    expires_at,
                    is_used: used_at.is_some(),
                };
                let now = tx.time_of_day().await?;
                if let Err(refusal) = stored.check(&hash_email_code(*id, code, browser), browser, now) {
                    if refusal == Refusal::EmailCodeWrong {
                        let count = "update email_codes set tries = tries + 1 where id = $1";
                        tx.query(count).bind(id.0).execute().await?;
                    }
                    return Ok(Attempt::Refused(refusal));
                }
                let email =
                    EmailAddress::parse(&email).map_err(|_| Error::CorruptRow("an e-mail address".to_owned()))?;
                // Refused without a name that is needed: the code remains valid, because the page asks for the name then.
                let account = find_or_create_account(tx, &email, name.as_ref(), Language::of_tag(&language)).await?;
                let shows = match guest {
                    Some(guest) => join_guest(tx, guest, &account).await?,
                    None => Vec::new(),
                };
                tx.query("update email_codes set used_at = $2 where id = $1").bind(id.0).bind(now).execute().await?;
                Ok(Attempt::SignedIn(insert_account_session(tx, &account, session).await?, shows))
            })
            .await?;
        match attempt {
            Attempt::SignedIn(session, shows) => Ok((session, shows)),
            Attempt::Refused(refusal) => Err(refusal.into()),
        }
    }
}

fn to_hash(bytes: Vec<u8>) -> Result<SecretHash> {
    bytes.try_into().map_err(|_| Error::CorruptRow("the hash of a code".to_owned()))
}
