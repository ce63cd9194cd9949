//! Asks Stripe whether keys work, belong together, and belong to the account with which the shop was paid. Nothing is created there.
//!
//! A request without its required parameters is refused with 400 by a key that has the right for it, and with 403 by one that has not.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

use super::api::StripeApi;
use super::{StripeProvider, request};
use crate::app::checkout::provider_call::ProviderOutcome;
use crate::app::settings::StripeSettings;
use crate::domain::StripeKeyField::{Key, PublishableKey};
use crate::domain::{Payment, StripeKeyProblem};

/// The whole check. The pages give a request ten seconds.
const CHECK_DEADLINE: Duration = Duration::from_secs(9);
/// An intent that Stripe never made: who asks for it learns whether the key is known.
const NO_INTENT: (&str, &str) = ("pi_livesouk_key_check", "pi_livesouk_key_check_secret_none");
const INTENTS_RIGHT: &str = "PaymentIntents write and Charges read";
const REFUNDS_RIGHT: &str = "Refunds write";

type Checked<T> = Result<T, StripeKeyProblem>;

/// What Stripe has of the shop under the checked keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyFacts {
    /// The account has the newest payment of the shop or, if the shop has no answer to any, one of those that were not answered.
    pub knows_payments: bool,
    /// A payment of the account was read with both keys, so that they belong together. The account may have none.
    pub is_pair: bool,
}

impl StripeProvider {
    /// Checks the keys of an account that is not in use yet. `newest`: the payment of the shop by which its account is known again. Without
    /// one, those that were not answered are looked for (`unanswered`).
    pub async fn check_keys(
        &self,
        account: StripeSettings,
        newest: Option<&str>,
        unanswered: &[Payment],
    ) -> Checked<KeyFacts> {
        let check = self.ask_about_keys(account, newest, unanswered);
        tokio::time::timeout(CHECK_DEADLINE, check).await.unwrap_or(Err(StripeKeyProblem::Unreachable))
    }

    async fn ask_about_keys(
        &self,
        account: StripeSettings,
        newest: Option<&str>,
        unanswered: &[Payment],
    ) -> Checked<KeyFacts> {
        let secret = self.api_of(account.clone());
        let list = format!("/v1/payment_intents?{}", request::newest_intent());
        let listed = match secret.probe("GET", &list, None).await {
            Some((200, listed)) => listed,
            answer => return Err(problem_of(answer, INTENTS_RIGHT)),
        };
        for (path, right) in [("/v1/payment_intents", INTENTS_RIGHT), ("/v1/refunds", REFUNDS_RIGHT)] {
            let unused = format!("key-check:{}", Uuid::new_v4());
            match secret.probe("POST", path, Some(&unused)).await {
                Some((400, _)) => {}
                answer => return Err(problem_of(answer, right)),
            }
        }
        let mut is_pair = false;
        if let Some(form) = &account.card_form {
            let public = StripeSettings { key: form.publishable_key.clone(), ..account.clone() };
            is_pair = check_publishable_key(&self.api_of(public), &listed["data"][0]).await?;
        }
        let Some(newest) = newest else {
            return Ok(KeyFacts { knows_payments: self.has_one_of(account, unanswered).await, is_pair });
        };
        match secret.probe("GET", &format!("/v1/payment_intents/{newest}"), None).await {
            Some((200, _)) => Ok(KeyFacts { knows_payments: true, is_pair }),
            Some((404, _)) => Ok(KeyFacts { knows_payments: false, is_pair }),
            answer => Err(problem_of(answer, INTENTS_RIGHT)),
        }
    }

    /// Whether the account has one of these payments. They are told apart by their order and attempt.
    async fn has_one_of(&self, account: StripeSettings, payments: &[Payment]) -> bool {
        let provider = Self { api: self.api_of(account), ..self.clone() };
        for payment in payments {
            if matches!(provider.find(payment).await, ProviderOutcome::Done(Some(_))) {
                return true;
            }
        }
        false
    }

    fn api_of(&self, account: StripeSettings) -> StripeApi {
        let account = Arc::new(account);
        StripeApi::new(Arc::new(move || Some(account.clone())), self.pacer.clone())
    }
}

/// A publishable key reads an intent of its own account by the client secret. `newest`: an intent of the account, or null. `true`: it has
/// read that.
async fn check_publishable_key(api: &StripeApi, newest: &Value) -> Checked<bool> {
    let known = newest["id"].as_str().zip(newest["client_secret"].as_str());
    let (id, secret) = known.unwrap_or(NO_INTENT);
    let path = format!("/v1/payment_intents/{id}?{}", request::intent_of_page(secret));
    match api.probe("GET", &path, None).await {
        Some((401, _)) => Err(StripeKeyProblem::Rejected(PublishableKey)),
        Some((404, _)) if known.is_some() => Err(StripeKeyProblem::OtherAccount),
        Some((status @ 200..=499, _)) => Ok(known.is_some() && status == 200),
        _ => Err(StripeKeyProblem::Unreachable),
    }
}

/// What is wrong when Stripe gives this answer to a request that needs a right.
fn problem_of(answer: Option<(u16, Value)>, right: &'static str) -> StripeKeyProblem {
    match answer.map(|(status, _)| status) {
        Some(401) => StripeKeyProblem::Rejected(Key),
        Some(403) => StripeKeyProblem::Rights(right),
        _ => StripeKeyProblem::Unreachable,
    }
}
