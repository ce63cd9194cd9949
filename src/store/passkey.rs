//! Passkeys of accounts, and the challenges that browsers answer with them.

use uuid::Uuid;

use super::account::read_account;
use super::mail::queue_mail;
use super::row::from_row;
use super::sign_in_session::{NewSession, insert_account_session};
use super::transaction::Transaction;
use super::{Error, Result, Store};
use crate::domain::passkey::{
    ChallengeHash, PASSKEY_CHALLENGE_TTL_MS, PASSKEYS_OF_ACCOUNT_MAX, Passkey, PasskeyPurpose,
};
use crate::domain::{Account, AccountId, MailContent, NewMail, PasskeyId, Refusal, SignInSession, SignInSessionId};

struct PasskeyRow {
    id: Uuid,
    account: Uuid,
    credential: Vec<u8>,
    public_key: Vec<u8>,
    rp_id: String,
    sign_count: i64,
    name: String,
    created_at: i64,
    last_used_at: Option<i64>,
}

from_row!(PasskeyRow { id, account, credential, public_key, rp_id, sign_count, name, created_at, last_used_at });

impl PasskeyRow {
    fn into_passkey(self) -> Result<Passkey> {
        let count = u32::try_from(self.sign_count);
        Ok(Passkey {
            id: PasskeyId(self.id),
            account: AccountId(self.account),
            credential: self.credential,
            public_key: self.public_key,
            rp_id: self.rp_id,
            sign_count: count.map_err(|_| Error::CorruptRow(format!("counter {} of a passkey", self.sign_count)))?,
            name: self.name,
            created_at: self.created_at,
            last_used_at: self.last_used_at,
        })
    }
}

macro_rules! passkeys {
    ($rest:literal) => {
        concat!(
            "select id, account, credential, public_key, rp_id, sign_count, name, created_at, last_used_at from passkeys ",
            $rest
        )
    };
}

impl Store {
    /// Stores a challenge that is valid for five minutes, once.
    pub async fn create_passkey_challenge(&self, hash: &ChallengeHash, purpose: PasskeyPurpose) -> Result<()> {
        self.transaction(async |tx| {
            let account = match purpose {
                PasskeyPurpose::Register(account) => Some(account.0),
                PasskeyPurpose::Prove => None,
            };
            let expires_at = tx.time_of_day().await? + PASSKEY_CHALLENGE_TTL_MS;
            let insert = "insert into passkey_challenges (challenge_hash, account, expires_at) values ($1, $2, $3)";
            tx.query(insert).bind(&hash[..]).bind(account).bind(expires_at).execute().await.map(drop)
        })
        .await
    }

    /// The passkeys of an account, the oldest first.
    pub async fn passkeys_of(&self, account: AccountId) -> Result<Vec<Passkey>> {
        let rows: Vec<PasskeyRow> = self
            .query(passkeys!("where account = $1 order by created_at, id limit $2"))
            .bind(account.0)
            .bind(PASSKEYS_OF_ACCOUNT_MAX)
            .fetch_all()
            .await?;
        rows.into_iter().map(PasskeyRow::into_passkey).collect()
    }

    pub async fn passkey_by_credential(&self, credential: &[u8]) -> Result<Option<Passkey>> {
        let find = passkeys!("where credential = $1");
        let row: Option<PasskeyRow> = self.query(find).bind(credential).fetch_optional().await?;
        row.map(PasskeyRow::into_passkey).transpose()
    }

    /// Adds a passkey to an account and uses the challenge up. The session in which it was made has proved it. `is_mailed`: the
    /// account gets an e-mail.
    pub async fn add_passkey(
        &self,
        challenge: &ChallengeHash,
        passkey: &Passkey,
        session: SignInSessionId,
        is_mailed: bool,
    ) -> Result<()> {
        self.transaction(async |tx| {
            take_challenge(tx, challenge, PasskeyPurpose::Register(passkey.account)).await?;
            tx.lock_name(&format!("passkeys {}", passkey.account)).await?;
            let count = "select cast(count(*) as bigint) from passkeys where account = $1";
            let count: i64 = tx.query(count).bind(passkey.account.0).fetch_value().await?;
            if PASSKEYS_OF_ACCOUNT_MAX <= count {
                return Err(Refusal::WrongStatus("An account has at most ten passkeys. Remove one first.").into());
            }
            let now = tx.time_of_day().await?;
            let insert = "insert into passkeys
                    (id, account, credential, public_key, rp_id, sign_count, name, created_at)
                values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (credential) do nothing";
            let added = tx
                .query(insert)
                .bind(passkey.id.0)
                .bind(passkey.account.0)
                .bind(&passkey.credential[..])
                .bind(&passkey.public_key[..])
                .bind(&passkey.rp_id)
                .bind(i64::from(passkey.sign_count))
                .bind(&passkey.name)
                .bind(now)
                .execute()
                .await?;
            if added == 0 {
                return Err(Refusal::PasskeyInvalid("It is known already.").into());
            }
            if is_mailed {
                tell(tx, passkey.account, MailContent::PasskeyAdded { passkey: passkey.name.clone() }).await?;
            }
            prove_session(tx, session, passkey.account).await
        })
        .await
    }

    /// Writes down that a passkey was used, and uses the challenge up. In a session of its account it proves that session (`None`);
    /// otherwise it begins a new one.
    pub async fn use_passkey(
        &self,
        challenge: &ChallengeHash,
        (passkey, sign_count): (&Passkey, u32),
        session: Option<SignInSessionId>,
        new: &NewSession,
    ) -> Result<Option<SignInSession>> {
        self.transaction(async |tx| {
            take_challenge(tx, challenge, PasskeyPurpose::Prove).await?;
            let now = tx.time_of_day().await?;
            // Of two uses at the same moment with one counter, one is that of a copy.
            let write = "update passkeys set sign_count = $2, last_used_at = $3 where id = $1 and sign_count = $4";
            let (after, before) = (i64::from(sign_count), i64::from(passkey.sign_count));
            if tx.query(write).bind(passkey.id.0).bind(after).bind(now).bind(before).execute().await? == 0 {
                return Err(Refusal::PasskeyInvalid("It was removed, or used a moment ago.").into());
            }
            match session {
                Some(session) => prove_session(tx, session, passkey.account).await.map(|()| None),
                None => {
                    let account = read_account(tx, passkey.account).await?;
                    let session = insert_account_session(tx, &account, new).await?;
                    Ok(Some(session))
                }
            }
        })
        .await
    }

    /// Removes a passkey of an account. `false`: it has no such one. `is_mailed`: the account gets an e-mail.
    pub async fn remove_passkey(&self, account: AccountId, id: PasskeyId, is_mailed: bool) -> Result<bool> {
        self.transaction(async |tx| {
            let delete = "delete from passkeys where id = $1 and account = $2 returning name";
            let removed: Option<String> = tx.query(delete).bind(id.0).bind(account.0).fetch_optional_value().await?;
            let Some(passkey) = removed else { return Ok(false) };
            if is_mailed {
                tell(tx, account, MailContent::PasskeyRemoved { passkey }).await?;
            }
            Ok(true)
        })
        .await
    }
}

/// Writes a mail to the owner of an account, if the account has an address.
async fn tell(tx: &mut Transaction<'_>, account: AccountId, content: MailContent) -> Result<()> {
    let Account { id, email, language, .. } = read_account(tx, account).await?;
    let Some(to) = email else { return Ok(()) };
    queue_mail(tx, &NewMail { to, language, user: Some(id.user()), content }).await.map(drop)
}

/// Uses a challenge up. Refused when it was used, is too old, or was made for something else.
async fn take_challenge(tx: &mut Transaction<'_>, hash: &ChallengeHash, purpose: PasskeyPurpose) -> Result<()> {
    let now = tx.time_of_day().await?;
    let take = "delete from passkey_challenges where challenge_hash = $1 and expires_at > $2 returning account";
    let taken: Option<(Option<Uuid>,)> = tx.query(take).bind(&hash[..]).bind(now).fetch_optional().await?;
    let found = taken.map(|(account,)| match account {
        Some(account) => PasskeyPurpose::Register(AccountId(account)),
        None => PasskeyPurpose::Prove,
    });
    if found == Some(purpose) {
        return Ok(());
    }
    Err(Refusal::PasskeyInvalid("The question was answered already, or five minutes ago.").into())
}

/// The owner of this session proved that they are there, by a passkey.
async fn prove_session(tx: &mut Transaction<'_>, session: SignInSessionId, account: AccountId) -> Result<()> {
    let now = tx.time_of_day().await?;
    let write = "update sign_in_sessions set passkey_at = $2, stepped_up_at = $2 where id = $1 and account = $3";
    if tx.query(write).bind(session.0).bind(now).bind(account.0).execute().await? == 0 {
        return Err(Refusal::SignIn.into());
    }
    Ok(())
}

/// How many passkeys an account has.
pub(super) async fn count_passkeys(tx: &mut Transaction<'_>, account: AccountId) -> Result<i64> {
    let count = "select cast(count(*) as bigint) from passkeys where account = $1";
    tx.query(count).bind(account.0).fetch_value().await
}

pub(super) async fn erase_passkeys(tx: &mut Transaction<'_>, account: AccountId) -> Result<()> {
    tx.query("delete from passkeys where account = $1").bind(account.0).execute().await?;
    tx.query("delete from passkey_challenges where account = $1").bind(account.0).execute().await.map(drop)
}
