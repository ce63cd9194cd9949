//! The settings that the desk changes while the node runs: kept in memory, and read again when another node has changed them.

mod mail;
mod secrets;
mod stripe;

use std::sync::Arc;
use std::time::Duration;

use crate::app::audit::AuditLog;
use crate::app::context::Context;
use crate::app::error::Result;
use crate::app::jobs::{BackgroundJob, JobSpec, NextRun};
use crate::app::stream_cache::StreamCache;
use crate::domain::shop_settings::{ShopForm, ShopProfile};
use crate::domain::{Actor, AuditAction, AuditEntry, Permission, Shop};

pub use secrets::{check_secrets, rekey_secrets, signing_key};
pub use stripe::{open_stripe_keys, seal_stripe_keys};

const POLL_INTERVAL: Duration = Duration::from_secs(1);

pub struct SettingsSync {
    context: Arc<Context>,
    stream_cache: Arc<StreamCache>,
    audit: Arc<AuditLog>,
}

impl SettingsSync {
    pub async fn start(
        context: &Arc<Context>,
        stream_cache: &Arc<StreamCache>,
        audit: &Arc<AuditLog>,
    ) -> Result<Arc<Self>> {
        let this = Self { context: context.clone(), stream_cache: stream_cache.clone(), audit: audit.clone() };
        this.refresh().await?;
        Ok(Arc::new(this))
    }

    /// The shop and its profile, for those who may change them.
    pub async fn settings(&self, actor: &Actor) -> Result<(Arc<Shop>, Arc<ShopProfile>)> {
        self.stream_cache.authorize_in_shop(actor, Permission::ManageSettings).await?;
        Ok((self.context.shop(), self.context.profile()))
    }

    /// Changes what the form has. It holds on this node when this returns, on all others within two seconds.
    pub async fn change(self: &Arc<Self>, actor: &Actor, form: ShopForm) -> Result<(Arc<Shop>, Arc<ShopProfile>)> {
        self.stream_cache.authorize_in_shop(actor, Permission::ManageSettings).await?;
        let entry = self.audit.audit_entry(actor, AuditEntry::WHOLE_SHOP, AuditAction::ChangeSettings);
        let this = self.clone();
        self.context
            .spawn_write(async move {
                this.context.store.update_shop(&form, &entry).await?;
                this.refresh_after_change().await;
                Ok(())
            })
            .await?;
        Ok((self.context.shop(), self.context.profile()))
    }

    /// The change is committed. If it cannot be read back now, the next poll reads it.
    pub async fn refresh_after_change(&self) {
        if let Err(error) = self.refresh().await {
            tracing::warn!(error = %error, "the settings of the shop could not be read");
        }
    }

    /// Reads the settings if they have changed.
    async fn refresh(&self) -> Result<()> {
        let version = self.context.store.shop_settings_version().await?;
        if version == self.context.live_settings_version() {
            return Ok(());
        }
        let mut stored = self.context.store.shop_settings().await?;
        if let Some(shop) = self.context.store.shop().await? {
            let mail = self.usable_mail_server(stored.mail.take());
            let stripe = self.usable_stripe(stored.stripe.stored.take());
            self.context.set_live_settings(shop, stored, mail, stripe);
        }
        Ok(())
    }
}

/// Reads the settings that other nodes changed.
pub struct ShopSettingsJob(pub Arc<SettingsSync>);

impl BackgroundJob for ShopSettingsJob {
    fn spec(&self) -> JobSpec {
        JobSpec::new("shop_settings", POLL_INTERVAL, Duration::from_secs(10))
    }

    async fn run(&mut self, _is_last: bool) -> Result<NextRun> {
        self.0.refresh().await?;
        Ok(NextRun::AfterInterval)
    }
}
