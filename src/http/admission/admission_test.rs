use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::*;
use crate::domain::StreamId;

const STREAM: StreamId = StreamId(uuid::Uuid::nil());
const NOBODY: TicketHolder<'_> = TicketHolder { stream: STREAM, user: None, address: None };
const ANYBODY: Newcomer<'_> = Newcomer { address: None, user: None, is_team: false, holder: NOBODY, ticket: None };

fn keys() -> TicketKeys {
    TicketKeys::new([&b"the key of all nodes"[..]])
}

fn admission(per_second: f64) -> Admission {
    Admission::new(per_second, true, keys(), 0)
}

fn from(address: u32) -> Newcomer<'static> {
    let address = Some(AddressKey::V4(address));
    Newcomer { address, holder: TicketHolder { address, ..NOBODY }, ..ANYBODY }
}

fn retry_ms(decision: AdmissionDecision) -> Option<Millis> {
    match decision {
        AdmissionDecision::Admitted => None,
        AdmissionDecision::Deferred { retry_ms, .. } | AdmissionDecision::Rejected { retry_ms } => Some(retry_ms),
    }
}

fn ticket(decision: AdmissionDecision) -> AdmissionTicket {
    match decision {
        AdmissionDecision::Deferred { ticket: Some(ticket), .. } => ticket,
        other => panic!("no ticket: {other:?}"),
    }
}

fn is_in(decision: AdmissionDecision) -> bool {
    decision == AdmissionDecision::Admitted
}

/// How a client comes back.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Returns {
    /// After the time of the close or of the 503, with its ticket.
    ByRetryAfter,
    /// It cannot read a 503, and backs off with full jitter.
    AsBrowser,
    /// It obeys every time and throws its tickets away.
    WithoutTicket,
    /// A third of these never come back after a close.
    SomeNever,
}

/// When the last of `count` clients, who all arrive at once, is in; in milliseconds. They find `nodes` behind a balancer.
fn last_in(count: u32, per_second: f64, nodes: usize, returns: Returns) -> Millis {
    let nodes: Vec<_> = (0..nodes).map(|_| admission(per_second)).collect();
    let mut coming: BinaryHeap<Reverse<(Millis, u32, u32)>> =
        (0..count).map(|client| Reverse((0, client, 0))).collect();
    let mut tickets = vec![None; count as usize];
    let mut last = 0;
    while let Some(Reverse((now, client, attempt))) = coming.pop() {
        let node = &nodes[rand::random_range(0..nodes.len())];
        let newcomer = Newcomer { ticket: tickets[client as usize], ..ANYBODY };
        // The way to the server and back.
        let way = rand::random_range(5..80);
        let back = match node.admit(&newcomer, now) {
            AdmissionDecision::Admitted => {
                last = last.max(now);
                continue;
            }
            AdmissionDecision::Deferred { retry_ms, ticket } => {
                if returns == Returns::SomeNever && client % 3 == 0 {
                    continue;
                }
                tickets[client as usize] = ticket.filter(|_| returns != Returns::WithoutTicket);
                retry_ms
            }
            AdmissionDecision::Rejected { .. } if returns == Returns::AsBrowser => {
                rand::random_range(0..=(500 << attempt.min(10)).min(20_000))
            }
            AdmissionDecision::Rejected { retry_ms } => retry_ms.div_euclid(1_000) * 1_000 + 1_000,
        };
        coming.push(Reverse((now + way + back, client, attempt + 1)));
    }
    last
}

#[test]
fn last_of_a_crowd_is_in_within_a_third_of_the_ideal_time() {
    for (count, rate, nodes) in [(1_000, 50.0, 1), (1_000, 25.0, 2), (10_000, 500.0, 1), (2_500, 50.0, 1)] {
        let ideal_ms = (f64::from(count) / (rate * nodes as f64) - 2.0) * 1_000.0;
        for returns in [Returns::ByRetryAfter, Returns::AsBrowser, Returns::SomeNever] {
            let ratio = last_in(count, rate, nodes, returns) as f64 / ideal_ms;
            assert!(ratio <= 1.3, "{ratio:.2} of the ideal: {count} clients at {rate}, {nodes} nodes, {returns:?}");
        }
        // Clients that do not know tickets are not locked out.
        let ratio = last_in(count, rate, nodes, Returns::WithoutTicket) as f64 / ideal_ms;
        assert!(ratio <= 2.0, "{ratio:.2} of the ideal without tickets: {count} clients at {rate}");
    }
}

#[test]
fn a_refusal_without_a_place_reserves_nothing() {
    let admission = admission(100.0);
    let decisions: Vec<_> = (0..5_000).map(|_| admission.admit(&ANYBODY, 0)).collect();
    let count = |wanted: fn(&AdmissionDecision) -> bool| decisions.iter().filter(|one| wanted(one)).count();
    let admitted = count(|one| is_in(*one));
    let deferred = count(|one| matches!(one, AdmissionDecision::Deferred { .. }));
    assert_eq!((admitted, deferred), (200, 400), "a burst of two seconds is admitted, then four seconds get places");
    // 400 places at 100 a second, and not 4,800.
    assert_eq!(admission.wait_ms(0), 200 + 4_000);
    let retries = decisions.iter().filter(|one| matches!(one, AdmissionDecision::Rejected { .. }));
    assert!(retries.filter_map(|one| retry_ms(*one)).all(|ms| (1_000..=2_100).contains(&ms)), "while there is a queue");
}

#[test]
fn place_is_at_most_a_minute_away() {
    let admission = admission(1.0);
    let longest = (0..600).filter_map(|second| retry_ms(admission.admit(&ANYBODY, second * 10))).max();
    assert!(longest.unwrap() <= 60_000);
}

#[test]
fn ticket_goes_before_newcomers_once_and_in_time() {
    let admission = admission(10.0);
    while is_in(admission.admit(&ANYBODY, 0)) {}
    let place = ticket(admission.admit(&ANYBODY, 0));
    let due_at = place.due_at();
    let with_it = Newcomer { ticket: Some(place), ..ANYBODY };
    // Before its time there is no second place, and no entrance.
    let mut later = ticket(admission.admit(&ANYBODY, 0));
    while later.due_at() < 2_000 {
        later = ticket(admission.admit(&ANYBODY, 0));
    }
    let early = admission.admit(&Newcomer { ticket: Some(later), ..ANYBODY }, 0);
    assert_eq!(early, AdmissionDecision::Deferred { retry_ms: later.due_at(), ticket: Some(later) });
    // At its time it is admitted, although a newcomer is not.
    assert!(!is_in(admission.admit(&ANYBODY, due_at)));
    assert!(is_in(admission.admit(&with_it, due_at)));
    assert_eq!(admission.with_ticket.load(Ordering::Relaxed), 1);
    assert!(!is_in(admission.admit(&with_it, due_at)), "it is valid once");
    // Another node does not know that, and is not flooded all the same: it lends half a second's worth.
    let elsewhere = self::admission(10.0);
    while is_in(elsewhere.admit(&ANYBODY, due_at)) {}
    assert!(is_in(elsewhere.admit(&with_it, due_at)));
    let held = |at| keys().sign(at, &NOBODY);
    let hoard = (0..100).filter(|_| is_in(elsewhere.admit(&Newcomer { ticket: held(due_at), ..ANYBODY }, due_at)));
    assert!(hoard.count() <= 5);
    for late in [held(due_at + 31_000), held(due_at + 61_000)] {
        let rich = self::admission(10.0);
        rich.admit(&Newcomer { ticket: late, ..ANYBODY }, due_at + 100_000);
        assert_eq!(rich.with_ticket.load(Ordering::Relaxed), 0, "too late: like no ticket");
    }
}

#[test]
fn ticket_of_somebody_else_is_no_ticket() {
    let (ann, bob) = (UserId::parse("ann").unwrap(), UserId::parse("bob").unwrap());
    let of_user = |user| Newcomer { user: Some(user), holder: TicketHolder { user: Some(user), ..NOBODY }, ..ANYBODY };
    let admission = admission(10.0);
    while is_in(admission.admit(&ANYBODY, 0)) {}
    let mut place = ticket(admission.admit(&of_user(&ann), 0));
    let given_away = Newcomer { ticket: Some(place), ..of_user(&bob) };
    assert!(!is_in(admission.admit(&given_away, place.due_at())));
    assert!(is_in(admission.admit(&Newcomer { ticket: Some(place), ..of_user(&ann) }, place.due_at())));
    place = ticket(admission.admit(&from(1), place.due_at()));
    assert!(!is_in(admission.admit(&Newcomer { ticket: Some(place), ..from(2) }, place.due_at())));
    assert!(is_in(admission.admit(&Newcomer { ticket: Some(place), ..from(1) }, place.due_at())));
}

#[test]
fn no_rate_limit_admits_everybody() {
    let admission = Admission::new(0.0, false, keys(), 0);
    let user = UserId::parse("ann").unwrap();
    let ann = Newcomer { user: Some(&user), ..from(1) };
    assert!((0..10_000).all(|_| is_in(admission.admit(&ann, 0))));
}

#[test]
fn one_address_or_one_user_leaves_room_for_the_others() {
    let admission = admission(200.0);
    let user = UserId::parse("ann").unwrap();
    let ann = Newcomer { user: Some(&user), ..from(1) };
    assert_eq!((0..500).filter(|_| is_in(admission.admit(&ann, 0))).count(), 100);
    // Tickets are no way around the share of an address: others get in while it asks for much more than there is.
    let mut flood = from(1);
    for now in 0..3_000 {
        for _ in 0..5 {
            match admission.admit(&flood, now) {
                AdmissionDecision::Admitted => flood.ticket = None,
                AdmissionDecision::Deferred { ticket, .. } => flood.ticket = ticket,
                AdmissionDecision::Rejected { .. } => {}
            }
        }
        if now % 10 == 0 {
            assert!(is_in(admission.admit(&from(2 + now as u32), now)), "at {now} ms");
        }
    }
}

#[test]
fn team_has_a_rate_of_its_own() {
    let admission = admission(1.0);
    while is_in(admission.admit(&ANYBODY, 0)) {}
    let host = Newcomer { is_team: true, ..ANYBODY };
    assert!((0..100).all(|_| is_in(admission.admit(&host, 0))));
    assert!(!is_in(admission.admit(&host, 0)), "and it is a limit");
    assert!((0..20).all(|_| is_in(admission.admit(&host, 1_000))));
    // What the team takes is missing to nobody.
    let admission = self::admission(1.0);
    assert!((0..100).all(|_| is_in(admission.admit(&host, 0))));
    assert!((0..2).all(|_| is_in(admission.admit(&ANYBODY, 0))));
}
