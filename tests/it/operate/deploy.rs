//! The files for operators are correct: the dashboard and the alerts query metrics that exist, and the manual explains every
//! alert and every setting.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::support::metrics::Metrics;
use crate::support::process::Server;

fn read(path: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What these expressions query and the page does not have, one line each: a name, or a label with a value.
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
                // Labels that Prometheus adds, and selectors that are not a plain comparison, are not checked.
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

/// The names of our metrics in an expression, each with the selector in braces behind it.
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

/// The name and the `expr` of every alert.
fn alerts() -> Vec<(String, String)> {
    let rules = read("deploy/alerts.yaml");
    let value = |line: &str, name: &str| line.trim().strip_prefix(name).map(|value| value.trim().to_owned());
    let names = rules.lines().filter_map(|line| value(line, "- alert:"));
    let expressions = rules.lines().filter_map(|line| value(line, "expr:"));
    let alerts: Vec<_> = names.zip(expressions).collect();
    assert_eq!(
        alerts.len(),
        rules.matches("alert:").count(),
        "the name and the expression of an alert must each be on one line"
    );
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
async fn dashboard_and_alerts_query_existing_metrics() {
    let page = Metrics::of(&Server::demo().await.rest()).await;
    let invented = [
        "rate(livesouk_nothing_total[1m])",
        "livesouk_purchases_total{result=\"bought\"}",
        "livesouk_purchase_duration_seconds",
    ];
    let found = unknown(&invented.map(str::to_owned), &page);
    let expected = [
        "livesouk_nothing_total is no metric",
        "livesouk_purchase_duration_seconds is no metric",
        "livesouk_purchases_total has no result=\"bought\"",
    ];
    assert_eq!(found, expected, "the check finds missing metrics");

    let shown = dashboard_expressions();
    let asked: Vec<String> = alerts().into_iter().map(|(_, expression)| expression).collect();
    assert!(shown.len() > 50 && asked.len() > 15, "{} and {}", shown.len(), asked.len());
    assert_eq!(unknown(&[shown.clone(), asked.clone()].concat(), &page), Vec::<String>::new());

    // The other direction: every metric is shown somewhere.
    let seen: BTreeSet<String> =
        [shown, asked].concat().iter().flat_map(|text| selectors(text)).map(|of| of.0).collect();
    let unseen = page.kinds.keys().filter(|name| !seen.iter().any(|seen| seen.starts_with(name.as_str())));
    let unseen: Vec<_> = unseen.filter(|name| !NOT_SHOWN.contains(&name.as_str())).collect();
    assert!(unseen.is_empty(), "in no panel and no alert: {unseen:?}");
}

/// Runs `promtool test rules` on a copy of the rules. `scripts/test` installs promtool with Debian's package `prometheus`.
fn promtool_test(rules: &str) -> std::process::Output {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("alerts.yaml"), rules).expect("the rules are written");
    std::fs::write(folder.path().join("test.yaml"), read("deploy/alerts.test.yaml")).expect("the test is written");
    let mut promtool = Command::new("promtool");
    promtool.args(["test", "rules", "test.yaml"]).current_dir(folder.path());
    promtool.output().expect("promtool is installed (Debian: apt-get install prometheus)")
}

#[test]
fn alert_rules_fire_on_series_as_the_page_has_them() {
    let rules = read("deploy/alerts.yaml");
    let result = promtool_test(&rules);
    assert!(result.status.success(), "{result:?}");
    // The negative control: with a bucket bound as an integer the alert could never fire.
    let broken = rules.replace("le=\"5.0\"", "le=\"5\"");
    assert_ne!(broken, rules);
    assert!(!promtool_test(&broken).status.success(), "the test does not notice a bucket bound that matches nothing");
}

/// Metrics for special questions, which are not in the dashboard.
const NOT_SHOWN: [&str; 42] = [
    "livesouk_search_words_deleted_total",
    "livesouk_payment_rate",
    "livesouk_payment_requests_refused_total",
    "livesouk_import_uploads",
    "livesouk_import_uploads_max",
    "livesouk_import_pictures_fetched_total",
    "livesouk_import_pictures_failed_total",
    "livesouk_imported_products_total",
    "livesouk_imports_pending",
    "livesouk_imports_oldest_seconds",
    "livesouk_undone_imports_total",
    "livesouk_picture_uploads_pending",
    "livesouk_picture_uploads_pending_max",
    "livesouk_picture_conversion_duration_seconds",
    "livesouk_pictures_deleted_total",
    "livesouk_sign_ins_total",
    "livesouk_expired_sign_ins_deleted_total",
    "livesouk_broker_history_calls_total",
    "livesouk_broker_late_batches_total",
    "livesouk_token_revocations",
    "livesouk_jwks_keys",
    "livesouk_jwks_failures_total",
    "livesouk_build_info",
    "livesouk_stopping",
    "livesouk_websocket_connections",
    "livesouk_frames_compressed_total",
    "livesouk_compression_bytes_total",
    "livesouk_room_joins_recovered_from_history_total",
    "livesouk_http_connections_dropped_total",
    "livesouk_http_accept_failures_total",
    "livesouk_http_addresses",
    "livesouk_lapsed_holds_total",
    "livesouk_selling_tasks",
    "livesouk_database_epoch",
    "livesouk_database_connections_max",
    "livesouk_broker_reconnect_duration_seconds",
    "livesouk_broker_append_retries_total",
    "livesouk_broker_appends_undelivered_total",
    "livesouk_broker_batches_received_total",
    "livesouk_broker_publish_calls_total",
    "livesouk_broker_published_messages_total",
    "process_virtual_memory_bytes",
];

#[tokio::test]
async fn manual_explains_every_alert_and_metric_group() {
    let page = Metrics::of(&Server::demo().await.rest()).await;
    let manual = read("docs/operate.md");
    let explained: BTreeSet<&str> = manual.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let names = alerts();
    assert_eq!(explained, names.iter().map(|(name, _)| name.as_str()).collect());
    // A prefix in the table that no metric has is obsolete.
    let prefixes: Vec<&str> =
        manual.split('`').filter(|word| word.starts_with("livesouk_") && word.ends_with('_')).collect();
    assert!(prefixes.len() > 15, "{prefixes:?}");
    for prefix in prefixes {
        assert!(page.kinds.keys().any(|name| name.starts_with(prefix)), "no metric starts with {prefix}");
    }
    // Complete names in the text. `livesouk_dev` is a cookie.
    let words = manual
        .split('`')
        .filter(|word| word.starts_with("livesouk_") && !word.ends_with('_') && *word != "livesouk_dev");
    assert_eq!(
        unknown(&words.map(|word| word.replace("_seconds", "_seconds_sum")).collect::<Vec<_>>(), &page),
        Vec::<String>::new()
    );
}

fn help(command: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_livesouk")).args([command, "--help"]).output().expect("it runs");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The words of a text that start with `prefix`: flags like `--listen`, variables like `LIVESOUK_LISTEN`.
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
fn manual_explains_every_setting() {
    // The manual explains the files of secrets once, for all of them.
    assert!(read("docs/operate.md").contains("`--auth-key-file` or `LIVESOUK_AUTH_KEY_FILE`"));
    let (help, manual) = (help("serve"), read("docs/operate.md"));
    let is_file = |name: &String| name.ends_with("-file") || name.ends_with("_FILE");
    let table: String = manual.lines().filter(|line| line.starts_with("| `--")).collect::<Vec<_>>().join("\n");
    let first = |line: &str| line.split('`').nth(1).map(str::to_owned);
    let explained: BTreeSet<String> = table.lines().filter_map(first).collect();
    let wanted: BTreeSet<String> =
        flags(&help).into_iter().filter(|flag| help.contains(&format!("{flag} <")) && !is_file(flag)).collect();
    assert!(wanted.len() > 15, "{wanted:?}");
    assert_eq!(explained, wanted);
    assert_eq!(variables(&table), variables(&help).into_iter().filter(|name| !is_file(name)).collect());
}

#[test]
fn deployment_files_use_only_existing_settings() {
    let mut known = variables(&[help("serve"), help("migrate")].concat());
    known.insert("LIVESOUK_COMMIT".to_owned()); // read by build.rs
    for file in [
        "deploy/compose.yaml",
        "deploy/Dockerfile",
        "deploy/systemd/livesouk.service",
        "deploy/kubernetes/livesouk.yaml",
    ] {
        let unknown: Vec<_> = variables(&read(file)).difference(&known).cloned().collect();
        assert!(unknown.is_empty(), "{file}: {unknown:?}");
    }
    let commands = ["serve", "migrate", "token"].map(help).concat();
    for flag in flags(&read("scripts/cluster")) {
        let ours = flags(&commands).contains(&flag);
        let theirs = ["--bind", "--port", "--save", "--appendonly", "--no-locale", "--bin", "--release"];
        let other = ["--client-output-buffer-limit", "--reuid", "--regid", "--init-groups"];
        assert!(ours || theirs.contains(&flag.as_str()) || other.contains(&flag.as_str()), "scripts/cluster: {flag}");
    }
}

/// The lines of one service of the compose file.
fn compose_service<'a>(compose: &'a str, name: &str) -> &'a str {
    let start = compose.find(&format!("\n  {name}:\n")).unwrap_or_else(|| panic!("no service {name}")) + 1;
    let lines = compose[start..].split_inclusive('\n');
    let length: usize =
        lines.enumerate().take_while(|(at, line)| *at == 0 || !is_header(line)).map(|(_, line)| line.len()).sum();
    &compose[start..start + length]
}

/// A line that begins another service or another part of the file.
fn is_header(line: &str) -> bool {
    !line.trim().is_empty() && !line.starts_with("   ")
}

/// What is wrong with a compose file: a service that is not hardened, an open door, a secret with a default.
fn compose_findings(compose: &str) -> Vec<String> {
    let mut found = Vec::new();
    for name in ["node-a", "node-b", "migrate", "proxy", "postgres", "redis", "prometheus", "grafana"] {
        let service = compose_service(compose, name);
        if !service.contains("<<: *hardened") && !service.contains("<<: *node") {
            found.push(format!("{name} is not hardened"));
        }
    }
    for part in ["read_only: true", "cap_drop: [ALL]", "no-new-privileges:true", "pids_limit:", "mem_limit:"] {
        if !compose.contains(part) {
            found.push(format!("{part} is missing"));
        }
    }
    for secret in ["LIVESOUK_AUTH_KEY", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "GRAFANA_PASSWORD"] {
        let uses: Vec<&str> = compose.split(&format!("${{{secret}")).skip(1).collect();
        if uses.is_empty() || !uses.iter().all(|rest| rest.starts_with(":?")) {
            found.push(format!("{secret} is not required"));
        }
    }
    let wanted =
        [("redis", "--requirepass"), ("postgres", "pg_isready, -q, -h, 127.0.0.1"), ("migrate", "service_healthy")];
    for (name, part) in wanted {
        if !compose_service(compose, name).contains(part) {
            found.push(format!("{name} has no {part}"));
        }
    }
    if compose.contains("GF_AUTH_ANONYMOUS") {
        found.push("anybody may use Grafana".to_owned());
    }
    found
}

#[test]
fn compose_file_is_hardened_and_passes_on_every_setting() {
    let compose = read("deploy/compose.yaml");
    assert_eq!(compose_findings(&compose), Vec::<String>::new());
    let settings = variables(&help("serve")).into_iter().filter(|name| !name.ends_with("_FILE"));
    let passed_on = variables(&compose);
    let missing: Vec<_> = settings.filter(|name| !passed_on.contains(name)).collect();
    assert!(missing.is_empty(), "not passed on: {missing:?}");
    // The negative controls.
    for (part, by, finding) in [
        ("  redis:\n    <<: *hardened\n", "  redis:\n", "redis is not hardened"),
        ("cap_drop: [ALL]", "", "cap_drop: [ALL] is missing"),
        ("${REDIS_PASSWORD:?", "${REDIS_PASSWORD:-", "REDIS_PASSWORD is not required"),
        (", -h, 127.0.0.1", "", "postgres has no pg_isready, -q, -h, 127.0.0.1"),
        ("GF_USERS_ALLOW_SIGN_UP:", "GF_AUTH_ANONYMOUS_ENABLED:", "anybody may use Grafana"),
    ] {
        let broken = compose.replace(part, by);
        assert_ne!(broken, compose, "{part}");
        assert!(compose_findings(&broken).contains(&finding.to_owned()), "{finding}: {:?}", compose_findings(&broken));
    }
}

#[test]
fn image_has_a_numeric_user() {
    let dockerfile = read("deploy/Dockerfile");
    let user = dockerfile.lines().find_map(|line| line.strip_prefix("USER ")).expect("a user");
    let is_number = |part: &str| part.parse::<u32>().is_ok_and(|id| id > 0);
    assert!(user.split(':').all(is_number), "Kubernetes checks runAsNonRoot for numbers only: {user}");
    let manifests = read("deploy/kubernetes/livesouk.yaml");
    assert!(manifests.contains(&format!("runAsUser: {}", user.split(':').next().unwrap())));
    assert!(manifests.contains(&format!("image: livesouk:{}", env!("CARGO_PKG_VERSION"))));
}

/// Whether systemd finds that a unit is exposed at most by 4.0 of 10. `scripts/test` installs systemd.
fn systemd_accepts(unit: &str) -> bool {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("livesouk.service");
    std::fs::write(&file, unit).expect("the unit is written");
    let mut analyze = Command::new("systemd-analyze");
    analyze.args(["security", "--offline=true", "--threshold=40", "--no-pager"]).arg(file);
    let result = analyze.output().expect("systemd-analyze is installed (Debian: apt-get install systemd)");
    assert!(String::from_utf8_lossy(&result.stdout).contains("Overall exposure level"), "{result:?}");
    result.status.success()
}

#[test]
fn systemd_unit_gives_the_node_few_rights() {
    let unit = read("deploy/systemd/livesouk.service");
    assert!(systemd_accepts(&unit));
    // The negative control: without the system call filter and the user of its own it is exposed.
    let hardening =
        ["SystemCallFilter=", "DynamicUser=", "CapabilityBoundingSet=", "PrivateUsers=", "Protect", "Restrict"];
    let open: String = unit
        .lines()
        .filter(|line| !hardening.iter().any(|name| line.starts_with(name)))
        .fold(String::new(), |all, line| all + line + "\n");
    assert!(!systemd_accepts(&open));
}
