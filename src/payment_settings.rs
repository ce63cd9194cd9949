//! The payment provider that the command line chose: its account, and what the log says about it.

use crate::app::{STRIPE_BASE, StripeCardForm, StripeSettings, WebhookSecret, is_live_stripe_key};
use crate::config::{PaymentProviderName, ServeArgs, StripeArgs};

/// Where the card form of Stripe comes from. It must not be served from anywhere else.
pub const CARD_FORM_SCRIPT: &str = "https://js.stripe.com/v3/";

/// Says in the log who takes the payments, and warns when no money is taken.
pub fn log_provider(options: &ServeArgs) {
    match options.payment_provider {
        Some(PaymentProviderName::Test) => tracing::warn!(
            "TEST PAYMENTS ARE ON (--payments test): anybody can pay without money, and every such order counts as paid; \
             never use this for a real shop"
        ),
        Some(PaymentProviderName::Stripe) if options.stripe.stripe_key.as_deref().is_some_and(is_live_stripe_key) => {
            tracing::info!("Stripe takes the payments of this shop");
        }
        Some(PaymentProviderName::Stripe) => tracing::warn!(
            "the key of Stripe is one for tests: no money is taken, and every order that is paid so counts as paid"
        ),
        None => tracing::info!("this shop takes no payments: --payments is not given"),
    }
}

/// The account at Stripe, when it takes the payments. The options were checked.
pub fn stripe(provider: Option<PaymentProviderName>, stripe: StripeArgs, url: Option<&str>) -> Option<StripeSettings> {
    let key = stripe.stripe_key.filter(|_| provider == Some(PaymentProviderName::Stripe))?;
    let script = stripe.stripe_element_js.unwrap_or_else(|| CARD_FORM_SCRIPT.to_owned());
    let card_form = stripe.stripe_publishable_key.map(|publishable_key| StripeCardForm { publishable_key, script });
    Some(StripeSettings {
        key,
        api_base: stripe.stripe_api_base.unwrap_or_else(|| STRIPE_BASE.to_owned()),
        webhook_secrets: stripe.stripe_webhook_secrets.iter().map(WebhookSecret::new).collect(),
        return_url: format!("{}/orders?order=", url?),
        card_form,
    })
}
