//! The results of each round, their medians, and the printed table.

use std::fmt::Write;

use super::audience::ChatResult;

/// The last lines, in this order.
const FIGURES: [(&str, &str, usize); 15] = [
    ("figure", "p50_10k_10", 0),
    ("ratio", "cpu_per_event_20", 3),
    ("ratio", "cpu_per_event_200", 4),
    ("figure", "p99_ms_100", 0),
    ("figure", "p99_ms_200", 0),
    ("figure", "max_deliveries_s", 0),
    ("figure", "naive_max_deliveries_s", 0),
    ("figure", "pss_kib_per_viewer", 2),
    ("figure", "pss_kib_20pct_stopped", 2),
    ("ratio", "one_room_vs_100", 2),
    ("figure", "rooms_1000_max", 0),
    ("figure", "rooms_1000_message_us", 0),
    ("figure", "rooms_1000_pss_kib_per_viewer", 2),
    ("figure", "idle_core_share", 4),
    ("figure", "storm_handshake_p99_ms", 0),
];

#[derive(Default)]
pub struct FanoutResults {
    chats: Vec<(String, ChatResult)>,
    /// The figures above, and those that are only in the table.
    figures: Vec<(String, f64)>,
}

impl FanoutResults {
    pub fn record_chat(&mut self, title: &str, chat: ChatResult) {
        eprintln!(
            "  {title}: {:.2} µs, p99 {:.0} ms, lost {}, acknowledged {:.3}, client {:.0} %",
            chat.cpu_us_per_delivery(),
            chat.p99_ms,
            chat.lost,
            chat.acknowledged_ratio,
            chat.client_cpu * 100.0 / chat.seconds
        );
        self.chats.push((title.to_owned(), chat));
    }

    pub fn record(&mut self, name: &str, figure: f64) {
        eprintln!("  {name}: {figure:.4}");
        self.figures.push((name.to_owned(), figure));
    }

    fn figure(&self, name: &str) -> Option<f64> {
        let all: Vec<f64> = self.figures.iter().filter(|(of, _)| of == name).map(|(_, figure)| *figure).collect();
        (!all.is_empty()).then(|| median(all))
    }

    pub fn table(&self) -> String {
        let mut text = format!("{}\n\n", machine());
        let _ = writeln!(
            text,
            "{:<44} {:>9} {:>12} {:>9} {:>7} {:>7} {:>7} {:>8} {:>8} {:>6} {:>7}",
            "",
            "events/s",
            "deliveries/s",
            "server µs",
            "server",
            "events",
            "bytes/",
            "p50 ms",
            "p99 ms",
            "lost",
            "client"
        );
        let _ = writeln!(
            text,
            "{:<44} {:>9} {:>12} {:>9} {:>7} {:>7} {:>7}",
            "", "", "", "/delivery", "cpu %", "/frame", "event"
        );
        let mut titles: Vec<&str> = Vec::new();
        for (title, _) in &self.chats {
            if !titles.contains(&&**title) {
                titles.push(title);
            }
        }
        for title in titles {
            let of = |figure: fn(&ChatResult) -> f64| {
                median(self.chats.iter().filter(|(other, _)| other == title).map(|(_, chat)| figure(chat)).collect())
            };
            let _ = writeln!(
                text,
                "{title:<44} {:>9.0} {:>12.0} {:>9.3} {:>7.0} {:>7.1} {:>7.0} {:>8.0} {:>8.0} {:>6.0} {:>5.0} %",
                of(|chat| chat.rate),
                of(ChatResult::deliveries_per_s),
                of(ChatResult::cpu_us_per_delivery),
                of(|chat| chat.cpu * 100.0 / chat.seconds),
                of(|chat| chat.deliveries as f64 / chat.frames as f64),
                of(|chat| chat.bytes as f64 / chat.deliveries as f64),
                of(|chat| chat.p50_ms),
                of(|chat| chat.p99_ms),
                of(|chat| chat.lost as f64),
                of(|chat| chat.client_cpu * 100.0 / chat.seconds),
            );
        }
        text.push('\n');
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in &self.figures {
            if !names.contains(&&**name) && !FIGURES.iter().any(|(_, known, _)| known == name) {
                names.push(name);
            }
        }
        for name in names {
            let _ = writeln!(text, "{name:<76} {:>10.2}", self.figure(name).unwrap_or(f64::NAN));
        }
        text.push('\n');
        text
    }

    /// The lines for scripts, of the parts that were run.
    pub fn figures(&self) -> String {
        let mut text = String::new();
        for (kind, name, digits) in FIGURES {
            if let Some(figure) = self.figure(name) {
                let _ = writeln!(text, "{kind} {name} {figure:.digits$}");
            }
        }
        text
    }
}

pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    match figures.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => figures[n / 2],
        n => (figures[n / 2 - 1] + figures[n / 2]) / 2.0,
    }
}

fn machine() -> String {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).unwrap_or(("", "?"));
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let pins = if super::servers::can_pin() {
        "server on processor 0 with one worker, load test on processor 1"
    } else {
        "not pinned: taskset or a second processor is missing"
    };
    format!("{} cores of {}, Linux {}; {pins}", cpuinfo.matches("processor\t").count(), model.1, kernel.trim())
}
