//! The audit log: which member of the team did what in a show, to whom, and why.

use uuid::Uuid;

use super::row::from_row;
use super::transaction::Transaction;
use super::{Error, Result, Store, require_known};
use crate::domain::{AuditAction, AuditEntry, AuditEntryId, AuditFilter, Author, MessageId, Role, StreamId, UserId};

/// Entries that a page of a filtered list looks at, at most.
pub const AUDIT_ENTRIES_EXAMINED_MAX: i64 = 20_000;

/// Writes an entry in the transaction of the action that it describes.
pub(super) async fn insert_audit_entry(tx: &mut Transaction<'_>, entry: &AuditEntry) -> Result<()> {
    let insert = "insert into audit_log
        (id, stream, at, by_user, by_name, by_role, kind, user_id, user_name, message, subject, detail, reason)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    tx.query(insert)
        .bind(entry.id.0)
        .bind(entry.stream.0)
        .bind(entry.at)
        .bind(entry.by.id.as_str())
        .bind(&entry.by.name)
        .bind(entry.by.role.name())
        .bind(entry.kind.name())
        .bind(entry.user.as_ref().map(UserId::as_str))
        .bind(&entry.name)
        .bind(entry.message.map(|id| id.0))
        .bind(&entry.subject)
        .bind(&entry.detail)
        .bind(&entry.reason)
        .execute()
        .await?;
    Ok(())
}

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

from_row!(AuditRow {
    id,
    stream,
    at,
    by_user,
    by_name,
    by_role,
    kind,
    user_id,
    user_name,
    message,
    subject,
    detail,
    reason,
    body
});

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

/// Every column of an entry, and the text of its message; a condition follows.
macro_rules! audit_entries {
    ($condition:literal) => {
        concat!(
            "select a.id, a.stream, a.at, a.by_user, a.by_name, a.by_role, a.kind, a.user_id, a.user_name, a.message,
            a.subject, a.detail, a.reason, m.body from audit_log a left join messages m on m.id = a.message where ",
            $condition
        )
    };
}

impl Store {
    /// Writes an entry about an action that is done already.
    pub async fn insert_audit_entry(&self, entry: &AuditEntry) -> Result<()> {
        self.transaction(async |tx| insert_audit_entry(tx, entry).await).await
    }

    /// Reads a page of a show's audit log, newest first, before `after`. `of`: only actions that affected this user.
    pub async fn audit_entries(
        &self,
        stream: StreamId,
        of: Option<&UserId>,
        after: Option<AuditEntryId>,
        limit: i64,
    ) -> Result<Vec<AuditEntry>> {
        let read = if of.is_some() {
            audit_entries!(
                "a.user_id = $3 and a.stream = $1 and a.id < $2
                and a.kind in ('delete', 'mute', 'unmute', 'ban', 'unban', 'approve', 'reject', 'requeue') order by a.id desc limit $4"
            )
        } else {
            audit_entries!("$3 = '' and a.stream = $1 and a.id < $2 order by a.id desc limit $4")
        };
        let before = after.map_or(Uuid::max(), |id| id.0);
        let user = of.map_or("", UserId::as_str);
        let rows: Vec<AuditRow> =
            self.query(read).bind(stream.0).bind(before).bind(user).bind(limit).fetch_all().await?;
        rows.into_iter().map(AuditRow::into_entry).collect()
    }

    /// Reads a page of the entries of all shows and of the shop itself, newest first, before `after`. It looks at
    /// [`AUDIT_ENTRIES_EXAMINED_MAX`] entries at most.
    pub async fn all_audit_entries(
        &self,
        filter: &AuditFilter,
        after: Option<AuditEntryId>,
        limit: i64,
    ) -> Result<Vec<AuditEntry>> {
        let read = "select a.id, a.stream, a.at, a.by_user, a.by_name, a.by_role, a.kind, a.user_id, a.user_name, a.message,
            a.subject, a.detail, a.reason, m.body
            from (select * from audit_log where id < $1 order by id desc limit $2) a left join messages m on m.id = a.message
            where ($3 = '' or a.kind = $3) and ($4 = '' or a.by_user = $4) order by a.id desc limit $5";
        let query = self
            .report_query(read)
            .bind(after.map_or(Uuid::max(), |id| id.0))
            .bind(AUDIT_ENTRIES_EXAMINED_MAX)
            .bind(filter.kind.map_or("", AuditAction::name))
            .bind(filter.by.as_ref().map_or("", UserId::as_str))
            .bind(limit);
        let rows: Vec<AuditRow> = query.fetch_all().await?;
        rows.into_iter().map(AuditRow::into_entry).collect()
    }

    /// The last entry at which a page with a filter looked, if there are older ones.
    pub async fn last_examined_audit_entry(&self, after: Option<AuditEntryId>) -> Result<Option<AuditEntryId>> {
        let read = "select id from audit_log where id < $1 order by id desc limit 1 offset $2";
        let query =
            self.report_query(read).bind(after.map_or(Uuid::max(), |id| id.0)).bind(AUDIT_ENTRIES_EXAMINED_MAX - 1);
        let last: Option<Uuid> = query.fetch_optional_value().await?;
        Ok(last.map(AuditEntryId))
    }

    /// Reads a page of the entries of all shows and of the shop itself, oldest first, after `after`.
    pub async fn all_audit_entries_after(&self, after: Option<AuditEntryId>, limit: i64) -> Result<Vec<AuditEntry>> {
        let read = audit_entries!("a.id > $1 order by a.id limit $2");
        let query = self.report_query(read).bind(after.map_or(Uuid::nil(), |id| id.0)).bind(limit);
        let rows: Vec<AuditRow> = query.fetch_all().await?;
        rows.into_iter().map(AuditRow::into_entry).collect()
    }

    /// Reads a page of a show's audit log, oldest first, after `after`.
    pub async fn audit_entries_after(
        &self,
        stream: StreamId,
        after: Option<AuditEntryId>,
        limit: i64,
    ) -> Result<Vec<AuditEntry>> {
        let read = audit_entries!("a.stream = $1 and a.id > $2 order by a.id limit $3");
        let after = after.map_or(Uuid::nil(), |id| id.0);
        let query = self.report_query(read).bind(stream.0).bind(after).bind(limit);
        let rows: Vec<AuditRow> = query.fetch_all().await?;
        rows.into_iter().map(AuditRow::into_entry).collect()
    }
}
