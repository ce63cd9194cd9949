//! Signing in with the identity provider that the operator set: OpenID Connect, by an authorization code.
//!
//! A sign-in is bound to the browser that began it three times: by the `state`, which is stored beside the hash of the browser's secret,
//! by the nonce in the token, and by the verifier of PKCE. The last two follow from that secret, so they are stored nowhere.

use std::sync::Arc;

use super::{Accounts, StartedSession, new_secret, new_session};
use crate::app::error::{Error, Result};
use crate::app::oidc_provider::OidcProvider;
use crate::domain::oidc::{OIDC_CODE_MAX, OIDC_STATE_BYTES, OidcSecret, hash_state};
use crate::domain::{Actor, IdentityKind, Language, Name, Refusal, SessionSecret};
use crate::store::OidcSignIn;

/// Where the browser goes to sign in.
#[derive(Clone, Debug)]
pub struct OidcStart {
    pub url: String,
    /// What the browser keeps: without it, nobody can finish the sign-in.
    pub browser: SessionSecret,
}

/// What the identity provider gave the browser.
#[derive(Clone, Debug)]
pub struct OidcAnswer {
    pub code: String,
    pub state: String,
    /// Who says so (RFC 9207), if the provider does.
    pub issuer: Option<String>,
}

impl Accounts {
    /// What people read on the button; `None`: there is no identity provider.
    pub fn oidc_name(&self) -> Option<&str> {
        self.context.settings.oidc.as_ref().map(|provider| provider.name())
    }

    fn oidc_provider(&self) -> Result<&Arc<OidcProvider>> {
        Ok(self.context.settings.oidc.as_ref().ok_or(Refusal::OidcOff)?)
    }

    /// Begins a sign-in. `redirect` is our page to which the provider sends the browser back.
    pub async fn begin_oidc(&self, redirect: &str, browser: Option<SessionSecret>) -> Result<OidcStart> {
        let provider = self.oidc_provider()?;
        let (browser, state) =
            (browser.unwrap_or_else(new_secret), hex::encode(rand::random::<[u8; OIDC_STATE_BYTES]>()));
        let (nonce, verifier) = (OidcSecret::Nonce.of(&browser, &state), OidcSecret::Verifier.of(&browser, &state));
        let url =
            provider.authorization_url(redirect, &state, nonce, verifier).await.map_err(|why| self.failed(&why))?;
        let (context, stored) = (self.context.clone(), (hash_state(&state), browser.hash()));
        let store = async move { Ok(context.store.create_oidc_sign_in(&stored.0, &stored.1).await?) };
        self.context.spawn_write(store).await?;
        Ok(OidcStart { url, browser })
    }

    /// Finishes a sign-in. What `guest` bought joins the account.
    pub async fn finish_oidc(
        &self,
        answer: OidcAnswer,
        redirect: &str,
        browser: Option<SessionSecret>,
        (guest, language): (Actor, Language),
        user_agent: &str,
    ) -> Result<StartedSession> {
        let finished = self.try_finish_oidc(answer, redirect, browser, (guest, language), user_agent).await;
        self.context.counters.sign_ins.increment(match &finished {
            Ok(_) => "oidc",
            Err(Error::Refused(Refusal::OidcInvalid)) => "oidc_invalid",
            Err(Error::Refused(Refusal::OidcFailed)) => "oidc_failed",
            Err(_) => "other",
        });
        finished
    }

    async fn try_finish_oidc(
        &self,
        OidcAnswer { code, state, issuer }: OidcAnswer,
        redirect: &str,
        browser: Option<SessionSecret>,
        (guest, language): (Actor, Language),
        user_agent: &str,
    ) -> Result<StartedSession> {
        let provider = self.oidc_provider()?;
        let has_form = (1..=OIDC_CODE_MAX).contains(&code.len()) && state.len() == 2 * OIDC_STATE_BYTES;
        if !has_form || issuer.is_some_and(|issuer| issuer != provider.issuer()) {
            return Err(Refusal::OidcInvalid.into());
        }
        let browser = browser.ok_or(Refusal::OidcInvalid)?;
        let (context, taken) = (self.context.clone(), (hash_state(&state), browser.hash()));
        let take = async move { Ok(context.store.take_oidc_sign_in(&taken.0, &taken.1).await?) };
        self.context.spawn_write(take).await?;
        let (nonce, verifier) = (OidcSecret::Nonce.of(&browser, &state), OidcSecret::Verifier.of(&browser, &state));
        let identity = provider.identity(redirect, code, nonce, verifier).await.map_err(|why| self.failed(&why))?;
        let guest = Some(guest).filter(|actor| actor.kind() == IdentityKind::Guest);
        let (secret, session) = new_session(user_agent);
        let spare_name = Name::parse(&format!("Shopper {}", rand::random_range(10_000..100_000)))?;
        let trusts_email = provider.trusts_email();
        let new = OidcSignIn { identity, trusts_email, language, spare_name, guest: guest.clone(), session };
        let context = self.context.clone();
        let sign_in = async move { Ok(context.store.sign_in_by_oidc(&new).await?) };
        let (session, shows) = self.context.spawn_write(sign_in).await?;
        for show in shows {
            self.stream_cache.refresh_stream(show);
        }
        if let Some(guest) = guest {
            self.forget(&guest.user);
            self.tokens.refresh_after_change().await;
        }
        Ok(StartedSession { session, secret })
    }

    /// The operator can repair it, so the log says why; what a provider answers is not for the browser.
    fn failed(&self, why: &str) -> Refusal {
        tracing::warn!(why, "the sign-in with the identity provider failed");
        Refusal::OidcFailed
    }
}
