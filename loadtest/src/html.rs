//! The report as one page that needs no other file. This module chooses what is shown; `templates/report.html` holds the
//! markup.
//!
//! The template engine is askama: it checks the template when the crate is compiled, and it escapes every value. It is
//! maintained, and at run time it adds one small crate.

use std::collections::BTreeMap;

use askama::Template;

use crate::chart::{Chart, ChartAxis, ChartFigure, ChartSeries, format_short};
use crate::measurements::{LATENCY_CLASSES, SecondSample};
use crate::report::LoadtestReport;

#[derive(Template)]
#[template(path = "report.html")]
struct ReportPage<'a> {
    report: &'a LoadtestReport,
    title: String,
    verdict: String,
    /// The class of the verdict in the style sheet.
    verdict_class: &'static str,
    about: String,
    tiles: Vec<Tile>,
    charts: Vec<ChartFigure<'a>>,
    latencies: Vec<LatencyRow>,
    violations: Vec<ViolationText>,
    lists: Vec<ReportList>,
}

/// A large number with its name.
struct Tile {
    name: &'static str,
    value: String,
    detail: String,
}

struct LatencyRow {
    color: usize,
    class: &'static str,
    cells: Vec<String>,
}

struct ViolationText {
    summary: String,
    /// The part of the frame that proves it; empty where no frame does.
    excerpt: String,
}

struct ReportList {
    title: &'static str,
    items: Vec<String>,
}

/// The whole page.
pub fn page(report: &LoadtestReport) -> askama::Result<String> {
    let (verdict_class, verdict) = verdict(report);
    let rooms = if report.rooms == 1 { "one room".to_owned() } else { format!("{} rooms", report.rooms) };
    let about = format!(
        "{} · {rooms} · {:.0} s measured · {} messages/s wanted · seed {}",
        report.url.trim_end_matches('/'),
        report.seconds,
        format_short(report.rate),
        report.seed
    );
    let charts = charts(report);
    let page = ReportPage {
        report,
        title: format!("{} with {} viewers", report.scenario, report.viewers),
        verdict,
        verdict_class,
        about,
        tiles: tiles(report),
        charts: charts.iter().filter_map(Chart::figure).collect(),
        latencies: latencies(report),
        violations: violations(report),
        lists: lists(report),
    };
    page.render()
}

fn verdict(report: &LoadtestReport) -> (&'static str, String) {
    match (report.violations.total, report.exit_code) {
        (0, 0) => ("passed", "All checks passed".to_owned()),
        (0, _) if report.verdict.contains("budget") => ("missed", "Budget missed".to_owned()),
        (0, _) => ("missed", "Not checked".to_owned()),
        (1, _) => ("broken", "1 violation".to_owned()),
        (count, _) => ("broken", format!("{count} violations")),
    }
}

fn tiles(report: &LoadtestReport) -> Vec<Tile> {
    let mut tiles = Vec::new();
    let mut tile = |name, value: String, detail: String| tiles.push(Tile { name, value, detail });
    tile("Connected", format_short(report.connected_max as f64), format!("{} at the end", report.connected_at_end));
    if report.counters.deliveries > 0 {
        tile(
            "Deliveries/s",
            format_short(report.deliveries_per_s),
            format!("{} in total", format_short(report.counters.deliveries as f64)),
        );
    }
    if let Some(chat) = report.latency_ms.get("chat") {
        tile("Chat p99", format_ms(chat.p99), format!("p50 {}", format_ms(chat.p50)));
        let percent = report.rate_kept * 100.0;
        tile("Rate kept", format!("{percent:.1} %"), format!("of {} messages", report.counters.messages_due));
    }
    tile("Lost", format_short(report.lost_events as f64), "events".to_owned());
    if report.orders.sent > 0 {
        tile("Sold", report.orders.held.to_string(), format!("of {} purchases sent", report.orders.sent));
    }
    if let Some(buy) = report.latency_ms.get("buy") {
        tile("Buy p99", format_ms(buy.p99), format!("p50 {}", format_ms(buy.p50)));
    }
    if report.counters.reconnects > 0 {
        tile("Reconnected", report.counters.reconnects.to_string(), format!("{} recovered", report.counters.recovered));
    }
    tiles
}

fn format_ms(ms: f64) -> String {
    if ms < 1_000.0 { format!("{} ms", format_short(ms)) } else { format!("{} s", format_short(ms / 1_000.0)) }
}

fn charts(report: &LoadtestReport) -> Vec<Chart> {
    let over_time = |value: &dyn Fn(&SecondSample) -> f64| -> Vec<(f64, f64)> {
        report.timeline.iter().map(|second| (second.t as f64, value(second))).collect()
    };
    let line = |name: &str, color, points| ChartSeries {
        name: name.to_owned(),
        color,
        points,
        is_stepped: false,
        is_dashed: false,
    };
    let is_shown = |name: &str| !matches!(name, "handshake") && report.latency_ms.contains_key(name);
    let classes = || LATENCY_CLASSES.iter().enumerate().filter(|(_, (_, name))| is_shown(name));
    let latency = classes().map(|(color, (_, name))| {
        let points = report.timeline.iter().filter_map(|second| {
            let [_, p99] = second.latency_ms.get(name)?;
            Some((second.t as f64, *p99))
        });
        line(name, color, points.collect())
    });
    let percentiles = classes().filter_map(|(color, (_, name))| {
        let latency = report.latency_ms.get(name)?;
        // A percentile with less than one sample above it would be a guess.
        let is_known = |percentile: f64| latency.count as f64 * (1.0 - percentile / 100.0) >= 1.0;
        let points = latency.curve.iter().filter(|[percentile, _]| is_known(*percentile)).map(|[x, y]| (*x, *y));
        Some(line(name, color, points.collect()))
    });
    let latency = latency.filter(|series| !series.points.is_empty()).collect();
    let percentiles = percentiles.filter(|series| series.points.len() > 1).collect();
    vec![
        Chart {
            title: "Latency over time",
            subtitle: "p99 of each second, milliseconds, log scale",
            x: ChartAxis::Linear,
            x_unit: " s",
            y: ChartAxis::Log,
            series: latency,
        },
        Chart {
            title: "Latency by percentile",
            subtitle: "the whole run, milliseconds, log scale",
            x: ChartAxis::Percentile,
            x_unit: "%",
            y: ChartAxis::Log,
            series: percentiles,
        },
        Chart {
            title: "Deliveries",
            subtitle: "events that reached a viewer, each second",
            x: ChartAxis::Linear,
            x_unit: " s",
            y: ChartAxis::Linear,
            series: vec![line("deliveries", 0, over_time(&|second| second.counters.deliveries as f64))],
        },
        Chart {
            title: "Connections",
            subtitle: "viewers and hosts, the fewest in each second",
            x: ChartAxis::Linear,
            x_unit: " s",
            y: ChartAxis::Linear,
            series: vec![line("connected", 0, over_time(&|second| second.connected_min as f64))],
        },
        stock_chart(report),
    ]
}

/// The stock that viewers saw, next to the stock as it would be if every purchase had counted at once.
fn stock_chart(report: &LoadtestReport) -> Chart {
    let mut series = Vec::new();
    for (number, offer) in report.offers.iter().take(4).enumerate() {
        let Some(opened) = offer.opened_s else { continue };
        let name = |what: &str| {
            if report.offers.len() == 1 { what.to_owned() } else { format!("{what}, sale {}", number + 1) }
        };
        let full = (0.0, offer.quantity as f64);
        let since_opening = |curve: &[[f64; 2]]| {
            curve
                .iter()
                .map(|[at, left]| ((at - opened) * 1_000.0, *left))
                .filter(|(at, _)| 0.0 < *at)
                .collect::<Vec<_>>()
        };
        let mut add = |name, curve: &[[f64; 2]], is_dashed| {
            let points = [vec![full], since_opening(curve)].concat();
            series.push(ChartSeries { name, color: number, points, is_stepped: true, is_dashed });
        };
        add(name("seen by viewers"), &offer.observed, false);
        add(name("ideal"), &offer.ideal, true);
    }
    Chart {
        title: "Stock",
        subtitle: "units left after the opening: as viewers saw it, and as if every purchase had counted at once",
        x: ChartAxis::Linear,
        x_unit: " ms",
        y: ChartAxis::Linear,
        series,
    }
}

fn latencies(report: &LoadtestReport) -> Vec<LatencyRow> {
    let rows = LATENCY_CLASSES.iter().enumerate().filter_map(|(color, (_, class))| {
        let latency = report.latency_ms.get(class)?;
        let mut cells: Vec<String> = [latency.p50, latency.p90, latency.p99, latency.p999, latency.max]
            .iter()
            .map(|ms| format!("{ms:.1}"))
            .collect();
        cells.push(format_short(latency.count as f64));
        Some(LatencyRow { color, class, cells })
    });
    rows.collect()
}

fn violations(report: &LoadtestReport) -> Vec<ViolationText> {
    let texts = report.violations.examples.iter().map(|violation| {
        let text = violation.to_string();
        let (summary, excerpt) = text.split_once('\n').unwrap_or((&text, ""));
        ViolationText { summary: summary.to_owned(), excerpt: excerpt.trim().to_owned() }
    });
    texts.collect()
}

fn lists(report: &LoadtestReport) -> Vec<ReportList> {
    let counted = |of: &BTreeMap<String, u64>| of.iter().map(|(name, count)| format!("{name} × {count}")).collect();
    let cpu = &report.cpu;
    let cost = format!(
        "{:.0} % of one processor. A received frame cost {:.2} µs user time and {:.2} µs system time; {} frames of {:.0} MB. \
         The simulation itself was late by {:.1} ms (p99).",
        cpu.percent,
        cpu.user_us_per_frame,
        cpu.system_us_per_frame,
        format_short(report.counters.frames as f64),
        report.counters.bytes as f64 / 1e6,
        cpu.late_ms
    );
    let lists = [
        ("Checked", report.checks.clone()),
        ("Notes", report.notes.clone()),
        ("Disconnects", counted(&report.disconnect_reasons)),
        ("Refusals", counted(&report.refusals)),
        ("Errors", counted(&report.errors)),
        ("Cost of the load test", vec![cost]),
    ];
    lists.into_iter().map(|(title, items)| ReportList { title, items }).filter(|list| !list.items.is_empty()).collect()
}
