//! Stock alerts: buyers who want to be notified when units of a sold-out offer come back. An alert reserves nothing:
//! the first buyer who asks then gets the units.
//!
//! The count comes from a query on its own table, so that selling does not depend on it: once a second, and less often where so
//! many wait that counting them takes long.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Catalogue;
use crate::app::error::Result;
use crate::app::jobs::{BackgroundJob, JobSpec, NextRun};
use crate::domain::{Actor, OfferId, OfferStage, Permission, Place, Refusal, StreamId, authorize_by_role};
use crate::protocol::StateChange;

const COUNT_INTERVAL: Duration = Duration::from_secs(1);
/// How many times the time that it took a count pauses.
const PAUSE_PER_WORK: u32 = 20;
/// How often alerts of closed offers are looked for. Usually they are deleted when the offer is closed.
const LEFTOVER_INTERVAL: Duration = Duration::from_secs(60);

impl Catalogue {
    /// Adds a stock alert for the caller; adding it twice has no further effect.
    pub async fn add_stock_alert(self: &Arc<Self>, actor: &Actor, id: OfferId) -> Result<()> {
        authorize_by_role(actor, Permission::UseOwnData, Place::Shop)?;
        let offer = self.context.store.offer(id).await?.ok_or(Refusal::NoSuchOffer)?;
        self.stream_cache.authorize(actor, Permission::Buy, offer.stream).await?;
        match offer.terms.stage {
            OfferStage::Draft => return Err(Refusal::NoSuchOffer.into()),
            OfferStage::Closed => return Err(Refusal::Closed.into()),
            OfferStage::Open | OfferStage::Paused if offer.terms.left() > 0 => {
                return Err(Refusal::WrongStatus("There are units left; buy one.").into());
            }
            OfferStage::Open | OfferStage::Paused => {}
        }
        let (this, user) = (self.clone(), actor.user.clone());
        self.context
            .spawn_write(async move {
                if this.context.store.add_stock_alert(id, &user).await? { Ok(()) } else { Err(Refusal::Closed.into()) }
            })
            .await
    }

    pub async fn remove_stock_alert(self: &Arc<Self>, actor: &Actor, id: OfferId) -> Result<()> {
        self.stream_cache.authorize_in_shop(actor, Permission::UseOwnData).await?;
        let (this, user) = (self.clone(), actor.user.clone());
        self.context.spawn_write(async move { Ok(this.context.store.remove_stock_alert(id, &user).await?) }).await
    }

    /// The offers of a stream for which the caller has a stock alert.
    pub async fn stock_alerts(&self, actor: &Actor, stream: StreamId) -> Result<Vec<OfferId>> {
        self.stream_cache.authorize_in_shop(actor, Permission::UseOwnData).await?;
        Ok(self.context.store.stock_alerts_of(&actor.user, stream).await?)
    }
}

/// Shows this node's viewers how many buyers have a stock alert; other nodes count for themselves.
pub struct StockAlertJob {
    catalogue: Arc<Catalogue>,
    /// The offers whose count viewers see, and their streams.
    shown: HashMap<OfferId, StreamId>,
    leftovers_deleted_at: Option<Instant>,
}

impl StockAlertJob {
    pub fn new(catalogue: Arc<Catalogue>) -> Self {
        Self { catalogue, shown: HashMap::new(), leftovers_deleted_at: None }
    }
}

impl BackgroundJob for StockAlertJob {
    fn spec(&self) -> JobSpec {
        JobSpec::new("stock_alerts", COUNT_INTERVAL, Duration::from_secs(10))
    }

    async fn run(&mut self, _is_last: bool) -> Result<NextRun> {
        let Catalogue { context, publisher, .. } = &*self.catalogue;
        if self.leftovers_deleted_at.is_none_or(|at| LEFTOVER_INTERVAL <= at.elapsed()) {
            for closed in context.store.closed_offers_with_stock_alerts().await? {
                context.store.delete_stock_alerts(closed).await?;
            }
            self.leftovers_deleted_at = Some(Instant::now());
        }
        let began = Instant::now();
        let seen_by_viewers: Vec<OfferId> = publisher.displayed_offers.iter().map(|id| *id).collect();
        let counts = context.store.stock_alert_counts(&seen_by_viewers).await?;
        let pause = COUNT_INTERVAL.max(began.elapsed() * PAUSE_PER_WORK);
        let mut gone = std::mem::take(&mut self.shown);
        for alerts in &counts {
            gone.remove(&alerts.offer);
            self.shown.insert(alerts.offer, alerts.stream);
            // Repeated for rooms that were opened since; an unchanged value creates no frame.
            let change = StateChange::StockAlerts { offer: alerts.offer, count: alerts.users };
            publisher.set_local_state(alerts.stream, change, false);
        }
        for (offer, stream) in gone {
            publisher.set_local_state(stream, StateChange::StockAlerts { offer, count: 0 }, false);
        }
        Ok(NextRun::After(pause))
    }
}
