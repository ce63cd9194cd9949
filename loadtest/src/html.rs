//! The report as one page that needs nothing else: figures, charts, what was checked, what was found.

use std::fmt::Write;

use crate::chart::{Chart, ChartAxis, ChartSeries, escape_html, format_short};
use crate::measurements::{LATENCY_CLASSES, SecondSample};
use crate::report::LoadtestReport;

const STYLE: &str = include_str!("report.css");

pub fn page(report: &LoadtestReport) -> String {
    let title = format!("{} with {} viewers", report.scenario, report.viewers);
    let mut out = format!(
        "<!doctype html><html lang=en><head><meta charset=utf-8>\
         <meta name=viewport content=\"width=device-width,initial-scale=1\"><meta name=color-scheme content=\"light dark\">\
         <title>Load test: {title}</title><style>{STYLE}</style></head><body><main>"
    );
    head(&mut out, report, &title);
    tiles(&mut out, report);
    out += "<section class=charts>";
    charts(report).iter().for_each(|chart| out += &chart.figure());
    latencies(&mut out, report);
    out += "</section>";
    lists(&mut out, report);
    out + "</main></body></html>\n"
}

fn head(out: &mut String, report: &LoadtestReport, title: &str) {
    let (class, word) = match (report.violations.total, report.exit_code) {
        (0, 0) => ("well", "All is well".to_owned()),
        (0, _) if report.verdict.contains("budget") => ("missed", "Budget missed".to_owned()),
        (0, _) => ("missed", "Not checked".to_owned()),
        (1, _) => ("broken", "1 breach".to_owned()),
        (breaches, _) => ("broken", format!("{breaches} breaches")),
    };
    let rooms = if report.rooms == 1 { "one room".to_owned() } else { format!("{} rooms", report.rooms) };
    let _ = write!(
        out,
        "<header><p class=brand>Livesouk load test</p><h1>{title}</h1><p class=\"verdict {class}\">{word}</p>\
         <p class=about>{} · {rooms} · {:.0} s measured · {} messages/s wanted · seed {}</p>",
        escape_html(report.url.trim_end_matches('/')),
        report.seconds,
        format_short(report.rate),
        report.seed
    );
    if report.exit_code != 0 {
        let _ = write!(out, "<p class=about>{}</p>", escape_html(&report.verdict));
    }
    *out += "</header>";
}

fn tiles(out: &mut String, report: &LoadtestReport) {
    let mut tiles: Vec<(&str, String, String)> = Vec::new();
    let mut tile = |name, value: String, more: String| tiles.push((name, value, more));
    tile("Connected", format_short(report.connected_max as f64), format!("{} at the end", report.connected_at_end));
    if report.counters.deliveries > 0 {
        tile(
            "Deliveries/s",
            format_short(report.deliveries_per_s),
            format!("{} in all", format_short(report.counters.deliveries as f64)),
        );
    }
    if let Some(chat) = report.latency_ms.get("chat") {
        tile("Chat p99", format_ms(chat.p99), format!("p50 {}", format_ms(chat.p50)));
        let percent = report.rate_kept * 100.0;
        tile("Rate kept", format!("{percent:.1} %"), format!("of {} messages", report.counters.messages_due));
    }
    tile("Lost", format_short(report.lost as f64), "events".to_owned());
    if report.orders.sent > 0 {
        tile("Sold", report.orders.held.to_string(), format!("of {} who pressed", report.orders.sent));
    }
    if let Some(buy) = report.latency_ms.get("buy") {
        tile("Buy p99", format_ms(buy.p99), format!("p50 {}", format_ms(buy.p50)));
    }
    if report.counters.reconnects > 0 {
        tile("Came back", report.counters.reconnects.to_string(), format!("{} recovered", report.counters.recovered));
    }
    *out += "<section class=tiles>";
    for (name, value, more) in tiles {
        let _ = write!(out, "<div><h2>{name}</h2><p class=value>{value}</p><p class=more>{more}</p></div>");
    }
    *out += "</section>";
}

fn format_ms(ms: f64) -> String {
    if ms < 1_000.0 { format!("{} ms", format_short(ms)) } else { format!("{} s", format_short(ms / 1_000.0)) }
}

fn charts(report: &LoadtestReport) -> Vec<Chart> {
    let over_time = |value: &dyn Fn(&SecondSample) -> f64| -> Vec<(f64, f64)> {
        report.timeline.iter().map(|second| (second.t as f64, value(second))).collect()
    };
    let single = |name: &str, points| ChartSeries {
        name: name.to_owned(),
        colour: 0,
        points,
        is_stepped: false,
        is_dashed: false,
    };
    let shown = |name: &str| !matches!(name, "handshake") && report.latency_ms.contains_key(name);
    let classes = || LATENCY_CLASSES.iter().enumerate().filter(|(_, (_, name))| shown(name));
    let latency = classes().map(|(colour, (_, name))| {
        let points = report.timeline.iter().filter_map(|second| {
            let [_, p99] = second.latency_ms.get(name)?;
            Some((second.t as f64, *p99))
        });
        ChartSeries { name: (*name).to_owned(), colour, points: points.collect(), is_stepped: false, is_dashed: false }
    });
    let percentiles = classes().filter_map(|(colour, (_, name))| {
        let latency = report.latency_ms.get(name)?;
        // A percentile of which there is not even one sample is a guess.
        let known = |percentile: f64| latency.count as f64 * (1.0 - percentile / 100.0) >= 1.0;
        let points = latency.curve.iter().filter(|[percentile, _]| known(*percentile)).map(|[x, y]| (*x, *y));
        Some(ChartSeries {
            name: (*name).to_owned(),
            colour,
            points: points.collect(),
            is_stepped: false,
            is_dashed: false,
        })
    });
    let latency = latency.filter(|line| !line.points.is_empty()).collect();
    let percentiles = percentiles.filter(|line| line.points.len() > 1).collect();
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
            subtitle: "events reaching a viewer, each second",
            x: ChartAxis::Linear,
            x_unit: " s",
            y: ChartAxis::Linear,
            series: vec![single("deliveries", over_time(&|second| second.counters.deliveries as f64))],
        },
        Chart {
            title: "Connections",
            subtitle: "viewers and hosts, the fewest in each second",
            x: ChartAxis::Linear,
            x_unit: " s",
            y: ChartAxis::Linear,
            series: vec![single("connected", over_time(&|second| second.connected_min as f64))],
        },
        stock(report),
    ]
}

/// The count viewers saw against the one there would be if every press had counted at once.
fn stock(report: &LoadtestReport) -> Chart {
    let mut lines = Vec::new();
    for (number, offer) in report.offers.iter().take(4).enumerate() {
        let Some(opened) = offer.opened_s else { continue };
        let name = |what: &str| {
            if report.offers.len() == 1 { what.to_owned() } else { format!("{what}, sale {}", number + 1) }
        };
        let full = (0.0, offer.quantity as f64);
        let since = |curve: &[[f64; 2]]| {
            curve
                .iter()
                .map(|[at, left]| ((at - opened) * 1_000.0, *left))
                .filter(|(at, _)| 0.0 < *at)
                .collect::<Vec<_>>()
        };
        let points = [vec![full], since(&offer.observed)].concat();
        lines.push(ChartSeries {
            name: name("seen by viewers"),
            colour: number,
            points,
            is_stepped: true,
            is_dashed: false,
        });
        let ideal = [vec![full], since(&offer.ideal)].concat();
        lines.push(ChartSeries {
            name: name("ideal"),
            colour: number,
            points: ideal,
            is_stepped: true,
            is_dashed: true,
        });
    }
    Chart {
        title: "Stock",
        subtitle: "units left after the opening: as viewers saw it, and if every press had counted at once",
        x: ChartAxis::Linear,
        x_unit: " ms",
        y: ChartAxis::Linear,
        series: lines,
    }
}

fn latencies(out: &mut String, report: &LoadtestReport) {
    if report.latency_ms.is_empty() {
        return;
    }
    *out += "<section class=table><h2>Latency</h2><p class=more>Milliseconds, from when each thing was to happen, not from when it could be sent</p><div class=scroll><table><thead><tr><th>class<th>p50<th>p90<th>p99<th>p99.9<th>max<th>count</thead><tbody>";
    for (colour, (_, name)) in LATENCY_CLASSES.iter().enumerate() {
        let Some(latency) = report.latency_ms.get(name) else { continue };
        let _ = write!(out, "<tr><th><i class=c{colour}></i>{name}");
        for value in [latency.p50, latency.p90, latency.p99, latency.p999, latency.max] {
            let _ = write!(out, "<td>{value:.1}");
        }
        let _ = write!(out, "<td>{}", format_short(latency.count as f64));
    }
    *out += "</tbody></table></div></section>";
}

fn lists(out: &mut String, report: &LoadtestReport) {
    let list = |out: &mut String, title: &str, lines: &mut dyn Iterator<Item = String>| {
        let lines: Vec<String> = lines.map(|line| format!("<li>{}</li>", escape_html(&line))).collect();
        if !lines.is_empty() {
            let _ = write!(out, "<section><h2>{title}</h2><ul>{}</ul></section>", lines.concat());
        }
    };
    if report.violations.total > 0 {
        *out += "<section class=breaches><h2>Broken promises</h2>";
        for one in &report.violations.found {
            let text = one.to_string();
            let (what, bytes) = text.split_once('\n').unwrap_or((&text, ""));
            let _ = write!(out, "<p>{}</p>", escape_html(what));
            if !bytes.is_empty() {
                let _ = write!(out, "<pre>{}</pre>", escape_html(bytes.trim()));
            }
        }
        *out += "</section>";
    }
    *out += "<div class=lists>";
    list(out, "Checked", &mut report.checks.iter().cloned());
    list(out, "Notes", &mut report.notes.iter().cloned());
    let counted = |of: &std::collections::BTreeMap<String, u64>| {
        of.iter().map(|(name, count)| format!("{name} × {count}")).collect::<Vec<_>>().into_iter()
    };
    list(out, "Links that ended", &mut counted(&report.disconnect_reasons));
    list(out, "Refusals", &mut counted(&report.refusals));
    list(out, "Errors", &mut counted(&report.errors));
    let cost = &report.cpu;
    let words = format!(
        "{:.0} % of one processor; a received frame cost {:.2} µs user and {:.2} µs system, {} frames of {:.0} MB; itself late by {:.1} ms (p99)",
        cost.percent,
        cost.user_us_per_frame,
        cost.system_us_per_frame,
        format_short(report.counters.frames as f64),
        report.counters.bytes as f64 / 1e6,
        cost.late_ms
    );
    list(out, "What the crowd cost", &mut std::iter::once(words));
    *out += "</div>";
}
