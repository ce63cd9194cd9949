//! `livesouk reconcile`: compares the payment provider with the database of the shop, as after a restore.

use std::process::ExitCode;

use tokio_util::sync::CancellationToken;

use crate::app::{App, Comparison, DifferenceState, Settings};
use crate::broker::Broker;
use crate::clock::Clock;
use crate::config::ReconcileArgs;
use crate::http::Origins;
use crate::node::{self, StartError};
use crate::payment_settings;
use crate::secrets_command::{check_key, secrets_key};
use anyhow::Context;

/// Something is left for a person, or, with `--dry-run`, would be repaired.
const DIFFERENCES_LEFT: u8 = 3;

/// Gives what to print, and the exit code.
pub async fn reconcile(options: ReconcileArgs) -> anyhow::Result<(String, ExitCode)> {
    options.check().map_err(StartError::Config)?;
    let provider = Some(options.payment_provider);
    let origins = Origins::new(&[], options.base_url.as_deref()).map_err(StartError::Config)?;
    let url = origins.base_url();
    let adapter = payment_settings::adapter(provider, options.adapter, url).map_err(StartError::Config)?;
    let secrets_key = secrets_key(&options.secrets)?;
    let stripe_endpoints = payment_settings::stripe_endpoints(provider, &options.stripe, url, secrets_key.is_some());
    let stripe = payment_settings::stripe(provider, options.stripe, url);
    let clock = Clock::system();
    let store = node::open_store(&options.store, &clock, 1).await?;
    let shop = store.shop().await.map_err(StartError::Store)?;
    let shop = shop.ok_or_else(|| StartError::Config("--store (LIVESOUK_STORE): there is no shop in it".to_owned()))?;
    check_key(&store, secrets_key.as_ref()).await?;
    let public_url = url.map(str::to_owned);
    let settings = Settings { stripe, stripe_endpoints, adapter, secrets_key, public_url, ..Settings::default() };
    let stored_keys = store.shop_settings().await.map_err(StartError::Store)?.stripe.stored;
    payment_settings::check_stored_keys(stored_keys.map(|stored| stored.mode), &settings)
        .map_err(StartError::Config)?;
    let stop = CancellationToken::new();
    let app = App::without_jobs(store, Broker::local(), clock, shop, settings, stop.clone()).await;
    let app = app.map_err(StartError::App)?;
    let compared = app.checkout.compare_with_provider(options.since, options.dry_run).await;
    stop.cancel();
    app.finish().await;
    let comparison =
        compared.context("the payment provider or the database could not be asked; run the command again")?;
    Ok(report(&comparison))
}

fn report(comparison: &Comparison) -> (String, ExitCode) {
    let mut text = String::new();
    for difference in &comparison.differences {
        let what = match difference.state {
            DifferenceState::Repaired => "repaired",
            DifferenceState::Repairable => "to repair",
            DifferenceState::NeedsPerson => "to do",
        };
        text.push_str(&format!("{what}: {}\n", difference.text));
    }
    let count = |state| comparison.count(state);
    let (repaired, repairable, to_do) =
        (count(DifferenceState::Repaired), count(DifferenceState::Repairable), count(DifferenceState::NeedsPerson));
    let compared = comparison.compared;
    text.push_str(&format!("compared: {compared}, repaired: {repaired}, to repair: {repairable}, to do: {to_do}\n"));
    let code = if repairable + to_do == 0 { ExitCode::SUCCESS } else { ExitCode::from(DIFFERENCES_LEFT) };
    (text, code)
}
