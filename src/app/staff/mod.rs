//! The staff of the shop: who has which role, invites, and the links with which an owner signs in.
//!
//! A role counts with the next look-up of a session, within two seconds on every node. Whoever loses rights is signed out everywhere.

mod setup;
mod sync;

use std::sync::Arc;

use super::accounts::Accounts;
use super::audit::AuditLog;
use super::context::Context;
use super::error::Result;
use super::publisher::Publisher;
use super::settings_sync::SettingsSync;
use super::stream_cache::StreamCache;
use super::token::Tokens;
use crate::domain::staff::{STAFF_INVITE_TTL_MS, StaffInvite, StaffMember, StaffRole, check_rank, link_hash};
use crate::domain::{
    AccountId, Actor, AuditAction, AuditEntry, EmailAddress, Language, MailContent, MailKind, NewMail, Permission,
    Place, Refusal, Role, StaffInviteId, StreamId,
};

pub use setup::{SetupForm, SetupState};
pub use sync::StaffSyncJob;

pub struct Staff {
    context: Arc<Context>,
    publisher: Arc<Publisher>,
    stream_cache: Arc<StreamCache>,
    audit: Arc<AuditLog>,
    tokens: Arc<Tokens>,
    accounts: Arc<Accounts>,
    settings_sync: Arc<SettingsSync>,
}

/// Whom to invite, and to what.
#[derive(Clone, Debug)]
pub struct StaffInviteForm {
    pub email: EmailAddress,
    pub place: StaffRole,
    pub language: Language,
}

/// An invite as its link shows it: before anybody has signed in.
#[derive(Clone, Debug)]
pub struct OpenedInvite {
    pub invite: StaffInvite,
    /// The title of the show, if the role is for one.
    pub show: Option<String>,
}

impl Staff {
    pub fn new(
        (context, publisher): (&Arc<Context>, &Arc<Publisher>),
        stream_cache: &Arc<StreamCache>,
        audit: &Arc<AuditLog>,
        tokens: &Arc<Tokens>,
        accounts: &Arc<Accounts>,
        settings_sync: &Arc<SettingsSync>,
    ) -> Arc<Self> {
        Arc::new(Self {
            context: context.clone(),
            publisher: publisher.clone(),
            stream_cache: stream_cache.clone(),
            audit: audit.clone(),
            tokens: tokens.clone(),
            accounts: accounts.clone(),
            settings_sync: settings_sync.clone(),
        })
    }

    /// May the actor manage the staff?
    pub async fn check_may_manage(&self, actor: &Actor) -> Result<()> {
        self.stream_cache.authorize_in_shop(actor, Permission::ManageStaff).await
    }

    /// Everybody with a role, and the invites that are open.
    pub async fn list(&self, actor: &Actor) -> Result<(Vec<StaffMember>, Vec<StaffInvite>)> {
        self.stream_cache.authorize_in_shop(actor, Permission::ManageStaff).await?;
        Ok((self.context.store.staff().await?, self.context.store.staff_invites().await?))
    }

    /// Sends an invite. `link` makes the address of the page that accepts it from its code, which is given to nobody else.
    pub async fn invite(
        self: &Arc<Self>,
        actor: &Actor,
        form: StaffInviteForm,
        link: impl Fn(&str) -> String,
    ) -> Result<StaffInvite> {
        self.stream_cache.authorize_in_shop(actor, Permission::ManageStaff).await?;
        let StaffInviteForm { email, place, language } = form;
        check_rank(actor.role_in(Place::Shop), place.role)?;
        if let Some(stream) = place.stream {
            self.stream_cache.check_stream_exists(stream).await?;
        }
        if !self.accounts.can_send_codes() {
            return Err(Refusal::EmailOff.into());
        }
        let code = hex::encode(rand::random::<[u8; 20]>());
        let now = self.context.now();
        let invite = StaffInvite {
            id: StaffInviteId::new(),
            email: email.clone(),
            place,
            by: actor.name.as_str().to_owned(),
            created_at: now,
            expires_at: now + STAFF_INVITE_TTL_MS,
        };
        let url = link(&code);
        let content = MailContent::StaffInvite {
            url: url.clone(),
            role: place.role.name().to_owned(),
            by: invite.by.clone(),
            expires_at: invite.expires_at,
        };
        let is_mailed = self.context.sends_email();
        if is_mailed {
            self.context.store.check_mail_queue_not_full(MailKind::StaffInvite).await?;
        }
        let mail = is_mailed.then_some(NewMail { to: email, language, user: None, content });
        let entry = self.entry(actor, AuditAction::InviteStaff, place.stream);
        let detail = Some(format!("{} {}", place.role.name(), invite.email.as_str()));
        let (this, by, stored) = (self.clone(), AccountId::of_user(&actor.user), invite.clone());
        self.context
            .spawn_write(async move {
                let entry = AuditEntry { detail, ..entry };
                let store = &this.context.store;
                store.create_staff_invite(&stored, &link_hash(&code), by, mail.as_ref(), &entry).await?;
                match is_mailed {
                    true => this.context.mail_queued.notify_one(),
                    false => {
                        let email = stored.email.as_str();
                        tracing::info!(email, url, "this demo sends no e-mail: use this link to accept the invite");
                    }
                }
                Ok(())
            })
            .await?;
        Ok(invite)
    }

    pub async fn withdraw_invite(self: &Arc<Self>, actor: &Actor, id: StaffInviteId) -> Result<()> {
        self.stream_cache.authorize_in_shop(actor, Permission::ManageStaff).await?;
        let found = self.context.store.staff_invites().await?.into_iter().find(|invite| invite.id == id);
        let invite = found.ok_or(Refusal::NoSuchInvite)?;
        check_rank(actor.role_in(Place::Shop), invite.place.role)?;
        let entry = self.entry(actor, AuditAction::WithdrawStaffInvite, invite.place.stream);
        let entry = AuditEntry { detail: Some(invite.email.as_str().to_owned()), ..entry };
        let this = self.clone();
        self.context.spawn_write(async move { Ok(this.context.store.revoke_staff_invite(id, &entry).await?) }).await?;
        Ok(())
    }

    /// What an invite is about, for the page that accepts it.
    pub async fn open_invite(&self, code: &str) -> Result<OpenedInvite> {
        let found = self.context.store.staff_invite_by_code(&link_hash(code)).await?;
        let invite = found.ok_or(Refusal::NoSuchInvite)?;
        let show = match invite.place.stream {
            Some(stream) => Some(self.stream_cache.find_stream(stream).await?.stream().title),
            None => None,
        };
        Ok(OpenedInvite { invite, show })
    }

    /// Accepts an invite: the caller must have proved the address to which it was sent.
    pub async fn accept_invite(self: &Arc<Self>, actor: &Actor, code: &str) -> Result<StaffRole> {
        self.stream_cache.authorize_in_shop(actor, Permission::UseOwnData).await?;
        let session = actor.session.as_ref().ok_or(Refusal::NoSession)?;
        let (Some(account), Some(email)) = (session.account, session.email.clone()) else {
            // A guest has proved no address.
            return Err(Refusal::NoSuchInvite.into());
        };
        let entry = self.entry(actor, AuditAction::AcceptStaffInvite, None);
        let (this, hash) = (self.clone(), link_hash(code));
        let place = self
            .context
            .spawn_write(
                async move { Ok(this.context.store.accept_staff_invite(&hash, account, &email, &entry).await?) },
            )
            .await?;
        self.accounts.forget(&actor.user);
        Ok(place)
    }

    /// Gives an account a role in one place, or takes it away.
    pub async fn set_role(
        self: &Arc<Self>,
        actor: &Actor,
        account: AccountId,
        (stream, role): (Option<StreamId>, Option<Role>),
    ) -> Result<()> {
        self.stream_cache.authorize_in_shop(actor, Permission::ManageStaff).await?;
        if let Some(role) = role {
            StaffRole::new(role, stream)?;
        }
        if let Some(stream) = stream {
            self.stream_cache.check_stream_exists(stream).await?;
        }
        let kind = if role.is_some() { AuditAction::SetStaffRole } else { AuditAction::RemoveStaff };
        let entry = self.entry(actor, kind, stream);
        let entry = AuditEntry { user: Some(account.user()), detail: role.map(|role| role.name().to_owned()), ..entry };
        let (this, by, own) = (self.clone(), actor.clone(), actor.role_in(Place::Shop));
        self.context
            .spawn_write(async move {
                this.context.store.set_staff_role(&by, own, account, (stream, role), &entry).await?;
                this.tokens.refresh_after_change().await;
                Ok(())
            })
            .await?;
        self.accounts.forget(&account.user());
        Ok(())
    }

    /// An entry of the audit log: about one show, or about the whole shop.
    fn entry(&self, actor: &Actor, kind: AuditAction, stream: Option<StreamId>) -> AuditEntry {
        let subject = stream.map(|stream| stream.to_string());
        AuditEntry { subject, ..self.audit.audit_entry(actor, AuditEntry::WHOLE_SHOP, kind) }
    }
}
