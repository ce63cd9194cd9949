//! The first start of a shop: one-time links by which its owner signs in, and the key that signs tokens where the operator gave none.

use super::account::{find_or_create_account, insert_account};
use super::audit::insert_audit_entry;
use super::shop_settings::{end_setup, write_profile};
use super::sign_in_session::{NewSession, insert_account_session};
use super::staff::{lock_staff, set_role};
use super::{Result, Store};
use crate::domain::setup::{NewOwner, SETUP_LINK_TTL_MS};
use crate::domain::shop_settings::ShopProfile;
use crate::domain::staff::{LinkHash, StaffRole};
use crate::domain::{AccountId, AuditAction, AuditEntry, Author, Millis, Refusal, Role, Shop, SignInSession};

impl Store {
    /// Stores the hash of a new link, which replaces every earlier one. Gives the time at which it expires.
    pub async fn replace_setup_link(&self, code: &LinkHash) -> Result<Millis> {
        self.transaction(async |tx| {
            lock_staff(tx).await?;
            let now = tx.now().await?;
            tx.query("delete from setup_links").execute().await?;
            let expires_at = now + SETUP_LINK_TTL_MS;
            let insert = "insert into setup_links (code_hash, created_at, expires_at) values ($1, $2, $3)";
            tx.query(insert).bind(&code[..]).bind(now).bind(expires_at).execute().await?;
            Ok(expires_at)
        })
        .await
    }

    /// Whether a link can be used now.
    pub async fn is_setup_link(&self, code: &LinkHash) -> Result<bool> {
        let find = "select expires_at from setup_links where code_hash = $1";
        let expires_at: Option<i64> = self.query(find).bind(&code[..]).fetch_optional_value().await?;
        Ok(match expires_at {
            Some(expires_at) => self.now().await? < expires_at,
            None => false,
        })
    }

    /// Uses a link up and signs in: as the first owner, or as `new_owner`, who becomes one, if the shop has none. `shop`: what was
    /// typed about the shop. Refused when the link was used or is too old; then nothing is changed.
    pub async fn use_setup_link(
        &self,
        code: &LinkHash,
        new_owner: Option<&NewOwner>,
        shop: Option<&(Shop, ShopProfile)>,
        new: &NewSession,
    ) -> Result<SignInSession> {
        self.transaction(async |tx| {
            lock_staff(tx).await?;
            let now = tx.now().await?;
            let take = "delete from setup_links where code_hash = $1 and expires_at > $2";
            if tx.query(take).bind(&code[..]).bind(now).execute().await? == 0 {
                return Err(Refusal::SetupLinkInvalid.into());
            }
            let first = "select account from staff where role = 'owner' order by created_at, account limit 1";
            let first: Option<uuid::Uuid> = tx.query(first).fetch_optional_value().await?;
            let account = match (first, new_owner) {
                (Some(first), _) => super::account::read_account(tx, AccountId(first)).await?,
                (None, Some(owner)) => {
                    let account = match &owner.email {
                        Some(email) => find_or_create_account(tx, email, Some(&owner.name), owner.language).await?,
                        None => insert_account(tx, None, &owner.name, owner.language).await?,
                    };
                    let owner_role = StaffRole { role: Role::Owner, stream: None };
                    set_role(tx, account.id, owner_role, owner.name.as_str(), now).await?;
                    account
                }
                (None, None) => return Err(Refusal::bad_field("owner", "is missing: the shop has no owner.").into()),
            };
            if let Some((shop, profile)) = shop {
                write_profile(tx, shop, profile).await?;
            }
            end_setup(tx).await?;
            let by = Author { id: account.id.user(), name: account.name.as_str().to_owned(), role: Role::Owner };
            let entry = AuditEntry::new(AuditEntry::WHOLE_SHOP, by, AuditAction::SetUp, now);
            insert_audit_entry(tx, &entry).await?;
            insert_account_session(tx, &account, new).await
        })
        .await
    }

    /// The key that signs the tokens of this shop, as it is stored, if the operator has never given one; `new` becomes it if there is
    /// none yet. Every node gets the same.
    pub async fn signing_key(&self, new: Option<&str>) -> Result<Option<String>> {
        self.transaction(async |tx| {
            if let Some(new) = new {
                let now = tx.now().await?;
                let insert =
                    "insert into signing_keys (one, secret, created_at) values (1, $1, $2) on conflict do nothing";
                tx.query(insert).bind(new).bind(now).execute().await?;
            }
            tx.query("select secret from signing_keys where one = 1").fetch_optional_value().await
        })
        .await
    }

    /// Stores the same signing key in another form, unless another node has done so since it was read as `before`.
    pub async fn replace_signing_key(&self, before: &str, after: &str) -> Result<bool> {
        let write = "update signing_keys set secret = $2 where one = 1 and secret = $1";
        let changed = self.transaction(async |tx| tx.query(write).bind(before).bind(after).execute().await).await?;
        Ok(changed > 0)
    }
}
