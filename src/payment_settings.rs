//! The payment provider that the command line chose: its account, and what the log says about it.

use crate::app::{
    AdapterSettings, MessageKey, STRIPE_BASE, Settings, StripeCardForm, StripeEndpoints, StripeSettings, WebhookSecret,
    is_live_stripe_key,
};
use crate::config::{AdapterArgs, PaymentProviderName, ServeArgs, StripeArgs};
use crate::domain::StripeMode;

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
        Some(PaymentProviderName::Stripe) if options.stripe.stripe_key.is_none() => {
            tracing::info!("Stripe takes the payments of this shop when an owner has set its keys on the pages");
        }
        Some(PaymentProviderName::Stripe) => tracing::warn!(
            "the key of Stripe is one for tests: no money is taken, and every order that is paid so counts as paid"
        ),
        Some(PaymentProviderName::Http) if options.adapter.payment_adapter_test => tracing::warn!(
            "the payment adapter is one for tests (--payment-adapter-test): no money is taken, and every order that is paid so counts as paid"
        ),
        Some(PaymentProviderName::Http) => tracing::info!("a payment adapter takes the payments of this shop"),
        None if options.secrets.secrets_key.is_some() && options.base_url.is_some() => tracing::info!(
            "this shop takes payments only if an owner has set keys of Stripe on the pages: --payments is not given"
        ),
        None => tracing::info!("this shop takes no payments: --payments is not given"),
    }
}

/// How keys are used that an owner sets on the pages. `None`: they do not count, because others were given, another provider takes the
/// payments, there is no key to encrypt them with, or no public address. The options were checked.
pub fn stripe_endpoints(
    provider: Option<PaymentProviderName>,
    stripe: &StripeArgs,
    url: Option<&str>,
    has_secrets_key: bool,
) -> Option<StripeEndpoints> {
    let may_count = matches!(provider, Some(PaymentProviderName::Stripe) | None);
    if !may_count || !has_secrets_key || (provider.is_some() && stripe.stripe_key.is_some()) {
        return None;
    }
    Some(StripeEndpoints {
        api_base: stripe.stripe_api_base.clone().unwrap_or_else(|| STRIPE_BASE.to_owned()),
        return_url: format!("{}/orders?order=", url?),
        script: stripe.stripe_element_js.clone().unwrap_or_else(|| CARD_FORM_SCRIPT.to_owned()),
        is_stand_in: stripe.stripe_api_base.is_some() || stripe.stripe_element_js.is_some(),
    })
}

/// Refuses a start where a live key in the settings would meet something that is for tests only. `stored`: the mode of the keys in the
/// settings. `Err` is a message for the operator.
pub fn check_stored_keys(stored: Option<StripeMode>, settings: &Settings) -> Result<(), String> {
    if stored != Some(StripeMode::Live) {
        return Ok(());
    }
    let is_test_adapter = settings.adapter.as_ref().is_some_and(|adapter| !adapter.is_live);
    let flag = if settings.stripe_endpoints.as_ref().is_some_and(|endpoints| endpoints.is_stand_in) {
        "--stripe-api-base and --stripe-element-js are"
    } else if settings.is_test_provider_enabled {
        "--payments test is"
    } else if is_test_adapter {
        "--payment-adapter-test is"
    } else {
        return Ok(());
    };
    Err(format!(
        "{flag} refused with a live key, and an owner has set a live key of Stripe on the pages; remove it there first"
    ))
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

/// The payment adapter, when it takes the payments. The options were checked; the error is a message for the operator.
pub fn adapter(
    provider: Option<PaymentProviderName>,
    adapter: AdapterArgs,
    url: Option<&str>,
) -> Result<Option<AdapterSettings>, String> {
    let (Some(PaymentProviderName::Http), Some(address), Some(url)) = (provider, adapter.payment_adapter_url, url)
    else {
        return Ok(None);
    };
    let refused = |why: &str| format!("--payment-adapter-key-file (LIVESOUK_PAYMENT_ADAPTER_KEY): a key {why}");
    let keys = adapter.payment_adapter_keys.iter().map(|key| MessageKey::parse(key).map_err(refused));
    let mut keys = keys.collect::<Result<Vec<_>, _>>()?.into_iter();
    let key = keys.next().ok_or_else(|| refused("is missing"))?;
    Ok(Some(AdapterSettings {
        url: address,
        key,
        old_keys: keys.collect(),
        return_url: format!("{url}/orders?order="),
        is_live: !adapter.payment_adapter_test,
    }))
}
