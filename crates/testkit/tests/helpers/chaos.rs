//! The oracle of the chaos test finds every kind of violated promise, and the fault plan has the properties it claims.

use std::collections::HashSet;
use std::time::Duration;

use testkit::chaos::fault::{self, Fault};
use testkit::chaos::fault_plan::{self, BrokerOutage, ClusterFault};
use testkit::chaos::journal::{HostAction, Millis, OrderRequest, OrderVerb, RequestOutcome, SeenOrder};
use testkit::chaos::oracle::broker::{self, HealthCheck};
use testkit::chaos::oracle::{
    Evidence, FaultWindow, RECOVERY_MS, StockLevel, StoredIntent, StoredOffer, StoredOrder, StoredPayment,
    check_promises,
};
use testkit::chaos::settings::{ChaosSettings, is_selected};

const HOLD_MS: Millis = 10_000;

fn order(id: &str, buyer: &str, place: i64, created_at: Millis, status: &str) -> StoredOrder {
    let released = if status == "expired" { created_at + HOLD_MS + 500 } else { created_at + 400 };
    StoredOrder {
        id: id.into(),
        offer: "lamp".into(),
        buyer: buyer.into(),
        key: format!("key-of-{id}").into(),
        status: status.to_owned(),
        qty: 1,
        amount: 100,
        currency: "USD".to_owned(),
        place,
        version: 3,
        created_at,
        hold_until: created_at + HOLD_MS,
        changed_at: released,
        paid_at: (status == "paid").then_some(released),
        reason: None,
    }
}

fn request(verb: OrderVerb, order: &StoredOrder, at: Millis, outcome: RequestOutcome) -> OrderRequest {
    OrderRequest {
        buyer: order.buyer.clone(),
        verb,
        key: if verb == OrderVerb::Buy { order.key.clone() } else { format!("{verb:?}-{}", order.id).into() },
        offer: order.offer.clone(),
        qty: 1,
        token: "ok",
        order: (verb != OrderVerb::Buy).then(|| order.id.clone()),
        node: 0,
        sent_at: at,
        answered_at: at + 100,
        outcome,
    }
}

fn seen(order: &StoredOrder, status: &str, version: i64) -> RequestOutcome {
    RequestOutcome::Done(SeenOrder {
        id: order.id.clone(),
        offer: order.offer.clone(),
        status: status.to_owned(),
        qty: order.qty,
        amount: order.amount,
        place: order.place,
        created_at: order.created_at,
        hold_until: order.hold_until,
        version,
    })
}

fn refused(code: &str) -> RequestOutcome {
    RequestOutcome::Refused(code.to_owned())
}

/// One lamp: Bob holds it and his hold expires, Ann gets it after him and pays; Cid is refused while Bob has it.
fn valid_run() -> Evidence {
    let (bob, ann) = (order("first", "bob", 1, 1_000, "expired"), order("second", "ann", 2, 12_000, "paid"));
    let cid = order("none", "cid", 0, 0, "");
    let level = |at, reserved| StockLevel {
        offer: "lamp".into(),
        epoch: 1,
        version: at,
        quantity: 1,
        reserved,
        stage: "open".to_owned(),
        counted: reserved,
        at,
    };
    Evidence {
        requests: vec![
            request(OrderVerb::Buy, &bob, 950, seen(&bob, "held", 1)),
            request(OrderVerb::Buy, &cid, 5_000, refused("sold_out_for_now")),
            request(OrderVerb::Buy, &ann, 11_950, seen(&ann, "held", 1)),
            request(OrderVerb::Pay, &ann, 12_300, seen(&ann, "paid", 3)),
        ],
        pushed_orders: Vec::new(),
        host_actions: Vec::new(),
        levels: vec![level(100, 0), level(1_100, 1), level(11_600, 0), level(12_100, 1)],
        windows: Vec::new(),
        offers: vec![StoredOffer {
            id: "lamp".into(),
            quantity: 1,
            reserved: 1,
            next_place: 3,
            per_buyer: 1,
            price: 100,
            opens_at: Some(500),
            closes_at: Some(60_000),
        }],
        payments: vec![StoredPayment {
            order: ann.id.clone(),
            token: "ok".to_owned(),
            status: "captured".to_owned(),
            amount: 100,
            currency: "USD".to_owned(),
        }],
        provider_intents: vec![StoredIntent {
            order: ann.id.clone(),
            scenario: "ok".to_owned(),
            status: "captured".to_owned(),
            amount: 100,
            captured: 100,
            refunded: 0,
        }],
        orders: vec![bob, ann],
        read_at: 90_000,
        hold_ms: HOLD_MS,
    }
}

fn promises(evidence: &Evidence) -> Vec<&'static str> {
    check_promises(evidence).into_iter().map(|violation| violation.promise).collect()
}

fn after(change: impl FnOnce(&mut Evidence)) -> Evidence {
    let mut evidence = valid_run();
    change(&mut evidence);
    evidence
}

/// Another purchase, by Dan, refused at this time by this node.
fn no(code: &str, node: usize, at: Millis) -> OrderRequest {
    OrderRequest { node, ..request(OrderVerb::Buy, &order("other", "dan", 0, 0, ""), at, refused(code)) }
}

fn broken(node: Option<usize>, from: Millis, to: Millis) -> FaultWindow {
    FaultWindow { fault: "fault".to_owned(), node, from, to, note: String::new() }
}

#[test]
fn valid_run_has_no_violation() {
    assert_eq!(check_promises(&valid_run()), []);
    // A payment makes the hold of its order longer, with a new version.
    let longer = after(|run| {
        run.orders[1].hold_until += 300_000;
        run.orders[1].version += 1;
    });
    assert_eq!(check_promises(&longer), []);
}

#[test]
fn every_kind_of_violation_is_found() {
    let kept = "an acknowledged order is not lost";
    let money = "no charge without an order";
    let rows: Vec<(&str, &str, Evidence)> = vec![
        ("an order is missing", kept, after(|run| drop(run.orders.remove(1)))),
        ("a paid order is held", kept, after(|run| run.orders[1].status = "held".to_owned())),
        ("another place", kept, after(|run| run.orders[0].place = 2)),
        ("another amount", kept, after(|run| run.orders[1].amount = 99)),
        ("a version decreased", kept, after(|run| run.orders[1].version = 2)),
        (
            "two orders with one key",
            "retries are safe",
            after(|run| {
                let mut again = run.requests[0].clone();
                again.outcome = seen(&run.orders[1], "held", 1);
                run.requests.push(again);
            }),
        ),
        (
            "a buyer with an order is refused",
            "retries are safe",
            after(|run| {
                let winner = request(OrderVerb::Buy, &run.orders[1], 13_000, refused("sold_out"));
                run.requests.push(winner);
            }),
        ),
        ("the provider captured nothing", money, after(|run| run.provider_intents[0].captured = 0)),
        ("the provider captured twice", money, after(|run| run.provider_intents.push(run.provider_intents[0].clone()))),
        ("refunded, and still paid", money, after(|run| run.provider_intents[0].refunded = 100)),
        ("the provider has no intent", money, after(|run| run.provider_intents.clear())),
        (
            "an authorization stays open",
            money,
            after(|run| {
                let aside =
                    StoredIntent { status: "authorized".to_owned(), captured: 0, ..run.provider_intents[0].clone() };
                run.provider_intents.push(StoredIntent { order: "first".into(), ..aside });
            }),
        ),
        (
            "a buyer with an order is refused by another node, more than a second later",
            "retries are safe",
            after(|run| {
                let winner = request(OrderVerb::Buy, &run.orders[1], 14_500, refused("sold_out"));
                run.requests.push(OrderRequest { node: 1, ..winner });
            }),
        ),
        (
            "paid and declined",
            "retries are safe",
            after(|run| {
                let declined = OrderRequest {
                    token: "declined",
                    ..request(OrderVerb::Pay, &run.orders[1], 13_000, refused("declined"))
                };
                run.requests.push(declined);
            }),
        ),
        ("refused, and created anyway", "not done is not done", after(|run| run.requests[0].outcome = refused("busy"))),
        ("created without a request", "not done is not done", after(|run| drop(run.requests.remove(0)))),
        ("a hole in the places", "places are dense", after(|run| run.offers[0].next_place = 4)),
        ("more units than the quantity", "never oversold", after(|run| run.offers[0].quantity = 0)),
        ("the counter is wrong", "never oversold", after(|run| run.offers[0].reserved = 0)),
        ("two units for one buyer", "limit per buyer", after(|run| run.orders[1].qty = 2)),
        (
            "two orders at the same time",
            "limit per buyer",
            after(|run| {
                run.orders[0].buyer = "ann".into();
                run.orders[1].created_at = 11_000;
            }),
        ),
        ("before the opening", "no order outside the window", after(|run| run.offers[0].opens_at = Some(1_001))),
        ("at the end", "no order outside the window", after(|run| run.offers[0].closes_at = Some(12_000))),
        (
            "after the close",
            "no order outside the window",
            after(|run| {
                let (sent_at, answered_at) = (11_000, 11_999);
                run.host_actions.push(HostAction {
                    offer: "lamp".into(),
                    action: "close",
                    sent_at,
                    answered_at,
                    done: Some(true),
                });
            }),
        ),
        ("a hold ends early", "holds are honest", after(|run| run.orders[0].changed_at = 10_999)),
        ("a hold ends late", "holds are honest", after(|run| run.orders[0].changed_at = 16_001)),
        ("a hold never ends", "holds are honest", after(|run| run.orders[0].status = "held".to_owned())),
        ("a hold grows without a payment", "holds are honest", after(|run| run.orders[0].hold_until += 1)),
        ("a hold is paid for too long", "holds are honest", after(|run| run.orders[1].hold_until += 300_001)),
        ("a hold grew without a new version", kept, after(|run| run.orders[1].hold_until += 1)),
        ("the end of a hold moved back", kept, after(|run| run.orders[1].hold_until -= 1)),
        ("captured, not paid", money, after(|run| run.payments[0].order = "first".into())),
        ("paid, not captured", money, after(|run| run.payments[0].status = "authorized".to_owned())),
        ("captured twice", money, after(|run| run.payments.push(run.payments[0].clone()))),
        ("another amount captured", money, after(|run| run.payments[0].amount = 101)),
        ("a declined card", money, after(|run| run.payments[0].token = "declined".to_owned())),
        ("paid without a request", money, after(|run| drop(run.requests.pop()))),
        (
            "a payment without an order",
            money,
            after(|run| {
                run.payments.push(StoredPayment { order: "none".into(), ..run.payments[0].clone() });
            }),
        ),
        (
            "sold out, but it is not",
            "refusals are true",
            after(|run| run.requests.push(no("sold_out_for_now", 0, 300))),
        ),
        (
            "sold out permanently, but it is not",
            "refusals are true",
            after(|run| run.requests.push(no("sold_out", 0, 5_000))),
        ),
        (
            "over the limit, but it is not",
            "refusals are true",
            after(|run| run.requests.push(no("buyer_limit", 0, 5_000))),
        ),
        ("closed, but it is not", "refusals are true", after(|run| run.requests.push(no("closed", 0, 5_000)))),
        ("not open, but it is", "refusals are true", after(|run| run.requests.push(no("not_open", 0, 5_000)))),
        (
            "a code that buyers must not get",
            "refusals are true",
            after(|run| run.requests.push(no("internal", 0, 5_000))),
        ),
    ];
    for (what, promise, evidence) in rows {
        let found = promises(&evidence);
        assert!(found.contains(&promise), "{what}: found {found:?}");
    }
}

#[test]
fn fault_excuses_only_what_it_affects() {
    let late = |window: FaultWindow| {
        after(|run| {
            run.orders[0].changed_at = 16_001;
            run.orders[1].created_at = 16_001;
            run.orders[1].hold_until = 16_001 + HOLD_MS;
            run.requests.drain(2..);
            run.requests.push(request(OrderVerb::Buy, &run.orders[1], 16_000, RequestOutcome::Unknown(String::new())));
            run.requests.push(request(OrderVerb::Pay, &run.orders[1], 16_100, RequestOutcome::Unknown(String::new())));
            run.windows.push(window);
        })
    };
    assert_eq!(promises(&late(broken(None, 12_000, 13_000))), Vec::<&str>::new());
    assert_eq!(promises(&late(broken(None, 16_001, 17_000))), ["holds are honest"], "it was late before the fault");
    assert_eq!(
        promises(&late(broken(None, 0, 10_000 - RECOVERY_MS))),
        ["holds are honest"],
        "the fault ended long before"
    );

    let lie = |node, window| {
        promises(&after(|run| {
            run.requests.push(no("sold_out_for_now", node, 300));
            run.windows.push(window);
        }))
    };
    assert_eq!(lie(0, broken(Some(0), 0, 200)), Vec::<&str>::new());
    assert_eq!(lie(0, broken(None, 0, 200)), Vec::<&str>::new());
    assert_eq!(lie(0, broken(Some(1), 0, 200)), ["refusals are true"], "another node's fault");
    // No fault excuses an order that is missing, duplicated or oversold.
    let gone = after(|run| {
        run.orders.remove(1);
        run.windows.push(broken(None, 0, 90_000));
    });
    assert!(promises(&gone).contains(&"an acknowledged order is not lost"));
}

#[test]
fn every_fault_occurs_within_a_minute_and_faults_of_a_lane_do_not_overlap() {
    let minute = Duration::from_secs(60);
    for seed in 0..300 {
        let plan = fault::plan(seed, minute);
        assert_eq!(plan, fault::plan(seed, minute), "the plan depends only on the seed");
        let kinds: HashSet<Fault> = plan.iter().flatten().map(|planned| planned.fault).collect();
        let all: HashSet<Fault> = Fault::NODE_FAULTS.into_iter().chain(Fault::DATABASE_FAULTS).collect();
        assert_eq!(kinds, all, "seed {seed}");
        for lane in plan {
            assert!(lane.windows(2).all(|two| two[0].at + two[0].length < two[1].at), "seed {seed}: {lane:?}");
            assert!(lane.iter().all(|planned| planned.at + planned.length <= minute), "seed {seed}");
        }
    }
    assert_ne!(fault::plan(1, minute), fault::plan(2, minute));
}

/// A node that is polled ten times a second and reports the broker as down from one time to another.
fn checks(deaf_from: Millis, deaf_to: Millis) -> Vec<HealthCheck> {
    let send_times = (0..600).map(|n| n * 100);
    send_times
        .map(|sent_at| HealthCheck {
            sent_at,
            answered_at: sent_at + 5,
            is_connected: !(deaf_from..deaf_to).contains(&sent_at),
        })
        .collect()
}

#[test]
fn broker_failure_that_is_not_detected_in_time_is_found() {
    let dead = |fault| BrokerOutage { fault, node: Some(0), from: 10_000, to: 20_000 };
    let of_other = broken(Some(1), 9_000, 30_000);
    let (seen, flows) = ("a broker failure is detected", "the cluster recovers");
    for (what, fault, checks, window, expected) in [
        ("in time", ClusterFault::RedisPause, checks(13_000, 20_500), None, vec![]),
        ("late", ClusterFault::RedisPause, checks(14_000, 20_500), None, vec![seen]),
        ("never", ClusterFault::LinkHalfOpen, checks(0, 0), None, vec![seen]),
        ("known before", ClusterFault::LinkStall, checks(5_000, 20_500), None, vec![]),
        ("never, another node dies", ClusterFault::LinkStall, checks(0, 0), Some(of_other), vec![seen]),
        ("never, the node dies", ClusterFault::LinkStall, checks(0, 0), Some(broken(Some(0), 9_000, 11_000)), vec![]),
        ("never, and not required", ClusterFault::LinkSlow, checks(0, 0), None, vec![]),
        ("never recovered", ClusterFault::RedisCrash, checks(10_100, 60_000), None, vec![flows]),
    ] {
        let windows: Vec<FaultWindow> = window.into_iter().collect();
        let (found, _) = broker::check(&[checks, Vec::new()], &[dead(fault)], &windows);
        assert_eq!(found.into_iter().map(|violation| violation.promise).collect::<Vec<_>>(), expected, "{what}");
    }
}

#[test]
fn every_cluster_fault_occurs_within_ninety_seconds_and_a_failover_is_isolated() {
    let length = Duration::from_secs(90);
    for seed in 0..300 {
        let plan = fault_plan::plan(seed, length);
        assert_eq!(plan, fault_plan::plan(seed, length), "the plan depends only on the seed");
        let [bus, rest] = &plan;
        for (lane, all) in [(bus, &ClusterFault::BROKER_FAULTS[..]), (rest, &ClusterFault::OTHER_FAULTS)] {
            let kinds: HashSet<ClusterFault> = lane.iter().map(|planned| planned.fault).collect();
            assert!(all.iter().all(|kind| kinds.contains(kind)), "seed {seed}: {lane:?}");
            assert!(lane.windows(2).all(|two| two[0].at + two[0].length < two[1].at), "seed {seed}: {lane:?}");
            assert!(lane.iter().all(|planned| planned.at + planned.length <= length), "seed {seed}");
        }
        let after = rest[0].at + Duration::from_secs(12);
        assert_eq!(rest[0].fault, ClusterFault::Selling(Fault::KillNode));
        assert!(after < rest[1].at && after < bus[0].at, "seed {seed}");
        assert_eq!(bus[0].fault, ClusterFault::RedisPause);
        assert!(bus[0].at + Duration::from_secs(4) < rest[1].at, "seed {seed}");
    }
    let takes_over = |planned: &&fault_plan::PlannedClusterFault| planned.fault == ClusterFault::Failover;
    let [bus, rest] = fault_plan::plan(1, Duration::from_secs(600));
    assert_eq!(rest.iter().filter(takes_over).count(), 1, "there is one standby");
    assert!(bus.iter().any(|planned| planned.fault == ClusterFault::RedisLongPause));
}

#[test]
fn cargo_test_filters_are_understood() {
    for (words, expected) in [
        ("", true),
        ("chaos", true),
        ("selling", true),
        ("nodes", false),
        ("--test-threads 1 --nocapture", true),
        ("--exact chaos::selling", true),
        ("--exact selling", false),
        ("second_buyer", false),
        ("--skip chaos", false),
        ("--skip second_buyer", true),
        ("--ignored", false),
    ] {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        assert_eq!(is_selected(&words, "chaos::selling"), expected, "{words:?}");
    }
}

#[test]
fn invalid_settings_are_named() {
    let read = |name: &'static str, value: &'static str| {
        ChaosSettings::read(move |variable| (variable == name).then(|| value.to_owned()))
    };
    for (name, value, part) in [
        ("CHAOS_SCENE", "circus", "unknown scene `circus`"),
        ("CHAOS_SECONDS", "soon", "whole number"),
        ("CHAOS_SECONDS", "1", "10 to 86400"),
        ("CHAOS_SEED", "-7", "whole number"),
    ] {
        assert!(read(name, value).unwrap_err().contains(part), "{name}={value}");
    }
    let given = |name, value| {
        let all = read(name, value).unwrap().into_iter();
        all.map(|given| (given.scene, given.duration.as_secs())).collect::<Vec<_>>()
    };
    assert_eq!(given("CHAOS_SEED", "7"), [("selling", 60), ("nodes", 90), ("money", 40)]);
    assert_eq!(given("CHAOS_SCENE", "nodes"), [("nodes", 90)]);
    assert_eq!(given("CHAOS_SECONDS", "600"), [("selling", 600), ("nodes", 600), ("money", 600)]);
    assert!(read("CHAOS_SEED", "7").unwrap().iter().all(|given| given.seed == 7));
}
