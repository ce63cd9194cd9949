//! Follows: e-mails when a show starts, or when a product is up in one. An address that is typed gets one mail that asks; only its
//! owner can confirm it. An account that has proven its address needs no such mail.

mod job;

use std::sync::Arc;

use super::context::Context;
use super::error::Result;
use super::stream_cache::StreamCache;
use crate::domain::{
    Actor, EmailAddress, Follow, FollowId, FollowTarget, Language, MailKind, NewFollow, Permission, ProductId, Refusal,
    SessionSecret,
};

pub use job::FollowJob;

pub struct Follows {
    context: Arc<Context>,
    stream_cache: Arc<StreamCache>,
}

/// What came of the wish to follow.
#[derive(Clone, PartialEq, Debug)]
pub enum Followed {
    /// A mail asks whether the owner of the address wants it.
    Asked,
    Follows(Follow),
}

impl Follows {
    pub fn new(context: &Arc<Context>, stream_cache: &Arc<StreamCache>) -> Arc<Self> {
        Arc::new(Self { context: context.clone(), stream_cache: stream_cache.clone() })
    }

    /// Follows the shop, or a product. `typed`: an address; without one that of the caller's account counts. The answer to a typed
    /// address does not depend on whether it follows already.
    pub async fn follow(
        &self,
        actor: &Actor,
        typed: Option<EmailAddress>,
        product: Option<ProductId>,
        language: Language,
    ) -> Result<Followed> {
        if !self.can_follow() {
            return Err(Refusal::FollowsOff.into());
        }
        let own = proven_email(actor);
        let email = typed.or_else(|| own.cloned());
        let email = email.ok_or_else(|| Refusal::bad_field("email", "is needed: you have no account with one."))?;
        let is_proven = own == Some(&email);
        let target = FollowTarget::of_product(product);
        let user = actor.session.as_ref().map(|_| actor.user.clone());
        let (new, context) = (NewFollow { target, email, language, user }, self.context.clone());
        let secret = SessionSecret::new(rand::random());
        if is_proven {
            let add = async move { Ok(context.store.add_follow(&new, &secret).await?) };
            return self.context.spawn_write(add).await.map(Followed::Follows);
        }
        self.context.store.check_mail_queue_not_full(MailKind::FollowConfirmation).await?;
        let ask = async move {
            context.store.request_follow(&new, &secret).await?;
            context.mail_queued.notify_one();
            Ok(Followed::Asked)
        };
        self.context.spawn_write(ask).await
    }

    /// Whether followers get mails here: there is a mail server, and an address for the links.
    pub fn can_follow(&self) -> bool {
        self.context.sends_email() && self.context.settings.public_url.is_some()
    }

    /// Confirms what the mail with this secret asked.
    pub async fn confirm(&self, secret: &str) -> Result<Follow> {
        let hash = SessionSecret::parse(secret).ok_or(Refusal::FollowLinkInvalid)?.hash();
        let (context, stop_secret) = (self.context.clone(), SessionSecret::new(rand::random()));
        let confirm = async move { Ok(context.store.confirm_follow(&hash, &stop_secret).await?) };
        self.context.spawn_write(confirm).await
    }

    /// Ends the follow whose mails have this secret, or all of its mailbox. An unknown secret changes nothing: the follow has ended already.
    pub async fn stop(&self, secret: &str, all: bool) -> Result<()> {
        let Some(secret) = SessionSecret::parse(secret) else { return Ok(()) };
        // Reading costs others nothing; a write would wait for purchases, and they for it.
        if !self.context.store.knows_stop_secret(secret.as_str()).await? {
            return Ok(());
        }
        let context = self.context.clone();
        let stop = async move { Ok(context.store.stop_follows(secret.as_str(), all).await?) };
        self.context.spawn_write(stop).await.map(drop)
    }

    /// What the caller follows with the address of the account. Who typed an address that is not proven learns nothing of it.
    pub async fn list(&self, actor: &Actor) -> Result<Vec<Follow>> {
        self.stream_cache.authorize_in_shop(actor, Permission::UseOwnData).await?;
        match proven_email(actor) {
            Some(email) => Ok(self.context.store.follows_of(email).await?),
            None => Ok(Vec::new()),
        }
    }

    /// Ends one of the caller's follows. To do it again changes nothing.
    pub async fn end(&self, actor: &Actor, id: FollowId) -> Result<()> {
        self.stream_cache.authorize_in_shop(actor, Permission::UseOwnData).await?;
        let Some(email) = proven_email(actor).cloned() else { return Ok(()) };
        let context = self.context.clone();
        self.context.spawn_write(async move { Ok(context.store.delete_follow(id, &email).await?) }).await
    }
}

/// The address that the caller has proven by signing in with it.
fn proven_email(actor: &Actor) -> Option<&EmailAddress> {
    actor.session.as_ref().and_then(|session| session.email.as_ref())
}
