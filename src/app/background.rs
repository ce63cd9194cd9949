//! What happens without anybody asking: sales open and end, holds end, paid orders are told, hearts are written.
//!
//! Every loop is harmless when several nodes run it at once: the store decides who was first.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::offer::offer_change;
use super::{App, Error, Result};
use crate::domain::{Event, Millis, Offer, OfferId, OfferStatus, OrderId};
use crate::protocol::{OfferView, StateChange};
use crate::store::ReleaseReason;

/// How late a lost message about an offer heals.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// How late a hold is released at most, when all is well; the promise is five seconds.
const HOLD_RELEASE_INTERVAL: Duration = Duration::from_millis(500);

/// Notes of one turn.
const OUTBOX_BATCH_MAX: i64 = 100;

/// What a viewer was last shown of an offer.
type DisplayedOffers = HashMap<OfferId, DisplayedOffer>;

#[derive(Clone, Copy)]
struct DisplayedOffer {
    v: [i64; 2],
    status: OfferStatus,
    /// Its sale has begun: a pause changes nothing about that, not even one during the countdown.
    has_started: bool,
    /// When time alone makes something else of it.
    next_change_at: Option<Millis>,
}

impl DisplayedOffer {
    /// May it look different now? Most of ten thousand offers do not, and are not read.
    fn is_stale(&self, v: [i64; 2], now: Millis) -> bool {
        // A hold that is paid changes what "sold out" means, and no version: paying never touches the hot row.
        self.v != v || self.next_change_at.is_some_and(|at| at <= now) || self.status == OfferStatus::SoldOutForNow
    }
}

/// Follows every offer on sale: starts and ends what is due, shows what changed.
pub async fn offers(app: App) {
    let mut shown = DisplayedOffers::new();
    let mut first = true;
    loop {
        let looked = check_offers(&app, &mut shown, first).await;
        app.counters().record_run("offers", &looked, app.now());
        let pause = match looked {
            Ok(pause) => {
                first = false;
                pause
            }
            Err(_) => POLL_INTERVAL,
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = app.0.offers_changed.notified() => {}
            () = app.0.stop.cancelled() => return,
        }
    }
}

async fn check_offers(app: &App, shown: &mut DisplayedOffers, first: bool) -> Result<Duration> {
    app.refresh_clock_and_epoch().await?;
    let now = app.now();
    for id in app.store().offers_to_close(now).await? {
        // One that cannot be closed now must not keep the others from being closed and shown.
        if let Err(error) = app.close_offer_now(id).await {
            tracing::warn!(offer.id = %id, error = %error, "a sale that is over is not closed yet");
        }
    }
    for id in app.store().offers_due_to_start(now).await? {
        if let Err(error) = app.start_scheduled_offer(id).await {
            tracing::warn!(offer.id = %id, error = %error, "a planned sale is not started yet");
        }
    }
    let pulses = app.store().offers_on_sale().await?;
    let stale: Vec<OfferId> = pulses
        .iter()
        .filter(|pulse| shown.get(&pulse.id).is_none_or(|seen| seen.is_stale([app.epoch(), pulse.version], now)))
        .map(|pulse| pulse.id)
        .collect();
    let mut before = std::mem::take(shown);
    shown.extend(pulses.iter().filter_map(|pulse| before.remove_entry(&pulse.id)));
    for offer in &app.store().offers_by_id(&stale).await? {
        let view = OfferView::of(offer, app.epoch(), now);
        let seen = shown.get(&offer.id);
        let begun_before =
            seen.map_or(first && offer.terms.opens_at.is_some_and(|at| at <= now), |seen| seen.has_started);
        let begun = begun_before || is_on_sale(view.status);
        if seen.is_none_or(|seen| (seen.v, seen.status) != (view.v, view.status)) && !first {
            publish_offer_change(app, offer, &view, begun && !begun_before).await;
        }
        let turns = [offer.terms.opens_at, offer.terms.closes_at].into_iter().flatten().filter(|at| now < *at);
        shown.insert(
            offer.id,
            DisplayedOffer { v: view.v, status: view.status, has_started: begun, next_change_at: turns.min() },
        );
    }
    // What a viewer has on the screen and is not on sale any more was closed by a node whose word was lost.
    let gone: Vec<OfferId> = app.0.displayed_offers.iter().map(|id| *id).filter(|id| !shown.contains_key(id)).collect();
    for offer in &app.store().offers_by_id(&gone).await? {
        if app.rooms().get(offer.stream).is_some() {
            app.publish_offer(offer, true).await;
        } else {
            app.0.displayed_offers.remove(&offer.id);
        }
    }
    let poll = now + POLL_INTERVAL.as_millis() as Millis;
    let next = shown.values().filter_map(|seen| seen.next_change_at).fold(poll, Millis::min);
    Ok(Duration::from_millis((next - app.now()).max(1) as u64))
}

fn is_on_sale(status: OfferStatus) -> bool {
    matches!(status, OfferStatus::Open | OfferStatus::SoldOutForNow | OfferStatus::SoldOut)
}

async fn publish_offer_change(app: &App, offer: &Offer, view: &OfferView, begins: bool) {
    if begins {
        // Every node sees it begin.
        let (mark, event) = (format!("opened:{}", offer.id), Event::SaleOpened { offer: offer.id });
        if let Err(error) = app.publish_event_once(offer.stream, mark, &event).await {
            tracing::warn!(offer.id = %offer.id, error = %error, "the start of a sale was not told");
        }
    }
    // Every node polls for itself: telling the others what they find out too would only be noise.
    app.0.selling_tasks.record_version(offer.id, offer.terms.version);
    app.set_local_state(offer.stream, offer_change(view), begins || view.left == 0);
}

/// Ends holds that are over and puts their units back on sale.
pub async fn run_hold_expiry(app: App) {
    loop {
        let swept = release_expired_holds(&app).await;
        app.counters().record_run("holds", &swept, app.now());
        if let Err(error) = swept {
            tracing::warn!(error = %error, "holds were not swept");
        }
        tokio::select! {
            () = tokio::time::sleep(HOLD_RELEASE_INTERVAL) => {}
            () = app.0.stop.cancelled() => return,
        }
    }
}

async fn release_expired_holds(app: &App) -> Result<()> {
    let now = app.store().now().await?;
    let mut due: BTreeMap<OfferId, Vec<OrderId>> = BTreeMap::new();
    for (offer, order) in app.store().expired_holds(now).await? {
        due.entry(offer).or_default().push(order);
    }
    for (offer, orders) in due {
        // One whose row somebody sits on must not hold up the others.
        if let Err(error) = app.release_orders(offer, &orders, ReleaseReason::HoldEnded, None).await {
            tracing::warn!(offer.id = %offer, holds = orders.len(), error = %error, "holds are not released yet");
        }
    }
    Ok(())
}

/// Delivers what was written with an order: the purchase note, under the name the buyer chose.
pub async fn run_outbox(app: App) {
    loop {
        let delivered = deliver_outbox_batch(&app).await;
        app.counters().record_run("outbox", &delivered, app.now());
        if let Err(error) = delivered {
            tracing::warn!(error = %error, "notes were not delivered");
        }
        tokio::select! {
            () = tokio::time::sleep(POLL_INTERVAL) => {}
            () = app.0.outbox_changed.notified() => {}
            () = app.0.stop.cancelled() => return,
        }
    }
}

async fn deliver_outbox_batch(app: &App) -> Result<()> {
    let tally = app.counters();
    let notes = app.store().outbox_events(OUTBOX_BATCH_MAX).await?;
    let waiting = if notes.len() as i64 == OUTBOX_BATCH_MAX {
        app.store().count_outbox_events().await?
    } else {
        notes.len() as u64
    };
    tally.outbox_pending.store(waiting, Ordering::Relaxed);
    tally.outbox_oldest_at.store(notes.first().map_or(0, |oldest| oldest.created_at), Ordering::Relaxed);
    let more = waiting > notes.len() as u64;
    for note in notes {
        if let ("order.paid", Ok(id)) = (note.topic.as_str(), note.body.parse::<OrderId>())
            && let Some(order) = app.store().order(id).await?
        {
            let (name, qty, offer) = (order.buyer_name, order.qty, order.offer);
            if let Some(show) = app.cached_stream(order.stream) {
                show.charge_sale_event(app.now(), app.0.settings.chat);
            }
            // Another node may have read the same note, or this one may have told it and not come to mark it.
            let mark = format!("paid:{}", order.id);
            app.publish_event_once(order.stream, mark, &Event::Purchased { name, qty, offer }).await?;
        }
        if app.store().delete_outbox_event(note.id).await? {
            tally.outbox_delay.observe_ms(app.now() - note.created_at);
        }
    }
    if more {
        app.0.outbox_changed.notify_one();
    } else {
        tally.outbox_pending.store(0, Ordering::Relaxed);
        tally.outbox_oldest_at.store(0, Ordering::Relaxed);
    }
    Ok(())
}

/// Slow chores: hearts to the store, empty rooms away. Hearts once more at the end.
pub async fn run_upkeep(app: App) {
    loop {
        let last = app.0.stop.is_cancelled();
        let written = flush_likes(&app).await;
        app.counters().record_run("likes", &written, app.now());
        if last {
            return;
        }
        app.rooms().remove_idle().into_iter().for_each(|stream| app.0.broker.unsubscribe(stream));
        tokio::select! {
            () = tokio::time::sleep(POLL_INTERVAL) => {}
            () = app.0.stop.cancelled() => {}
        }
    }
}

pub(super) async fn flush_likes(app: &App) -> Result<()> {
    let mut written = Ok(());
    for (id, show) in app.0.streams.snapshot() {
        let likes = show.take_unsaved_likes();
        if likes == 0 {
            continue;
        }
        match app.store().add_likes(id, likes).await {
            Ok(sum) => {
                show.update_likes(sum);
                app.publish_state(id, &StateChange::Likes(sum), false);
            }
            Err(error) => {
                tracing::warn!(stream.id = %id, likes, error = %error, "hearts are not written yet");
                show.restore_unsaved_likes(likes);
                written = Err(Error::Unavailable);
            }
        }
    }
    written
}
