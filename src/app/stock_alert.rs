//! Waiting for units to come back. No reservation: whoever is first when they do, buys.
//!
//! The count is a look of its own at a table of its own, once a second, so that selling does not know of it.

use std::collections::HashMap;
use std::time::Duration;

use super::{App, Result};
use crate::domain::{Actor, OfferId, OfferStage, Permission, Refusal, StreamId};
use crate::protocol::StateChange;

const COUNT_INTERVAL: Duration = Duration::from_secs(1);

impl App {
    /// Wants to hear of units that come back; twice is once.
    pub async fn add_stock_alert(&self, actor: &Actor, id: OfferId) -> Result<()> {
        actor.authorize(Permission::Buy, None)?;
        let offer = self.store().offer(id).await?.ok_or(Refusal::NoSuchOffer)?;
        if self.find_stream(offer.stream).await?.refusal_for(actor, self.now()) == Some(Refusal::Banned) {
            return Err(Refusal::Banned.into());
        }
        match offer.terms.stage {
            OfferStage::Draft => return Err(Refusal::NoSuchOffer.into()),
            OfferStage::Closed => return Err(Refusal::Closed.into()),
            OfferStage::Open | OfferStage::Paused if offer.terms.left() > 0 => {
                return Err(Refusal::WrongStatus("there are units left: buy one").into());
            }
            OfferStage::Open | OfferStage::Paused => {}
        }
        let (app, user) = (self.clone(), actor.user.clone());
        self.spawn_write(async move {
            if app.store().add_stock_alert(id, &user).await? { Ok(()) } else { Err(Refusal::Closed.into()) }
        })
        .await
    }

    pub async fn remove_stock_alert(&self, actor: &Actor, id: OfferId) -> Result<()> {
        actor.authorize(Permission::Buy, None)?;
        let (app, user) = (self.clone(), actor.user.clone());
        self.spawn_write(async move { Ok(app.store().remove_stock_alert(id, &user).await?) }).await
    }

    /// What the actor waits for in a show.
    pub async fn waits(&self, actor: &Actor, stream: StreamId) -> Result<Vec<OfferId>> {
        actor.authorize(Permission::Buy, None)?;
        Ok(self.store().stock_alerts_of(&actor.user, stream).await?)
    }
}

/// Shows this node's viewers how many wait; the other nodes look for themselves.
pub(super) async fn run_stock_alert_count(app: App) {
    let mut shown = HashMap::new();
    loop {
        let counted = count_stock_alerts(&app, &mut shown).await;
        app.counters().record_run("waiting", &counted, app.now());
        tokio::select! {
            () = tokio::time::sleep(COUNT_INTERVAL) => {}
            () = app.0.stop.cancelled() => return,
        }
    }
}

async fn count_stock_alerts(app: &App, shown: &mut HashMap<OfferId, StreamId>) -> Result<()> {
    let mut waiting = app.store().stock_alert_counts().await?;
    for one in waiting.extract_if(.., |one| one.closed) {
        app.store().delete_stock_alerts(one.offer).await?;
    }
    let mut gone = std::mem::take(shown);
    for one in &waiting {
        gone.remove(&one.offer);
        shown.insert(one.offer, one.stream);
        // Repeated for rooms that were opened since; what a room knows already makes no frame.
        app.set_local_state(one.stream, StateChange::StockAlerts { offer: one.offer, count: one.users }, false);
    }
    for (offer, stream) in gone {
        app.set_local_state(stream, StateChange::StockAlerts { offer, count: 0 }, false);
    }
    Ok(())
}
