//! Accounts.

use uuid::Uuid;

use super::erased_mailbox::{keep_mailbox, person_of_erased_mailbox};
use super::oidc::erase_identities;
use super::passkey::erase_passkeys;
use super::row::from_row;
use super::staff::{check_name_is_free, erase_staff_roles};
use super::transaction::Transaction;
use super::{Error, Result, Store};
use crate::domain::{Account, AccountId, EmailAddress, Language, Name, PersonKey, Refusal, UserId};

struct AccountRow {
    id: Uuid,
    email: Option<String>,
    person: String,
    name: String,
    language: String,
    created_at: i64,
}

from_row!(AccountRow { id, email, person, name, language, created_at });

impl AccountRow {
    fn into_account(self) -> Result<Account> {
        Ok(Account {
            id: AccountId(self.id),
            email: parse_email(self.email)?,
            name: parse_name(&self.name)?,
            language: Language::of_tag(&self.language),
            person: parse_person(&self.person)?,
            created_at: self.created_at,
        })
    }
}

pub(super) fn parse_email(text: Option<String>) -> Result<Option<EmailAddress>> {
    let parse =
        |text: String| EmailAddress::parse(&text).map_err(|_| Error::CorruptRow("an e-mail address".to_owned()));
    text.map(parse).transpose()
}

pub(super) fn parse_name(text: &str) -> Result<Name> {
    Name::parse(text).map_err(|_| Error::CorruptRow(format!("name `{text}`")))
}

pub(super) fn parse_person(text: &str) -> Result<PersonKey> {
    let user = UserId::parse(text).map_err(|_| Error::CorruptRow(format!("person `{text}`")))?;
    Ok(PersonKey::of_user(&user))
}

const SELECT_BY_EMAIL: &str = "select id, email, person, name, language, created_at from accounts where email = $1";

impl Store {
    pub async fn account(&self, id: AccountId) -> Result<Option<Account>> {
        let read = "select id, email, person, name, language, created_at from accounts where id = $1";
        let row: Option<AccountRow> = self.query(read).bind(id.0).fetch_optional().await?;
        row.map(AccountRow::into_account).transpose()
    }

    /// The person behind a user: accounts of one mailbox are one.
    pub async fn person_of(&self, user: &UserId) -> Result<PersonKey> {
        let account = match AccountId::of_user(user) {
            Some(id) => self.account(id).await?,
            None => None,
        };
        Ok(account.map_or_else(|| PersonKey::of_user(user), |account| account.person))
    }

    pub async fn account_by_email(&self, email: &EmailAddress) -> Result<Option<Account>> {
        let row: Option<AccountRow> = self.query(SELECT_BY_EMAIL).bind(email.as_str()).fetch_optional().await?;
        row.map(AccountRow::into_account).transpose()
    }

    /// The account with this address; created under `name` if there is none. Refused if it is new and has no name.
    pub async fn find_or_create_account(
        &self,
        email: &EmailAddress,
        name: Option<&Name>,
        language: Language,
    ) -> Result<Account> {
        self.transaction(async |tx| find_or_create_account(tx, email, name, language).await).await
    }

    /// Creates an account without an address: for an owner of a shop that sends no e-mail.
    pub async fn create_account_without_email(&self, name: &Name, language: Language) -> Result<Account> {
        self.transaction(async |tx| insert_account(tx, None, name, language).await).await
    }
}

/// An account that is known to be there.
pub(super) async fn read_account(tx: &mut Transaction<'_>, id: AccountId) -> Result<Account> {
    let read = "select id, email, person, name, language, created_at from accounts where id = $1";
    let row: Option<AccountRow> = tx.query(read).bind(id.0).fetch_optional().await?;
    row.ok_or(Refusal::NoSuchMember)?.into_account()
}

/// Part of a transaction; see [`Store::find_or_create_account`].
pub(super) async fn find_or_create_account(
    tx: &mut Transaction<'_>,
    email: &EmailAddress,
    name: Option<&Name>,
    language: Language,
) -> Result<Account> {
    tx.lock_name(&format!("mailbox {}", email.normalized())).await?;
    let row: Option<AccountRow> = tx.query(SELECT_BY_EMAIL).bind(email.as_str()).fetch_optional().await?;
    match row {
        Some(row) => row.into_account(),
        None => {
            let name = name.ok_or(Refusal::NameNeeded)?;
            check_name_is_free(tx, name).await?;
            insert_account(tx, Some(email), name, language).await
        }
    }
}

pub(super) async fn insert_account(
    tx: &mut Transaction<'_>,
    email: Option<&EmailAddress>,
    name: &Name,
    language: Language,
) -> Result<Account> {
    let (id, now) = (AccountId::new(), tx.time_of_day().await?);
    let mailbox = email.map(EmailAddress::normalized);
    let of_mailbox = "select person from accounts where email_normalized = $1 order by created_at, id limit 1";
    let first: Option<String> = tx.query(of_mailbox).bind(&mailbox).fetch_optional_value().await?;
    let person = match (first, email) {
        (Some(person), _) => Some(parse_person(&person)?),
        (None, Some(email)) => person_of_erased_mailbox(tx, email).await?,
        (None, None) => None,
    };
    let person = person.unwrap_or_else(|| PersonKey::of_user(&id.user()));
    let insert = "insert into accounts (id, email, email_normalized, person, name, language, created_at)
        values ($1, $2, $3, $4, $5, $6, $7)";
    tx.query(insert)
        .bind(id.0)
        .bind(email.map(EmailAddress::as_str))
        .bind(&mailbox)
        .bind(person.as_str())
        .bind(name.as_str())
        .bind(language.tag())
        .bind(now)
        .execute()
        .await?;
    Ok(Account { id, email: email.cloned(), name: name.clone(), language, person, created_at: now })
}

/// Erases an account with its sessions and codes: nobody can sign in to it any more. Without effect for other users. Gives how many
/// mailboxes stay as a hash, because a mute, a block or the limit of a sale holds for the person.
pub(super) async fn erase_sign_in(tx: &mut Transaction<'_>, user: &UserId) -> Result<u64> {
    tx.query("delete from sign_in_sessions where user_id = $1").bind(user.as_str()).execute().await?;
    let Some(account) = AccountId::of_user(user) else { return Ok(0) };
    let mailboxes = keep_mailbox(tx, account).await?;
    erase_staff_roles(tx, account).await?;
    erase_passkeys(tx, account).await?;
    erase_identities(tx, account).await?;
    let codes = "delete from email_codes where email = (select email from accounts where id = $1)";
    tx.query(codes).bind(account.0).execute().await?;
    tx.query("delete from accounts where id = $1").bind(account.0).execute().await?;
    Ok(mailboxes)
}
