//! The plans of every statement that the store sends, as PostgreSQL itself reports them with `auto_explain`.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

use crate::contract_store::fixture::Fixture;

/// Tables that have a few rows, whatever the shop sells. `staff` has at most `STAFF_MAX`, imports are forgotten after
/// 30 days, and at most `API_KEYS_MAX` keys are in force; those that ended are forgotten after 90 days.
const SMALL_TABLES: [&str; 9] = [
    "shops",
    "meta",
    "token_revocation_version",
    "_sqlx_migrations",
    "staff",
    "api_keys",
    "shop_settings",
    "setup_links",
    "catalogue_imports",
];

/// Pages that a statement may touch: so many whatever it finds, and so many for each row that it gives or writes (a row stands in
/// a table and in several indexes, and a look-up goes through the levels of an index). The smallest index of a large table has
/// more.
const PAGES_PER_STATEMENT: f64 = 400.0;
const PAGES_PER_ROW: f64 = 60.0;

/// A statement that ran, and what was being tested.
pub struct Ran {
    pub step: String,
    report: Value,
}

/// Collects the plans of this thread.
pub struct Plans {
    step: Arc<Mutex<String>>,
    ran: Arc<Mutex<Vec<Ran>>>,
    _collecting: DefaultGuard,
}

struct Collector {
    step: Arc<Mutex<String>>,
    ran: Arc<Mutex<Vec<Ran>>>,
}

#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.0 = value.to_owned();
        }
    }
}

impl<S: tracing::Subscriber> Layer<S> for Collector {
    fn on_event(&self, event: &tracing::Event<'_>, _context: Context<'_, S>) {
        if event.metadata().target() != "sqlx::postgres::notice" {
            return;
        }
        let mut message = Message::default();
        event.record(&mut message);
        let Some((_, json)) = message.0.split_once("plan:\n") else { return };
        let report = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"));
        self.ran.lock().unwrap().push(Ran { step: self.step.lock().unwrap().clone(), report });
    }
}

impl Plans {
    /// From now on, every new session of the database reports its plans, and this thread collects them.
    pub async fn collect(shop: &Fixture) -> Self {
        for (setting, value) in [
            ("session_preload_libraries", "auto_explain"),
            ("auto_explain.log_min_duration", "0"),
            ("auto_explain.log_analyze", "on"),
            ("auto_explain.log_buffers", "on"),
            ("auto_explain.log_timing", "off"),
            ("auto_explain.log_format", "json"),
            ("auto_explain.log_level", "notice"),
        ] {
            shop.run(&format!(
                "do $$ begin execute format('alter database %I set {setting} = ''{value}''', current_database()); end $$"
            ))
            .await;
        }
        let (step, ran) = (Arc::default(), Arc::default());
        let collector = Collector { step: Arc::clone(&step), ran: Arc::clone(&ran) };
        let collecting = tracing::subscriber::set_default(tracing_subscriber::registry().with(collector));
        Self { step, ran, _collecting: collecting }
    }

    /// What runs from now on belongs to this step.
    pub fn begin(&self, step: &str) {
        *self.step.lock().unwrap() = step.to_owned();
    }

    pub fn take(&self) -> Vec<Ran> {
        std::mem::take(&mut self.ran.lock().unwrap())
    }
}

impl Ran {
    pub fn sql(&self) -> String {
        let text = self.report["Query Text"].as_str().unwrap_or_default();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Why this plan is too expensive on a large table.
    pub fn faults(&self) -> Vec<String> {
        let plan = &self.report["Plan"];
        let mut faults = Vec::new();
        find_scans(plan, &mut faults);
        let number = |field: &str| plan[field].as_f64().unwrap_or_default();
        let pages = number("Shared Hit Blocks") + number("Shared Read Blocks");
        let rows = rows_of(plan);
        if PAGES_PER_STATEMENT + PAGES_PER_ROW * rows < pages {
            faults.push(format!("it touches {pages} pages for {rows} rows"));
        }
        faults
    }
}

fn find_scans(node: &Value, faults: &mut Vec<String>) {
    if node["Node Type"] == "Seq Scan" {
        let table = node["Relation Name"].as_str().unwrap_or_default();
        if !SMALL_TABLES.contains(&table) {
            faults.push(format!("it reads the whole table {table}"));
        }
    }
    node["Plans"].as_array().into_iter().flatten().for_each(|child| find_scans(child, faults));
}

/// The rows that a statement gives, or writes.
fn rows_of(node: &Value) -> f64 {
    let own = node["Actual Rows"].as_f64().unwrap_or_default();
    match (node["Node Type"].as_str(), node["Plans"].as_array()) {
        (Some("ModifyTable"), Some(children)) => children.iter().map(rows_of).fold(own, f64::max),
        _ => own,
    }
}
