//! The buyers as Stripe knows them, and their saved cards. Only what a payment waits for may take long: the rest has the small share
//! of the pace.

use std::time::Duration;

use uuid::Uuid;

use super::api::Reply;
use super::{KEYS_MAX, StripeProvider, numbered, request};
use crate::app::checkout::pacer::Endpoint;
use crate::app::checkout::provider_call::ProviderOutcome;

/// A payment waits no longer for its customer. It is part of the time that the request may take.
pub const CUSTOMER_DEADLINE: Duration = Duration::from_secs(5);

impl StripeProvider {
    /// Makes a customer, or gives the one that was made for this id.
    pub async fn create_customer(&self, id: Uuid) -> ProviderOutcome<String> {
        let making = self.make_customer(id);
        tokio::time::timeout(CUSTOMER_DEADLINE, making).await.unwrap_or(ProviderOutcome::Unknown)
    }

    async fn make_customer(&self, id: Uuid) -> ProviderOutcome<String> {
        let key = format!("cus:{id}");
        for n in 1..=KEYS_MAX {
            let (body, key) = (request::customer(id), numbered(&key, n));
            match self.api.post("/v1/customers", body, &key, Endpoint::Customer).await {
                Reply::Done(value) => {
                    let made = value["id"].as_str().filter(|id| is_plain(id));
                    return made.map_or(ProviderOutcome::Unknown, |id| ProviderOutcome::Done(id.to_owned()));
                }
                Reply::Refused | Reply::CardRefused(_) => {
                    return ProviderOutcome::Refused("Stripe refused a customer.");
                }
                // The customer may have been made; it has no card and nothing personal, and stays unused.
                Reply::KeptFailure => {}
                Reply::NotFound | Reply::KeyConflict | Reply::Unknown => return ProviderOutcome::Unknown,
            }
        }
        ProviderOutcome::Unknown
    }

    /// The saved cards that Stripe has for a customer. `None`: it does not know the customer.
    pub async fn cards_of(&self, customer: &str) -> ProviderOutcome<Option<Vec<String>>> {
        if !is_plain(customer) {
            return ProviderOutcome::Done(None);
        }
        let path = format!("/v1/customers/{customer}/payment_methods");
        match self.api.get(&path, &request::list_cards()).await {
            Reply::Done(value) if value["has_more"] != true => match value["data"].as_array() {
                Some(cards) => {
                    let ids = cards.iter().filter_map(|card| card["id"].as_str()).map(str::to_owned);
                    ProviderOutcome::Done(Some(ids.collect()))
                }
                None => ProviderOutcome::Unknown,
            },
            Reply::NotFound => ProviderOutcome::Done(None),
            _ => ProviderOutcome::Unknown,
        }
    }

    /// Takes a card away from its customer: nobody can pay with it any more. Refused: it is with no customer.
    pub async fn detach_card(&self, method: &str, key: &str) -> ProviderOutcome<()> {
        let path = format!("/v1/payment_methods/{method}/detach");
        removed(self.api.post(&path, String::new(), key, Endpoint::Look).await)
    }

    /// Deletes a customer with all saved cards.
    pub async fn delete_customer(&self, customer: &str) -> ProviderOutcome<()> {
        removed(self.api.delete(&format!("/v1/customers/{customer}")).await)
    }
}

fn removed(reply: Reply) -> ProviderOutcome<()> {
    match reply {
        Reply::Done(_) => ProviderOutcome::Done(()),
        Reply::NotFound | Reply::Refused => ProviderOutcome::Refused("It is not there."),
        Reply::CardRefused(_) | Reply::KeyConflict | Reply::KeptFailure | Reply::Unknown => ProviderOutcome::Unknown,
    }
}

/// An id as Stripe makes it, which can be a part of a path.
fn is_plain(id: &str) -> bool {
    (1..=255).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
