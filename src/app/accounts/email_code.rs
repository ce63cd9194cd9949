//! Signing in by a one-time code that is sent by e-mail.
//!
//! The answer to a request for a code does not depend on whether the address has an account, and neither does the work that is
//! done for it: the account is looked up when the code is typed.

use std::sync::Arc;

use super::{Accounts, StartedSession, new_secret, new_session};
use crate::app::error::{Error, Result};
use crate::domain::email_code::{EMAIL_CODES, email_code_of, hash_email_code, parse_email_code};
use crate::domain::{
    Actor, EmailAddress, EmailCodeId, IdentityKind, Language, MailKind, Millis, Name, Refusal, SessionSecret,
};
use crate::store::{NewEmailCode, TypedEmailCode};

/// A code that was sent.
#[derive(Clone, Debug)]
pub struct AskedEmailCode {
    pub id: EmailCodeId,
    pub expires_at: Millis,
    /// What the browser keeps: without it, nobody can use the code.
    pub browser: SessionSecret,
}

impl Accounts {
    /// Whether codes reach anybody: a demo without a mail server writes them to its log.
    pub fn can_send_codes(&self) -> bool {
        self.context.mail().is_some()
    }

    /// Sends a code to this address. `browser` is what an earlier code left in the same browser.
    pub async fn ask_for_code(
        &self,
        email: EmailAddress,
        language: Language,
        browser: Option<SessionSecret>,
    ) -> Result<AskedEmailCode> {
        if !self.can_send_codes() {
            return Err(Refusal::EmailOff.into());
        }
        let (id, browser) = (EmailCodeId::new(), browser.unwrap_or_else(new_secret));
        let code = email_code_of(rand::random_range(0..EMAIL_CODES));
        let hash = hash_email_code(id, &code, &browser);
        let is_mailed = self.context.sends_email();
        if is_mailed {
            self.context.store.check_mail_queue_not_full(MailKind::SignInCode).await?;
        }
        let mailed = is_mailed.then(|| code.clone());
        let new = NewEmailCode { id, email: email.clone(), language, code: hash, browser: browser.hash(), mailed };
        let context = self.context.clone();
        let create = async move { Ok(context.store.create_email_code(&new).await?) };
        let expires_at = self.context.spawn_write(create).await?;
        self.context.counters.sign_ins.increment("code_sent");
        match is_mailed {
            true => self.context.mail_queued.notify_one(),
            false => {
                tracing::info!(%id, email = email.as_str(), code, "this demo sends no e-mail: use this code to sign in");
            }
        }
        Ok(AskedEmailCode { id, expires_at, browser })
    }

    /// Signs in with a code. `name` is for a new account. What `guest` bought joins the account; its name is that of a new account
    /// without another.
    pub async fn sign_in_by_code(
        self: &Arc<Self>,
        id: EmailCodeId,
        code: &str,
        browser: Option<SessionSecret>,
        name: Option<Name>,
        guest: Option<Actor>,
        user_agent: &str,
    ) -> Result<StartedSession> {
        let code = parse_email_code(code).ok_or_else(|| Refusal::bad_field("code", "must have six digits."))?;
        if name.as_ref().is_some_and(Name::claims_role) {
            return Err(Refusal::NameClaimsRole.into());
        }
        let browser = browser.ok_or(Refusal::EmailCodeInvalid)?;
        let guest = guest.filter(|actor| actor.kind() == IdentityKind::Guest);
        let name = name.or_else(|| guest.as_ref().map(|guest| guest.name.clone()));
        let (secret, session) = new_session(user_agent);
        let (context, typed) =
            (self.context.clone(), TypedEmailCode { id, code, browser, name, guest: guest.clone(), session });
        let signed_in = self.context.spawn_write(async move { Ok(context.store.use_email_code(&typed).await?) }).await;
        let counted = match &signed_in {
            Ok(_) => "account",
            Err(Error::Refused(Refusal::EmailCodeWrong)) => "code_wrong",
            Err(Error::Refused(Refusal::EmailCodeInvalid)) => "code_invalid",
            Err(_) => "other",
        };
        self.context.counters.sign_ins.increment(counted);
        let (session, shows) = signed_in?;
        for show in shows {
            self.stream_cache.refresh_stream(show);
        }
        if let Some(guest) = guest {
            self.forget(&guest.user);
            self.tokens.refresh_after_change().await;
        }
        Ok(StartedSession { session, secret })
    }
}
