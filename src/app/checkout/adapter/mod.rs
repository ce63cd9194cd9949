//! Payments by a program of the operator: an adapter that speaks to any payment provider (docs/payments.md).
//!
//! A missing answer is unknown, never a refusal, and so is an answer that the contract does not know.

mod api;
mod contract;

use std::sync::Arc;

use super::pacer::{Endpoint, Pacer};
use super::provider_call::{PaymentPage, ProviderCalls, ProviderOutcome};
use super::provider_turn::{CALL_DEADLINE, CONFIRM_DEADLINE, Turn, search_window};
use crate::app::message_signature::verify_message;
use crate::app::settings::AdapterSettings;
use crate::clock::Clock;
use crate::domain::{DisputeStatus, Millis, Minor, Payment, PaymentFee, PaymentIntent, ProviderRefund, Refusal};
use crate::store::PaymentEvent;
use api::{AdapterApi, Reply};
use contract::{EVENT_OF_CAPTURE, EVENT_OF_DISPUTE, EVENT_OF_LOST_DISPUTE, EVENT_OF_WON_DISPUTE, Request};

pub const NAME: &str = "http";
const TOKEN_BYTES_MAX: usize = 200;

#[derive(Clone)]
pub struct AdapterProvider {
    api: AdapterApi,
    settings: Arc<AdapterSettings>,
    calls: Arc<ProviderCalls>,
}

impl AdapterProvider {
    pub fn new(settings: AdapterSettings, clock: Clock, pacer: Arc<Pacer>) -> Self {
        let api = AdapterApi::new(&settings.url, settings.key.clone(), clock, pacer);
        // Each request has a deadline of its own; an outcome may need two requests.
        let calls = Arc::new(ProviderCalls::with_deadline(CONFIRM_DEADLINE + CALL_DEADLINE));
        Self { api, settings: Arc::new(settings), calls }
    }

    pub fn calls(&self) -> &ProviderCalls {
        &self.calls
    }

    pub fn is_live(&self) -> bool {
        self.settings.is_live
    }

    /// What a token means is the adapter's concern; our pages send `page`.
    pub fn check_token(&self, token: &str) -> Result<(), Refusal> {
        let is_plain =
            (1..=TOKEN_BYTES_MAX).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic());
        let refusal = || Refusal::bad_field("token", "must have 1 to 200 visible ASCII characters and no spaces.");
        is_plain.then_some(()).ok_or_else(refusal)
    }

    pub fn parse_webhook(&self, headers: &[&str], raw: &[u8], now: Millis) -> Result<PaymentEvent, Refusal> {
        // The old key too, while the operator changes it.
        let keys = [std::slice::from_ref(&self.settings.key), &self.settings.old_keys[..]].concat();
        contract::event(verify_message(&keys, headers, raw, now)?, raw)
    }

    pub fn is_event_of_success(kind: &str) -> bool {
        kind == EVENT_OF_CAPTURE
    }

    pub fn is_event_of_dispute(kind: &str) -> bool {
        kind == EVENT_OF_DISPUTE
    }

    pub fn end_of_dispute(kind: &str) -> Option<DisputeStatus> {
        match kind {
            EVENT_OF_WON_DISPUTE => Some(DisputeStatus::Won),
            EVENT_OF_LOST_DISPUTE => Some(DisputeStatus::Lost),
            _ => None,
        }
    }

    pub async fn create(&self, payment: &Payment) -> ProviderOutcome<PaymentIntent> {
        let request = Request::CreatePayment {
            order: payment.order,
            attempt: payment.attempt,
            amount: payment.amount,
            currency: &payment.currency,
            token: &payment.token,
            return_url: &format!("{}{}", self.settings.return_url, payment.order),
        };
        self.change(&request, &payment.create_key(), Turn::create()).await
    }

    pub async fn capture(&self, payment: &Payment, reference: &str) -> ProviderOutcome<PaymentIntent> {
        let (amount, currency) = (payment.amount, payment.currency.as_str());
        let request = Request::CapturePayment { payment: reference, amount, currency };
        self.change(&request, &payment.capture_key(), Turn::of(Endpoint::Capture)).await
    }

    pub async fn cancel(&self, payment: &Payment, reference: &str) -> ProviderOutcome<PaymentIntent> {
        let request = Request::VoidPayment { payment: reference };
        self.change(&request, &payment.cancel_key(), Turn::of(Endpoint::Cancel)).await
    }

    /// A request that changes a payment, and gives it as it is then.
    async fn change(&self, request: &Request<'_>, key: &str, turn: Turn) -> ProviderOutcome<PaymentIntent> {
        match self.api.ask(request, Some(key), turn).await {
            Reply::Done(answer) => match understood(contract::payment(answer)) {
                ProviderOutcome::Done(Some(intent)) => ProviderOutcome::Done(intent),
                _ => ProviderOutcome::Unknown,
            },
            Reply::Refused => ProviderOutcome::Refused("The payment adapter refused the request."),
            Reply::NotBuilt | Reply::Unknown => ProviderOutcome::Unknown,
        }
    }

    pub async fn fetch(&self, payment: &Payment) -> ProviderOutcome<Option<PaymentIntent>> {
        if let Some(reference) = payment.reference.as_deref() {
            return self.fetch_by_reference(reference).await;
        }
        // It was not asked: it waits in our queue.
        let Some((from, until)) = search_window(payment) else { return ProviderOutcome::Done(None) };
        self.look(&Request::FindPayment { order: payment.order, attempt: payment.attempt, from, until }).await
    }

    pub async fn fetch_by_reference(&self, reference: &str) -> ProviderOutcome<Option<PaymentIntent>> {
        self.look(&Request::GetPayment { payment: reference }).await
    }

    /// What the provider keeps of a payment, if the adapter says so.
    pub async fn fee(&self, reference: &str) -> ProviderOutcome<Option<PaymentFee>> {
        match self.api.ask(&Request::GetPayment { payment: reference }, None, Turn::of(Endpoint::Look)).await {
            Reply::Done(answer) => understood(contract::fee(answer)),
            Reply::Refused | Reply::NotBuilt | Reply::Unknown => ProviderOutcome::Unknown,
        }
    }

    async fn look(&self, request: &Request<'_>) -> ProviderOutcome<Option<PaymentIntent>> {
        match self.api.ask(request, None, Turn::of(Endpoint::Look)).await {
            Reply::Done(answer) => understood(contract::payment(answer)),
            Reply::Refused | Reply::NotBuilt | Reply::Unknown => ProviderOutcome::Unknown,
        }
    }

    pub async fn list(&self, from: Millis, until: Millis, after: Option<&str>) -> ProviderOutcome<PaymentPage> {
        match self.api.ask(&Request::ListPayments { from, until, after }, None, Turn::of(Endpoint::Look)).await {
            Reply::Done(answer) => understood(contract::payments(answer)),
            Reply::NotBuilt => ProviderOutcome::Refused("The payment adapter gives no list of its payments."),
            Reply::Refused | Reply::Unknown => ProviderOutcome::Unknown,
        }
    }

    /// Where the buyer completes the payment now. `None`: it waits for nothing, or it is not known.
    pub async fn action_url(&self, reference: &str) -> Option<String> {
        match self.fetch_by_reference(reference).await {
            ProviderOutcome::Done(intent) => intent?.action_url,
            ProviderOutcome::Refused(_) | ProviderOutcome::Unknown => None,
        }
    }

    /// Finds a refund by its id, or by our key among the refunds of the payment.
    pub async fn find_refund(
        &self,
        payment: &str,
        key: &str,
        reference: Option<&str>,
    ) -> ProviderOutcome<Option<ProviderRefund>> {
        match (self.list_refunds(payment).await, reference) {
            (ProviderOutcome::Done(all), None) => ProviderOutcome::Done(ProviderRefund::of_key(&all, key)),
            (ProviderOutcome::Done(all), Some(known)) => match all.into_iter().find(|refund| refund.reference == known)
            {
                Some(found) => ProviderOutcome::Done(Some(found)),
                // It was known once.
                None => ProviderOutcome::Unknown,
            },
            _ => ProviderOutcome::Unknown,
        }
    }

    pub async fn refunds_by_hand(&self, payment: &str) -> ProviderOutcome<Vec<ProviderRefund>> {
        match self.list_refunds(payment).await {
            ProviderOutcome::Done(all) => {
                ProviderOutcome::Done(all.into_iter().filter(|refund| refund.key.is_none()).collect())
            }
            unknown => unknown,
        }
    }

    async fn list_refunds(&self, payment: &str) -> ProviderOutcome<Vec<ProviderRefund>> {
        match self.api.ask(&Request::ListRefunds { payment }, None, Turn::of(Endpoint::Look)).await {
            Reply::Done(answer) => understood(contract::refunds(answer)),
            Reply::Refused | Reply::NotBuilt | Reply::Unknown => ProviderOutcome::Unknown,
        }
    }

    pub async fn refund(
        &self,
        payment: &Payment,
        reference: &str,
        amount: Minor,
        key: &str,
    ) -> ProviderOutcome<ProviderRefund> {
        let request = Request::CreateRefund { payment: reference, amount, currency: &payment.currency };
        match self.api.ask(&request, Some(key), Turn::of(Endpoint::Refund)).await {
            Reply::Done(answer) => understood(contract::refund(answer)),
            Reply::Refused => ProviderOutcome::Refused("The payment adapter refused the refund."),
            Reply::NotBuilt | Reply::Unknown => ProviderOutcome::Unknown,
        }
    }
}

/// An answer that breaks the contract says nothing about what was done.
fn understood<T>(read: Result<T, String>) -> ProviderOutcome<T> {
    match read {
        Ok(answer) => ProviderOutcome::Done(answer),
        Err(error) => {
            tracing::error!(error, "the payment adapter does not answer as docs/payments.md says");
            ProviderOutcome::Unknown
        }
    }
}
