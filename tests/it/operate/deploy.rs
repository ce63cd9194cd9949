//! What is handed to operators is true: the dashboard and the alerts ask for metrics that exist, every alert is explained,
//! and every setting is.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::support::metrics::Metrics;
use crate::support::process::Server;

fn read(path: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What is asked for in these expressions and not on the page, one line each: a name, or a label with a value.
fn unknown(expressions: &[String], page: &Metrics) -> Vec<String> {
    let mut found = BTreeSet::new();
    for expression in expressions {
        for (name, selector) in selectors(expression) {
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
            let is_histogram = |name: &str| page.kinds.get(name).is_some_and(|kind| kind == "histogram");
            let known = match family {
                Some(family) if is_histogram(family) => true,
                _ => page.kinds.contains_key(&name) && !is_histogram(&name),
            };
            if !known {
                found.insert(format!("{name} is no metric"));
                continue;
            }
            for pair in selector.split(',').filter(|pair| !pair.is_empty()) {
                // What Prometheus adds itself, and whatever is no plain comparison, is not ours to check.
                let Some((label, value)) = pair.split_once("=\"") else { continue };
                let wanted = format!("{}=\"{value}", label.trim());
                let here = page.samples.keys().any(|sample| sample.starts_with(&name) && sample.contains(&wanted));
                if !here && !["job", "instance"].contains(&label.trim()) {
                    found.insert(format!("{name} has no {wanted}"));
                }
            }
        }
    }
    found.into_iter().collect()
}

/// Our names in an expression, each with what stands in braces behind it.
fn selectors(expression: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(at) = ["livesouk_", "process_"].iter().filter_map(|prefix| rest.find(prefix)).min() {
        let end = rest[at..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(rest.len(), |end| at + end);
        let name = rest[at..end].to_owned();
        rest = &rest[end..];
        let selector = rest.strip_prefix('{').and_then(|inside| inside.split_once('}'));
        found.push((name, selector.map_or(String::new(), |(selector, _)| selector.to_owned())));
    }
    found
}

/// Every `expr` of the rules, and the name of its alert.
fn alerts() -> Vec<(String, String)> {
    let rules = read("deploy/alerts.yaml");
    let value = |line: &str, name: &str| line.trim().strip_prefix(name).map(|value| value.trim().to_owned());
    let names = rules.lines().filter_map(|line| value(line, "- alert:"));
    let expressions = rules.lines().filter_map(|line| value(line, "expr:"));
    let alerts: Vec<_> = names.zip(expressions).collect();
    assert_eq!(alerts.len(), rules.matches("alert:").count(), "an alert has a name and an expression in one line");
    alerts
}

fn dashboard_expressions() -> Vec<String> {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("expr").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|value| collect(value, found));
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(&serde_json::from_str(&read("deploy/grafana/dashboard.json")).expect("JSON"), &mut found);
    found
}

#[tokio::test]
async fn the_dashboard_and_the_alerts_ask_for_metrics_that_exist() {
    let page = Metrics::of(&Server::demo().await.rest()).await;
    let invented =
        ["rate(livesouk_nothing_total[1m])", "livesouk_buys_total{answer=\"bought\"}", "livesouk_buy_seconds"];
    let found = unknown(&invented.map(str::to_owned), &page);
    let expected = [
        "livesouk_buy_seconds is no metric",
        "livesouk_buys_total has no answer=\"bought\"",
        "livesouk_nothing_total is no metric",
    ];
    assert_eq!(found, expected, "the check finds what is not there");

    let shown = dashboard_expressions();
    let asked: Vec<String> = alerts().into_iter().map(|(_, expression)| expression).collect();
    assert!(shown.len() > 50 && asked.len() > 15, "{} and {}", shown.len(), asked.len());
    assert_eq!(unknown(&[shown.clone(), asked.clone()].concat(), &page), Vec::<String>::new());

    // And the other way round: what is counted is shown somewhere.
    let seen: BTreeSet<String> =
        [shown, asked].concat().iter().flat_map(|text| selectors(text)).map(|of| of.0).collect();
    let unseen = page.kinds.keys().filter(|name| !seen.iter().any(|seen| seen.starts_with(name.as_str())));
    let unseen: Vec<_> = unseen.filter(|name| !NOT_SHOWN.contains(&name.as_str())).collect();
    assert!(unseen.is_empty(), "on no panel and in no alert: {unseen:?}");
}

/// For whoever looks for something in particular.
const NOT_SHOWN: [&str; 18] = [
    "livesouk_build_info",
    "livesouk_stopping",
    "livesouk_connections",
    "livesouk_deflated_frames_total",
    "livesouk_deflate_bytes_total",
    "livesouk_greetings_bridged_total",
    "livesouk_http_connections_dropped_total",
    "livesouk_http_accept_failures_total",
    "livesouk_offer_actors",
    "livesouk_database_epoch",
    "livesouk_pool_connections_max",
    "livesouk_bus_rebuild_seconds",
    "livesouk_bus_resent_total",
    "livesouk_bus_unheard_total",
    "livesouk_bus_heard_total",
    "livesouk_bus_posts_total",
    "livesouk_bus_post_messages_total",
    "process_virtual_memory_bytes",
];

#[tokio::test]
async fn every_alert_and_every_group_of_metrics_is_explained() {
    let page = Metrics::of(&Server::demo().await.rest()).await;
    let manual = read("docs/operate.md");
    let explained: BTreeSet<&str> = manual.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let names = alerts();
    assert_eq!(explained, names.iter().map(|(name, _)| name.as_str()).collect());
    // A prefix in the table that no metric has is a leftover.
    let prefixes: Vec<&str> =
        manual.split('`').filter(|word| word.starts_with("livesouk_") && word.ends_with('_')).collect();
    assert!(prefixes.len() > 15, "{prefixes:?}");
    for prefix in prefixes {
        assert!(page.kinds.keys().any(|name| name.starts_with(prefix)), "no metric begins with {prefix}");
    }
    // Names in the text that are whole.
    let words = manual.split('`').filter(|word| word.starts_with("livesouk_") && !word.ends_with('_'));
    assert_eq!(
        unknown(&words.map(|word| word.replace("_seconds", "_seconds_sum")).collect::<Vec<_>>(), &page),
        Vec::<String>::new()
    );
}

fn help(command: &str) -> String {
    let told = Command::new(env!("CARGO_BIN_EXE_livesouk")).args([command, "--help"]).output().expect("it runs");
    String::from_utf8(told.stdout).expect("UTF-8")
}

/// `--like-this` and `LIVESOUK_LIKE_THIS` in a text.
fn words(text: &str, prefix: &str, rest: impl Fn(char) -> bool) -> BTreeSet<String> {
    let starts = text.match_indices(prefix).map(|(at, _)| at + prefix.len());
    let word = |start: usize| {
        let end = text[start..].find(|c: char| !rest(c)).map_or(text.len(), |end| start + end);
        format!("{prefix}{}", &text[start..end])
    };
    starts.map(word).collect()
}

fn flags(text: &str) -> BTreeSet<String> {
    let found = words(text, "--", |c| c.is_ascii_lowercase() || c == '-');
    let is_flag =
        |flag: &String| flag.len() > 3 && !flag.starts_with("---") && !["--help", "--version"].contains(&flag.as_str());
    found.into_iter().filter(is_flag).collect()
}

fn variables(text: &str) -> BTreeSet<String> {
    words(text, "LIVESOUK_", |c| c.is_ascii_uppercase() || c == '_')
}

#[test]
fn every_setting_is_explained_and_no_other() {
    let (told, manual) = (help("serve"), read("docs/operate.md"));
    let table: String = manual.lines().filter(|line| line.starts_with("| `--")).collect::<Vec<_>>().join("\n");
    let first = |line: &str| line.split('`').nth(1).map(str::to_owned);
    let explained: BTreeSet<String> = table.lines().filter_map(first).collect();
    let wanted: BTreeSet<String> =
        flags(&told).into_iter().filter(|flag| told.contains(&format!("{flag} <"))).collect();
    assert!(wanted.len() > 15, "{wanted:?}");
    assert_eq!(explained, wanted);
    assert_eq!(variables(&table), variables(&told));
}

#[test]
fn what_is_handed_out_sets_only_settings_that_exist() {
    let known = variables(&[help("serve"), help("migrate")].concat());
    for file in ["deploy/compose.yaml", "deploy/Dockerfile"] {
        let strange: Vec<_> = variables(&read(file)).difference(&known).cloned().collect();
        assert!(strange.is_empty(), "{file}: {strange:?}");
    }
    let commands = ["serve", "migrate", "token"].map(help).concat();
    for flag in flags(&read("scripts/stand")) {
        let ours = flags(&commands).contains(&flag);
        let theirs = ["--bind", "--port", "--save", "--appendonly", "--no-locale", "--bin", "--release"];
        let other = ["--client-output-buffer-limit", "--reuid", "--regid", "--init-groups"];
        assert!(ours || theirs.contains(&flag.as_str()) || other.contains(&flag.as_str()), "scripts/stand: {flag}");
    }
}
