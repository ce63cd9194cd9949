//! Names that were retired before the first release, each with its replacement (`docs/glossary.md`). They must not come back:
//! one concept has one word. Only distinctive names are listed, never plain words such as line, post or note.

/// Retired name and its replacement. A name is found as a whole word; one that ends in `_` or `/` is found as a prefix.
const RETIRED: &[(&str, &str)] = &[
    // Types and modules
    ("Deed", "AuditEntry"),
    ("DeedKind", "AuditAction"),
    ("ActionId", "AuditEntryId"),
    ("keep_deed", "insert_audit_entry"),
    ("Untold", "PendingEvent"),
    ("Tally", "AppCounters, StoreCounters or RoomCounters"),
    ("Vitals", "BrokerMetrics"),
    ("Ladder", "Backpressure"),
    ("Verdict", "Decision"),
    ("Prior", "ExistingPurchase"),
    ("MutedWord", "BlockedWord"),
    ("Sellers", "SellingTasks"),
    ("Mishap", "ClusterFault"),
    ("HeldFrame", "ReviewFrame"),
    ("ActionFrame", "AuditFrame"),
    ("hears_the_bus", "is_broker_connected"),
    ("tell_buyer", "send_order_to_buyer"),
    ("bring_home", "reconcile_payment"),
    ("say.lua", "append.lua"),
    ("past.lua", "history.lua"),
    ("HeartbeatAction", "PingAction"),
    ("GAP_MIN_MS", "FRAME_INTERVAL_MIN_MS"),
    ("DENSE_GAP_MAX_MS", "DENSE_FRAME_INTERVAL_MAX_MS"),
    ("JoinAnnouncement", "PublishedJoin"),
    ("what_to_do_without_books", "advice_for_unknown_order"),
    ("TakeBack", "Revoke"),
    ("check_room_for_mail", "check_mail_queue_not_full"),
    ("StripePlace", "StripeEndpoints"),
    ("PicturePlace", "PictureLocation"),
    ("OwnDataPlace", "OwnDataCursor"),
    ("PlaceQueue", "AdmissionQueue"),
    ("TicketValue", "TicketStatus"),
    ("FollowLetter", "MailParts"),
    ("follow_letter", "follow_mail_text"),
    ("first_fee_look", "first_fee_check"),
    ("claim_fee_look", "claim_fee_check"),
    ("note_fee", "store_fee"),
    ("something_binds", "has_active_restriction"),
    ("USELESS_KEPT_MS", "UNCHANGED_KEPT_MS"),
    ("OPENING_ACTS", "OPENING_ACTIONS"),
    ("next_act", "next_action"),
    ("drain_socket", "discard_until_closed"),
    // Tables and columns
    ("muted_words", "blocked_words"),
    ("hold_all", "review_all"),
    ("words_v", "blocklist_version"),
    ("audit_money", "payment_mismatches"),
    ("shown_orders", "readable_orders"),
    ("shown_messages", "readable_messages"),
    // The wire
    ("rundown", "lineup"),
    ("unwait", "remove_stock_alert"),
    ("word_refused", "blocked_word"),
    ("link_refused", "links_not_allowed"),
    ("actions.csv", "audit-log.csv"),
    // Metrics
    ("livesouk_bus_", "livesouk_broker_"),
    ("livesouk_loop_", "livesouk_background_job_"),
    ("livesouk_ladder_", "livesouk_backpressure_"),
    ("livesouk_walk_", "livesouk_broadcast_"),
    ("livesouk_greetings_", "livesouk_room_joins_"),
    ("livesouk_buys_", "livesouk_purchases_"),
    // Commands and settings
    ("scripts/stand", "scripts/cluster"),
    ("scripts/planted", "scripts/fault-detection"),
    ("planted-fault", "fault-injection"),
    ("LIVESOUK_PLANTED_FAULT", "LIVESOUK_INJECTED_FAULT"),
    ("LIVESOUK_STAND", "LIVESOUK_CLUSTER"),
    // Phrases
    ("run-down", "line-up"),
    ("by and by", "later"),
    ("fast no", "sold-out cache"),
    ("who keeps order", "moderators"),
    ("one's own", "the caller's own, their own"),
    ("as good as none", "counts as not set"),
    ("for luck", "waits a fixed time and hopes"),
    ("call off", "cancel"),
    ("called off", "cancelled"),
    ("stays good", "remains valid"),
    ("the good ones", "the valid ones"),
    ("in the books", "in the database of the shop"),
];

/// Files that name the former names on purpose: the old migrations, whose checksums databases keep, and the test of them; the
/// glossary and the changelog, which say what was renamed; this table.
fn may_name_them(path: &str) -> bool {
    path.starts_with("migrations/")
        || matches!(
            path,
            "docs/glossary.md"
                | "CHANGELOG.md"
                | "tests/it/contract_store/migrate.rs"
                | "tests/it/tidy/retired_names.rs"
        )
}

/// Where a retired name stands, one line per finding.
pub fn findings(path: &str, text: &str) -> Vec<String> {
    if may_name_them(path) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if prose(path, line).is_some_and(|text| stands_in(text, "Postgres")) {
            found.push(format!("{path}:{}: in prose the database is called PostgreSQL", number + 1));
        }
        for (retired, replacement) in RETIRED {
            if stands_in(line, retired) {
                found.push(format!("{path}:{}: `{retired}` is retired: {replacement}", number + 1));
            }
        }
    }
    found
}

/// The part of a line that people read: the comment of a line of code, a whole line of a page.
fn prose<'a>(path: &str, line: &'a str) -> Option<&'a str> {
    match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("rs" | "js" | "ts") => line.split_once("//").map(|(_, comment)| comment),
        Some("md" | "html" | "yaml" | "toml") => Some(line),
        _ => None,
    }
}

fn stands_in(line: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(is_part);
        let after = line[at + name.len()..].chars().next().is_some_and(is_part);
        !before && (!after || name.ends_with('_'))
    })
}

#[cfg(test)]
mod tests {
    use super::findings;

    #[test]
    fn retired_name_is_found_as_a_whole_word() {
        assert_eq!(findings("src/a.rs", "struct Deed;"), ["src/a.rs:1: `Deed` is retired: AuditEntry"]);
        assert_eq!(findings("a.js", "\nget('livesouk_bus_lag_seconds')").len(), 1);
        assert_eq!(findings("a.md", "see scripts/stand up").len(), 1);
        assert!(findings("src/a.rs", "struct Deeds; fn indeed() {} let prior = 1;").is_empty());
        assert!(findings("src/a.rs", "scripts/standard").is_empty());
    }

    #[test]
    fn short_name_of_the_database_is_found_in_prose_only() {
        for (path, line) in [("src/a.rs", "f(); // On Postgres"), ("docs/a.md", "needs Postgres 15")] {
            assert_eq!(findings(path, line).len(), 1, "{line}");
        }
        for (path, line) in [("src/a.rs", "Store::Postgres(db) => {}"), ("docs/a.md", "`postgres://…`, PostgreSQL")] {
            assert!(findings(path, line).is_empty(), "{line}");
        }
    }

    #[test]
    fn old_migrations_and_the_glossary_may_name_former_names() {
        assert!(findings("migrations/sqlite/0008_moderation.sql", "create table muted_words").is_empty());
        assert!(findings("docs/glossary.md", "Deed").is_empty());
    }
}
