//! The table of allowed imports between layers.
//!
//! The rules read names, they do not resolve them: `use crate::store` and an inline `crate::store::Store` are found,
//! and so is a chain of `super` that climbs to the root. Tests inside `src/` keep the same table.

use super::source::{Token, tokens};

/// The top of the tree, where everything is put together, and what each of its files may import of it. A new folder or file under
/// `src/` needs a row here or in `TABLE` before it can be used.
const TOP_LEVEL_FILES: [(&str, &[&str]); 18] = [
    ("lib", &[]),
    ("demo", &[]),
    ("node", &[]),
    ("node_settings", &[]),
    ("signals", &[]),
    ("logging", &["node"]),
    ("rehearsal", &["node"]),
    ("first_start", &["node"]),
    ("mail_command", &["node"]),
    ("oidc_settings", &["node"]),
    ("payment_settings", &[]),
    ("secrets_command", &["node"]),
    ("reconcile_command", &["node", "payment_settings", "secrets_command"]),
    ("command_output", &["node"]),
    (
        "demo_command",
        &["command_output", "demo", "logging", "mail_command", "node", "node_settings", "rehearsal", "signals"],
    ),
    (
        "serve_command",
        &[
            "first_start",
            "logging",
            "mail_command",
            "node",
            "node_settings",
            "oidc_settings",
            "payment_settings",
            "rehearsal",
            "secrets_command",
            "signals",
        ],
    ),
    (
        "commands",
        &[
            "command_output",
            "demo_command",
            "first_start",
            "logging",
            "mail_command",
            "node",
            "reconcile_command",
            "secrets_command",
            "serve_command",
        ],
    ),
    ("main", &["commands"]),
];
const SHARED_MODULES: [&str; 6] = ["clock", "config", "connection_url", "fault", "guarded_address", "metrics"];

/// A layer, the layers it may import besides itself, and whether it may use the shared modules.
const TABLE: [(&str, &[&str], bool); 9] = [
    ("domain", &[], false),
    ("protocol", &["domain"], false),
    ("store", &["domain"], true),
    ("broker", &["domain"], true),
    ("room", &["domain", "protocol"], true),
    ("app", &["domain", "protocol", "store", "broker", "room"], true),
    ("verbs", &["domain", "protocol", "room", "app"], true),
    ("session", &["domain", "protocol", "room", "app", "verbs"], true),
    ("http", &["domain", "protocol", "app", "verbs", "session"], true),
];

/// Names that must not be in a layer at all, and the reason that goes into the message.
const BANNED: [(&str, &[&str], &str); 3] = [
    (
        "domain",
        &["async", "await", "tokio", "axum", "hyper", "SystemTime", "Instant"],
        "domain never waits and has no clock",
    ),
    ("app", &["axum", "hyper", "hyper_util", "tungstenite", "tokio_tungstenite"], "app knows no sockets"),
    ("room", &["Store", "Broker"], "room knows neither store nor broker"),
];

/// What is wrong with one file of `src/`, one line per finding. `path` is relative to `src/`.
pub fn findings(path: &str, source: &str) -> Vec<String> {
    let module: Vec<&str> = path.trim_end_matches(".rs").split('/').filter(|name| *name != "mod").collect();
    let layer = module[0];
    let tokens = tokens(source);
    let mut found = Vec::new();
    let mut say = |line: usize, what: String| found.push(format!("src/{path}:{line}: {what}"));

    let top_level = TOP_LEVEL_FILES.iter().find(|(name, _)| *name == layer);
    let is_shared = SHARED_MODULES.contains(&layer);
    let row = TABLE.iter().find(|(name, ..)| *name == layer);
    if top_level.is_none() && !is_shared && row.is_none() {
        say(1, format!("{layer} has no row in the import table"));
    }
    if let Some((_, below)) = top_level {
        for name in imports(&module, &tokens) {
            if name.text != layer
                && !below.contains(&name.text)
                && TOP_LEVEL_FILES.iter().any(|(other, _)| *other == name.text)
            {
                say(name.line, format!("{layer} must not import {}", name.text));
            }
        }
    } else {
        let (others, may_share) = row.map_or((&[][..], false), |(_, others, may_share)| (*others, *may_share));
        for name in imports(&module, &tokens) {
            let allowed =
                name.text == layer || others.contains(&name.text) || (may_share && SHARED_MODULES.contains(&name.text));
            if !allowed {
                say(name.line, format!("{layer} must not import {}", name.text));
            }
        }
    }
    for token in &tokens {
        if token.text == "sqlx" && layer != "store" {
            say(token.line, "only store names sqlx".to_owned());
        }
        for (_, _, why) in BANNED.iter().filter(|(name, words, _)| *name == layer && words.contains(&token.text)) {
            say(token.line, format!("{}: {why}", token.text));
        }
    }
    found
}

/// The first name of every path that starts at the root of the crate.
fn imports<'a>(module: &[&str], tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    let mut found = Vec::new();
    for_each_path(tokens, |at, supers, depth| {
        if tokens[at].text == "crate" {
            first_names(&tokens[at + 2..], &mut found);
        } else if supers == module.len() + depth {
            first_names(&tokens[at + 2 * supers..], &mut found);
        }
    });
    found
}

/// The first name below `layer` of every path that leaves its own module and stays in the layer. A layer in a group
/// (`crate::{app::chat, …}`) is returned itself.
pub fn names_below<'a>(layer: &str, module: &[&str], tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    let mut found = Vec::new();
    for_each_path(tokens, |at, supers, depth| {
        if tokens[at].text == "crate" {
            match &tokens[at + 2..] {
                [name, colons, rest @ ..] if name.text == layer && colons.text == "::" => {
                    first_names(rest, &mut found);
                }
                rest => {
                    let mut names = Vec::new();
                    first_names(rest, &mut names);
                    found.extend(names.into_iter().filter(|name| name.text == layer));
                }
            }
        } else if supers + 1 == module.len() + depth {
            first_names(&tokens[at + 2 * supers..], &mut found);
        }
    });
    found
}

/// Calls `path` for each `crate::` and each chain of `super::`, with its index, the length of the chain, and the number of inline
/// modules around it.
fn for_each_path(tokens: &[Token<'_>], mut path: impl FnMut(usize, usize, usize)) {
    let mut inline = Inline::default();
    for at in 0..tokens.len() {
        inline.step(&tokens[at..]);
        let is = |offset: usize, text: &str| tokens.get(at + offset).is_some_and(|token| token.text == text);
        if is(0, "crate") && is(1, "::") {
            path(at, 0, inline.depth());
        } else if is(0, "super") && (at == 0 || tokens[at - 1].text != "::") {
            let supers = tokens[at..].chunks(2).take_while(|pair| pair.len() == 2 && pair[0].text == "super").count();
            path(at, supers, inline.depth());
        }
    }
}

/// Takes `name`, or each name of `{name::…, name}`; a star and `self` are taken too and are in no row of the table.
fn first_names<'a>(tokens: &[Token<'a>], found: &mut Vec<Token<'a>>) {
    let Some(first) = tokens.first() else { return };
    if first.text != "{" {
        found.push(*first);
        return;
    }
    let mut depth = 0;
    let mut expects_name = false;
    for token in tokens {
        match token.text {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ if depth == 1 && expects_name => found.push(*token),
            _ => {}
        }
        if depth == 0 {
            return;
        }
        expects_name = depth == 1 && matches!(token.text, "{" | ",");
    }
}

/// How many `mod name { … }` of the file are open: each takes one more `super` to leave.
#[derive(Default)]
struct Inline {
    braces: usize,
    opened_at: Vec<usize>,
}

impl Inline {
    fn step(&mut self, rest: &[Token<'_>]) {
        match rest[0].text {
            "mod" if rest.get(2).is_some_and(|token| token.text == "{") => self.opened_at.push(self.braces),
            "{" => self.braces += 1,
            "}" => {
                self.braces = self.braces.saturating_sub(1);
                self.opened_at.retain(|at| *at < self.braces);
            }
            _ => {}
        }
    }

    fn depth(&self) -> usize {
        self.opened_at.len()
    }
}

#[cfg(test)]
mod tests {
    use super::findings;

    #[test]
    fn every_forbidden_import_is_found() {
        let rows = [
            ("protocol/frame.rs", "use crate::store::Store;", "protocol must not import store"),
            ("protocol/frame.rs", "use crate::clock;", "protocol must not import clock"),
            ("store/offer.rs", "use crate::{domain::Offer, app::{App, sell}};", "store must not import app"),
            ("store/offer.rs", "use crate::{app};", "store must not import app"),
            ("broker/mod.rs", "fn f() { crate::room::wake() }", "broker must not import room"),
            ("room/walk.rs", "use super::super::store::Store as S;", "room must not import store"),
            ("room/mod.rs", "use super::store;", "room must not import store"),
            ("room/walk.rs", "mod tests { use super::super::super::broker; }", "room must not import broker"),
            ("app/offer.rs", "use crate::session::serve;", "app must not import session"),
            ("session/mod.rs", "use crate::store::Offer;", "session must not import store"),
            ("http/orders.rs", "use crate::broker;", "http must not import broker"),
            ("http/orders.rs", "use crate::*;", "http must not import *"),
            ("clock.rs", "use crate::config::Config;", "clock must not import config"),
            ("coupon/mod.rs", "", "coupon has no row"),
            ("node.rs", "use crate::rehearsal::rehearsal_runner;", "node must not import rehearsal"),
            ("http/orders.rs", "use sqlx::PgPool;", "only store names sqlx"),
            ("main.rs", "use sqlx::PgPool;", "only store names sqlx"),
            ("domain/offer.rs", "use std::time::SystemTime;", "has no clock"),
            ("domain/offer.rs", "async fn f() {}", "never waits"),
            ("app/offer.rs", "use axum::Json;", "app knows no sockets"),
            ("room/mod.rs", "fn f(store: &Store) {}", "room knows neither"),
        ];
        for (path, source, expected) in rows {
            let found = findings(path, source);
            assert!(found.iter().any(|line| line.contains(expected)), "{path}: {source}\nfound {found:?}");
        }
    }

    #[test]
    fn what_the_table_allows_is_not_found() {
        let rows = [
            ("main.rs", "use livesouk::http; use crate::app;"),
            ("rehearsal.rs", "use crate::node::Node; use crate::http;"),
            ("lib.rs", "pub mod domain; pub mod store;"),
            ("domain/order.rs", "use crate::domain::{id::OrderId, offer::Offer}; // not crate::store"),
            ("protocol/frame.rs", "use crate::domain::Event; /* use crate::app */ const S: &str = \"crate::app\";"),
            ("store/offer.rs", "use crate::{clock::Clock, domain::Offer}; use sqlx::PgPool;"),
            ("room/walk.rs", "use super::ring::Ring; fn f() { counter.store(1) }"),
            ("room/walk.rs", "mod tests { fn f() {} use super::super::store_of_frames; }"),
            ("app/mod.rs", "use crate::{broker::Broker, config, domain, metrics, protocol, room, store::Store};"),
            ("session/mod.rs", "use crate::{app::App, room::Room}; pub(crate) fn f() {}"),
            ("http/router.rs", "use crate::{app::App, session, domain::{offer, order}}; use axum::Router;"),
        ];
        for (path, source) in rows {
            assert_eq!(findings(path, source), Vec::<String>::new(), "in {path}: {source}");
        }
    }
}
