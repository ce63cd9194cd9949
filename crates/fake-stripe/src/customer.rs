//! Customers and the cards that are saved for them.

use serde_json::{Map, Value, json};

use crate::card::{self, Card};
use crate::error::ApiError;
use crate::form::Parameters;
use crate::ledger::Ledger;

/// The most that a list has on one page, and what it has if nothing is asked for.
const PAGE_MAX: i64 = 100;
const PAGE: i64 = 10;

#[derive(Clone, Debug)]
pub struct Customer {
    pub id: String,
    /// Seconds.
    pub created: i64,
    pub name: Option<String>,
    pub email: Option<String>,
    pub description: Option<String>,
    pub metadata: Map<String, Value>,
    pub is_live: bool,
    pub is_deleted: bool,
}

impl Customer {
    pub fn view(&self) -> Value {
        if self.is_deleted {
            return json!({ "id": self.id, "object": "customer", "deleted": true });
        }
        json!({
            "id": self.id,
            "object": "customer",
            "created": self.created,
            "description": self.description,
            "email": self.email,
            "livemode": self.is_live,
            "metadata": self.metadata,
            "name": self.name,
        })
    }
}

/// A payment method: a card that was used, and perhaps saved for a customer.
#[derive(Clone, Debug)]
pub struct Method {
    pub id: String,
    pub created: i64,
    pub card: Card,
    pub customer: Option<String>,
    pub is_live: bool,
}

impl Method {
    pub fn view(&self) -> Value {
        let mut card = self.card.view();
        card["checks"] = json!({ "cvc_check": "pass" });
        json!({
            "id": self.id,
            "object": "payment_method",
            "allow_redisplay": "unspecified",
            "card": card,
            "created": self.created,
            "customer": self.customer,
            "livemode": self.is_live,
            "metadata": {},
            "type": "card",
        })
    }
}

impl Ledger {
    pub fn create_customer(&mut self, given: &Parameters, is_live: bool, now: i64) -> Result<Value, ApiError> {
        let text = |name: &str| given.text(name).map(str::to_owned);
        let customer = Customer {
            id: self.new_id("cus"),
            created: now,
            name: text("name"),
            email: text("email"),
            description: text("description"),
            metadata: given.object("metadata"),
            is_live,
            is_deleted: false,
        };
        let view = customer.view();
        self.customers.insert(customer.id.clone(), customer);
        self.record_event("customer.created", view.clone(), now);
        Ok(view)
    }

    /// A customer that the path of a request names.
    pub fn customer(&self, id: &str, is_live: bool) -> Result<&Customer, ApiError> {
        let found = self.customers.get(id).filter(|customer| customer.is_live == is_live);
        found.ok_or_else(|| ApiError::missing("customer", id))
    }

    /// Deletes a customer with all saved cards.
    pub fn delete_customer(&mut self, id: &str, is_live: bool, now: i64) -> Result<Value, ApiError> {
        if self.customer(id, is_live)?.is_deleted {
            return Err(ApiError::missing("customer", id));
        }
        let Some(customer) = self.customers.get_mut(id) else { return Err(ApiError::missing("customer", id)) };
        let before = customer.view();
        customer.is_deleted = true;
        let view = customer.view();
        for method in self.methods.values_mut().filter(|method| method.customer.as_deref() == Some(id)) {
            method.customer = None;
        }
        self.record_event("customer.deleted", before, now);
        Ok(view)
    }

    /// A customer that a parameter names: one who may pay.
    pub fn paying_customer(&self, given: &Parameters, is_live: bool) -> Result<Option<String>, ApiError> {
        let Some(id) = given.text("customer") else { return Ok(None) };
        let is_known = self.customer(id, is_live).is_ok_and(|customer| !customer.is_deleted);
        if is_known { Ok(Some(id.to_owned())) } else { Err(ApiError::missing_parameter("customer", id)) }
    }

    /// The card that a parameter names as a payment method, with its id. A card that was saved is for its customer only, and one that
    /// was used without being saved, or that was taken away from its customer, is never used again.
    pub fn method_of(&self, id: &str, customer: Option<&str>) -> Result<(String, Card), ApiError> {
        let Some(method) = self.methods.get(id) else {
            let known = self.tokens.get(id).copied().or_else(|| card::find(id));
            return known
                .map(|card| (id.to_owned(), card))
                .ok_or_else(|| ApiError::missing_parameter("PaymentMethod", id));
        };
        let why = match &method.customer {
            Some(owner) if customer == Some(owner.as_str()) => return Ok((id.to_owned(), method.card)),
            Some(_) => "The payment method belongs to a Customer: give that Customer in the customer parameter.",
            None => "The payment method was used without a Customer, or detached from one. It may not be used again.",
        };
        Err(ApiError::invalid("payment_method_unexpected_state", why))
    }

    /// A payment method of its own for a card that pays.
    pub fn new_method(&mut self, card: Card, is_live: bool, now: i64) -> String {
        let id = self.new_id("pm");
        let method = Method { id: id.clone(), created: now, card, customer: None, is_live };
        self.methods.insert(id.clone(), method);
        id
    }

    /// A payment that was to save its card has succeeded.
    pub fn attach_method(&mut self, id: &str, customer: &str, now: i64) {
        let is_there = self.customers.get(customer).is_some_and(|customer| !customer.is_deleted);
        let Some(method) = self.methods.get_mut(id).filter(|method| is_there && method.customer.is_none()) else {
            return;
        };
        method.customer = Some(customer.to_owned());
        let view = method.view();
        self.record_event("payment_method.attached", view, now);
    }

    pub fn method(&self, id: &str, is_live: bool) -> Result<&Method, ApiError> {
        let found = self.methods.get(id).filter(|method| method.is_live == is_live);
        found.ok_or_else(|| ApiError::missing("PaymentMethod", id))
    }

    pub fn detach_method(&mut self, id: &str, is_live: bool, now: i64) -> Result<Value, ApiError> {
        self.method(id, is_live)?;
        let Some(method) = self.methods.get_mut(id) else { return Err(ApiError::missing("PaymentMethod", id)) };
        if method.customer.take().is_none() {
            let message = "The payment method is not attached to a customer, so detachment is impossible.";
            return Err(ApiError::state("payment_method_unexpected_state", message));
        }
        let view = method.view();
        self.record_event("payment_method.detached", view.clone(), now);
        Ok(view)
    }

    /// The saved cards of a customer, the newest first. Gives a page, and whether there is more.
    pub fn methods_of(
        &self,
        customer: &str,
        given: &Parameters,
        is_live: bool,
    ) -> Result<(Vec<Value>, bool), ApiError> {
        if self.customer(customer, is_live)?.is_deleted {
            return Err(ApiError::missing("customer", customer));
        }
        let limit = given.integer("limit")?.unwrap_or(PAGE);
        if !(1..=PAGE_MAX).contains(&limit) {
            return Err(ApiError::invalid("parameter_invalid_integer", "limit must be between 1 and 100."));
        }
        let fits = |method: &&Method| {
            method.customer.as_deref() == Some(customer)
                && given.text("type").is_none_or(|kind| kind == "card")
                && given.text("starting_after").is_none_or(|cursor| method.id.as_str() < cursor)
        };
        let mut found = self.methods.values().rev().filter(fits);
        let page = found.by_ref().take(limit as usize).map(Method::view).collect();
        Ok((page, found.next().is_some()))
    }
}
