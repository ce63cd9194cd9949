//! What is stored about a user, for the user: the right of access.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Result, Store};
use crate::domain::{AccountId, MessageId, Millis, StreamId, UserId};

/// Rows of each kind that are not read in pages.
const ROWS_MAX: i64 = 1_000;

/// One thing that is stored about a user.
#[derive(Clone, PartialEq, Debug)]
pub struct OwnDatum {
    pub kind: &'static str,
    pub at: Millis,
    pub data: Value,
}

impl Store {
    /// What there is little of: the account, its sessions, passkeys and identities, stock alerts, sanctions, and e-mails. Secrets
    /// and their hashes are left out.
    pub async fn own_data(&self, user: &UserId) -> Result<Vec<OwnDatum>> {
        let mut found = Vec::new();
        let mut add = |kind, at, data| found.push(OwnDatum { kind, at, data });
        if let Some(account) = AccountId::of_user(user) {
            let read = "select email, name, language, created_at from accounts where id = $1";
            type Account = (Option<String>, String, String, i64);
            let row: Option<Account> = self.query(read).bind(account.0).fetch_optional().await?;
            if let Some((email, name, language, at)) = row {
                add("account", at, json!({ "email": email, "name": name, "language": language }));
            }
            let read =
                "select name, created_at, last_used_at from passkeys where account = $1 order by created_at limit $2";
            let rows: Vec<(String, i64, Option<i64>)> =
                self.query(read).bind(account.0).bind(ROWS_MAX).fetch_all().await?;
            for (name, at, last_used_at) in rows {
                add("passkey", at, json!({ "name": name, "last_used_at": last_used_at }));
            }
            let read = "select issuer, subject, created_at from oidc_identities where account = $1 order by created_at limit $2";
            let rows: Vec<(String, String, i64)> = self.query(read).bind(account.0).bind(ROWS_MAX).fetch_all().await?;
            for (issuer, subject, at) in rows {
                add("identity", at, json!({ "issuer": issuer, "subject": subject }));
            }
        }
        let read = "select name, user_agent, created_at, last_used_at from sign_in_sessions where user_id = $1
            order by created_at limit $2";
        let rows: Vec<(String, String, i64, i64)> =
            self.query(read).bind(user.as_str()).bind(ROWS_MAX).fetch_all().await?;
        for (name, user_agent, at, last_used_at) in rows {
            add("session", at, json!({ "name": name, "user_agent": user_agent, "last_used_at": last_used_at }));
        }
        let read = "select offer, stream, created_at from stock_alerts where user_id = $1 order by created_at limit $2";
        let rows: Vec<(Uuid, Uuid, i64)> = self.query(read).bind(user.as_str()).bind(ROWS_MAX).fetch_all().await?;
        for (offer, stream, at) in rows {
            add("stock_alert", at, json!({ "offer": offer, "stream": stream }));
        }
        let read = "select stream, kind, until, reason, created_at from sanctions where user_id = $1
            order by created_at limit $2";
        type SanctionRow = (Uuid, String, Option<i64>, Option<String>, i64);
        let rows: Vec<SanctionRow> = self.query(read).bind(user.as_str()).bind(ROWS_MAX).fetch_all().await?;
        for (stream, kind, until, reason, at) in rows {
            add("sanction", at, json!({ "stream": stream, "kind": kind, "until": until, "reason": reason }));
        }
        let read = "select kind, to_address, language, status, created_at from mails where user_id = $1
            order by created_at desc limit $2";
        type MailRow = (String, String, String, String, i64);
        let rows: Vec<MailRow> = self.query(read).bind(user.as_str()).bind(ROWS_MAX).fetch_all().await?;
        for (kind, to, language, status, at) in rows {
            add("mail", at, json!({ "kind": kind, "to": to, "language": language, "status": status }));
        }
        Ok(found)
    }

    /// A page of what a user wrote in the chat of all shows, by show, with the place from which the next page goes on.
    pub async fn messages_of_user(
        &self,
        user: &UserId,
        after: Option<(StreamId, MessageId)>,
        limit: i64,
    ) -> Result<Vec<(StreamId, MessageId, OwnDatum)>> {
        let read = "select stream, id, at, user_name, body, status from messages
            where user_id = $1 and (stream > $2 or stream = $2 and id > $3) order by stream, id limit $4";
        let (stream, id) = after.map_or((Uuid::nil(), Uuid::nil()), |(stream, id)| (stream.0, id.0));
        type Row = (Uuid, Uuid, i64, String, String, String);
        let query = self.report_query(read).bind(user.as_str()).bind(stream).bind(id).bind(limit);
        let rows: Vec<Row> = query.fetch_all().await?;
        let datum = |(stream, id, at, name, text, status): Row| {
            let data = json!({ "id": id, "stream": stream, "name": name, "text": text, "status": status });
            (StreamId(stream), MessageId(id), OwnDatum { kind: "message", at, data })
        };
        Ok(rows.into_iter().map(datum).collect())
    }
}
