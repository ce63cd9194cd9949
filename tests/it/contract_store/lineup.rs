//! The line-up of a show, and scheduled sales.

use livesouk::clock::Clock;
use livesouk::domain::offer::{NewOffer, SCHEDULE_LATE_MAX_MS};
use livesouk::domain::{OfferId, OfferKind, OfferStage, Refusal};

use super::builders::refusal;
use super::fixture::{Fixture, facts};

facts! {
    new_offer_is_last_and_the_host_moves_it
    lineup_without_each_offer_exactly_once_is_refused
    concurrent_reorders_leave_one_consistent_lineup
    scheduled_sale_opens_on_time_after_its_countdown
    scheduled_sale_is_started_by_exactly_one_caller
    scheduled_sale_survives_restart_and_opens_late_after_a_whole_countdown
    late_unscheduled_or_ended_sales_do_not_start
    only_a_draft_can_be_scheduled
}

const COUNTDOWN: i64 = 10_000;
const LENGTH: i64 = 60_000;

impl Fixture {
    async fn lineup(&self) -> Vec<OfferId> {
        self.store.offers_of_stream(self.stream).await.unwrap().into_iter().map(|offer| offer.id).collect()
    }

    /// Creates a flash sale that is scheduled this many milliseconds from now.
    async fn scheduled(&self, ahead: i64) -> OfferId {
        let form = NewOffer {
            kind: OfferKind::Flash,
            countdown_ms: COUNTDOWN,
            duration_ms: Some(LENGTH),
            starts_at: Some(self.store.now().await.unwrap() + ahead),
            ..self.new_offer(5, 1)
        };
        self.store.create_offer(&form, None).await.unwrap();
        form.id
    }

    async fn due(&self) -> Vec<OfferId> {
        self.store.offers_due_to_start(self.store.now().await.unwrap()).await.unwrap()
    }
}

async fn new_offer_is_last_and_the_host_moves_it(shop: Fixture) {
    let (a, b, c, d) = (shop.offer(1, 1).await, shop.offer(1, 1).await, shop.draft(1, 1).await, shop.offer(1, 1).await);
    assert_eq!(shop.lineup().await, [a, b, c, d]);
    shop.store.close_offer(d).await.unwrap();
    let versions = async || {
        let mut all = Vec::new();
        for id in [a, b, c] {
            all.push(shop.load_offer(id).await.terms.version);
        }
        all
    };
    let before = versions().await;
    assert_eq!(shop.store.reorder_lineup(shop.stream, &[b, a, c]).await.unwrap().len(), 2);
    assert_eq!(versions().await, [before[0] + 1, before[1] + 1, before[2]], "offers that moved have a new version");
    assert_eq!(shop.lineup().await[..3], [b, a, c]);
    assert_eq!(shop.store.reorder_lineup(shop.stream, &[b, a, c]).await.unwrap(), []);
    let last = shop.draft(1, 1).await;
    assert_eq!(shop.lineup().await.last(), Some(&last));
    assert_eq!(shop.store.reorder_lineup(shop.stream, &[last, c, b, a]).await.unwrap().len(), 4);
    assert_eq!(shop.lineup().await[..3], [last, c, b]);
}

async fn lineup_without_each_offer_exactly_once_is_refused(shop: Fixture) {
    let (a, b, closed) = (shop.offer(1, 1).await, shop.draft(1, 1).await, shop.offer(1, 1).await);
    shop.store.close_offer(closed).await.unwrap();
    for wrong in [vec![], vec![b], vec![b, a, a], vec![b, b], vec![b, a, closed], vec![b, a, OfferId::new()]] {
        let refused = refusal(shop.store.reorder_lineup(shop.stream, &wrong).await);
        assert_eq!(refused.code(), "invalid_value", "{wrong:?}");
        assert!(matches!(refused, Refusal::InvalidValue { field: "offers", .. }), "{refused:?}");
    }
    assert_eq!(shop.lineup().await[..2], [a, b]);
}

async fn concurrent_reorders_leave_one_consistent_lineup(shop: Fixture) {
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(shop.offer(1, 1).await);
    }
    let (forward, reverse): (Vec<_>, Vec<_>) = (ids.clone(), ids.iter().rev().copied().collect());
    // From here, one reorder moves two offers and the other moves all: they must not mix.
    let start = [ids[0], ids[1], ids[2], ids[5], ids[4], ids[3]];
    for _ in 0..25 {
        shop.store.reorder_lineup(shop.stream, &start).await.unwrap();
        let (one, two) = tokio::join!(
            shop.store.reorder_lineup(shop.stream, &forward),
            shop.store.reorder_lineup(shop.stream, &reverse)
        );
        one.unwrap();
        two.unwrap();
        let order = shop.lineup().await;
        assert!(order == forward || order == reverse, "{order:?}");
    }
}

async fn scheduled_sale_opens_on_time_after_its_countdown(shop: Fixture) {
    let (far, near) = (shop.scheduled(3_600_000).await, shop.scheduled(COUNTDOWN / 2).await);
    assert_eq!(shop.due().await, [near]);
    assert!(!shop.store.start_scheduled_offer(far).await.unwrap(), "its countdown is not due");
    assert!(shop.store.start_scheduled_offer(near).await.unwrap());
    let offer = shop.load_offer(near).await;
    assert_eq!(offer.terms.stage, OfferStage::Open);
    assert_eq!(offer.terms.opens_at, offer.starts_at, "to the millisecond");
    assert_eq!(offer.terms.closes_at, offer.starts_at.map(|at| at + LENGTH));
    assert_eq!(shop.due().await, []);
    assert_eq!(shop.load_offer(far).await.terms.stage, OfferStage::Draft);
}

async fn scheduled_sale_is_started_by_exactly_one_caller(shop: Fixture) {
    for _ in 0..5 {
        let offer = shop.scheduled(COUNTDOWN / 2).await;
        let version = shop.load_offer(offer).await.terms.version;
        let one = || shop.store.start_scheduled_offer(offer);
        let (a, b, c, d) = tokio::join!(one(), one(), one(), one());
        assert_eq!([a, b, c, d].into_iter().filter(|started| *started.as_ref().unwrap()).count(), 1);
        assert_eq!(shop.load_offer(offer).await.terms.version, version + 1);
    }
}

async fn scheduled_sale_survives_restart_and_opens_late_after_a_whole_countdown(shop: Fixture) {
    let offer = shop.scheduled(3_600_000).await;
    // No node was running until a minute after its time.
    let late = format!("update offers set starts_at = starts_at - 3660000 where id = {}", shop.id(offer.0));
    shop.run(&late).await;
    let shop = shop.reopened().await;
    assert_eq!(shop.due().await, [offer]);
    let before = shop.store.now().await.unwrap();
    assert!(shop.store.start_scheduled_offer(offer).await.unwrap());
    let terms = shop.load_offer(offer).await.terms;
    assert!((before + COUNTDOWN..before + COUNTDOWN + 5_000).contains(&terms.opens_at.unwrap()), "{terms:?}");
    assert_eq!(terms.closes_at.unwrap() - terms.opens_at.unwrap(), LENGTH);
}

async fn late_unscheduled_or_ended_sales_do_not_start(shop: Fixture) {
    let (late, cleared, discarded) =
        (shop.scheduled(5_000).await, shop.scheduled(5_000).await, shop.scheduled(5_000).await);
    let missed = format!(
        "update offers set starts_at = starts_at - {} where id = {}",
        SCHEDULE_LATE_MAX_MS + 10_000,
        shop.id(late.0)
    );
    shop.run(&missed).await;
    shop.store.schedule_offer(cleared, None).await.unwrap();
    shop.store.close_offer(discarded).await.unwrap();
    assert_eq!(shop.due().await, []);
    let ended = shop.scheduled(5_000).await;
    assert_eq!(shop.due().await, [ended]);
    shop.run("update streams set status = 'ended'").await;
    assert_eq!(shop.due().await, []);
    for offer in [late, cleared, discarded, ended] {
        assert!(!shop.store.start_scheduled_offer(offer).await.unwrap());
    }
}

async fn only_a_draft_can_be_scheduled(shop: Fixture) {
    let (draft, open) = (shop.draft(1, 1).await, shop.offer(1, 1).await);
    let version = shop.load_offer(draft).await.terms.version;
    shop.store.schedule_offer(draft, Some(7)).await.unwrap();
    let offer = shop.load_offer(draft).await;
    assert_eq!((offer.starts_at, offer.terms.version), (Some(7), version + 1));
    assert!(matches!(refusal(shop.store.schedule_offer(open, Some(7)).await), Refusal::WrongStatus(_)));
    shop.store.close_offer(open).await.unwrap();
    assert_eq!(refusal(shop.store.schedule_offer(open, Some(7)).await), Refusal::Closed);
    assert_eq!(refusal(shop.store.schedule_offer(OfferId::new(), Some(7)).await), Refusal::NoSuchOffer);
}

/// The test sets the clock, and two callers look for due sales concurrently.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scheduled_sale_starts_once_when_the_clock_reaches_its_time() {
    let shop = Fixture::on_sqlite().await;
    let offer = shop.scheduled(3_600_000).await;
    let clock = Clock::manual(shop.store.now().await.unwrap());
    let shop = shop.reopened_at(clock.clone()).await;
    let starts_at = shop.load_offer(offer).await.starts_at.unwrap();
    let start_due = async || {
        let one = async || {
            let due = shop.due().await;
            !due.is_empty() && shop.store.start_scheduled_offer(due[0]).await.unwrap()
        };
        let (a, b) = tokio::join!(one(), one());
        u8::from(a) + u8::from(b)
    };
    clock.set(starts_at - COUNTDOWN - 1);
    assert_eq!(start_due().await, 0, "a millisecond too early");
    clock.advance(1);
    assert_eq!(start_due().await, 1);
    clock.advance(1);
    assert_eq!(start_due().await, 0, "once");
    assert_eq!(shop.load_offer(offer).await.terms.opens_at, Some(starts_at));
}
