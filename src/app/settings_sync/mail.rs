//! The mail server that the desk sets: tried with a test message, stored with its password encrypted, and used without a restart.

use std::sync::Arc;

use super::SettingsSync;
use crate::app::error::{Error, Result};
use crate::app::mail_server::MailTransport;
use crate::domain::mail_settings::{MailServerRequest, MailSettings, TypedMailServer};
use crate::domain::secrets_key::SecretsKey;
use crate::domain::{Actor, AuditAction, AuditEntry, EmailAddress, Permission, Place, Refusal, Role};
use crate::guarded_address::AddressGuard;

/// The name under which the password is sealed.
pub(super) const PASSWORD: &str = "mail password";

/// What the page of the mail server shows.
#[derive(Clone, Debug)]
pub struct MailServerState {
    /// The server that the desk set.
    pub stored: Option<MailSettings>,
    /// The node was started with another one, which comes first.
    pub is_given: bool,
    /// Whether this server has a key to encrypt the password with; otherwise the desk stores no mail server.
    pub can_store: bool,
}

impl SettingsSync {
    /// The mail server that the desk set, without its password.
    pub async fn mail_server(&self, actor: &Actor) -> Result<MailServerState> {
        self.stream_cache.authorize_in_shop(actor, Permission::ManageSettings).await?;
        Ok(MailServerState {
            stored: self.context.store.shop_settings().await?.mail,
            is_given: self.context.has_given_mail_server(),
            can_store: self.context.settings.secrets_key.is_some(),
        })
    }

    /// Sets the mail server. It holds on this node when this returns, on all others within two seconds.
    pub async fn set_mail_server(self: &Arc<Self>, actor: &Actor, form: MailServerRequest) -> Result<()> {
        let key = self.authorize_mail_server(actor).await?;
        let typed = self.typed(&key, form).await?;
        let sealed_password = match &typed.password {
            Some(password) => Some(key.seal(PASSWORD, password, rand::random()).ok_or(Error::Unavailable)?),
            None => None,
        };
        let settings = MailSettings {
            host: typed.host,
            port: typed.port,
            protection: typed.protection,
            user: typed.user,
            sealed_password,
            from: typed.from.as_str().to_owned(),
        };
        self.write_mail_server(actor, Some(settings), AuditAction::SetMailServer).await
    }

    /// Takes the mail server away that the desk set. Without effect if there is none.
    pub async fn remove_mail_server(self: &Arc<Self>, actor: &Actor) -> Result<()> {
        self.stream_cache.authorize_in_shop(actor, Permission::ManageSettings).await?;
        actor.check_recent_sign_in(self.context.now())?;
        self.write_mail_server(actor, None, AuditAction::RemoveMailServer).await
    }

    /// The server of this form, which is not stored, for a test message.
    pub async fn mail_server_to_test(&self, actor: &Actor, form: MailServerRequest) -> Result<MailTransport> {
        let key = self.authorize_mail_server(actor).await?;
        let typed = self.typed(&key, form).await?;
        Ok(MailTransport::typed(typed, self.context.settings.address_guard.clone()))
    }

    /// May the actor set the mail server now? Gives the key for its password. Only an owner may: codes to sign in go through this
    /// server, also those of the owners.
    async fn authorize_mail_server(&self, actor: &Actor) -> Result<SecretsKey> {
        self.stream_cache.authorize_in_shop(actor, Permission::ManageSettings).await?;
        if actor.role_in(Place::Shop) != Role::Owner {
            return Err(Refusal::Forbidden.into());
        }
        actor.check_recent_sign_in(self.context.now())?;
        Ok(self.context.settings.secrets_key.clone().ok_or(Refusal::SecretsKeyMissing)?)
    }

    /// What was typed, with the stored password where none was typed.
    async fn typed(&self, key: &SecretsKey, form: MailServerRequest) -> Result<TypedMailServer> {
        let stored = self.context.store.shop_settings().await?.mail;
        let typed = form.checked(stored.as_ref())?;
        let sealed = stored.and_then(|stored| stored.sealed_password);
        match (&typed.user, &typed.password, sealed) {
            (Some(_), None, Some(sealed)) => {
                let missing = |_| Refusal::bad_field("password", "cannot be read any more: type it again.");
                let password = Some(key.open(PASSWORD, &sealed).map_err(missing)?);
                Ok(TypedMailServer { password, ..typed })
            }
            _ => Ok(typed),
        }
    }

    async fn write_mail_server(
        self: &Arc<Self>,
        actor: &Actor,
        settings: Option<MailSettings>,
        action: AuditAction,
    ) -> Result<()> {
        let entry = self.audit.audit_entry(actor, AuditEntry::WHOLE_SHOP, action);
        let entry = AuditEntry { detail: settings.as_ref().map(|settings| settings.host.clone()), ..entry };
        let this = self.clone();
        self.context
            .spawn_write(async move {
                this.context.store.update_mail_settings(settings.as_ref(), &entry).await?;
                this.refresh_after_change().await;
                // Mails that waited for a server go out now.
                this.context.mail_queued.notify_one();
                Ok(())
            })
            .await
    }

    /// The stored mail server, ready for use. One that cannot be read leaves the one that was in use: another node may have been given
    /// a new key before this one.
    pub(super) fn usable_mail_server(&self, stored: Option<MailSettings>) -> Option<Arc<MailTransport>> {
        let stored = stored?;
        match open_mail_server(stored, self.context.settings.secrets_key.as_ref(), &self.context.settings.address_guard)
        {
            Ok(transport) => Some(Arc::new(transport)),
            Err(why) => {
                tracing::error!(
                    why,
                    "the mail server of the settings cannot be used; the last known settings stay in use"
                );
                self.context.mail_of_desk()
            }
        }
    }
}

/// Opens the password of a stored mail server. The error is a sentence for the operator.
pub(super) fn open_mail_server(
    stored: MailSettings,
    key: Option<&SecretsKey>,
    guard: &AddressGuard,
) -> std::result::Result<MailTransport, String> {
    let password = match (&stored.sealed_password, key) {
        (None, _) => None,
        (Some(_), None) => {
            return Err("the password of the mail server is encrypted, and --secrets-key-file is missing".to_owned());
        }
        (Some(sealed), Some(key)) => {
            let opened = key.open(PASSWORD, sealed);
            Some(opened.map_err(|why| format!("the password of the mail server cannot be read with this key: {why}"))?)
        }
    };
    let MailSettings { host, port, protection, user, from, .. } = stored;
    let from = EmailAddress::parse(&from).map_err(|_| "the sender of the mails is no e-mail address".to_owned())?;
    Ok(MailTransport::typed(TypedMailServer { host, port, protection, user, password, from }, guard.clone()))
}
