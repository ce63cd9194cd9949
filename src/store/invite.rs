//! Invite links into the team of a show, and the helpers who accepted them.

use std::collections::HashMap;

use uuid::Uuid;

use super::row::from_row;
use super::{Error, Result, Store, require_known};
use crate::domain::invite::CodeHash;
use crate::domain::token;
use crate::domain::{Helper, Invite, InviteId, LiveStream, Millis, Refusal, Role, StreamId, UserId};

struct InviteRow {
    id: Uuid,
    stream: Uuid,
    role: String,
    by_user: String,
    created_at: i64,
    expires_at: i64,
    revoked_at: Option<i64>,
    uses_max: i64,
}

from_row!(InviteRow { id, stream, role, by_user, created_at, expires_at, revoked_at, uses_max });

impl InviteRow {
    fn into_invite(self) -> Result<Invite> {
        Ok(Invite {
            id: InviteId(self.id),
            stream: StreamId(self.stream),
            role: require_known(Role::parse(&self.role), "role", &self.role)?,
            by: self.by_user,
            created_at: self.created_at,
            expires_at: self.expires_at,
            revoked_at: self.revoked_at,
            uses_max: self.uses_max,
            helpers: Vec::new(),
        })
    }
}

fn parse_user_id(text: &str) -> Result<UserId> {
    UserId::parse(text).map_err(|_| Error::CorruptRow(format!("user `{text}`")))
}

impl Store {
    /// Creates an invite. Refused when the show has the most active invites that it may have.
    pub async fn create_invite(&self, invite: &Invite, code: &CodeHash) -> Result<()> {
        self.transaction(async |tx| {
            let count = "select cast(count(*) as bigint) from invites
                where stream = $1 and revoked_at is null and expires_at > $2";
            let active: i64 = tx.query(count).bind(invite.stream.0).bind(invite.created_at).fetch_value().await?;
            if active >= Invite::ACTIVE_MAX {
                return Err(Refusal::WrongStatus("There are too many open invites; revoke some first.").into());
            }
            let insert = "insert into invites (id, stream, role, code_hash, by_user, created_at, expires_at, uses_max)
                values ($1, $2, $3, $4, $5, $6, $7, $8)";
            tx.query(insert)
                .bind(invite.id.0)
                .bind(invite.stream.0)
                .bind(invite.role.name())
                .bind(&code[..])
                .bind(&invite.by)
                .bind(invite.created_at)
                .bind(invite.expires_at)
                .bind(invite.uses_max)
                .execute()
                .await?;
            Ok(())
        })
        .await
    }

    /// Reads the invites of a show, newest first, with the helpers who accepted them.
    pub async fn invites(&self, stream: StreamId) -> Result<Vec<Invite>> {
        let read = "select id, stream, role, by_user, created_at, expires_at, revoked_at, uses_max from invites
            where stream = $1 order by id desc limit 200";
        let rows: Vec<InviteRow> = self.query(read).bind(stream.0).fetch_all().await?;
        let read = "select h.invite, h.user_id, h.name, h.joined_at from helpers h
            join invites i on i.id = h.invite where i.stream = $1 order by h.joined_at, h.user_id";
        let joined: Vec<(Uuid, String, String, i64)> = self.query(read).bind(stream.0).fetch_all().await?;
        let mut helpers: HashMap<Uuid, Vec<Helper>> = HashMap::new();
        for (invite, user, name, joined_at) in joined {
            helpers.entry(invite).or_default().push(Helper { user: parse_user_id(&user)?, name, joined_at });
        }
        rows.into_iter()
            .map(|row| {
                let helpers = helpers.remove(&row.id).unwrap_or_default();
                Ok(Invite { helpers, ..row.into_invite()? })
            })
            .collect()
    }

    /// Adds a helper by the code of an invite. Refused when the invite has expired, is revoked or is used up, and when a user
    /// who accepted it is banned from the show: they would come back as somebody else.
    ///
    /// The invite's row is locked, so a revocation happens before or after, never in between: the list of revoked
    /// helpers contains every helper who accepted it.
    pub async fn accept_invite(&self, code: &CodeHash, helper: &Helper) -> Result<Invite> {
        let row = self
            .transaction(async |tx| {
                let find = tx.choose(
                    "select id, stream, role, by_user, created_at, expires_at, revoked_at, uses_max from invites
                     where code_hash = $1 for update",
                    "select id, stream, role, by_user, created_at, expires_at, revoked_at, uses_max from invites
                     where code_hash = $1",
                );
                let row: Option<InviteRow> = tx.query(find).bind(&code[..]).fetch_optional().await?;
                let row = row
                    .filter(|row| row.revoked_at.is_none() && helper.joined_at < row.expires_at)
                    .ok_or(Refusal::NoSuchInvite)?;
                let count = "select cast(count(*) as bigint) from helpers where invite = $1";
                let helpers: i64 = tx.query(count).bind(row.id).fetch_value().await?;
                let banned = "select cast(count(*) as bigint) from sanctions s join helpers h on h.user_id = s.user_id
                    where h.invite = $1 and s.stream = $2 and s.kind = 'ban'";
                let banned: i64 = tx.query(banned).bind(row.id).bind(row.stream).fetch_value().await?;
                if helpers >= row.uses_max || banned > 0 {
                    return Err(Refusal::NoSuchInvite.into());
                }
                tx.query("insert into helpers (user_id, invite, name, joined_at) values ($1, $2, $3, $4)")
                    .bind(helper.user.as_str())
                    .bind(row.id)
                    .bind(&helper.name)
                    .bind(helper.joined_at)
                    .execute()
                    .await?;
                Ok(row)
            })
            .await?;
        Ok(Invite { helpers: vec![helper.clone()], ..row.into_invite()? })
    }

    /// Revokes an invite and raises the show's version: every node sees the new version, also while the broker is down.
    /// `None`: the invite was revoked before.
    pub async fn revoke_invite(&self, stream: StreamId, id: InviteId, now: Millis) -> Result<Option<LiveStream>> {
        let revoked = self
            .transaction(async |tx| {
                let find = "select created_at from invites where id = $1 and stream = $2";
                let found: Option<i64> = tx.query(find).bind(id.0).bind(stream.0).fetch_optional_value().await?;
                found.ok_or(Refusal::NoSuchInvite)?;
                let revoke = "update invites set revoked_at = $2 where id = $1 and revoked_at is null";
                let revoked = tx.query(revoke).bind(id.0).bind(now).execute().await? > 0;
                if revoked {
                    let raise = "update streams set version = version + 1 where id = $1";
                    tx.query(raise).bind(stream.0).execute().await?;
                }
                Ok(revoked)
            })
            .await?;
        if revoked { self.stream(stream).await } else { Ok(None) }
    }

    /// Reads the helpers of revoked invites whose tokens have not expired yet.
    pub async fn revoked_helpers(&self, stream: StreamId, now: Millis) -> Result<Vec<UserId>> {
        let read = "select h.user_id from helpers h join invites i on i.id = h.invite
            where i.stream = $1 and i.revoked_at is not null and i.expires_at > $2";
        // A token is accepted for a little longer than it says.
        let since = now.saturating_sub(token::LEEWAY_MS);
        let ids: Vec<String> = self.query(read).bind(stream.0).bind(since).fetch_values().await?;
        ids.iter().map(|id| parse_user_id(id)).collect()
    }
}
