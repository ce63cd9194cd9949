//! Links into the team of a show, and who came by them.

use std::collections::HashMap;

use uuid::Uuid;

use super::{Error, Result, Store, in_transaction, on_reader, require_known};
use crate::domain::invite::CodeHash;
use crate::domain::{Helper, Invite, InviteId, LiveStream, Millis, Refusal, Role, StreamId, UserId};

#[derive(sqlx::FromRow)]
struct InviteRow {
    id: Uuid,
    stream: Uuid,
    role: String,
    by_user: String,
    created_at: i64,
    expires_at: i64,
    revoked_at: Option<i64>,
}

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
            helpers: Vec::new(),
        })
    }
}

fn parse_user_id(text: &str) -> Result<UserId> {
    UserId::parse(text).map_err(|_| Error::CorruptRow(format!("user `{text}`")))
}

impl Store {
    /// Refused when so many links of the show hold already.
    pub async fn create_invite(&self, invite: &Invite, code: &CodeHash) -> Result<()> {
        in_transaction!(self, |tx, _dialect| {
            let count = "select cast(count(*) as bigint) from invites
                where stream = $1 and revoked_at is null and expires_at > $2";
            let open: i64 =
                sqlx::query_scalar(count).bind(invite.stream.0).bind(invite.created_at).fetch_one(&mut *tx).await?;
            if open >= Invite::ACTIVE_MAX {
                return_refused(Refusal::WrongStatus("there are too many open invites; revoke some first"))?;
            }
            let insert = "insert into invites (id, stream, role, code, by_user, created_at, expires_at)
                values ($1, $2, $3, $4, $5, $6, $7)";
            sqlx::query(insert)
                .bind(invite.id.0)
                .bind(invite.stream.0)
                .bind(invite.role.name())
                .bind(&code[..])
                .bind(&invite.by)
                .bind(invite.created_at)
                .bind(invite.expires_at)
                .execute(&mut *tx)
                .await?;
        });
        Ok(())
    }

    /// The links of a show, newest first, with those who came by them.
    pub async fn invites(&self, stream: StreamId) -> Result<Vec<Invite>> {
        let read = "select id, stream, role, by_user, created_at, expires_at, revoked_at from invites
            where stream = $1 order by id desc limit 200";
        let rows: Vec<InviteRow> = on_reader!(self, pool => sqlx::query_as(read).bind(stream.0).fetch_all(pool).await?);
        let read = "select h.invite, h.user_id, h.name, h.joined_at from helpers h
            join invites i on i.id = h.invite where i.stream = $1 order by h.joined_at, h.user_id";
        let came: Vec<(Uuid, String, String, i64)> =
            on_reader!(self, pool => sqlx::query_as(read).bind(stream.0).fetch_all(pool).await?);
        let mut helpers: HashMap<Uuid, Vec<Helper>> = HashMap::new();
        for (invite, user, name, joined_at) in came {
            helpers.entry(invite).or_default().push(Helper { user: parse_user_id(&user)?, name, joined_at });
        }
        rows.into_iter()
            .map(|row| {
                let helpers = helpers.remove(&row.id).unwrap_or_default();
                Ok(Invite { helpers, ..row.into_invite()? })
            })
            .collect()
    }

    /// Lets somebody in by this code; refused once the link is over, taken back or full. Whoever takes it back comes before
    /// or after, never in between: so everybody who came by it is in the list of those who are out.
    pub async fn accept_invite(&self, code: &CodeHash, helper: &Helper) -> Result<Invite> {
        let row = in_transaction!(self, |tx, dialect| {
            let find = dialect.pick(
                "select id, stream, role, by_user, created_at, expires_at, revoked_at from invites
                 where code = $1 for update",
                "select id, stream, role, by_user, created_at, expires_at, revoked_at from invites where code = $1",
            );
            let row: Option<InviteRow> = sqlx::query_as(find).bind(&code[..]).fetch_optional(&mut *tx).await?;
            let row = row
                .filter(|row| row.revoked_at.is_none() && helper.joined_at < row.expires_at)
                .ok_or(Refusal::NoSuchInvite)?;
            let count = "select cast(count(*) as bigint) from helpers where invite = $1";
            let came: i64 = sqlx::query_scalar(count).bind(row.id).fetch_one(&mut *tx).await?;
            if came >= Invite::HELPERS_MAX {
                return_refused(Refusal::WrongStatus("this invite was used by too many"))?;
            }
            let insert = "insert into helpers (user_id, invite, name, joined_at) values ($1, $2, $3, $4)";
            sqlx::query(insert)
                .bind(helper.user.as_str())
                .bind(row.id)
                .bind(&helper.name)
                .bind(helper.joined_at)
                .execute(&mut *tx)
                .await?;
            row
        });
        Ok(Invite { helpers: vec![helper.clone()], ..row.into_invite()? })
    }

    /// Takes a link back, and raises the show's version: that is how every node hears of it, also without the bus.
    /// `None`: it was taken back already.
    pub async fn revoke_invite(&self, stream: StreamId, id: InviteId, now: Millis) -> Result<Option<LiveStream>> {
        let revoked = in_transaction!(self, |tx, _dialect| {
            let there: Option<i64> = sqlx::query_scalar("select created_at from invites where id = $1 and stream = $2")
                .bind(id.0)
                .bind(stream.0)
                .fetch_optional(&mut *tx)
                .await?;
            there.ok_or(Refusal::NoSuchInvite)?;
            let revoke = "update invites set revoked_at = $2 where id = $1 and revoked_at is null";
            let revoked = sqlx::query(revoke).bind(id.0).bind(now).execute(&mut *tx).await?.rows_affected();
            if revoked > 0 {
                let raise = "update streams set version = version + 1 where id = $1";
                sqlx::query(raise).bind(stream.0).execute(&mut *tx).await?;
            }
            revoked
        });
        if revoked == 0 {
            return Ok(None);
        }
        self.stream(stream).await
    }

    /// Those who came by a link that was taken back, and whose token has not ended by itself.
    pub async fn revoked_helpers(&self, stream: StreamId, now: Millis) -> Result<Vec<UserId>> {
        let read = "select h.user_id from helpers h join invites i on i.id = h.invite
            where i.stream = $1 and i.revoked_at is not null and i.expires_at > $2";
        let ids: Vec<String> =
            on_reader!(self, pool => sqlx::query_scalar(read).bind(stream.0).bind(now).fetch_all(pool).await?);
        ids.iter().map(|id| parse_user_id(id)).collect()
    }
}

fn return_refused(refusal: Refusal) -> Result<()> {
    Err(Error::Refused(refusal))
}
