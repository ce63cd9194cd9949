//! The settings of `livesouk reconcile`.

use chrono::DateTime;
use clap::Args;

use super::{AdapterArgs, LogArgs, PaymentProviderName, SecretArgs, StripeArgs, check_provider};

#[derive(Args, Debug)]
pub struct ReconcileArgs {
    /// Payments that began at this time or later, like 2026-11-29T14:00:00Z: the time of the copy that was restored
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub since: i64,
    /// Change nothing: print what would be repaired, and what is left
    #[arg(long)]
    pub dry_run: bool,
    /// Database of the shop: sqlite:PATH or postgres://USER@HOST/DATABASE
    #[arg(
        long,
        env = "LIVESOUK_STORE",
        default_value = "sqlite:livesouk.db",
        value_name = "URL",
        hide_env_values = true
    )]
    pub store: String,
    /// Payment provider, with the same settings as for `livesouk serve`
    #[arg(long = "payments", value_name = "PROVIDER")]
    pub payment_provider: PaymentProviderName,
    /// Public address of the shop, as for `livesouk serve`
    #[arg(long, env = "LIVESOUK_BASE_URL", value_name = "URL")]
    pub base_url: Option<String>,
    #[command(flatten)]
    pub stripe: StripeArgs,
    #[command(flatten)]
    pub adapter: AdapterArgs,
    #[command(flatten)]
    pub secrets: SecretArgs,
    #[command(flatten)]
    pub log: LogArgs,
}

impl ReconcileArgs {
    pub fn check(&self) -> Result<(), String> {
        if self.payment_provider == PaymentProviderName::Test {
            return Err("--payments test has nothing to reconcile: its payments are in the same database".to_owned());
        }
        let stripe = (&self.stripe, self.secrets.secrets_key.is_some());
        check_provider(Some(self.payment_provider), stripe, &self.adapter, self.base_url.as_deref())
    }
}

/// In milliseconds since 1970.
fn time(text: &str) -> Result<i64, String> {
    let time = DateTime::parse_from_rfc3339(text).map_err(|_| "must be a time like 2026-11-29T14:00:00Z".to_owned())?;
    Ok(time.timestamp_millis())
}
