//! The parameters that each call accepts. Anything else is refused, so that a misspelt one fails a test.
//!
//! `scripts/check-payments` compares this list with the published OpenAPI document. That document is older than a few
//! parameters, which are marked with the page that describes them.

use crate::error::ApiError;
use crate::faults::Call;
use crate::form::Parameters;

/// A path of the API, the calls of that path, and their parameters. A name that ends with `[*]` has any keys.
pub struct Allowed {
    pub call: Call,
    pub method: &'static str,
    pub path: &'static str,
    pub parameters: &'static [&'static str],
    /// Parameters that are newer than the published document, with their documentation.
    pub newer: &'static [(&'static str, &'static str)],
}

pub const ALLOWED: [Allowed; 12] = [
    Allowed {
        call: Call::Create,
        method: "post",
        path: "/v1/payment_intents",
        parameters: &[
            "amount",
            "automatic_payment_methods[enabled]",
            "capture_method",
            "confirm",
            "confirmation_method",
            "currency",
            "customer",
            "description",
            "error_on_requires_action",
            "expand",
            "metadata[*]",
            "off_session",
            "payment_method",
            "payment_method_types",
            "receipt_email",
            "return_url",
            "setup_future_usage",
            "shipping[*]",
            "statement_descriptor_suffix",
        ],
        newer: &[
            ("automatic_payment_methods[allow_redirects]", "https://docs.stripe.com/api/payment_intents/create"),
            ("confirmation_token", "https://docs.stripe.com/api/payment_intents/create"),
        ],
    },
    Allowed {
        call: Call::Confirm,
        method: "post",
        path: "/v1/payment_intents/{intent}/confirm",
        parameters: &["error_on_requires_action", "expand", "payment_method", "return_url", "setup_future_usage"],
        newer: &[("confirmation_token", "https://docs.stripe.com/api/payment_intents/confirm")],
    },
    Allowed {
        call: Call::Capture,
        method: "post",
        path: "/v1/payment_intents/{intent}/capture",
        parameters: &["amount_to_capture", "expand", "metadata[*]", "statement_descriptor_suffix"],
        newer: &[],
    },
    Allowed {
        call: Call::Cancel,
        method: "post",
        path: "/v1/payment_intents/{intent}/cancel",
        parameters: &["cancellation_reason", "expand"],
        newer: &[],
    },
    Allowed {
        call: Call::Fetch,
        method: "get",
        path: "/v1/payment_intents/{intent}",
        parameters: &["client_secret", "expand"],
        newer: &[],
    },
    Allowed {
        call: Call::List,
        method: "get",
        path: "/v1/payment_intents",
        parameters: &["created[*]", "customer", "ending_before", "expand", "limit", "starting_after"],
        newer: &[],
    },
    Allowed {
        call: Call::Refund,
        method: "post",
        path: "/v1/refunds",
        parameters: &["amount", "charge", "expand", "metadata[*]", "payment_intent", "reason"],
        newer: &[],
    },
    Allowed {
        call: Call::Disputes,
        method: "get",
        path: "/v1/disputes",
        parameters: &["charge", "created[*]", "ending_before", "expand", "limit", "payment_intent", "starting_after"],
        newer: &[],
    },
    Allowed {
        call: Call::CreateCustomer,
        method: "post",
        path: "/v1/customers",
        parameters: &["description", "email", "expand", "metadata[*]", "name", "phone"],
        newer: &[],
    },
    Allowed {
        call: Call::DeleteCustomer,
        method: "delete",
        path: "/v1/customers/{customer}",
        parameters: &[],
        newer: &[],
    },
    Allowed {
        call: Call::ListMethods,
        method: "get",
        path: "/v1/customers/{customer}/payment_methods",
        parameters: &["ending_before", "expand", "limit", "starting_after", "type"],
        newer: &[],
    },
    Allowed {
        call: Call::Detach,
        method: "post",
        path: "/v1/payment_methods/{payment_method}/detach",
        parameters: &["expand"],
        newer: &[],
    },
];

/// Refuses parameters that the call does not have.
pub fn check(call: Call, given: &Parameters) -> Result<(), ApiError> {
    let Some(allowed) = ALLOWED.iter().find(|allowed| allowed.call == call) else { return Ok(()) };
    let is_known = |name: &str| {
        let fits = |known: &&str| match known.strip_suffix("[*]") {
            Some(prefix) => name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('[')),
            None => *known == name,
        };
        allowed.parameters.iter().any(fits) || allowed.newer.iter().any(|(known, _)| *known == name)
    };
    match given.names().into_iter().find(|name| !is_known(name)) {
        Some(name) => Err(ApiError::invalid("parameter_unknown", format!("Received unknown parameter: {name}"))),
        None => Ok(()),
    }
}
