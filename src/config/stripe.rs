//! The settings of payments with Stripe.

use clap::Args;

fn is_web_address(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

const KEYS: [&str; 4] = ["rk_live_", "sk_live_", "rk_test_", "sk_test_"];

#[derive(Args, Debug, Default)]
pub struct StripeArgs {
    /// Key of the Stripe account, best a restricted one (rk_live_…); only from a file or a variable
    #[arg(long, env = "LIVESOUK_STRIPE_KEY", value_name = "KEY", hide_env_values = true)]
    pub stripe_key: Option<String>,
    /// Publishable key of the same account (pk_live_…): with it the pages have a form for cards
    #[arg(long, env = "LIVESOUK_STRIPE_PUBLISHABLE_KEY", value_name = "KEY")]
    pub stripe_publishable_key: Option<String>,
    /// Signing secret of the webhook endpoint at Stripe (whsec_…); while it is being changed, the new one and the old one
    #[arg(
        long = "stripe-webhook-secret",
        env = "LIVESOUK_STRIPE_WEBHOOK_SECRET",
        value_name = "SECRET",
        value_delimiter = ',',
        hide_env_values = true
    )]
    pub stripe_webhook_secrets: Vec<String>,
    /// Address of another server that speaks the Stripe API, for tests; refused with a live key
    // A flag only: a variable that was left behind must not send payments elsewhere.
    #[arg(long, value_name = "URL")]
    pub stripe_api_base: Option<String>,
    /// Script that replaces the card form of Stripe, for tests; refused with a live key
    // A flag only, as above: a script in the page reads what buyers type.
    #[arg(long, value_name = "URL")]
    pub stripe_element_js: Option<String>,
}

impl StripeArgs {
    /// Checks what `--payments stripe` needs. Without any key an owner sets the keys on the pages, which needs the key for secrets. `Err` is a
    /// message for the operator.
    pub fn check(&self, base_url: Option<&str>, has_secrets_key: bool) -> Result<(), String> {
        if base_url.is_none() {
            return Err("--payments stripe needs --base-url (LIVESOUK_BASE_URL): the bank sends the buyer back to it"
                .to_owned());
        }
        let has_others = self.stripe_publishable_key.is_some() || !self.stripe_webhook_secrets.is_empty();
        let Some(key) = &self.stripe_key else {
            if has_secrets_key && !has_others {
                return self.check_addresses(false);
            }
            return Err(
                "--payments stripe needs the key of the account: --stripe-key-file, or LIVESOUK_STRIPE_KEY; or no key of Stripe, and \
                --secrets-key-file, with which an owner sets them on the pages"
                    .to_owned(),
            );
        };
        if !KEYS.iter().any(|prefix| key.starts_with(prefix)) || key.chars().any(|letter| !letter.is_ascii_graphic()) {
            return Err(
                "--stripe-key (LIVESOUK_STRIPE_KEY) must be a secret or restricted key: rk_… or sk_…".to_owned()
            );
        }
        if self.stripe_webhook_secrets.is_empty() {
            return Err(
                "--payments stripe needs the signing secret of its webhooks: --stripe-webhook-secret-file, or \
                LIVESOUK_STRIPE_WEBHOOK_SECRET"
                    .to_owned(),
            );
        }
        if self.stripe_webhook_secrets.iter().any(|secret| !secret.starts_with("whsec_")) {
            return Err("--stripe-webhook-secret (LIVESOUK_STRIPE_WEBHOOK_SECRET) must begin with whsec_".to_owned());
        }
        let is_live = key.contains("_live_");
        if let Some(public) = &self.stripe_publishable_key {
            let prefix = if is_live { "pk_live_" } else { "pk_test_" };
            if !public.starts_with(prefix) || public.chars().any(|letter| !letter.is_ascii_graphic()) {
                return Err(format!(
                    "--stripe-publishable-key (LIVESOUK_STRIPE_PUBLISHABLE_KEY) must begin with {prefix}, as the other key is one of that \
                     kind"
                ));
            }
        }
        self.check_addresses(is_live)
    }

    /// Checks the addresses that replace those of Stripe. `is_live`: the key is for real money.
    pub fn check_addresses(&self, is_live: bool) -> Result<(), String> {
        if let Some(script) = &self.stripe_element_js {
            if is_live {
                return Err("--stripe-element-js is refused with a live key".to_owned());
            }
            if !is_web_address(script) {
                return Err("--stripe-element-js must be the address of a script: http://… or https://…".to_owned());
            }
        }
        match &self.stripe_api_base {
            Some(_) if is_live => Err("--stripe-api-base is refused with a live key".to_owned()),
            Some(base) if !base.starts_with("http://") && !base.starts_with("https://") => {
                Err("--stripe-api-base must begin with http:// or https://".to_owned())
            }
            _ => Ok(()),
        }
    }
}
