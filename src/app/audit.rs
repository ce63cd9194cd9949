//! The audit log: which team member did what, to whom, and why. Entries are recorded, sent to the affected user, and
//! listed for the team.

use std::sync::Arc;

use super::context::Context;
use super::error::Result;
use super::publisher::Publisher;
use super::stream_cache::StreamCache;
use crate::domain::{Actor, AuditAction, AuditEntry, AuditEntryId, AuditFilter, Author, OfferId, Permission, StreamId};
use crate::protocol::{AuditEntryView, server};

const EXPORT_PAGE_SIZE: i64 = 500;

pub struct AuditLog {
    context: Arc<Context>,
    publisher: Arc<Publisher>,
    stream_cache: Arc<StreamCache>,
}

impl AuditLog {
    pub fn new(context: &Arc<Context>, publisher: &Arc<Publisher>, stream_cache: &Arc<StreamCache>) -> Arc<Self> {
        let (context, publisher, stream_cache) = (context.clone(), publisher.clone(), stream_cache.clone());
        Arc::new(Self { context, publisher, stream_cache })
    }

    pub fn audit_entry(&self, actor: &Actor, stream: StreamId, kind: AuditAction) -> AuditEntry {
        AuditEntry::new(stream, Author::from(actor), kind, self.context.now())
    }

    /// Records an action on an offer or order that is committed already. It is written in the background: selling does
    /// not wait for it.
    pub fn record_audit_entry(&self, entry: AuditEntry) {
        let context = self.context.clone();
        self.context.spawn(async move {
            if let Err(error) = context.store.insert_audit_entry(&entry).await {
                tracing::error!(
                    error = %error, kind = entry.kind.name(), by = %entry.by.id, "an audit log entry could not be written"
                );
            }
        });
    }

    pub fn record_offer_action(
        &self,
        actor: &Actor,
        (stream, offer): (StreamId, OfferId),
        kind: AuditAction,
        detail: Option<String>,
    ) {
        self.record_audit_entry(self.offer_entry(actor, (stream, offer), kind, detail));
    }

    pub fn offer_entry(
        &self,
        actor: &Actor,
        (stream, offer): (StreamId, OfferId),
        kind: AuditAction,
        detail: Option<String>,
    ) -> AuditEntry {
        AuditEntry { subject: Some(offer.to_string()), detail, ..self.audit_entry(actor, stream, kind) }
    }

    /// Sends an audit log entry to the affected user on every connection: what was done, and why.
    pub fn notify_affected_user(&self, entry: AuditEntry) {
        let Some(user) = entry.user.clone().filter(|_| entry.kind.affects_user()) else { return };
        let frame = server::audit(&AuditEntryView::for_affected_user(entry));
        if let Err(error) = self.publisher.send_to_user(user, frame) {
            tracing::warn!(error = %error, "a user was not notified of a moderation action");
        }
    }

    /// A page of a stream's audit log, newest first, for moderators.
    pub async fn audit_log(
        &self,
        actor: &Actor,
        stream: StreamId,
        after: Option<AuditEntryId>,
        limit: i64,
    ) -> Result<Vec<AuditEntryView>> {
        self.stream_cache.authorize(actor, Permission::Moderate, stream).await?;
        let entries = self.context.store.audit_entries(stream, None, after, limit).await?;
        Ok(entries.into_iter().map(AuditEntryView::of).collect())
    }

    /// A page of the audit log of the whole shop, newest first, for admins: what belongs to no show.
    pub async fn shop_audit_log(
        &self,
        actor: &Actor,
        after: Option<AuditEntryId>,
        limit: i64,
    ) -> Result<Vec<AuditEntryView>> {
        self.stream_cache.authorize_in_shop(actor, Permission::RevokeTokens).await?;
        let entries = self.context.store.audit_entries(AuditEntry::WHOLE_SHOP, None, after, limit).await?;
        Ok(entries.into_iter().map(AuditEntryView::of).collect())
    }

    /// May the actor read everything that the staff did?
    pub async fn authorize_whole_log(&self, actor: &Actor) -> Result<()> {
        self.stream_cache.authorize_in_shop(actor, Permission::RevokeTokens).await
    }

    /// A page of what the staff did in the shop and in all shows, newest first, for admins. A page may be short although older entries
    /// match: then the second value is where the next one begins.
    pub async fn whole_log(
        &self,
        actor: &Actor,
        filter: &AuditFilter,
        after: Option<AuditEntryId>,
        limit: i64,
    ) -> Result<(Vec<AuditEntryView>, Option<AuditEntryId>)> {
        self.authorize_whole_log(actor).await?;
        let entries = self.context.store.all_audit_entries(filter, after, limit).await?;
        let is_full = limit <= entries.len() as i64;
        let last = if is_full { None } else { self.context.store.last_examined_audit_entry(after).await? };
        Ok((entries.into_iter().map(AuditEntryView::of).collect(), last))
    }

    /// Writes down that somebody exports the whole log.
    pub async fn begin_export(&self, actor: &Actor) -> Result<()> {
        self.authorize_whole_log(actor).await?;
        let entry = self.audit_entry(actor, AuditEntry::WHOLE_SHOP, AuditAction::ExportAuditLog);
        let context = self.context.clone();
        self.context.spawn_write(async move { Ok(context.store.insert_audit_entry(&entry).await?) }).await
    }

    /// The next page of an export of the whole log, oldest first.
    pub async fn export_whole_log(&self, actor: &Actor, after: Option<AuditEntryId>) -> Result<Vec<AuditEntry>> {
        // Again for each page: who is banned or signed out meanwhile gets no further one.
        self.authorize_whole_log(actor).await?;
        Ok(self.context.store.all_audit_entries_after(after, EXPORT_PAGE_SIZE).await?)
    }

    /// The audit log entries that affect the caller, newest first. Banned users may ask too.
    pub async fn my_audit_log(
        &self,
        actor: &Actor,
        stream: StreamId,
        after: Option<AuditEntryId>,
        limit: i64,
    ) -> Result<Vec<AuditEntryView>> {
        self.stream_cache.authorize(actor, Permission::UseOwnData, stream).await?;
        let entries = self.context.store.audit_entries(stream, Some(&actor.user), after, limit).await?;
        Ok(entries.into_iter().map(AuditEntryView::for_affected_user).collect())
    }
}
