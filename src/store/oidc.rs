//! Sign-ins by OpenID Connect, and the accounts of identities.

use uuid::Uuid;

use super::account::{find_or_create_account, insert_account, read_account};
use super::guest_orders::join_guest;
use super::sign_in_session::{NewSession, insert_account_session};
use super::staff::check_name_is_free;
use super::transaction::Transaction;
use super::{Error, Result, Store};
use crate::domain::oidc::{OIDC_SIGN_IN_TTL_MS, OidcIdentity};
use crate::domain::{Account, AccountId, Actor, Language, Millis, Name, Refusal, SecretHash, SignInSession, StreamId};

/// An identity that was proved, and what its account gets.
#[derive(Clone, Debug)]
pub struct OidcSignIn {
    pub identity: OidcIdentity,
    /// Whether a verified address links the identity to the account of that address.
    pub trusts_email: bool,
    pub language: Language,
    /// For a new account whose other names are taken. Nobody else has it.
    pub spare_name: Name,
    /// The guest of this browser, whose orders join the account.
    pub guest: Option<Actor>,
    pub session: NewSession,
}

impl Store {
    /// Writes down that a browser has begun a sign-in. Gives its end.
    pub async fn create_oidc_sign_in(&self, state: &SecretHash, browser: &SecretHash) -> Result<Millis> {
        self.transaction(async |tx| {
            let expires_at = tx.time_of_day().await? + OIDC_SIGN_IN_TTL_MS;
            let insert = "insert into oidc_sign_ins (state_hash, browser_hash, expires_at) values ($1, $2, $3)";
            tx.query(insert).bind(&state[..]).bind(&browser[..]).bind(expires_at).execute().await?;
            Ok(expires_at)
        })
        .await
    }

    /// Uses a sign-in up. Refused when it was used, is too old, or was begun in another browser, which costs that browser nothing.
    pub async fn take_oidc_sign_in(&self, state: &SecretHash, browser: &SecretHash) -> Result<()> {
        self.transaction(async |tx| {
            let now = tx.time_of_day().await?;
            let take = "delete from oidc_sign_ins where state_hash = $1 and browser_hash = $2 and expires_at > $3";
            match tx.query(take).bind(&state[..]).bind(&browser[..]).bind(now).execute().await? {
                0 => Err(Refusal::OidcInvalid.into()),
                _ => Ok(()),
            }
        })
        .await
    }

    /// Signs in with an identity: to its account, to that of its address if the address links them, or to a new one. Gives the session,
    /// and the shows in which something was imposed on the guest who became the account.
    pub async fn sign_in_by_oidc(&self, new: &OidcSignIn) -> Result<(SignInSession, Vec<StreamId>)> {
        self.transaction(async |tx| {
            let OidcIdentity { issuer, subject, .. } = &new.identity;
            tx.lock_name(&format!("identity {issuer} {subject}")).await?;
            let find = "select account from oidc_identities where issuer = $1 and subject = $2";
            let known: Option<Uuid> = tx.query(find).bind(issuer).bind(subject).fetch_optional_value().await?;
            let account = match known {
                Some(known) => {
                    let account = read_account(tx, AccountId(known)).await?;
                    with_address(tx, account, new).await?
                }
                None => {
                    let account = account_of(tx, new).await?;
                    let insert = "insert into oidc_identities (issuer, subject, account, created_at)
                        values ($1, $2, $3, $4)";
                    let now = tx.time_of_day().await?;
                    tx.query(insert).bind(issuer).bind(subject).bind(account.id.0).bind(now).execute().await?;
                    account
                }
            };
            // Orders of a guest join only an account whose address was proved.
            let shows = match new.guest.as_ref().filter(|_| account.email.is_some()) {
                Some(guest) => join_guest(tx, guest, &account).await?,
                None => Vec::new(),
            };
            Ok((insert_account_session(tx, &account, &new.session).await?, shows))
        })
        .await
    }
}

/// The account of an identity that signs in for the first time.
async fn account_of(tx: &mut Transaction<'_>, new: &OidcSignIn) -> Result<Account> {
    let name = free_name(tx, new).await?;
    match new.identity.linking_email(new.trusts_email) {
        Some(email) => find_or_create_account(tx, email, Some(&name), new.language).await,
        // An address that nobody proved belongs to no account: it may be somebody else's.
        None => {
            let account = insert_account(tx, None, &name, new.language).await?;
            let person = new.identity.person();
            let write = "update accounts set person = $2 where id = $1";
            tx.query(write).bind(account.id.0).bind(person.as_str()).execute().await?;
            Ok(Account { person, ..account })
        }
    }
}

/// Gives an account without an address the one of its identity, once it links and no other account has it.
async fn with_address(tx: &mut Transaction<'_>, account: Account, new: &OidcSignIn) -> Result<Account> {
    let Some(email) = new.identity.linking_email(new.trusts_email).filter(|_| account.email.is_none()) else {
        return Ok(account);
    };
    tx.lock_name(&format!("mailbox {}", email.normalized())).await?;
    let write = "update accounts set email = $2, email_normalized = $3
        where id = $1 and not exists (select 1 from accounts a where a.email = $2)";
    let write = tx.query(write).bind(account.id.0).bind(email.as_str()).bind(email.normalized());
    let is_written = write.execute().await? > 0;
    Ok(Account { email: is_written.then(|| email.clone()), ..account })
}

/// The first name of the identity that is free.
async fn free_name(tx: &mut Transaction<'_>, new: &OidcSignIn) -> Result<Name> {
    for name in new.identity.account_names() {
        match check_name_is_free(tx, &name).await {
            Ok(()) => return Ok(name),
            Err(Error::Refused(_)) => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(new.spare_name.clone())
}

/// Forgets the identities of an account that is erased: the next sign-in with one makes a new account.
pub(super) async fn erase_identities(tx: &mut Transaction<'_>, account: AccountId) -> Result<()> {
    tx.query("delete from oidc_identities where account = $1").bind(account.0).execute().await.map(drop)
}
