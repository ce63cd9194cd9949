//! `docs/permissions.md`, printed from the table.

use std::fmt::Write;

use super::table::{ROWS, Row, SERVICE_ROUTES, USERS};

const INTRODUCTION: &str = "# Who may do what

This page is printed from the table in `tests/it/permissions/table.rs`. Tests compare the table with the routes of the server, so that a
route without a row fails, and with the answers of a running server, over REST and on the socket.

One function decides every request: `domain::authorize`. It knows the role of the token and in which show it is valid, the rank, bans,
mutes and revoked invites. Its rules:

- **A role of one show means nothing outside of it.** In every other show, and in the shop, a helper's token gives only the rights of a
  viewer, with one exception: a producer of one show sees the stock pools, from which offers are filled.
- **Ranks**: viewer, moderator and analyst, producer, host, admin, owner. A mute or ban has an effect only on users who rank below the team
  member who imposed it. Only a team member of the same or a higher rank can change or remove it.
- **A banned user keeps access to their own data**: orders, payments, addresses, the audit log entries about them. They can still read over
  REST what everybody may read. A team member who is banned from one show has no permission of the team there, nor in the shop as a whole.
- **A block of the shop** is a ban from every show. It binds the person behind a user, under every identity of theirs.
- **The team does not buy** in a show that it helps to run, except the host. Orders placed earlier still belong to the buyer.
- **Only a host or an admin sells at the price 0**, or adds units to an offer at that price.
- **The owner** may do whatever an admin may, set the mail server, and buy to try the shop out. No token gives this role: it comes by an account of the staff
  only. Staff may have another role in each show; there the higher one counts.
- **A session that is older than ten minutes** is refused with `sign_in_again` for refunds, the end of a dispute, erasure, the revocation of tokens, new API keys, and changes of the mail server and of the keys of Stripe.
- **An API key** may do what its scopes name (`x-scope` in the API document), with the rank of an admin. Every other route answers `scope_missing`, and the socket takes no key.
- **An invite** is for one user unless the host chooses more, and admits nobody else once one of its users is banned. A revoked invite ends
  its tokens everywhere. Bans and revocations take effect on every node within two seconds, also while Redis is down.

`yes`: allowed. `all`: the answer shows more than everybody sees: drafts, stock pools, deleted messages, the whole review queue. A code:
the refusal (see [protocol.md](protocol.md#error-codes)). On the socket, a banned user's connection is closed with
4502; a connection with a revoked token is closed with 4501. A helper has the role of a producer by an invite for this show; the banned users were banned by the host.

";

/// The whole page.
pub fn page() -> String {
    let mut out = INTRODUCTION.to_owned();
    let _ = writeln!(out, "| Route, verb | Object | {} |", USERS.join(" | "));
    let _ = writeln!(out, "|---|---|{}", "---|".repeat(USERS.len()));
    for row in ROWS {
        let cells: Vec<String> = row.may.iter().map(|cell| text(cell)).collect();
        let _ = writeln!(out, "| {} | {} | {} |", name(row), row.object, cells.join(" | "));
    }
    out.push_str("\n## Beside the API\n\n| Route | Who |\n|---|---|\n");
    for (route, who) in SERVICE_ROUTES {
        let _ = writeln!(out, "| `{route}` | {who} |");
    }
    out
}

fn name(row: &Row) -> String {
    match (row.route, row.verb) {
        (route, "") => format!("`{route}`"),
        ("", verb) => format!("verb `{verb}`"),
        (route, verb) => format!("`{route}`, verb `{verb}`"),
    }
}

fn text(cell: &str) -> String {
    match cell {
        "ok" => "yes".to_owned(),
        "all" => "all".to_owned(),
        code => format!("`{code}`"),
    }
}
