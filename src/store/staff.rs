//! The staff: roles of accounts, and the invites by which they came. Every change runs in one transaction with its entry in the
//! audit log. Changes wait for each other: the last owner must stay whatever two owners do at the same moment.

use std::collections::HashMap;

use uuid::Uuid;

use super::account::{parse_email, parse_name};
use super::api_key::end_api_keys_of;
use super::audit::insert_audit_entry;
use super::mail::queue_mail;
use super::row::from_row;
use super::sign_in_session::end_sessions_of;
use super::transaction::Transaction;
use super::{Error, Result, Store, ids_to_json, require_known};
use crate::domain::staff::{
    LinkHash, STAFF_INVITES_MAX, STAFF_MAX, StaffInvite, StaffMember, StaffRole, check_owner_stays, check_rank,
};
use crate::domain::{
    AccountId, Actor, AuditEntry, EmailAddress, Millis, Name, NewMail, Refusal, Role, SignInSessionId, StaffInviteId,
    StreamId, UserId,
};

struct MemberRow {
    account: Uuid,
    name: String,
    email: Option<String>,
    role: String,
    stream: Option<Uuid>,
    by_name: String,
    created_at: i64,
}

from_row!(MemberRow { account, name, email, role, stream, by_name, created_at });

impl MemberRow {
    fn into_member(self) -> Result<StaffMember> {
        Ok(StaffMember {
            account: AccountId(self.account),
            name: parse_name(&self.name)?,
            email: parse_email(self.email)?,
            place: parse_place(&self.role, self.stream)?,
            by: self.by_name,
            created_at: self.created_at,
        })
    }
}

struct InviteRow {
    id: Uuid,
    email: String,
    role: String,
    stream: Option<Uuid>,
    by_name: String,
    created_at: i64,
    expires_at: i64,
}

from_row!(InviteRow { id, email, role, stream, by_name, created_at, expires_at });

impl InviteRow {
    fn into_invite(self) -> Result<StaffInvite> {
        let email = EmailAddress::parse(&self.email).map_err(|_| Error::CorruptRow("an e-mail address".to_owned()))?;
        Ok(StaffInvite {
            id: StaffInviteId(self.id),
            email,
            place: parse_place(&self.role, self.stream)?,
            by: self.by_name,
            created_at: self.created_at,
            expires_at: self.expires_at,
        })
    }
}

fn parse_place(role: &str, stream: Option<Uuid>) -> Result<StaffRole> {
    Ok(StaffRole { role: require_known(Role::parse(role), "role", role)?, stream: stream.map(StreamId) })
}

macro_rules! open_invites {
    ($rest:literal) => {
        concat!(
            "select id, email, role, stream, by_name, created_at, expires_at from staff_invites
            where used_at is null and revoked_at is null and expires_at > $1 ",
            $rest
        )
    };
}

impl Store {
    /// The roles of an account, in the shop and in its shows.
    pub async fn staff_roles(&self, account: AccountId) -> Result<Vec<StaffRole>> {
        let read = "select role, stream from staff where account = $1";
        let rows: Vec<(String, Option<Uuid>)> = self.query(read).bind(account.0).fetch_all().await?;
        rows.into_iter().map(|(role, stream)| parse_place(&role, stream)).collect()
    }

    /// The roles that count in these sessions, without those that need a passkey which the session has not proved. A session
    /// without roles is not among them.
    pub async fn roles_of_sessions(
        &self,
        sessions: &[SignInSessionId],
    ) -> Result<HashMap<SignInSessionId, Vec<StaffRole>>> {
        let read = self.choose(
            "select s.id, r.role, r.stream from sign_in_sessions s join staff r on r.account = s.account
                where s.id = any (array(select json_array_elements_text($1::json)::uuid)) and (s.passkey_at is not null
                    or not exists (select 1 from passkeys p where p.account = s.account))",
            "select s.id, r.role, r.stream from sign_in_sessions s join staff r on r.account = s.account
                where s.id in (select unhex(value) from json_each($1)) and (s.passkey_at is not null
                    or not exists (select 1 from passkeys p where p.account = s.account))",
        );
        let ids = ids_to_json(sessions.iter().map(|id| id.0))?;
        let rows: Vec<(Uuid, String, Option<Uuid>)> = self.query(read).bind(ids).fetch_all().await?;
        let mut roles: HashMap<SignInSessionId, Vec<StaffRole>> = HashMap::new();
        for (id, role, stream) in rows {
            roles.entry(SignInSessionId(id)).or_default().push(parse_place(&role, stream)?);
        }
        Ok(roles)
    }

    /// The names of everybody with a role.
    pub async fn staff_names(&self) -> Result<Vec<(UserId, Name)>> {
        let read = "select distinct a.id, a.name from staff s join accounts a on a.id = s.account limit $1";
        let rows: Vec<(Uuid, String)> = self.query(read).bind(STAFF_MAX).fetch_all().await?;
        rows.into_iter().map(|(id, name)| Ok((AccountId(id).user(), parse_name(&name)?))).collect()
    }

    /// Everybody with a role, in the order in which they came.
    pub async fn staff(&self) -> Result<Vec<StaffMember>> {
        let read = "select s.account, a.name, a.email, s.role, s.stream, s.by_name, s.created_at
            from staff s join accounts a on a.id = s.account order by s.created_at, s.account limit $1";
        let rows: Vec<MemberRow> = self.query(read).bind(STAFF_MAX).fetch_all().await?;
        rows.into_iter().map(MemberRow::into_member).collect()
    }

    /// The account of the owner who was the first; `None`: the shop has no owner.
    pub async fn first_owner(&self) -> Result<Option<AccountId>> {
        let read = "select account from staff where role = 'owner' order by created_at, account limit 1";
        let found: Option<Uuid> = self.query(read).fetch_optional_value().await?;
        Ok(found.map(AccountId))
    }

    /// Invites that can still be accepted, newest first.
    pub async fn staff_invites(&self) -> Result<Vec<StaffInvite>> {
        let now = self.now().await?;
        let read = open_invites!("order by id desc limit $2");
        let rows: Vec<InviteRow> = self.query(read).bind(now).bind(STAFF_INVITES_MAX).fetch_all().await?;
        rows.into_iter().map(InviteRow::into_invite).collect()
    }

    /// The open invite with this code.
    pub async fn staff_invite_by_code(&self, code: &LinkHash) -> Result<Option<StaffInvite>> {
        let now = self.now().await?;
        let row: Option<InviteRow> =
            self.query(open_invites!("and code_hash = $2")).bind(now).bind(&code[..]).fetch_optional().await?;
        row.map(InviteRow::into_invite).transpose()
    }

    /// Stores an invite and writes its mail. An earlier invite of the address to the same place ends. Refused when too many are open.
    pub async fn create_staff_invite(
        &self,
        invite: &StaffInvite,
        code: &LinkHash,
        by: Option<AccountId>,
        mail: Option<&NewMail>,
        entry: &AuditEntry,
    ) -> Result<()> {
        self.transaction(async |tx| {
            lock_staff(tx).await?;
            let now = tx.now().await?;
            let end =
                "update staff_invites set revoked_at = $1 where email = $2 and used_at is null and revoked_at is null
                and coalesce(stream, $3) = coalesce($4, $3)";
            let stream = invite.place.stream.map(|stream| stream.0);
            tx.query(end).bind(now).bind(invite.email.as_str()).bind(Uuid::nil()).bind(stream).execute().await?;
            let count = "select cast(count(*) as bigint) from staff_invites
                where used_at is null and revoked_at is null and expires_at > $1";
            let open: i64 = tx.query(count).bind(now).fetch_value().await?;
            if open >= STAFF_INVITES_MAX {
                return Err(Refusal::WrongStatus("There are too many open invites; revoke some first.").into());
            }
            let insert = "insert into staff_invites
                    (id, code_hash, email, role, stream, by_name, by_account, created_at, expires_at)
                values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
            tx.query(insert)
                .bind(invite.id.0)
                .bind(&code[..])
                .bind(invite.email.as_str())
                .bind(invite.place.role.name())
                .bind(invite.place.stream.map(|stream| stream.0))
                .bind(&invite.by)
                .bind(by.map(|by| by.0))
                .bind(invite.created_at)
                .bind(invite.expires_at)
                .execute()
                .await?;
            if let Some(mail) = mail {
                queue_mail(tx, mail).await?;
            }
            insert_audit_entry(tx, entry).await
        })
        .await
    }

    /// Withdraws an open invite. `false`: there is no such open invite.
    pub async fn revoke_staff_invite(&self, id: StaffInviteId, entry: &AuditEntry) -> Result<bool> {
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let revoke =
                "update staff_invites set revoked_at = $2 where id = $1 and used_at is null and revoked_at is null";
            let revoked = tx.query(revoke).bind(id.0).bind(now).execute().await? > 0;
            if revoked {
                insert_audit_entry(tx, entry).await?;
            }
            Ok(revoked)
        })
        .await
    }

    /// Gives the role of an invite to the account that proved its address, and uses the invite up. A higher role in the same place
    /// stays. Refused when the invite is used, withdrawn or too old, or is for another address.
    pub async fn accept_staff_invite(
        &self,
        code: &LinkHash,
        account: AccountId,
        email: &EmailAddress,
        entry: &AuditEntry,
    ) -> Result<StaffRole> {
        self.transaction(async |tx| {
            lock_staff(tx).await?;
            let now = tx.now().await?;
            let row: Option<InviteRow> =
                tx.query(open_invites!("and code_hash = $2")).bind(now).bind(&code[..]).fetch_optional().await?;
            let invite = row.map(InviteRow::into_invite).transpose()?.filter(|invite| invite.email == *email);
            let invite = invite.ok_or(Refusal::NoSuchInvite)?;
            let use_up = "update staff_invites set used_at = $2 where id = $1";
            tx.query(use_up).bind(invite.id.0).bind(now).execute().await?;
            let before = role_of(tx, account, invite.place.stream).await?;
            if before.is_some_and(|before| !invite.place.role.outranks(before)) {
                return Ok(invite.place);
            }
            set_role(tx, account, invite.place, &invite.by, now).await?;
            let detail = Some(invite.place.role.name().to_owned());
            insert_audit_entry(tx, &AuditEntry { detail, ..entry.clone() }).await?;
            Ok(invite.place)
        })
        .await
    }

    /// Gives an account a role in one place, or takes it away (`None`). Whoever loses something is signed out everywhere. Refused
    /// unless `own`, the caller's role in the shop, ranks high enough for both roles, and when the shop would lose its last owner.
    /// Gives the role before.
    pub async fn set_staff_role(
        &self,
        by: &Actor,
        own: Role,
        account: AccountId,
        (stream, role): (Option<StreamId>, Option<Role>),
        entry: &AuditEntry,
    ) -> Result<Option<Role>> {
        self.transaction(async |tx| {
            lock_staff(tx).await?;
            let before = role_of(tx, account, stream).await?;
            let known = "select cast(count(*) as bigint) from accounts where id = $1";
            let known: i64 = tx.query(known).bind(account.0).fetch_value().await?;
            if known == 0 || (before.is_none() && role.is_none()) {
                return Err(Refusal::NoSuchMember.into());
            }
            for role in before.into_iter().chain(role) {
                check_rank(own, role)?;
            }
            let count = "select cast(count(*) as bigint) from staff where role = 'owner'";
            let owners: i64 = tx.query(count).fetch_value().await?;
            if let Some(before) = before {
                check_owner_stays(before, role, owners)?;
            }
            let now = tx.now().await?;
            match role {
                Some(role) => set_role(tx, account, StaffRole { role, stream }, by.name.as_str(), now).await?,
                None => {
                    let delete = "delete from staff where account = $1 and coalesce(stream, $2) = coalesce($3, $2)";
                    let stream = stream.map(|stream| stream.0);
                    tx.query(delete).bind(account.0).bind(Uuid::nil()).bind(stream).execute().await?;
                }
            }
            if before.is_some_and(|before| role.is_none_or(|role| role != before && !role.outranks(before))) {
                // What hangs on the power of somebody ends with it: their sessions, their API keys, and the invites that they sent.
                end_sessions_of(tx, by, &account.user()).await?;
                end_api_keys_of(tx, account, now).await?;
                let revoke = "update staff_invites set revoked_at = $2
                    where by_account = $1 and used_at is null and revoked_at is null";
                tx.query(revoke).bind(account.0).bind(now).execute().await?;
            }
            insert_audit_entry(tx, entry).await?;
            Ok(before)
        })
        .await
    }
}

/// Part of a transaction; see [`Store::staff_roles`].
pub(super) async fn read_roles(tx: &mut Transaction<'_>, account: AccountId) -> Result<Vec<StaffRole>> {
    let read = "select role, stream from staff where account = $1";
    let rows: Vec<(String, Option<Uuid>)> = tx.query(read).bind(account.0).fetch_all().await?;
    rows.into_iter().map(|(role, stream)| parse_place(&role, stream)).collect()
}

/// Refuses the name of somebody who works here: a guest or a buyer must not pass for them.
pub(super) async fn check_name_is_free(tx: &mut Transaction<'_>, name: &Name) -> Result<()> {
    let read = "select distinct a.name from staff s join accounts a on a.id = s.account limit $1";
    let taken: Vec<String> = tx.query(read).bind(STAFF_MAX).fetch_values().await?;
    for other in &taken {
        if name.reads_like(&parse_name(other)?) {
            return Err(Refusal::NameClaimsRole.into());
        }
    }
    Ok(())
}

/// One change of the staff at a time.
pub(super) async fn lock_staff(tx: &mut Transaction<'_>) -> Result<()> {
    tx.lock_name("staff").await
}

async fn role_of(tx: &mut Transaction<'_>, account: AccountId, stream: Option<StreamId>) -> Result<Option<Role>> {
    let read = "select role from staff where account = $1 and coalesce(stream, $2) = coalesce($3, $2)";
    let stream = stream.map(|stream| stream.0);
    let found: Option<String> =
        tx.query(read).bind(account.0).bind(Uuid::nil()).bind(stream).fetch_optional_value().await?;
    found.map(|role| require_known(Role::parse(&role), "role", &role)).transpose()
}

/// Gives a role in one place, in place of the one that the account had there.
pub(super) async fn set_role(
    tx: &mut Transaction<'_>,
    account: AccountId,
    place: StaffRole,
    by: &str,
    now: Millis,
) -> Result<()> {
    let stream = place.stream.map(|stream| stream.0);
    let change =
        "update staff set role = $4, by_name = $5 where account = $1 and coalesce(stream, $2) = coalesce($3, $2)";
    let change = tx.query(change).bind(account.0).bind(Uuid::nil()).bind(stream).bind(place.role.name()).bind(by);
    if change.execute().await? > 0 {
        return Ok(());
    }
    let count: i64 = tx.query("select cast(count(*) as bigint) from staff").fetch_value().await?;
    if count >= STAFF_MAX {
        return Err(Refusal::WrongStatus("The shop has too many members of staff; remove some first.").into());
    }
    let insert = "insert into staff (account, stream, role, by_name, created_at) values ($1, $2, $3, $4, $5)";
    tx.query(insert).bind(account.0).bind(stream).bind(place.role.name()).bind(by).bind(now).execute().await.map(drop)
}

/// Takes all roles of an account that is erased. Refused for the last owner: the shop would have none.
pub(super) async fn erase_staff_roles(tx: &mut Transaction<'_>, account: AccountId) -> Result<()> {
    lock_staff(tx).await?;
    if let Some(role) = role_of(tx, account, None).await? {
        let count = "select cast(count(*) as bigint) from staff where role = 'owner'";
        check_owner_stays(role, None, tx.query(count).fetch_value().await?)?;
    }
    let now = tx.now().await?;
    end_api_keys_of(tx, account, now).await?;
    tx.query("delete from staff where account = $1").bind(account.0).execute().await.map(drop)
}
