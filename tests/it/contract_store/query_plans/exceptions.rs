//! What the test of every query leaves out, and why.

/// What reads more than it gives, and why that is meant.
pub const EXCEPTIONS: [(&str, &str); 6] = [
    ("show_texts", "it reads the texts of the newest shows, once in five seconds at most"),
    ("messages_by_minute", "it counts the messages of one show, for a report"),
    ("count_messages", "it counts the messages of one show, for a report"),
    ("count_payment_node", "the table has one row for each node"),
    ("prune_search_words", "it looks up each of some hundred words in the index, in a background job"),
    ("count_failed_payments", "it looks at the failed payments of the days of one show, for a report"),
];

/// Functions that are not called here: they have no query of their own, or need another database.
pub const NOT_CALLED: [(&str, &str); 8] = [
    ("open", "it opens the store"),
    ("migrate", "it is a command"),
    ("close", "it has no query"),
    ("turn", "`sell` calls it"),
    ("release", "it ends a turn"),
    ("read_message", "it is a part of others"),
    ("coupon_mismatches", "it compares everything; only tests do"),
    ("reservation_mismatches", "it compares everything; only tests and benchmarks do"),
];
