//! Holds: reservations that are neither paid nor cancelled are released when their time is over.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Checkout;
use crate::app::error::Result;
use crate::app::jobs::{BackgroundJob, JobSpec, NextRun};
use crate::domain::{OfferId, OrderId};
use crate::store::ReleaseReason;

/// How late a hold is released at most when all is well; the promise is five seconds.
const HOLD_RELEASE_INTERVAL: Duration = Duration::from_millis(500);

/// Ends expired holds and puts their units back on sale.
pub struct HoldJob(pub Arc<Checkout>);

impl BackgroundJob for HoldJob {
    fn spec(&self) -> JobSpec {
        JobSpec::new("holds", HOLD_RELEASE_INTERVAL, Duration::from_secs(5))
    }

    async fn run(&mut self, _is_last: bool) -> Result<NextRun> {
        self.0.release_expired_holds().await.map(|()| NextRun::AfterInterval)
    }
}

impl Checkout {
    async fn release_expired_holds(&self) -> Result<()> {
        let store = &self.context.store;
        let mut expired: BTreeMap<OfferId, Vec<OrderId>> = BTreeMap::new();
        for (offer, order) in store.expired_holds(store.now().await?).await? {
            expired.entry(offer).or_default().push(order);
        }
        for (offer, orders) in expired {
            // An offer whose row is locked by someone else must not delay the others.
            if let Err(error) = self.release_orders(offer, &orders, ReleaseReason::HoldEnded, None).await {
                let holds = orders.len();
                tracing::warn!(offer.id = %offer, holds, error = %error, "holds of an offer could not be released yet");
            }
        }
        Ok(())
    }
}
