//! Passkeys: a member of the staff registers one, and from then on their roles need it in every session.
//!
//! A code by e-mail alone then signs the account in as a buyer. A passkey proves the session, signs in without a code, and is the proof
//! for what cannot be undone.

use super::{Accounts, StartedSession, new_session, own_session};
use crate::app::error::{Error, Result};
use crate::domain::passkey::{
    CHALLENGE_BYTES, Credential, NewPasskey, Passkey, PasskeyAssertion, PasskeyPurpose, PasskeySite,
    answered_challenge, hash_challenge, parse_passkey_name,
};
use crate::domain::{AccountId, Actor, PasskeyId, Refusal, SignInSessionId};
use crate::store::NewSession;

/// A question for a browser that has a passkey, or makes one.
#[derive(Clone, Debug)]
pub struct PasskeyChallenge {
    pub challenge: [u8; CHALLENGE_BYTES],
    /// The credentials of the account; empty for somebody who is not signed in.
    pub credentials: Vec<Vec<u8>>,
}

/// What a passkey did: it began a session, or proved the one of the caller.
#[derive(Clone, Debug)]
pub enum PasskeyUse {
    Started(Box<StartedSession>),
    Proved,
}

impl Accounts {
    /// The passkeys of the caller.
    pub async fn passkeys(&self, actor: &Actor) -> Result<Vec<Passkey>> {
        let (account, _) = account_of(actor)?;
        Ok(self.context.store.passkeys_of(account).await?)
    }

    /// A question that a passkey answers. Who is signed in is asked for one of their own.
    pub async fn ask_for_passkey(&self, actor: &Actor) -> Result<PasskeyChallenge> {
        let known = match account_of(actor) {
            Ok((account, _)) => self.context.store.passkeys_of(account).await?,
            Err(_) => Vec::new(),
        };
        self.new_challenge(PasskeyPurpose::Prove, known).await
    }

    /// A question for a new passkey of the caller, a member of the staff with a recent sign-in.
    pub async fn ask_for_new_passkey(&self, actor: &Actor) -> Result<PasskeyChallenge> {
        let (account, _) = self.check_may_register(actor)?;
        let known = self.context.store.passkeys_of(account).await?;
        self.new_challenge(PasskeyPurpose::Register(account), known).await
    }

    async fn new_challenge(&self, purpose: PasskeyPurpose, known: Vec<Passkey>) -> Result<PasskeyChallenge> {
        let challenge: [u8; CHALLENGE_BYTES] = rand::random();
        let (context, hash) = (self.context.clone(), hash_challenge(&challenge));
        let store = async move { Ok(context.store.create_passkey_challenge(&hash, purpose).await?) };
        self.context.spawn_write(store).await?;
        let credentials = known.into_iter().map(|passkey| passkey.credential).collect();
        Ok(PasskeyChallenge { challenge, credentials })
    }

    /// Adds a passkey that the caller's browser made. Their other sessions need it from now on.
    pub async fn register_passkey(
        &self,
        actor: &Actor,
        new: NewPasskey,
        name: &str,
        site: &PasskeySite,
    ) -> Result<Passkey> {
        let (account, session) = self.check_may_register(actor)?;
        let name = parse_passkey_name(name)?;
        let Credential { id, public_key, sign_count } = new.verify(site)?;
        let challenge = hash_challenge(&answered_challenge(&new.client_data)?);
        let passkey = Passkey {
            id: PasskeyId::new(),
            account,
            credential: id,
            public_key,
            rp_id: site.rp_id.clone(),
            sign_count,
            name,
            created_at: self.context.now(),
            last_used_at: None,
        };
        let (context, stored) = (self.context.clone(), passkey.clone());
        let add = async move {
            let is_mailed = context.sends_email();
            context.store.add_passkey(&challenge, &stored, session, is_mailed).await?;
            context.mail_queued.notify_one();
            Ok(())
        };
        self.context.spawn_write(add).await?;
        self.forget(&actor.user);
        Ok(passkey)
    }

    /// Uses a passkey: proves the session of its account, or signs in.
    pub async fn use_passkey(
        &self,
        actor: &Actor,
        assertion: &PasskeyAssertion,
        site: &PasskeySite,
        user_agent: &str,
    ) -> Result<PasskeyUse> {
        let used = self.try_passkey(actor, assertion, site, user_agent).await;
        let counted = match &used {
            Ok(_) => "passkey",
            Err(Error::Refused(Refusal::PasskeyInvalid(_))) => "passkey_invalid",
            Err(_) => "other",
        };
        self.context.counters.sign_ins.increment(counted);
        used
    }

    async fn try_passkey(
        &self,
        actor: &Actor,
        assertion: &PasskeyAssertion,
        site: &PasskeySite,
        user_agent: &str,
    ) -> Result<PasskeyUse> {
        let unknown = Refusal::PasskeyInvalid("This shop does not know it.");
        let passkey = self.context.store.passkey_by_credential(&assertion.credential).await?.ok_or(unknown)?;
        let sign_count = assertion.verify(&passkey, site)?;
        let challenge = hash_challenge(&answered_challenge(&assertion.client_data)?);
        let own = account_of(actor).ok().filter(|(account, _)| *account == passkey.account).map(|(_, session)| session);
        let (secret, new) = new_session(user_agent);
        let new = NewSession { is_strong: true, ..new };
        let context = self.context.clone();
        let started = self
            .context
            .spawn_write(
                async move { Ok(context.store.use_passkey(&challenge, (&passkey, sign_count), own, &new).await?) },
            )
            .await?;
        self.forget(&actor.user);
        Ok(match started {
            Some(session) => PasskeyUse::Started(Box::new(StartedSession { session, secret })),
            None => PasskeyUse::Proved,
        })
    }

    /// Removes a passkey of the caller, who signed in a short time ago.
    pub async fn remove_passkey(&self, actor: &Actor, id: PasskeyId) -> Result<()> {
        let (account, _) = account_of(actor)?;
        self.check_strong(actor)?;
        let context = self.context.clone();
        let remove = async move {
            let is_mailed = context.sends_email();
            let is_removed = context.store.remove_passkey(account, id, is_mailed).await?;
            context.mail_queued.notify_one();
            Ok(is_removed)
        };
        if !self.context.spawn_write(remove).await? {
            return Err(Refusal::NoSuchPasskey.into());
        }
        self.forget(&actor.user);
        Ok(())
    }

    /// May the caller register a passkey now?
    pub fn check_may_add_passkey(&self, actor: &Actor) -> Result<()> {
        self.check_may_register(actor).map(drop)
    }

    /// The account and the session of a member of the staff who may register a passkey now.
    fn check_may_register(&self, actor: &Actor) -> Result<(AccountId, SignInSessionId)> {
        let own = account_of(actor)?;
        self.check_strong(actor)?;
        if !actor.is_team() {
            return Err(Refusal::Forbidden.into());
        }
        Ok(own)
    }

    /// An attacker who controls the mailbox must not bypass the passkeys of its owner.
    fn check_strong(&self, actor: &Actor) -> std::result::Result<(), Refusal> {
        let is_needed = actor.session.as_ref().is_some_and(|session| session.passkey.is_needed());
        if is_needed { Err(Refusal::PasskeyNeeded) } else { actor.check_recent_sign_in(self.context.now()) }
    }
}

/// The account and the session of a user who signed in on our own pages.
fn account_of(actor: &Actor) -> std::result::Result<(AccountId, SignInSessionId), Refusal> {
    let session = own_session(actor)?;
    let account = actor.session.as_ref().and_then(|session| session.account);
    // A guest has nothing that a passkey could prove.
    Ok((account.ok_or(Refusal::Forbidden)?, session))
}
