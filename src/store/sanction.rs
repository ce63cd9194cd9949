//! Mutes and bans of a show, and what is known of the users whom they concern.

use super::account::parse_person;
use super::audit::insert_audit_entry;
use super::row::from_row;
use super::transaction::Transaction;
use super::{Error, Result, Store, require_known};
use crate::domain::{AuditEntry, Millis, PersonKey, Role, Sanction, SanctionKind, StreamId, UserId};

/// The role that imposed this sanction, and its end.
async fn sanction_in_force(
    tx: &mut Transaction<'_>,
    stream: StreamId,
    user: &UserId,
    kind: SanctionKind,
) -> Result<Option<(Role, Option<Millis>)>> {
    let read = "select by_role, until from sanctions where stream = $1 and user_id = $2 and kind = $3";
    let found: Option<(String, Option<i64>)> =
        tx.query(read).bind(stream.0).bind(user.as_str()).bind(kind.name()).fetch_optional().await?;
    found.map(|(role, until)| Ok((require_known(Role::parse(&role), "role", &role)?, until))).transpose()
}

/// Locks the show's row too, so that two changes of one sanction happen one after the other.
async fn raise_version(tx: &mut Transaction<'_>, stream: StreamId) -> Result<()> {
    tx.query("update streams set version = version + 1 where id = $1").bind(stream.0).execute().await?;
    Ok(())
}

/// Sanctions that one query reads.
const SANCTIONS_PAGE: i64 = 5_000;

struct SanctionRow {
    user_id: String,
    person: String,
    user_name: String,
    kind: String,
    until: Option<i64>,
    by_user: String,
    by_role: String,
    reason: Option<String>,
    created_at: i64,
}

from_row!(SanctionRow { user_id, person, user_name, kind, until, by_user, by_role, reason, created_at });

impl SanctionRow {
    fn into_sanction(self) -> Result<Sanction> {
        let user = UserId::parse(&self.user_id).map_err(|_| Error::CorruptRow(format!("user `{}`", self.user_id)))?;
        let kind = if self.kind == SanctionKind::Ban.name() { SanctionKind::Ban } else { SanctionKind::Mute };
        let by_role = require_known(Role::parse(&self.by_role), "role", &self.by_role)?;
        let person = parse_person(&self.person)?;
        let Self { user_name: name, until, by_user: by, reason, .. } = self;
        Ok(Sanction { user, person, name, kind, until, by, by_role, reason })
    }
}

impl Store {
    /// Mutes or bans a user, and deletes the messages that the user sent before. A message that was broadcast a moment
    /// ago and is not written yet is deleted when it is written.
    ///
    /// Refused if the same sanction by somebody of a higher rank is in force. Raises the show's version: every node sees the
    /// new version, also while the broker is down.
    pub async fn add_sanction(&self, stream: StreamId, sanction: &Sanction, entry: &AuditEntry) -> Result<()> {
        self.transaction(async |tx| {
            raise_version(tx, stream).await?;
            let now = tx.now().await?;
            if let Some((by_role, until)) = sanction_in_force(tx, stream, &sanction.user, sanction.kind).await?
                && until.is_none_or(|until| now < until)
            {
                Sanction::check_change(sanction.by_role, by_role)?;
            }
            let set = "insert into sanctions
                (stream, user_id, kind, user_name, until, by_user, created_at, reason, by_role, person)
                values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (stream, user_id, kind)
                do update set until = excluded.until, by_user = excluded.by_user, user_name = excluded.user_name,
                created_at = excluded.created_at, reason = excluded.reason, by_role = excluded.by_role";
            tx.query(set)
                .bind(stream.0)
                .bind(sanction.user.as_str())
                .bind(sanction.kind.name())
                .bind(&sanction.name)
                .bind(sanction.until)
                .bind(&sanction.by)
                .bind(now)
                .bind(&sanction.reason)
                .bind(sanction.by_role.name())
                .bind(sanction.person.as_str())
                .execute()
                .await?;
            let delete =
                "update messages set deleted_by = $3 where user_id = $2 and stream = $1 and deleted_by is null";
            tx.query(delete).bind(stream.0).bind(sanction.user.as_str()).bind(&sanction.by).execute().await?;
            insert_audit_entry(tx, entry).await
        })
        .await
    }

    /// Deletes the messages that a user sent until `until`, and one second longer because another node's clock may
    /// differ: such a message was being written while the user was muted or banned.
    pub async fn delete_messages_of(&self, stream: StreamId, user: &UserId, until: Millis, by: &str) -> Result<()> {
        self.transaction(async |tx| {
            let delete = "update messages set deleted_by = $3
                where user_id = $2 and stream = $1 and deleted_by is null and at <= $4";
            tx.query(delete).bind(stream.0).bind(user.as_str()).bind(by).bind(until + 1_000).execute().await?;
            Ok(())
        })
        .await
    }

    /// Ends a mute or a ban. `false`: there was none. Refused if somebody of a higher rank imposed it.
    pub async fn lift_sanction(
        &self,
        stream: StreamId,
        user: &UserId,
        kind: SanctionKind,
        entry: &AuditEntry,
    ) -> Result<bool> {
        self.transaction(async |tx| {
            raise_version(tx, stream).await?;
            if let Some((by_role, _)) = sanction_in_force(tx, stream, user, kind).await? {
                Sanction::check_change(entry.by.role, by_role)?;
            }
            let lift = "delete from sanctions where stream = $1 and user_id = $2 and kind = $3";
            let lifted = tx.query(lift).bind(stream.0).bind(user.as_str()).bind(kind.name()).execute().await? > 0;
            if lifted {
                insert_audit_entry(tx, entry).await?;
            }
            Ok(lifted)
        })
        .await
    }

    /// Reads all bans of a show, and the mutes that are in force at `now`, the newest first. They are read page by page; one that is
    /// added meanwhile may be missing, and the show's version is another one then.
    pub async fn sanctions(&self, stream: StreamId, now: Millis) -> Result<Vec<Sanction>> {
        let read = "select user_id, person, user_name, kind, until, by_user, by_role, reason, created_at from sanctions
            where stream = $1 and (user_id, kind) > ($2, $3) and (until is null or until > $4)
            order by user_id, kind limit $5";
        let mut rows: Vec<SanctionRow> = Vec::new();
        loop {
            let (user, kind) = rows.last().map_or(("", ""), |last| (last.user_id.as_str(), last.kind.as_str()));
            let query = self.query(read).bind(stream.0).bind(user).bind(kind).bind(now).bind(SANCTIONS_PAGE);
            let page: Vec<SanctionRow> = query.fetch_all().await?;
            let is_last = (page.len() as i64) < SANCTIONS_PAGE;
            rows.extend(page);
            if is_last {
                break;
            }
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.created_at));
        rows.into_iter().map(SanctionRow::into_sanction).collect()
    }

    /// The roles that this user is known to have in a show: as a helper, and in the newest message.
    pub async fn known_roles_of(&self, stream: StreamId, user: &UserId) -> Result<Vec<Role>> {
        let read = "select user_role from (select user_role from messages where stream = $1 and user_id = $2
                order by id desc limit 1) as newest
            union all select i.role from helpers h join invites i on i.id = h.invite
            where i.stream = $1 and h.user_id = $2";
        let roles: Vec<String> = self.query(read).bind(stream.0).bind(user.as_str()).fetch_values().await?;
        Ok(roles.iter().filter_map(|role| Role::parse(role)).collect())
    }

    /// The highest role that banned this user from any show of the shop, if there is such a ban.
    pub async fn highest_ban_of(&self, person: &PersonKey) -> Result<Option<Role>> {
        let read = "select by_role from sanctions where person = $1 and kind = 'ban'";
        let roles: Vec<String> = self.query(read).bind(person.as_str()).fetch_values().await?;
        let roles = roles.iter().map(|role| require_known(Role::parse(role), "role", role));
        let roles = roles.collect::<Result<Vec<_>>>()?;
        Ok(roles.into_iter().reduce(|a, b| if b.outranks(a) { b } else { a }))
    }

    /// The name on the newest message of this user, for the list of muted users.
    pub async fn last_name_of(&self, stream: StreamId, user: &UserId) -> Result<Option<String>> {
        let read = "select user_name from messages where stream = $1 and user_id = $2 order by id desc limit 1";
        self.query(read).bind(stream.0).bind(user.as_str()).fetch_optional_value().await
    }
}
