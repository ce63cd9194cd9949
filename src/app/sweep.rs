//! What happens without anybody asking: sales open and end, holds end, paid orders are told, hearts are written.
//!
//! Every loop is harmless when several nodes run it at once: the store decides who was first.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::{App, Result};
use crate::domain::{Event, Millis, Offer, OfferId, OfferStatus, OrderId, OrderStatus};
use crate::protocol::OfferView;
use crate::store::{PaymentStatus, Release};

/// How late a lost message about an offer heals.
const POLL: Duration = Duration::from_secs(1);
/// How late a hold is released at most, when all is well; the promise is five seconds.
const HOLDS: Duration = Duration::from_millis(500);
/// An order that has been `capturing` for so long lost its node on the way.
const ADRIFT_MS: Millis = 60_000;
const ADRIFT_EVERY: u32 = 30;

/// What a viewer was last shown of an offer.
type Shown = HashMap<OfferId, Seen>;

#[derive(Clone, Copy)]
struct Seen {
    v: [i64; 2],
    status: OfferStatus,
    /// Its sale has begun: a pause changes nothing about that, not even one during the countdown.
    begun: bool,
}

/// Follows every offer on sale: starts and ends what is due, shows what changed.
pub async fn offers(app: App) {
    let mut shown = Shown::new();
    let mut first = true;
    loop {
        let pause = match offers_once(&app, &mut shown, first).await {
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
    let offers = app.store().offers_on_sale().await?;
    let mut next = now + POLL.as_millis() as Millis;
    let mut still = Shown::with_capacity(offers.len());
    for offer in &offers {
        let view = OfferView::of(offer, app.epoch(), now);
        let before = shown.get(&offer.id).copied();
        let begun_before = before.map_or(first && offer.terms.opens_at.is_some_and(|at| at <= now), |seen| seen.begun);
        let begun = begun_before || on_sale(view.status);
        if before.is_none_or(|seen| (seen.v, seen.status) != (view.v, view.status)) && !first {
            show_change(app, offer, &view, begun && !begun_before).await;
        }
        still.insert(offer.id, Seen { v: view.v, status: view.status, begun });
        let turns = [offer.terms.opens_at, offer.terms.closes_at].into_iter().flatten().filter(|at| now < *at);
        next = turns.fold(next, |next, at| next.min(at));
    }
    *shown = still;
    Ok(Duration::from_millis((next - app.now()).max(1) as u64))
}

fn on_sale(status: OfferStatus) -> bool {
    matches!(status, OfferStatus::Open | OfferStatus::SoldOutForNow | OfferStatus::SoldOut)
}

async fn show_change(app: &App, offer: &Offer, view: &OfferView, begins: bool) {
    if begins {
        app.tell(offer.stream, &Event::SaleOpened { offer: offer.id });
    }
    app.show_offer(offer, begins || view.left == 0).await;
}

/// Ends holds that are over and puts their units back on sale.
pub async fn holds(app: App) {
    loop {
        if let Err(error) = holds_once(&app).await {
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
        if let Err(error) = outbox_once(&app).await {
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
    for note in app.store().notes(100).await? {
        if let ("order.paid", Ok(id)) = (note.topic.as_str(), note.body.parse::<OrderId>())
            && let Some(order) = app.store().order(id).await?
        {
            let (name, qty, offer) = (order.buyer_name, order.qty, order.offer);
            if let Some(show) = app.known_show(order.stream) {
                show.note_sale(app.now(), app.0.settings.chat);
            }
            app.log(order.stream, &Event::Purchased { name, qty, offer })?;
        }
        app.store().delivered(note.id).await?;
    }
    Ok(())
}

/// Slow chores: hearts to the store, empty rooms away, orders adrift brought home. Hearts once more at the end.
pub async fn upkeep(app: App) {
    let mut turn = 0_u32;
    loop {
        let last = app.0.stop.is_cancelled();
        write_likes(&app).await;
        if last {
            return;
        }
        app.rooms().remove_idle();
        if turn.is_multiple_of(ADRIFT_EVERY)
            && let Err(error) = bring_home(&app).await
        {
            tracing::warn!(error = %error, "orders adrift were not settled");
        }
        turn = turn.wrapping_add(1);
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            () = app.0.stop.cancelled() => {}
        }
    }
}

async fn write_likes(app: &App) {
    let shows: Vec<_> = app.0.shows.iter().map(|entry| (*entry.key(), entry.value().clone())).collect();
    for (id, show) in shows {
        let likes = show.take_fresh_likes();
        if likes > 0
            && let Err(error) = app.store().add_likes(id, likes).await
        {
            tracing::warn!(stream.id = %id, likes, error = %error, "hearts are not written yet");
            show.give_back_likes(likes);
        }
    }
}

/// Orders whose node died between winning the order and hearing of the money: ask the provider again, same attempt.
async fn bring_home(app: &App) -> Result<()> {
    let provider = super::payment::TEST_PROVIDER;
    for payment in app.store().payments_adrift(app.store().now().await? - ADRIFT_MS).await? {
        let Some(order) = app.store().order(payment.order).await? else { continue };
        // An earlier try of this list settled it: money is taken once.
        if order.status != OrderStatus::Capturing {
            continue;
        }
        if provider.capture(&payment).await {
            app.store().set_payment(&payment, PaymentStatus::Captured).await?;
            if let Some(paid) = app.store().finish_capture(order.id, &order.buyer, None).await? {
                app.order_changed(&paid).await;
            }
        } else {
            app.store().set_payment(&payment, PaymentStatus::Failed).await?;
            app.release(order.offer, &[order.id], Release::CaptureFailed, None).await?;
        }
    }
    Ok(())
}
