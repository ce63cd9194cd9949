//! All objects of the account, and what requests and time do to payment intents.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

use crate::card::{Behaviour, Card, PROCESSING_S};
use crate::customer::{Customer, Method};
use crate::error::ApiError;
use crate::form::Parameters;
use crate::intent::{Charge, Dispute, Intent, Refund, Status};
use crate::money;

/// How long a card is authorised (docs.stripe.com: place a hold).
const AUTHORIZATION_S: i64 = 7 * 86_400;
/// Events that wait for their delivery. A test that records more has no receiver, and needs none.
const EVENTS_MAX: usize = 100_000;

/// Something happened; what the receiver of webhooks is told.
#[derive(Clone, Debug)]
pub struct Event {
    pub id: String,
    pub kind: &'static str,
    pub created: i64,
    pub object: Value,
    pub is_live: bool,
}

#[derive(Default)]
pub struct Ledger {
    /// Part of every id, so that two runs with one seed have the same ids.
    pub seed: u64,
    /// How many objects have an id.
    pub made: u64,
    pub base: String,
    pub intents: BTreeMap<String, Intent>,
    pub charges: BTreeMap<String, Charge>,
    pub refunds: BTreeMap<String, Refund>,
    pub disputes: BTreeMap<String, Dispute>,
    /// Confirmation tokens and payment methods that a page made, and their cards. A token is used once.
    pub tokens: BTreeMap<String, Card>,
    pub customers: BTreeMap<String, Customer>,
    /// The payment methods of cards that have paid, saved or not.
    pub methods: BTreeMap<String, Method>,
    pub new_events: VecDeque<Event>,
    pub events: Vec<Event>,
}

impl Ledger {
    /// A new id. Ids grow, so the order of the ids is the order in which the objects were made.
    pub fn new_id(&mut self, prefix: &str) -> String {
        self.made += 1;
        format!("{prefix}_{:04x}{:010x}", self.seed & 0xffff, self.made)
    }

    pub fn record_event(&mut self, kind: &'static str, object: Value, now: i64) {
        let is_live = object["livemode"] == true;
        let event = Event { id: self.new_id("evt"), kind, created: now, object, is_live };
        if self.events.len() < EVENTS_MAX {
            self.events.push(event.clone());
            self.new_events.push_back(event);
        }
    }

    fn record_intent_event(&mut self, kind: &'static str, id: &str, now: i64) {
        if let Some(view) = self.intents.get(id).map(|intent| intent.view(&self.base)) {
            self.record_event(kind, view, now);
        }
    }

    pub fn intent(&self, id: &str) -> Result<&Intent, ApiError> {
        self.intents.get(id).ok_or_else(|| ApiError::missing("payment_intent", id))
    }

    fn intent_mut(&mut self, id: &str) -> Result<&mut Intent, ApiError> {
        self.intents.get_mut(id).ok_or_else(|| ApiError::missing("payment_intent", id))
    }

    /// The intent as an answer; with `expand`, its charge is inside.
    pub fn intent_view(&self, intent: &Intent, given: &Parameters) -> Value {
        let mut view = intent.view(&self.base);
        let with_settled = given.expands("latest_charge.balance_transaction");
        if (given.expands("latest_charge") || with_settled)
            && let Some(charge) = intent.charge.as_ref().and_then(|id| self.charges.get(id))
        {
            view["latest_charge"] = charge.view();
            if with_settled {
                view["latest_charge"]["balance_transaction"] = charge.settled().unwrap_or_default();
            }
        }
        view
    }

    pub fn create_intent(&mut self, given: &Parameters, is_live: bool, now: i64) -> Result<Value, ApiError> {
        let amount = given.required("amount").and_then(|_| given.integer("amount"))?.unwrap_or_default();
        let currency = given.required("currency")?.to_owned();
        money::check(amount, &currency)?;
        let is_manual = match given.text("capture_method") {
            Some("manual") => true,
            None | Some("automatic" | "automatic_async") => false,
            Some(other) => {
                return Err(ApiError::invalid("parameter_invalid", format!("Invalid capture_method: {other}")));
            }
        };
        let is_confirmed = given.flag("confirm");
        if !is_confirmed && (given.text("return_url").is_some() || given.text("confirmation_token").is_some()) {
            let message = "return_url and confirmation_token are only for a request with confirm=true.";
            return Err(ApiError::invalid("parameter_invalid", message));
        }
        let automatic = given.object("automatic_payment_methods");
        let redirects = automatic.get("allow_redirects").and_then(Value::as_str) != Some("never");
        let is_automatic = automatic.get("enabled").and_then(Value::as_str) == Some("true");
        if is_confirmed && is_automatic && redirects && given.text("return_url").is_none() {
            let message = "You must provide a return_url, or automatic_payment_methods[allow_redirects]=never.";
            return Err(ApiError::invalid("parameter_missing", message));
        }
        let customer = self.paying_customer(given, is_live)?;
        let setup_future_usage = future_usage(given)?;
        let paying = self.card_of(given, customer.as_deref())?;
        if is_confirmed && paying.is_none() {
            return Err(ApiError::invalid("parameter_missing", "A payment method is needed to confirm the intent."));
        }
        let id = self.new_id("pi");
        let intent = Intent {
            id: id.clone(),
            created: now,
            amount,
            currency,
            status: if paying.is_some() { Status::RequiresConfirmation } else { Status::RequiresPaymentMethod },
            is_manual,
            metadata: given.object("metadata"),
            description: given.text("description").map(str::to_owned),
            return_url: given.text("return_url").map(str::to_owned),
            customer,
            setup_future_usage,
            card: paying.as_ref().map(|(_, card)| *card),
            method: paying.map(|(method, _)| method),
            charge: None,
            amount_received: 0,
            last_error: None,
            canceled_at: None,
            cancellation_reason: None,
            is_live,
            has_automatic_methods: is_automatic,
            settles_at: None,
            capture_before: None,
        };
        self.intents.insert(id.clone(), intent);
        self.record_intent_event("payment_intent.created", &id, now);
        if is_confirmed {
            self.authorize(&id, given.flag("error_on_requires_action"), now)?;
        }
        self.intent(&id).map(|intent| self.intent_view(intent, given))
    }

    pub fn confirm_intent(&mut self, id: &str, given: &Parameters, now: i64) -> Result<Value, ApiError> {
        let customer = self.intent(id)?.customer.clone();
        let setup_future_usage = future_usage(given)?;
        let paying = self.card_of(given, customer.as_deref())?;
        let intent = self.intent_mut(id)?;
        if !matches!(
            intent.status,
            Status::RequiresPaymentMethod | Status::RequiresConfirmation | Status::RequiresAction
        ) {
            return Err(unexpected_state(intent));
        }
        if let Some((method, card)) = paying {
            (intent.card, intent.method) = (Some(card), Some(method));
        }
        intent.setup_future_usage = setup_future_usage.or(intent.setup_future_usage.take());
        if let Some(return_url) = given.text("return_url") {
            intent.return_url = Some(return_url.to_owned());
        }
        if intent.card.is_none() {
            return Err(ApiError::invalid("parameter_missing", "A payment method is needed to confirm the intent."));
        }
        self.authorize(id, given.flag("error_on_requires_action"), now)?;
        self.intent(id).map(|intent| self.intent_view(intent, given))
    }

    /// The card that the parameters name, and its payment method. A confirmation token is used up; its payment method gets an id when
    /// the card pays.
    fn card_of(&mut self, given: &Parameters, customer: Option<&str>) -> Result<Option<(String, Card)>, ApiError> {
        if let Some(token) = given.text("confirmation_token") {
            let card = self.tokens.remove(token);
            let card = card.ok_or_else(|| ApiError::missing_parameter("confirmation_token", token))?;
            return Ok(Some((card.method.to_owned(), card)));
        }
        let Some(method) = given.text("payment_method") else { return Ok(None) };
        self.method_of(method, customer).map(Some)
    }

    fn authorize(&mut self, id: &str, refuses_action: bool, now: i64) -> Result<(), ApiError> {
        let intent = self.intent_mut(id)?;
        let Some(card) = intent.card else { return Err(unexpected_state(intent)) };
        intent.last_error = None;
        match card.behaviour {
            Behaviour::Declines(reason) => self.decline(id, "card_declined", Some(reason), now),
            Behaviour::Authenticates | Behaviour::AuthenticatesThenDeclines(_) if refuses_action => {
                self.decline(id, "authentication_required", Some("authentication_required"), now)
            }
            Behaviour::Authenticates | Behaviour::AuthenticatesThenDeclines(_) => {
                intent.status = Status::RequiresAction;
                self.record_intent_event("payment_intent.requires_action", id, now);
                Ok(())
            }
            Behaviour::Processes => {
                intent.status = Status::Processing;
                intent.settles_at = Some(now + PROCESSING_S);
                self.record_intent_event("payment_intent.processing", id, now);
                Ok(())
            }
            _ => {
                self.succeed(id, now);
                Ok(())
            }
        }
    }

    /// The buyer answers the question of 3-D Secure.
    pub fn authenticate(&mut self, id: &str, agrees: bool, now: i64) -> Result<(), ApiError> {
        let intent = self.intent(id)?;
        if intent.status != Status::RequiresAction {
            return Err(unexpected_state(intent));
        }
        let declined = match intent.card.map(|card| card.behaviour) {
            _ if !agrees => self.decline(id, "payment_intent_authentication_failure", None, now),
            Some(Behaviour::AuthenticatesThenDeclines(reason)) => self.decline(id, "card_declined", Some(reason), now),
            _ => {
                self.succeed(id, now);
                Ok(())
            }
        };
        // For the one who asks, a refusal is an answer like success: the intent shows it.
        declined.or(Ok(()))
    }

    fn decline(
        &mut self,
        id: &str,
        code: &'static str,
        reason: Option<&'static str>,
        now: i64,
    ) -> Result<(), ApiError> {
        let intent = self.intent_mut(id)?;
        intent.status = Status::RequiresPaymentMethod;
        intent.last_error = Some(json!({
            "type": "card_error", "code": code, "decline_code": reason, "message": "Your card was declined.",
        }));
        self.record_intent_event("payment_intent.payment_failed", id, now);
        Err(ApiError::declined(code, reason, self.intent(id)?.view(&self.base)))
    }

    fn succeed(&mut self, id: &str, now: i64) {
        let charge = self.new_id("ch");
        self.save_method(id, now);
        let Some(intent) = self.intents.get_mut(id) else { return };
        let Some(card) = intent.card else { return };
        intent.charge = Some(charge.clone());
        intent.status = if intent.is_manual { Status::RequiresCapture } else { Status::Succeeded };
        intent.capture_before = intent.is_manual.then_some(now + AUTHORIZATION_S);
        intent.amount_received = if intent.is_manual { 0 } else { intent.amount };
        let made = Charge {
            id: charge.clone(),
            created: now,
            intent: id.to_owned(),
            amount: intent.amount,
            captured: intent.amount_received,
            refunded: 0,
            currency: intent.currency.clone(),
            is_disputed: false,
            capture_before: intent.capture_before,
            card,
            method: intent.method.clone(),
            customer: intent.customer.clone(),
            is_live: intent.is_live,
        };
        let is_manual = intent.is_manual;
        let view = made.view();
        self.charges.insert(charge.clone(), made);
        self.record_event("charge.succeeded", view, now);
        let kind = if is_manual { "payment_intent.amount_capturable_updated" } else { "payment_intent.succeeded" };
        self.record_intent_event(kind, id, now);
        if !is_manual && card.behaviour == Behaviour::Disputes {
            self.open_dispute(&charge, now);
        }
    }

    /// Saves the card of a payment that succeeds for its customer, if the payment was to do that. A card by itself has a name of the
    /// tests, which many share; one that has paid has a payment method of its own.
    fn save_method(&mut self, id: &str, now: i64) {
        let Some(intent) = self.intents.get(id) else { return };
        let (Some(card), is_live) = (intent.card, intent.is_live) else { return };
        let saved_for = intent.customer.clone().filter(|_| intent.setup_future_usage.is_some());
        let method = match intent.method.clone().filter(|method| self.methods.contains_key(method)) {
            Some(method) => method,
            None => self.new_method(card, is_live, now),
        };
        if let Some(intent) = self.intents.get_mut(id) {
            intent.method = Some(method.clone());
        }
        if let Some(customer) = saved_for {
            self.attach_method(&method, &customer, now);
        }
    }

    pub fn capture_intent(&mut self, id: &str, given: &Parameters, now: i64) -> Result<Value, ApiError> {
        let amount = given.integer("amount_to_capture")?;
        let intent = self.intent_mut(id)?;
        if intent.status != Status::RequiresCapture {
            return Err(unexpected_state(intent));
        }
        let amount = amount.unwrap_or(intent.amount);
        if amount < 1 || amount > intent.amount {
            return Err(ApiError::invalid("amount_too_large", "The amount to capture exceeds the authorised amount."));
        }
        let Some(charge_id) = intent.charge.clone() else { return Err(unexpected_state(intent)) };
        if intent.card.is_some_and(|card| card.behaviour == Behaviour::CaptureFails) {
            intent.status = Status::Canceled;
            intent.canceled_at = Some(now);
            self.record_intent_event("payment_intent.canceled", id, now);
            let view = self.intent(id)?.view(&self.base);
            return Err(ApiError::declined("charge_expired_for_capture", None, view));
        }
        intent.status = Status::Succeeded;
        intent.amount_received = amount;
        let Some(charge) = self.charges.get_mut(&charge_id) else {
            return Err(ApiError::missing("charge", &charge_id));
        };
        charge.captured = amount;
        let (view, behaviour) = (charge.view(), charge.card.behaviour);
        self.record_event("charge.captured", view, now);
        self.record_intent_event("payment_intent.succeeded", id, now);
        if behaviour == Behaviour::Disputes {
            self.open_dispute(&charge_id, now);
        }
        self.intent(id).map(|intent| self.intent_view(intent, given))
    }

    pub fn cancel_intent(&mut self, id: &str, given: &Parameters, now: i64) -> Result<Value, ApiError> {
        let reason = given.text("cancellation_reason").map(str::to_owned);
        let known = ["duplicate", "fraudulent", "requested_by_customer", "abandoned"];
        if reason.as_deref().is_some_and(|reason| !known.contains(&reason)) {
            return Err(ApiError::invalid("parameter_invalid", "Invalid cancellation_reason."));
        }
        let intent = self.intent_mut(id)?;
        if matches!(intent.status, Status::Succeeded | Status::Canceled | Status::Processing) {
            return Err(unexpected_state(intent));
        }
        intent.status = Status::Canceled;
        intent.canceled_at = Some(now);
        intent.cancellation_reason = reason;
        self.record_intent_event("payment_intent.canceled", id, now);
        self.intent(id).map(|intent| self.intent_view(intent, given))
    }

    /// What happens by itself until `now`: authorisations lapse, slow methods answer, refunds change.
    pub fn advance(&mut self, now: i64) {
        let due = |at: Option<i64>| at.is_some_and(|at| at <= now);
        let ids = |pick: &dyn Fn(&Intent) -> bool, intents: &BTreeMap<String, Intent>| -> Vec<String> {
            intents.values().filter(|intent| pick(intent)).map(|intent| intent.id.clone()).collect()
        };
        let processing = |intent: &Intent| intent.status == Status::Processing && due(intent.settles_at);
        for id in ids(&processing, &self.intents) {
            self.succeed(&id, now);
        }
        let lapsed = |intent: &Intent| intent.status == Status::RequiresCapture && due(intent.capture_before);
        for id in ids(&lapsed, &self.intents) {
            if let Some(intent) = self.intents.get_mut(&id) {
                intent.status = Status::Canceled;
                intent.canceled_at = Some(now);
                intent.cancellation_reason = Some("automatic".to_owned());
            }
            self.record_intent_event("payment_intent.canceled", &id, now);
        }
        self.advance_refunds(now);
    }
}

/// Whether the card is to be saved.
fn future_usage(given: &Parameters) -> Result<Option<String>, ApiError> {
    match given.text("setup_future_usage") {
        known @ (None | Some("on_session" | "off_session")) => Ok(known.map(str::to_owned)),
        Some(other) => Err(ApiError::invalid("parameter_invalid", format!("Invalid setup_future_usage: {other}"))),
    }
}

/// The intent is not in a status that allows the request.
fn unexpected_state(intent: &Intent) -> ApiError {
    let message = format!("This PaymentIntent's status is {}.", intent.status.name());
    ApiError::state("payment_intent_unexpected_state", message)
}
