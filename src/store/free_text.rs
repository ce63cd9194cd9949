//! Free texts that the team wrote: reasons of sanctions and refunds, reasons and details in the audit log, notes in the stock log. An erasure has to find the
//! user's name in them.
//!
//! The texts are compared in Rust, page by page and outside any transaction: the databases fold letters in different ways, and a
//! search that holds the writing connection of SQLite would stop purchases.

use uuid::Uuid;

use super::transaction::Transaction;
use super::{Result, Store};
use crate::domain::{UserId, free_text};

const PAGE_ROWS: i64 = 1_000;

/// A text that names the user, by the row that has it.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum NamingText {
    AuditReason(Uuid),
    AuditDetail(Uuid),
    Sanction { stream: Uuid, user: String, kind: String },
    Refund { order: Uuid, n: i64 },
    StockNote(Uuid),
}

impl Store {
    /// Every name under which the user is known here.
    async fn names_of(&self, user: &UserId) -> Result<Vec<String>> {
        let names = "select user_name from messages where user_id = $1 and user_name <> ''
            union select buyer_name from reservations where buyer = $1 and buyer_name <> ''
            union select a.name from addresses a join reservations o on o.id = a.order_id where o.buyer = $1
            union select user_name from sanctions where user_id = $1 and user_name <> ''
            union select user_name from audit_log where user_id = $1 and user_name <> ''
            union select by_name from audit_log where by_user = $1 and by_name <> ''
            union select name from helpers where user_id = $1";
        self.report_query(names).bind(user.as_str()).fetch_values().await
    }

    /// The free texts that contain one of the user's names or the user's id as a whole word.
    pub(super) async fn texts_naming(&self, user: &UserId) -> Result<Vec<NamingText>> {
        let mut names = self.names_of(user).await?;
        names.push(user.as_str().to_owned());
        let names = free_text::Names::of(&names);
        let mut found = Vec::new();
        let mut after = Uuid::nil();
        loop {
            let page = "select id, coalesce(reason, ''), coalesce(detail, '') from audit_log
                where id > $1 and (reason is not null or detail is not null) order by id limit $2";
            let rows: Vec<(Uuid, String, String)> =
                self.report_query(page).bind(after).bind(PAGE_ROWS).fetch_all().await?;
            let Some((last, ..)) = rows.last() else { break };
            after = *last;
            for (id, reason, detail) in rows {
                found.extend(names.are_in(&reason).then_some(NamingText::AuditReason(id)));
                found.extend(names.are_in(&detail).then_some(NamingText::AuditDetail(id)));
            }
        }
        let mut after = (Uuid::nil(), String::new(), String::new());
        loop {
            let page = "select stream, user_id, kind, reason from sanctions where reason is not null
                and (stream, user_id, kind) > ($1, $2, $3) order by stream, user_id, kind limit $4";
            let query = self.report_query(page).bind(after.0).bind(&after.1).bind(&after.2).bind(PAGE_ROWS);
            let rows: Vec<(Uuid, String, String, String)> = query.fetch_all().await?;
            let Some((stream, user, kind, _)) = rows.last() else { break };
            after = (*stream, user.clone(), kind.clone());
            for (stream, user, kind, reason) in rows {
                found.extend(names.are_in(&reason).then_some(NamingText::Sanction { stream, user, kind }));
            }
        }
        let (mut order, mut n) = (Uuid::nil(), 0);
        loop {
            let page = "select order_id, n, reason from refunds
                where reason is not null and (order_id, n) > ($1, $2) order by order_id, n limit $3";
            let rows: Vec<(Uuid, i64, String)> =
                self.report_query(page).bind(order).bind(n).bind(PAGE_ROWS).fetch_all().await?;
            let Some((last, number, _)) = rows.last() else { break };
            (order, n) = (*last, *number);
            for (order, n, reason) in rows {
                found.extend(names.are_in(&reason).then_some(NamingText::Refund { order, n }));
            }
        }
        let mut after = Uuid::nil();
        loop {
            let page = "select id, note from stock_changes where note is not null and id > $1 order by id limit $2";
            let rows: Vec<(Uuid, String)> = self.report_query(page).bind(after).bind(PAGE_ROWS).fetch_all().await?;
            let Some((last, _)) = rows.last() else { break };
            after = *last;
            found.extend(rows.iter().filter(|(_, note)| names.are_in(note)).map(|(id, _)| NamingText::StockNote(*id)));
        }
        Ok(found)
    }
}

/// Erases the texts. Gives how many.
pub(super) async fn erase_texts(tx: &mut Transaction<'_>, texts: Vec<NamingText>) -> Result<u64> {
    let mut erased = 0;
    for text in texts {
        let query = match text {
            NamingText::AuditReason(id) => {
                tx.query("update audit_log set reason = null where id = $1 and reason is not null").bind(id)
            }
            NamingText::AuditDetail(id) => {
                tx.query("update audit_log set detail = null where id = $1 and detail is not null").bind(id)
            }
            NamingText::Sanction { stream, user, kind } => tx
                .query("update sanctions set reason = null where stream = $1 and user_id = $2 and kind = $3 and reason is not null")
                .bind(stream)
                .bind(user)
                .bind(kind),
            NamingText::StockNote(id) => {
                tx.query("update stock_changes set note = null where id = $1 and note is not null").bind(id)
            }
            NamingText::Refund { order, n } => {
                tx.query("update refunds set reason = null where order_id = $1 and n = $2 and reason is not null").bind(order).bind(n)
            }
        };
        erased += query.execute().await?;
    }
    Ok(erased)
}
