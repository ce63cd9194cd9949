//! The simulated viewers of a demo: they chat, send hearts and now and then buy a unit, so that the demo opens with life in it.
//!
//! They call the same services as people do, without a connection: they are counted neither as viewers nor in receipts, and reports
//! leave them out by their user ids. Their names say what they are. They never speak in a shop: only `livesouk demo` starts them.

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::crowd_plan::{CrowdAction, CrowdActionKind, CrowdPlan, CrowdSeed, SeedViewer, may_buy, picture_name};
use crate::app::{App, BackgroundJob, Error, JobSpec, NextRun, Result};
use crate::domain::reaction::ReactionKind;
use crate::domain::{
    Actor, IdempotencyKey, LiveStream, Name, Offer, OfferId, Refusal, Role, StreamId, StreamStatus, TokenStamp, UserId,
};

pub(super) const CROWD_JSON: &str = include_str!("../../web-demo/demo/crowd.json");

/// The job that lets one simulated viewer do one thing at a time.
pub struct Crowd {
    app: App,
    plan: CrowdPlan,
    rng: StdRng,
    /// The show of the demo, where the crowd is before the first person comes.
    stream: StreamId,
}

impl Crowd {
    pub fn new(app: App, stream: StreamId) -> std::result::Result<Self, serde_json::Error> {
        let seed: CrowdSeed = serde_json::from_str(CROWD_JSON)?;
        let plan = CrowdPlan::new(seed, app.now());
        Ok(Self { app, plan, rng: StdRng::seed_from_u64(rand::random()), stream })
    }

    /// The live show where the crowd is: one in which people are, else the one of the demo.
    async fn live_show(&mut self) -> Result<Option<LiveStream>> {
        let rooms = self.app.rooms().all();
        let visited = rooms.iter().filter(|room| room.has_connections()).map(|room| room.stream);
        for stream in visited.chain([self.stream]) {
            let found = match self.app.stream_cache.find_stream(stream).await {
                Ok(cached) => cached.stream(),
                Err(Error::Refused(_)) => continue,
                Err(fault) => return Err(fault),
            };
            if found.status == StreamStatus::Live {
                self.stream = stream;
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    async fn act(&mut self, show: &LiveStream) -> Result<()> {
        let pinned = match show.pin {
            Some(pin) => Some(self.app.catalogue.offer_details(pin.offer).await?),
            None => None,
        };
        let picture = pinned.as_ref().and_then(|offer| offer.image.as_deref()).map(picture_name);
        let CrowdAction { viewer, kind } = self.plan.next_action(picture, &mut self.rng);
        let actor = actor(&self.plan.viewers()[viewer])?;
        match kind {
            CrowdActionKind::Say(text) => self.app.chat.say(&actor, show.id, &text, None).await.map(drop),
            CrowdActionKind::React(count) => self.app.chat.react(&actor, show.id, kind_of(count), count).await,
            CrowdActionKind::Buy => match pinned {
                Some(offer) => self.buy(&actor, &offer).await,
                None => Ok(()),
            },
        }
    }

    async fn buy(&self, actor: &Actor, offer: &Offer) -> Result<()> {
        let now = self.app.catalogue.offer(actor, offer.id).await?;
        if !may_buy(now.status, now.left, now.quantity) {
            return Ok(());
        }
        let held = self.app.checkout.buy(actor, offer.id, 1, key(offer.id)?).await?;
        let quote = self.app.checkout.order_detail(actor, held.order.id).await?.order.quote;
        let version = quote.map(|quote| quote.version);
        self.app.checkout.pay(actor, held.order.id, "ok", version, key(offer.id)?).await.map(drop)
    }
}

/// Half of the taps are hearts, the others a mix of emoji.
fn kind_of(count: i64) -> ReactionKind {
    match count {
        4 => ReactionKind::Clap,
        5 => ReactionKind::Fire,
        6 => ReactionKind::Wow,
        _ => ReactionKind::Heart,
    }
}

/// A new idempotency key.
fn key(offer: OfferId) -> std::result::Result<IdempotencyKey, Refusal> {
    IdempotencyKey::parse(&format!("crowd-{offer}-{:x}", rand::random::<u128>()))
}

fn actor(viewer: &SeedViewer) -> std::result::Result<Actor, Refusal> {
    let user = UserId::parse(&format!("{}{}", UserId::SIMULATED, viewer.id))?;
    let (name, token) = (Name::parse(&viewer.name)?, TokenStamp::default());
    Ok(Actor { user, name, role: Role::Viewer, stream: None, expires_at: None, token, session: None })
}

impl BackgroundJob for Crowd {
    fn spec(&self) -> JobSpec {
        JobSpec::new("demo_crowd", Duration::from_secs(2), Duration::from_secs(30))
    }

    async fn run(&mut self, _is_last: bool) -> Result<NextRun> {
        let is_person_here = self.app.rooms().all().iter().any(|room| room.has_connections());
        let is_silent = self.plan.is_silent(is_person_here, self.app.now());
        if !is_silent && let Some(show) = self.live_show().await? {
            match self.act(&show).await {
                // A muted viewer, a chat that is off, an offer that was paused: they are treated as people are.
                Ok(()) | Err(Error::Refused(_)) => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(NextRun::After(self.plan.pause(is_silent, &mut self.rng)))
    }
}
