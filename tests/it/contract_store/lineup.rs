//! The order of the run-down, and sales that begin by themselves.

use livesouk::clock::Clock;
use livesouk::domain::offer::{NewOffer, SCHEDULE_LATE_MAX_MS};
use livesouk::domain::{OfferId, OfferKind, OfferStage, Refusal};

use super::builders::refusal;
use super::fixture::{Fixture, facts};

facts! {
    a_new_offer_stands_last_and_the_host_moves_it
    an_order_that_is_not_each_offer_once_is_refused_and_moves_nothing
    two_hosts_who_drag_at_once_leave_one_order
    a_planned_sale_begins_at_its_time_with_its_countdown_before
    of_many_who_start_a_planned_sale_one_does
    a_planned_sale_survives_a_restart_and_begins_late_with_a_whole_countdown
    what_is_too_late_unplanned_or_of_an_ended_show_does_not_begin
    only_a_draft_is_given_a_time
}

const COUNTDOWN: i64 = 10_000;
const LENGTH: i64 = 60_000;

impl Fixture {
    async fn rundown(&self) -> Vec<OfferId> {
        self.store.offers_of_stream(self.stream).await.unwrap().into_iter().map(|offer| offer.id).collect()
    }

    /// A flash sale that begins so many milliseconds from now.
    async fn planned(&self, ahead: i64) -> OfferId {
        let form = NewOffer {
            kind: OfferKind::Flash,
            countdown_ms: COUNTDOWN,
            duration_ms: Some(LENGTH),
            starts_at: Some(self.store.now().await.unwrap() + ahead),
            ..self.new_offer(5, 1)
        };
        self.store.create_offer(&form).await.unwrap();
        form.id
    }

    async fn due(&self) -> Vec<OfferId> {
        self.store.offers_due_to_start(self.store.now().await.unwrap()).await.unwrap()
    }
}

async fn a_new_offer_stands_last_and_the_host_moves_it(shop: Fixture) {
    let (a, b, c, d) = (shop.offer(1, 1).await, shop.offer(1, 1).await, shop.draft(1, 1).await, shop.offer(1, 1).await);
    assert_eq!(shop.rundown().await, [a, b, c, d]);
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
    assert_eq!(versions().await, [before[0] + 1, before[1] + 1, before[2]], "those that moved have a new version");
    assert_eq!(shop.rundown().await[..3], [b, a, c]);
    assert_eq!(shop.store.reorder_lineup(shop.stream, &[b, a, c]).await.unwrap(), []);
    let last = shop.draft(1, 1).await;
    assert_eq!(shop.rundown().await.last(), Some(&last));
    assert_eq!(shop.store.reorder_lineup(shop.stream, &[last, c, b, a]).await.unwrap().len(), 4);
    assert_eq!(shop.rundown().await[..3], [last, c, b]);
}

async fn an_order_that_is_not_each_offer_once_is_refused_and_moves_nothing(shop: Fixture) {
    let (a, b, closed) = (shop.offer(1, 1).await, shop.draft(1, 1).await, shop.offer(1, 1).await);
    shop.store.close_offer(closed).await.unwrap();
    for wrong in [vec![], vec![b], vec![b, a, a], vec![b, b], vec![b, a, closed], vec![b, a, OfferId::new()]] {
        let told = refusal(shop.store.reorder_lineup(shop.stream, &wrong).await);
        assert_eq!(told.code(), "bad_request", "{wrong:?}");
        assert!(matches!(told, Refusal::BadField { field: "offers", .. }), "{told:?}");
    }
    assert_eq!(shop.rundown().await[..2], [a, b]);
}

async fn two_hosts_who_drag_at_once_leave_one_order(shop: Fixture) {
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(shop.offer(1, 1).await);
    }
    let (forth, back): (Vec<_>, Vec<_>) = (ids.clone(), ids.iter().rev().copied().collect());
    // From here one moves two of them, the other all: the two must not mix.
    let start = [ids[0], ids[1], ids[2], ids[5], ids[4], ids[3]];
    for _ in 0..25 {
        shop.store.reorder_lineup(shop.stream, &start).await.unwrap();
        let (one, two) =
            tokio::join!(shop.store.reorder_lineup(shop.stream, &forth), shop.store.reorder_lineup(shop.stream, &back));
        one.unwrap();
        two.unwrap();
        let order = shop.rundown().await;
        assert!(order == forth || order == back, "{order:?}");
    }
}

async fn a_planned_sale_begins_at_its_time_with_its_countdown_before(shop: Fixture) {
    let (far, near) = (shop.planned(3_600_000).await, shop.planned(COUNTDOWN / 2).await);
    assert_eq!(shop.due().await, [near]);
    assert!(!shop.store.start_scheduled_offer(far).await.unwrap(), "its countdown has not come");
    assert!(shop.store.start_scheduled_offer(near).await.unwrap());
    let offer = shop.load_offer(near).await;
    assert_eq!(offer.terms.stage, OfferStage::Open);
    assert_eq!(offer.terms.opens_at, offer.starts_at, "to the millisecond");
    assert_eq!(offer.terms.closes_at, offer.starts_at.map(|at| at + LENGTH));
    assert_eq!(shop.due().await, []);
    assert_eq!(shop.load_offer(far).await.terms.stage, OfferStage::Draft);
}

async fn of_many_who_start_a_planned_sale_one_does(shop: Fixture) {
    for _ in 0..5 {
        let offer = shop.planned(COUNTDOWN / 2).await;
        let version = shop.load_offer(offer).await.terms.version;
        let one = || shop.store.start_scheduled_offer(offer);
        let (a, b, c, d) = tokio::join!(one(), one(), one(), one());
        assert_eq!([a, b, c, d].into_iter().filter(|started| *started.as_ref().unwrap()).count(), 1);
        assert_eq!(shop.load_offer(offer).await.terms.version, version + 1);
    }
}

async fn a_planned_sale_survives_a_restart_and_begins_late_with_a_whole_countdown(shop: Fixture) {
    let offer = shop.planned(3_600_000).await;
    // Nobody was there for a minute past its time.
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

async fn what_is_too_late_unplanned_or_of_an_ended_show_does_not_begin(shop: Fixture) {
    let (late, cleared, discarded) = (shop.planned(5_000).await, shop.planned(5_000).await, shop.planned(5_000).await);
    let missed = format!(
        "update offers set starts_at = starts_at - {} where id = {}",
        SCHEDULE_LATE_MAX_MS + 10_000,
        shop.id(late.0)
    );
    shop.run(&missed).await;
    shop.store.schedule_offer(cleared, None).await.unwrap();
    shop.store.close_offer(discarded).await.unwrap();
    assert_eq!(shop.due().await, []);
    let ended = shop.planned(5_000).await;
    assert_eq!(shop.due().await, [ended]);
    shop.run("update streams set status = 'ended'").await;
    assert_eq!(shop.due().await, []);
    for offer in [late, cleared, discarded, ended] {
        assert!(!shop.store.start_scheduled_offer(offer).await.unwrap());
    }
}

async fn only_a_draft_is_given_a_time(shop: Fixture) {
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

/// The clock moved by hand, and two who sweep at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_reaches_the_time_starts_the_sale_for_one_of_two() {
    let shop = Fixture::on_sqlite().await;
    let offer = shop.planned(3_600_000).await;
    let clock = Clock::manual(shop.store.now().await.unwrap());
    let shop = shop.reopened_at(clock.clone()).await;
    let starts_at = shop.load_offer(offer).await.starts_at.unwrap();
    let sweep = async || {
        let one = async || {
            let due = shop.due().await;
            !due.is_empty() && shop.store.start_scheduled_offer(due[0]).await.unwrap()
        };
        let (a, b) = tokio::join!(one(), one());
        u8::from(a) + u8::from(b)
    };
    clock.set(starts_at - COUNTDOWN - 1);
    assert_eq!(sweep().await, 0, "a millisecond early");
    clock.advance(1);
    assert_eq!(sweep().await, 1);
    clock.advance(1);
    assert_eq!(sweep().await, 0, "once");
    assert_eq!(shop.load_offer(offer).await.terms.opens_at, Some(starts_at));
}
