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
use crate::store::Release;

/// How late a lost message about an offer heals.
const POLL: Duration = Duration::from_secs(1);
/// How late a hold is released at most, when all is well; the promise is five seconds.
const HOLDS: Duration = Duration::from_millis(500);

/// Notes of one turn.
const NOTES_MAX: i64 = 100;

/// What a viewer was last shown of an offer.
type Shown = HashMap<OfferId, Seen>;

#[derive(Clone, Copy)]
struct Seen {
    v: [i64; 2],
    status: OfferStatus,
    /// Its sale has begun: a pause changes nothing about that, not even one during the countdown.
    begun: bool,
    /// When time alone makes something else of it.
    turns_at: Option<Millis>,
}

impl Seen {
    /// May it look different now? Most of ten thousand offers do not, and are not read.
    fn is_stale(&self, v: [i64; 2], now: Millis) -> bool {
        // A hold that is paid changes what "sold out" means, and no version: paying never touches the hot row.
        self.v != v || self.turns_at.is_some_and(|at| at <= now) || self.status == OfferStatus::SoldOutForNow
    }
}

/// Follows every offer on sale: starts and ends what is due, shows what changed.
pub async fn offers(app: App) {
    let mut shown = Shown::new();
    let mut first = true;
    loop {
        let looked = offers_once(&app, &mut shown, first).await;
        app.tally().round("offers", &looked, app.now());
        let pause = match looked {
            Ok(pause) => {
                first = false;
                pause
            }
            Err(_) => POLL,
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = app.0.offers_changed.notified() => {}
            () = app.0.stop.cancelled() => return,
        }
    }
}

async fn offers_once(app: &App, shown: &mut Shown, first: bool) -> Result<Duration> {
    app.follow_clock_and_epoch().await?;
    let now = app.now();
    for id in app.store().offers_past_their_end(now).await? {
        // One that cannot be closed now must not keep the others from being closed and shown.
        if let Err(error) = app.close_now(id).await {
            tracing::warn!(offer.id = %id, error = %error, "a sale that is over is not closed yet");
        }
    }
    for id in app.store().offers_to_start(now).await? {
        if let Err(error) = app.start_planned(id).await {
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
        let begun_before = seen.map_or(first && offer.terms.opens_at.is_some_and(|at| at <= now), |seen| seen.begun);
        let begun = begun_before || on_sale(view.status);
        if seen.is_none_or(|seen| (seen.v, seen.status) != (view.v, view.status)) && !first {
            show_change(app, offer, &view, begun && !begun_before).await;
        }
        let turns = [offer.terms.opens_at, offer.terms.closes_at].into_iter().flatten().filter(|at| now < *at);
        shown.insert(offer.id, Seen { v: view.v, status: view.status, begun, turns_at: turns.min() });
    }
    // What a viewer has on the screen and is not on sale any more was closed by a node whose word was lost.
    let gone: Vec<OfferId> = app.0.on_screen.iter().map(|id| *id).filter(|id| !shown.contains_key(id)).collect();
    for offer in &app.store().offers_by_id(&gone).await? {
        if app.rooms().get(offer.stream).is_some() {
            app.show_offer(offer, true).await;
        } else {
            app.0.on_screen.remove(&offer.id);
        }
    }
    let poll = now + POLL.as_millis() as Millis;
    let next = shown.values().filter_map(|seen| seen.turns_at).fold(poll, Millis::min);
    Ok(Duration::from_millis((next - app.now()).max(1) as u64))
}

fn on_sale(status: OfferStatus) -> bool {
    matches!(status, OfferStatus::Open | OfferStatus::SoldOutForNow | OfferStatus::SoldOut)
}

async fn show_change(app: &App, offer: &Offer, view: &OfferView, begins: bool) {
    if begins {
        // Every node sees it begin.
        let (mark, event) = (format!("opened:{}", offer.id), Event::SaleOpened { offer: offer.id });
        if let Err(error) = app.log_once(offer.stream, mark, &event).await {
            tracing::warn!(offer.id = %offer.id, error = %error, "the start of a sale was not told");
        }
    }
    // Every node polls for itself: telling the others what they find out too would only be noise.
    app.0.sellers.heed(offer.id, offer.terms.version);
    app.show_here(offer.stream, offer_change(view), begins || view.left == 0);
}

/// Ends holds that are over and puts their units back on sale.
pub async fn holds(app: App) {
    loop {
        let swept = holds_once(&app).await;
        app.tally().round("holds", &swept, app.now());
        if let Err(error) = swept {
            tracing::warn!(error = %error, "holds were not swept");
        }
        tokio::select! {
            () = tokio::time::sleep(HOLDS) => {}
            () = app.0.stop.cancelled() => return,
        }
    }
}

async fn holds_once(app: &App) -> Result<()> {
    let now = app.store().now().await?;
    let mut due: BTreeMap<OfferId, Vec<OrderId>> = BTreeMap::new();
    for (offer, order) in app.store().holds_due(now).await? {
        due.entry(offer).or_default().push(order);
    }
    for (offer, orders) in due {
        // One whose row somebody sits on must not hold up the others.
        if let Err(error) = app.release(offer, &orders, Release::HoldEnded, None).await {
            tracing::warn!(offer.id = %offer, holds = orders.len(), error = %error, "holds are not released yet");
        }
    }
    Ok(())
}

/// Delivers what was written with an order: the purchase note, under the name the buyer chose.
pub async fn outbox(app: App) {
    loop {
        let delivered = outbox_once(&app).await;
        app.tally().round("outbox", &delivered, app.now());
        if let Err(error) = delivered {
            tracing::warn!(error = %error, "notes were not delivered");
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            () = app.0.notes.notified() => {}
            () = app.0.stop.cancelled() => return,
        }
    }
}

async fn outbox_once(app: &App) -> Result<()> {
    let tally = app.tally();
    let notes = app.store().notes(NOTES_MAX).await?;
    let waiting = if notes.len() as i64 == NOTES_MAX { app.store().notes_waiting().await? } else { notes.len() as u64 };
    tally.outbox.store(waiting, Ordering::Relaxed);
    tally.outbox_since.store(notes.first().map_or(0, |oldest| oldest.created_at), Ordering::Relaxed);
    let more = waiting > notes.len() as u64;
    for note in notes {
        if let ("order.paid", Ok(id)) = (note.topic.as_str(), note.body.parse::<OrderId>())
            && let Some(order) = app.store().order(id).await?
        {
            let (name, qty, offer) = (order.buyer_name, order.qty, order.offer);
            if let Some(show) = app.known_show(order.stream) {
                show.note_sale(app.now(), app.0.settings.chat);
            }
            // Another node may have read the same note, or this one may have told it and not come to mark it.
            let mark = format!("paid:{}", order.id);
            app.log_once(order.stream, mark, &Event::Purchased { name, qty, offer }).await?;
        }
        if app.store().delivered(note.id).await? {
            tally.noted.add_ms(app.now() - note.created_at);
        }
    }
    if more {
        app.0.notes.notify_one();
    } else {
        tally.outbox.store(0, Ordering::Relaxed);
        tally.outbox_since.store(0, Ordering::Relaxed);
    }
    Ok(())
}

/// Slow chores: hearts to the store, empty rooms away. Hearts once more at the end.
pub async fn upkeep(app: App) {
    loop {
        let last = app.0.stop.is_cancelled();
        let written = write_likes(&app).await;
        app.tally().round("likes", &written, app.now());
        if last {
            return;
        }
        app.rooms().remove_idle().into_iter().for_each(|stream| app.0.broker.leave(stream));
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            () = app.0.stop.cancelled() => {}
        }
    }
}

pub(super) async fn write_likes(app: &App) -> Result<()> {
    let mut written = Ok(());
    for (id, show) in app.0.shows.all() {
        let likes = show.take_fresh_likes();
        if likes == 0 {
            continue;
        }
        match app.store().add_likes(id, likes).await {
            Ok(sum) => {
                show.heed_likes(sum);
                app.show(id, &StateChange::Likes(sum), false);
            }
            Err(error) => {
                tracing::warn!(stream.id = %id, likes, error = %error, "hearts are not written yet");
                show.give_back_likes(likes);
                written = Err(Error::Unavailable);
            }
        }
    }
    written
}
