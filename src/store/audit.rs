//! The log of what the team did.

use uuid::Uuid;

use super::{Error, Result, Store, in_transaction, on_reader, require_known};
use crate::domain::{AuditAction, AuditEntry, AuditEntryId, Author, MessageId, Role, StreamId, UserId};

/// Writes an entry in the transaction of what it is about.
macro_rules! insert_audit_entry {
    ($tx:ident, $deed:expr) => {{
        let deed: &$crate::domain::AuditEntry = $deed;
        let insert = "insert into actions
            (id, stream, at, by_user, by_name, by_role, kind, user_id, user_name, message, subject, detail, reason)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
        sqlx::query(insert)
            .bind(deed.id.0)
            .bind(deed.stream.0)
            .bind(deed.at)
            .bind(deed.by.id.as_str())
            .bind(&deed.by.name)
            .bind(deed.by.role.name())
            .bind(deed.kind.name())
            .bind(deed.user.as_ref().map($crate::domain::UserId::as_str))
            .bind(&deed.name)
            .bind(deed.message.map(|id| id.0))
            .bind(&deed.subject)
            .bind(&deed.detail)
            .bind(&deed.reason)
            .execute(&mut *$tx)
            .await?;
    }};
}
pub(super) use insert_audit_entry;

#[derive(sqlx::FromRow)]
struct AuditRow {
    id: Uuid,
    stream: Uuid,
    at: i64,
    by_user: String,
    by_name: String,
    by_role: String,
    kind: String,
    user_id: Option<String>,
    user_name: Option<String>,
    message: Option<Uuid>,
    subject: Option<String>,
    detail: Option<String>,
    reason: Option<String>,
    body: Option<String>,
}

impl AuditRow {
    fn into_entry(self) -> Result<AuditEntry> {
        let user = |id: &str| UserId::parse(id).map_err(|_| Error::CorruptRow(format!("user `{id}`")));
        Ok(AuditEntry {
            id: AuditEntryId(self.id),
            stream: StreamId(self.stream),
            at: self.at,
            by: Author {
                id: user(&self.by_user)?,
                name: self.by_name,
                role: Role::parse(&self.by_role).unwrap_or(Role::Viewer),
            },
            kind: require_known(AuditAction::parse(&self.kind), "kind", &self.kind)?,
            user: self.user_id.as_deref().map(user).transpose()?,
            name: self.user_name,
            message: self.message.map(MessageId),
            subject: self.subject,
            detail: self.detail,
            reason: self.reason,
            text: self.body,
        })
    }
}

macro_rules! deeds {
    ($which:literal) => {
        concat!(
            "select a.id, a.stream, a.at, a.by_user, a.by_name, a.by_role, a.kind, a.user_id, a.user_name, a.message,
            a.subject, a.detail, a.reason, m.body from actions a left join messages m on m.id = a.message where ",
            $which
        )
    };
}

impl Store {
    /// Writes an entry about what was done already.
    pub async fn insert_audit_entry(&self, deed: &AuditEntry) -> Result<()> {
        in_transaction!(self, |tx, _dialect| {
            insert_audit_entry!(tx, deed);
        });
        Ok(())
    }

    /// A page of a show's log, newest first, before `after`; `of`: only what was done to this person.
    pub async fn audit_entries(
        &self,
        stream: StreamId,
        of: Option<&UserId>,
        after: Option<AuditEntryId>,
        limit: i64,
    ) -> Result<Vec<AuditEntry>> {
        let read = if of.is_some() {
            deeds!(
                "a.user_id = $3 and a.stream = $1 and a.id < $2
                and a.kind in ('delete', 'mute', 'unmute', 'ban', 'unban', 'approve', 'hide') order by a.id desc limit $4"
            )
        } else {
            deeds!("$3 = '' and a.stream = $1 and a.id < $2 order by a.id desc limit $4")
        };
        let before = after.map_or(Uuid::max(), |id| id.0);
        let who = of.map_or("", UserId::as_str);
        let rows: Vec<AuditRow> = on_reader!(self, pool => sqlx::query_as(read)
            .bind(stream.0).bind(before).bind(who).bind(limit).fetch_all(pool).await?);
        rows.into_iter().map(AuditRow::into_entry).collect()
    }

    /// The same from the beginning, after `after`.
    pub async fn audit_entries_after(
        &self,
        stream: StreamId,
        after: Option<AuditEntryId>,
        limit: i64,
    ) -> Result<Vec<AuditEntry>> {
        let read = deeds!("a.stream = $1 and a.id > $2 order by a.id limit $3");
        let after = after.map_or(Uuid::nil(), |id| id.0);
        let rows: Vec<AuditRow> = on_reader!(self, pool =>
            sqlx::query_as(read).bind(stream.0).bind(after).bind(limit).fetch_all(pool).await?);
        rows.into_iter().map(AuditRow::into_entry).collect()
    }
}
