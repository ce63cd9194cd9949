//! Who asks: the key, its rights, its account and its mode.

use crate::error::ApiError;
use crate::faults::Call;
use crate::form::Parameters;
use crate::intent::Intent;
use crate::route::Asked;
use crate::{Shared, World};

/// The rights of a restricted key.
struct Rights {
    intents: bool,
    refunds: bool,
    charges: bool,
    /// What is kept of payments.
    balance: bool,
    disputes: bool,
    /// Customers and payment methods.
    customers: bool,
}

/// What a key may do. `None`: no such key.
fn rights(key: &str) -> Option<Rights> {
    let all = Rights { intents: true, refunds: true, charges: true, balance: true, disputes: true, customers: true };
    match key {
        "rk_test_no_refunds" | "rk_live_no_refunds" => Some(Rights { refunds: false, ..all }),
        "rk_test_no_customers" | "rk_live_no_customers" => Some(Rights { customers: false, ..all }),
        "rk_test_read_only" => Some(Rights { intents: false, refunds: false, customers: false, ..all }),
        "rk_test_payments_only" => Some(Rights { balance: false, disputes: false, customers: false, ..all }),
        _ if ["sk_test_", "sk_live_", "rk_test_", "rk_live_"].iter().any(|prefix| key.starts_with(prefix)) => Some(all),
        _ => None,
    }
}

/// The account of a key and its mode. A key with the word `other` belongs to another account than the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Caller {
    pub is_live: bool,
    pub is_other_account: bool,
    /// A page asks: it sees only the intent whose secret it has.
    is_page: bool,
}

impl Caller {
    fn of_key(key: &str) -> Self {
        let is_page = key.starts_with("pk_");
        Self { is_live: key.contains("_live_"), is_other_account: key.contains("other"), is_page }
    }

    /// Each account, and each mode of it, has objects of its own.
    pub fn sees(self, world: &World, intent: &Intent) -> bool {
        (intent.is_live, world.intents_of_other.contains(&intent.id)) == (self.is_live, self.is_other_account)
    }
}

/// The key and the version of the request.
pub fn check(shared: &Shared, asked: &Asked, call: Call, given: &Parameters) -> Result<Caller, ApiError> {
    let unknown = || ApiError::new(401, "invalid_request_error", None, "Invalid API Key provided.");
    let key = asked.authorization.as_deref().and_then(|value| value.strip_prefix("Bearer ")).ok_or_else(unknown)?;
    if shared.world().revoked.contains(key) {
        return Err(unknown());
    }
    if shared.options.requires_version && asked.version.is_none() {
        return Err(ApiError::invalid("version_missing", "Every request must name its Stripe-Version here."));
    }
    let caller = Caller::of_key(key);
    if caller.is_page && call == Call::Fetch && given.text("client_secret").is_some() {
        return Ok(caller);
    }
    let rights = rights(key).ok_or_else(unknown)?;
    let is_allowed = match call {
        Call::Create | Call::Confirm | Call::Capture | Call::Cancel => rights.intents,
        Call::Refund => rights.refunds,
        // What a key may not read cannot be expanded either, and the whole request is refused.
        Call::Fetch | Call::List => rights.balance || !given.expands("latest_charge.balance_transaction"),
        Call::Disputes => rights.disputes,
        Call::Other if asked.path.starts_with("/v1/balance_transactions") => rights.balance,
        Call::CreateCustomer | Call::DeleteCustomer | Call::ListMethods | Call::Detach => rights.customers,
        Call::Other if asked.path.starts_with("/v1/charges") => rights.charges,
        Call::Other => true,
    };
    if !is_allowed {
        let message = "The provided key does not have the required permissions for this endpoint.";
        return Err(ApiError::new(403, "invalid_request_error", None, message));
    }
    Ok(caller)
}

/// An intent of another account or mode is not there for the caller, and a page needs its secret.
pub fn check_sight(world: &World, segments: &[&str], given: &Parameters, caller: Caller) -> Result<(), ApiError> {
    let ["v1", "payment_intents", id, ..] = segments else { return Ok(()) };
    let Some(intent) = world.ledger.intents.get(*id) else { return Ok(()) };
    if !caller.sees(world, intent) {
        return Err(ApiError::missing("payment_intent", id));
    }
    if caller.is_page && given.text("client_secret") != Some(intent.client_secret().as_str()) {
        return Err(ApiError::invalid("payment_intent_client_secret_mismatch", "The client secret does not match."));
    }
    Ok(())
}
