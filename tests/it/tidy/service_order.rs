//! The order of the services of `app`: a service knows only the services that its row in `docs/architecture.md` names, and those
//! that they know. So there is no circle, and the page is right.

use super::imports::names_below;
use super::source::{Token, tokens};

/// What every service may use. These files know no service, except that the job runner reads the clock of the context.
const HELPERS: [&str; 13] = [
    "cache",
    "counters",
    "error",
    "jobs",
    "mail_server",
    "message_signature",
    "oidc_provider",
    "picture_bucket",
    "picture_storage",
    "revoked_token_cache",
    "settings",
    "state_changes",
    "webhook_signature",
];

/// A row of the table of services.
struct Service {
    module: String,
    type_name: String,
    /// The types in the column "Uses".
    uses: Vec<String>,
}

/// What is wrong with the table in `page`, or with the imports of `files` (paths relative to `src/`, and their text).
pub fn findings<'a>(page: &str, files: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let services = services(page);
    let mut found = Vec::new();
    for (at, service) in services.iter().enumerate() {
        for used in &service.uses {
            if !services[..at].iter().any(|other| other.type_name == *used) {
                found.push(format!("docs/architecture.md: {} uses {used}, which is not above it", service.type_name));
            }
        }
    }
    for (path, source) in files {
        let module: Vec<&str> = path.trim_end_matches(".rs").split('/').filter(|name| *name != "mod").collect();
        let is_test = path.ends_with("_test.rs") || path == "app/testing.rs";
        let ["app", own, ..] = module[..] else { continue };
        if is_test {
            continue;
        }
        let allowed = allowed(&services, own);
        let known = services.iter().any(|service| service.module == own) || HELPERS.contains(&own);
        if !known {
            found.push(format!("src/{path}: {own} is not in the table of services in docs/architecture.md"));
        }
        for name in names_below("app", &module, &without_tests(&tokens(source))) {
            if name.text != own && !allowed.contains(&name.text) {
                found.push(format!("src/{path}:{}: {own} must not know {}", name.line, name.text));
            }
        }
    }
    found
}

fn services(page: &str) -> Vec<Service> {
    let table = page.split("## The services of `app`").nth(1).unwrap_or_default();
    let table = table.split("\n## ").next().unwrap_or_default();
    table.lines().filter_map(row).collect()
}

/// `| chat/ | Chat (`chat`) | … | AuditLog |`
fn row(line: &str) -> Option<Service> {
    let cells: Vec<&str> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
    let [file, service, _owns, uses] = cells[..] else { return None };
    let module = file.strip_suffix(".rs").or_else(|| file.strip_suffix('/'))?;
    let is_type = |name: &str| name.starts_with(char::is_uppercase);
    Some(Service {
        module: module.to_owned(),
        type_name: service.split(' ').next()?.to_owned(),
        uses: uses.split(", ").filter(|name| is_type(name)).map(str::to_owned).collect(),
    })
}

/// The modules that `own` may know: for a service the helpers, the services of its row, and in turn what those use.
fn allowed<'a>(services: &'a [Service], own: &str) -> Vec<&'a str> {
    if HELPERS.contains(&own) {
        return [&HELPERS[..], if own == "jobs" { &["context"] } else { &[] }].concat();
    }
    let mut allowed = HELPERS.to_vec();
    let mut types: Vec<&str> = Vec::new();
    let mut next: Vec<&Service> = services.iter().filter(|service| service.module == own).collect();
    while let Some(service) = next.pop() {
        for used in services.iter().filter(|used| service.uses.contains(&used.type_name)) {
            if !types.contains(&used.type_name.as_str()) {
                types.push(&used.type_name);
                allowed.push(&used.module);
                next.push(used);
            }
        }
    }
    allowed
}

/// Without `mod tests { … }`: tests may use the whole app.
fn without_tests<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    let mut kept = Vec::new();
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        let starts = token.text == "mod" && tokens.get(at + 1).is_some_and(|name| name.text == "tests");
        if depth == 0 && !(starts && tokens.get(at + 2).is_some_and(|brace| brace.text == "{")) {
            kept.push(*token);
            continue;
        }
        depth = match token.text {
            "mod" if depth == 0 => 1,
            "{" => depth + 1,
            // The first brace was counted with `mod`.
            "}" if depth == 2 => 0,
            "}" => depth - 1,
            _ => depth,
        };
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::findings;

    const PAGE: &str = "## The services of `app`\n\n| Folder / file | Service | Owns | Uses |\n|---|---|---|---|\n\
        | context.rs | Context | store | – |\n| audit.rs | AuditLog (`audit`) | – | Context |\n\
        | chat/ | Chat (`chat`) | queue | AuditLog |\n| selling/ | Selling | tasks | Context |\n\n## The path";

    fn found(path: &str, source: &str) -> Vec<String> {
        findings(PAGE, [(path, source)].into_iter())
    }

    #[test]
    fn service_that_is_not_below_is_found() {
        let rows = [
            ("app/audit.rs", "use super::chat::Chat;", "audit must not know chat"),
            ("app/chat/mod.rs", "use super::selling::Selling;", "chat must not know selling"),
            ("app/chat/review.rs", "use crate::app::{audit::AuditLog, selling};", "chat must not know selling"),
            ("app/chat/review.rs", "fn f() { super::super::selling::start() }", "chat must not know selling"),
            ("app/chat/review.rs", "use crate::app::OrderResult;", "chat must not know OrderResult"),
            ("app/chat/review.rs", "use crate::{app::selling, room};", "chat must not know app"),
            ("app/cache.rs", "use super::context::Context;", "cache must not know context"),
            ("app/chat/mod.rs", "mod tests { fn f() { {} } } use super::selling;", "chat must not know selling"),
            ("app/coupon.rs", "", "coupon is not in the table"),
        ];
        for (path, source, expected) in rows {
            let found = found(path, source);
            assert!(found.iter().any(|line| line.contains(expected)), "{path}: {source}\nfound {found:?}");
        }
        let circle = PAGE.replace("| store | – |", "| store | Chat |");
        assert!(findings(&circle, [].into_iter())[0].contains("Context uses Chat, which is not above it"));
    }

    #[test]
    fn what_the_page_allows_is_not_found() {
        let rows = [
            ("app/chat/mod.rs", "use super::{audit::AuditLog, context::Context, error::Result, jobs}; mod writer;"),
            ("app/chat/review.rs", "use super::Chat; use crate::app::context::Context; use super::super::audit;"),
            ("app/chat/review.rs", "mod tests { use crate::app::selling; mod more { use crate::app::App; } }"),
            ("app/chat/review_test.rs", "use crate::app::selling;"),
            ("app/jobs.rs", "use super::context::Context;"),
            ("app/mod.rs", "use selling::Selling; use crate::app::selling;"),
            ("http/chat.rs", "use crate::app::selling;"),
        ];
        for (path, source) in rows {
            assert_eq!(found(path, source), Vec::<String>::new(), "in {path}: {source}");
        }
    }
}
