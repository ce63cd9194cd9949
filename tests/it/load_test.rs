//! Every scenario of the load test, small, against a real server: a correct server passes every check.

use clap::Parser;
use loadtest::args::LoadtestArgs;
use loadtest::report::LoadtestReport;
use serde_json::Value;

use crate::support::postgres::Database;
use crate::support::process::Server;
use crate::support::shop::KEY;

/// Runs the load test; `line` is its command line.
async fn load_test(line: &str) -> LoadtestReport {
    let args = LoadtestArgs::parse_from(["loadtest", "--quiet"].into_iter().chain(line.split_whitespace()));
    args.validate().unwrap();
    tokio::task::spawn_blocking(move || loadtest::run(&args)).await.unwrap().unwrap()
}

/// Runs it against a demo server. The orders are read from its database.
async fn run(line: &str) -> (LoadtestReport, Value) {
    let server = Server::demo().await;
    let store = format!("sqlite:{}", server.data().join("livesouk.db").display());
    let report = load_test(&format!("{line} --url {} --store {store}", server.url)).await;
    assert_eq!(report.exit_code, 0, "{report}");
    assert_eq!(report.violations.total, 0, "{report}");
    assert!(report.errors.is_empty(), "{report}");
    let page = loadtest::html::page(&report).unwrap();
    assert!(
        page.contains("All checks passed") && !page.contains("NaN") && !page.contains("src="),
        "the page loads nothing from elsewhere"
    );
    let json = serde_json::to_value(&report).unwrap();
    (report, json)
}

#[tokio::test]
async fn watching_viewers_stay_connected() {
    let (report, json) = run("watch --viewers 50 --rooms 2 --seconds 2 --ramp-s 1 --sources 2").await;
    assert_eq!((report.connected_max, report.connected_at_end), (52, 52), "with a host in each room");
    assert_eq!(json["counters"]["upgrades"], 52);
    assert!(json["timeline"].as_array().unwrap().len() >= 3);
}

#[tokio::test]
async fn chat_reaches_every_viewer_and_latency_is_measured() {
    let (report, json) = run("chat --viewers 50 --rate 10 --seconds 3 --ramp-s 1 --budget-p99-ms 60000").await;
    assert_eq!(json["counters"]["messages_due"], 30);
    assert_eq!(report.rate_kept, 1.0, "{report}");
    assert_eq!(json["latency_ms"]["chat"]["count"], 30 * 51, "each message to each viewer and the host");
    assert!(json["latency_ms"]["chat"]["p99"].as_f64().unwrap() > 0.0);
    assert_eq!(json["lost_events"], 0);
}

#[tokio::test]
async fn rush_sells_the_whole_stock_and_stored_orders_agree() {
    let (report, json) = run("rush --viewers 50 --stock 20 --rate 2 --seconds 12 --ramp-s 1").await;
    assert_eq!((report.orders.sent, report.orders.held, report.orders.unknown), (50, 20, 0), "{report}");
    assert_eq!(json["offers"][0]["left"], 0);
    assert!(report.checks.iter().any(|check| check.contains("in the database")), "{report}");
    assert!(json["latency_ms"]["buy"]["count"].as_u64().unwrap() >= 50);
}

#[tokio::test]
async fn every_viewer_reconnects_after_a_storm_and_misses_nothing() {
    let (report, json) = run("storm --viewers 50 --rate 10 --seconds 6 --ramp-s 1").await;
    assert_eq!(
        (report.counters.reconnects, report.counters.recovered, report.connected_at_end),
        (50, 50, 51),
        "{report}"
    );
    assert_eq!(json["lost_events"], 0);
}

#[tokio::test]
async fn slow_readers_do_not_delay_other_viewers() {
    let (report, _) = run("slow --viewers 50 --rate 10 --seconds 4 --ramp-s 1 --budget-p99-ms 60000").await;
    assert!(report.notes.iter().any(|note| note.starts_with("10 viewers are slow readers")), "{report}");
    assert_eq!(report.rate_kept, 1.0, "{report}");
}

#[tokio::test]
async fn show_has_chat_reactions_three_sales_and_payments() {
    let (report, json) = run("show --viewers 50 --stock 10 --rate 10 --seconds 24 --ramp-s 1").await;
    assert_eq!((report.orders.sent, report.orders.held), (150, 30), "{report}");
    assert!(report.orders.paid > 0 && report.counters.reactions > 0, "{report}");
    assert_eq!(report.offers.len(), 3);
    assert!(report.connected_at_end < report.connected_max, "a third has left");
    assert!(json["latency_ms"]["show"]["count"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn server_on_postgres_is_tested_with_its_key_and_stored_orders_are_read() {
    let database = Database::migrated().await;
    let server = Server::serve(&database.url(), KEY, &[]).await;
    let rush = "rush --viewers 30 --stock 10 --rate 2 --seconds 12 --ramp-s 1 --budget-p99-ms 0.001";
    let line = format!("{rush} --url {} --store {} --auth-key {KEY}", server.url, database.url());
    let report = load_test(&line).await;
    assert_eq!((report.orders.held, report.violations.total), (10, 0), "{report}");
    assert!(report.checks.iter().any(|check| check.contains("in the database")), "{report}");
    assert_eq!(report.exit_code, 1, "no reply arrives within a microsecond: {report}");
    assert!(report.verdict.contains("p99 of buy"), "{report}");
}
