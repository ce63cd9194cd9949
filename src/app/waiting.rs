//! Waiting for units to come back. No reservation: whoever is first when they do, buys.
//!
//! The count is a look of its own at a table of its own, once a second, so that selling does not know of it.

use std::collections::HashMap;
use std::time::Duration;

use super::{App, Result};
use crate::domain::{Action, Actor, OfferId, Refusal, Stage, StreamId};
use crate::protocol::StateChange;

const LOOK: Duration = Duration::from_secs(1);

impl App {
    /// Wants to hear of units that come back; twice is once.
    pub async fn wait(&self, actor: &Actor, id: OfferId) -> Result<()> {
        actor.may(Action::Buy, None)?;
        let offer = self.store().offer(id).await?.ok_or(Refusal::NoSuchOffer)?;
        if self.find_show(offer.stream).await?.refuses(actor, self.now()) == Some(Refusal::Banned) {
            return Err(Refusal::Banned.into());
        }
        match offer.terms.stage {
            Stage::Draft => return Err(Refusal::NoSuchOffer.into()),
            Stage::Closed => return Err(Refusal::Closed.into()),
            Stage::Open | Stage::Paused if offer.terms.left() > 0 => {
                return Err(Refusal::WrongStatus("there are units left: buy one").into());
            }
            Stage::Open | Stage::Paused => {}
        }
        let (app, user) = (self.clone(), actor.user.clone());
        self.write(async move { if app.store().wait(id, &user).await? { Ok(()) } else { Err(Refusal::Closed.into()) } })
            .await
    }

    pub async fn unwait(&self, actor: &Actor, id: OfferId) -> Result<()> {
        actor.may(Action::Buy, None)?;
        let (app, user) = (self.clone(), actor.user.clone());
        self.write(async move { Ok(app.store().unwait(id, &user).await?) }).await
    }

    /// What the actor waits for in a show.
    pub async fn waits(&self, actor: &Actor, stream: StreamId) -> Result<Vec<OfferId>> {
        actor.may(Action::Buy, None)?;
        Ok(self.store().waits_of(&actor.user, stream).await?)
    }
}

/// Shows this node's viewers how many wait; the other nodes look for themselves.
pub(super) async fn count(app: App) {
    let mut shown = HashMap::new();
    loop {
        let counted = count_once(&app, &mut shown).await;
        app.tally().round("waiting", &counted, app.now());
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = app.0.stop.cancelled() => return,
        }
    }
}

async fn count_once(app: &App, shown: &mut HashMap<OfferId, StreamId>) -> Result<()> {
    let mut waiting = app.store().waiting().await?;
    for one in waiting.extract_if(.., |one| one.closed) {
        app.store().forget_waiting(one.offer).await?;
    }
    let mut gone = std::mem::take(shown);
    for one in &waiting {
        gone.remove(&one.offer);
        shown.insert(one.offer, one.stream);
        // Repeated for rooms that were opened since; what a room knows already makes no frame.
        app.show_here(one.stream, StateChange::Waiting { offer: one.offer, people: one.people }, false);
    }
    for (offer, stream) in gone {
        app.show_here(stream, StateChange::Waiting { offer, people: 0 }, false);
    }
    Ok(())
}
