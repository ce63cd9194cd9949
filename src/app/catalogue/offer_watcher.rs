//! Follows the offers on sale that have viewers on this node, and publishes what changed; opens and closes what is due in the shop.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::Catalogue;
use crate::app::error::Result;
use crate::app::jobs::{BackgroundJob, JobSpec, NextRun};
use crate::app::state_changes::offer_change;
use crate::domain::{Event, Millis, Offer, OfferId, OfferStatus, StreamId};
use crate::protocol::OfferView;
use crate::store::OFFERS_TO_CLOSE_MAX;

/// Poll interval: how late a lost message about an offer is repaired.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The version of an offer that viewers received last.
#[derive(Clone, Copy)]
struct DisplayedOffer {
    v: [i64; 2],
    status: OfferStatus,
    /// Its sale has started. A pause does not change that, not even a pause during the countdown.
    has_started: bool,
    /// The time at which the status changes next without an action.
    next_change_at: Option<Millis>,
}

impl DisplayedOffer {
    /// Whether the offer may look different now. Most of ten thousand offers do not, and are not read.
    fn is_stale(&self, v: [i64; 2], now: Millis) -> bool {
        // Paying for a hold changes what "sold out" means but not the version: paying never touches the hot row.
        self.v != v || self.next_change_at.is_some_and(|at| at <= now) || self.status == OfferStatus::SoldOutForNow
    }
}

pub struct OfferWatcher {
    catalogue: Arc<Catalogue>,
    watched: WatchedOffers,
}

/// What the last run saw.
#[derive(Default)]
struct WatchedOffers {
    displayed: HashMap<OfferId, DisplayedOffer>,
    /// The shows that had viewers here.
    streams: HashSet<StreamId>,
    /// When it ran; `None` before the first run. A room that is new since then has no viewers who were here when an older sale
    /// started.
    ran_at: Option<Millis>,
}

impl OfferWatcher {
    pub fn new(catalogue: Arc<Catalogue>) -> Self {
        Self { catalogue, watched: WatchedOffers::default() }
    }
}

impl BackgroundJob for OfferWatcher {
    fn spec(&self) -> JobSpec {
        JobSpec::new("offers", POLL_INTERVAL, Duration::from_secs(10))
    }

    fn wake(&self) -> Option<Arc<Notify>> {
        Some(self.catalogue.offers_changed.clone())
    }

    async fn run(&mut self, _is_last: bool) -> Result<NextRun> {
        let catalogue = self.catalogue.clone();
        let pause = catalogue.check_offers(&mut self.watched).await?;
        Ok(NextRun::After(pause))
    }
}

impl Catalogue {
    /// Returns when to check again.
    async fn check_offers(&self, watched: &mut WatchedOffers) -> Result<Duration> {
        let (context, store) = (&self.context, &self.context.store);
        context.refresh_clock_and_epoch().await?;
        // Before the offers are read: what is published below has the new titles.
        self.forget_changed_products().await?;
        let now = context.now();
        let to_close = store.offers_to_close(now).await?;
        let are_more_to_close = to_close.len() == OFFERS_TO_CLOSE_MAX;
        for id in to_close {
            // An offer that cannot be closed now must not keep the others from being closed and published.
            if let Err(error) = self.close_offer_now(id).await {
                tracing::warn!(offer.id = %id, error = %error, "an expired sale could not be closed yet");
            }
        }
        for id in store.offers_due_to_start(now).await? {
            if let Err(error) = self.start_scheduled_offer(id).await {
                tracing::warn!(offer.id = %id, error = %error, "a scheduled sale could not be started yet");
            }
        }
        let streams: HashSet<StreamId> = self.publisher.rooms.all().iter().map(|room| room.stream).collect();
        let on_sale = store.offers_on_sale(&streams.iter().copied().collect::<Vec<_>>()).await?;
        let ran_at = watched.ran_at.unwrap_or(now);
        let displayed = &mut watched.displayed;
        let is_stale = |id: &OfferId, version| {
            displayed.get(id).is_none_or(|shown| shown.is_stale([context.epoch(), version], now))
        };
        let stale: Vec<OfferId> =
            on_sale.iter().filter(|offer| is_stale(&offer.id, offer.version)).map(|offer| offer.id).collect();
        let mut before = std::mem::take(displayed);
        displayed.extend(on_sale.iter().filter_map(|offer| before.remove_entry(&offer.id)));
        for offer in &store.offers_by_id(&stale).await? {
            let view = OfferView::of(offer, context.epoch(), now);
            let shown = displayed.get(&offer.id);
            let is_new_room = !watched.streams.contains(&offer.stream);
            let had_started =
                shown.map_or(is_new_room && offer.terms.opens_at.is_some_and(|at| at <= ran_at), |it| it.has_started);
            let has_started = had_started || is_on_sale(view.status);
            // The first viewers of a room saw the offer as it was a moment ago. An unchanged value creates no frame.
            if shown.is_none_or(|it| (it.v, it.status) != (view.v, view.status)) {
                self.publish_offer_change(offer, &view, has_started && !had_started).await;
            }
            let changes = [offer.terms.opens_at, offer.terms.closes_at].into_iter().flatten().filter(|at| now < *at);
            let next_change_at = changes.min();
            displayed.insert(offer.id, DisplayedOffer { v: view.v, status: view.status, has_started, next_change_at });
        }
        // An offer that viewers still see as open, but that is not on sale anymore, was closed by a node whose message
        // was lost.
        let seen_by_viewers = self.publisher.displayed_offers.iter().map(|id| *id);
        let gone: Vec<OfferId> = seen_by_viewers.filter(|id| !displayed.contains_key(id)).collect();
        for offer in &store.offers_by_id(&gone).await? {
            if streams.contains(&offer.stream) {
                self.publish_offer(offer, true);
            } else if self.publisher.rooms.get(offer.stream).is_none() {
                self.publisher.displayed_offers.remove(&offer.id);
            }
        }
        (watched.streams, watched.ran_at) = (streams, Some(now));
        let next_poll = if are_more_to_close { now } else { now + POLL_INTERVAL.as_millis() as Millis };
        let next = watched.displayed.values().filter_map(|shown| shown.next_change_at).fold(next_poll, Millis::min);
        Ok(Duration::from_millis((next - context.now()).max(1) as u64))
    }

    async fn publish_offer_change(&self, offer: &Offer, view: &OfferView, starts: bool) {
        if starts {
            // Every node notices the start.
            let (key, event) = (format!("opened:{}", offer.id), Event::SaleOpened { offer: offer.id });
            if let Err(error) = self.publisher.publish_event_once(offer.stream, key, &event).await {
                tracing::warn!(offer.id = %offer.id, error = %error, "the start of a sale could not be published");
            }
        }
        // Every node polls for itself, so publishing this to the other nodes would only be noise.
        self.sold_out_caches.record_version(offer.id, offer.terms.version);
        self.publisher.set_local_state(offer.stream, offer_change(view), starts || view.left == 0);
    }
}

fn is_on_sale(status: OfferStatus) -> bool {
    matches!(status, OfferStatus::Open | OfferStatus::SoldOutForNow | OfferStatus::SoldOut)
}
