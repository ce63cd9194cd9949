//! Customers at the desk: the list, one customer, notes, and blocks that hold in the whole shop.

use std::sync::Arc;

use uuid::Uuid;

use super::audit::AuditLog;
use super::context::Context;
use super::error::Result;
use super::publisher::Publisher;
use super::stream_cache::StreamCache;
use crate::domain::customer::{CUSTOMER_SEARCH_MAX, Customer, CustomerDetail, CustomerNote};
use crate::domain::{
    Actor, AuditAction, AuditEntry, OrderId, Permission, Place, Refusal, Sanction, SanctionKind, UserId, audit,
    fulfilment,
};

pub struct Customers {
    context: Arc<Context>,
    publisher: Arc<Publisher>,
    stream_cache: Arc<StreamCache>,
    audit: Arc<AuditLog>,
}

impl Customers {
    pub fn new(
        context: &Arc<Context>,
        publisher: &Arc<Publisher>,
        stream_cache: &Arc<StreamCache>,
        audit: &Arc<AuditLog>,
    ) -> Arc<Self> {
        let (context, publisher) = (context.clone(), publisher.clone());
        Arc::new(Self { context, publisher, stream_cache: stream_cache.clone(), audit: audit.clone() })
    }

    /// May the actor see the customers, note something and block them?
    pub async fn authorize(&self, actor: &Actor) -> Result<()> {
        self.stream_cache.authorize_in_shop(actor, Permission::ManageStreams).await
    }

    /// A page of the customers, those who ordered last first, and where the next one begins.
    pub async fn list(
        &self,
        actor: &Actor,
        search: &str,
        after: Option<OrderId>,
        limit: i64,
    ) -> Result<(Vec<Customer>, Option<OrderId>)> {
        self.authorize(actor).await?;
        if CUSTOMER_SEARCH_MAX < search.chars().count() {
            return Err(Refusal::bad_field("search", "must have at most 100 characters.").into());
        }
        Ok(self.context.store.customers(search.trim(), after, limit).await?)
    }

    pub async fn detail(&self, actor: &Actor, user: &UserId) -> Result<CustomerDetail> {
        self.authorize(actor).await?;
        Ok(self.context.store.customer_detail(user).await?.ok_or(Refusal::NoSuchCustomer)?)
    }

    /// Adds a note on a customer. A retry with the same id changes nothing.
    pub async fn add_note(&self, actor: &Actor, user: UserId, id: Uuid, text: &str) -> Result<CustomerNote> {
        self.authorize(actor).await?;
        let text = fulfilment::order_note(text)?;
        let (by, by_name) = (actor.user.as_str().to_owned(), actor.name.as_str().to_owned());
        let note = CustomerNote { id, at: self.context.now(), by, by_name, text };
        let context = self.context.clone();
        self.context
            .spawn_write(async move {
                context.store.add_customer_note(&user, &note).await?;
                Ok(note)
            })
            .await
    }

    /// Blocks the person behind a user in the whole shop: no chat, no purchase, no show. It holds on this node when this returns, on all
    /// others within two seconds. Blocks go downwards in rank.
    pub async fn block(&self, actor: &Actor, user: UserId, reason: Option<&str>) -> Result<()> {
        self.authorize(actor).await?;
        if user == actor.user {
            return Err(Refusal::bad_request("You cannot do this to yourself.").into());
        }
        let reason = audit::parse_reason(reason)?;
        let by_role = actor.role_in(Place::Shop);
        let store = &self.context.store;
        for role in store.roles_anywhere(&user).await? {
            Sanction::check_rank(by_role, role)?;
        }
        let name = store.customer_detail(&user).await?.map_or_else(|| user.to_string(), |found| found.customer.name);
        let entry = self.audit.audit_entry(actor, AuditEntry::WHOLE_SHOP, AuditAction::BlockCustomer);
        let entry = AuditEntry { user: Some(user.clone()), name: Some(name.clone()), reason: reason.clone(), ..entry };
        let sanction = Sanction {
            person: store.person_of(&user).await?,
            user,
            name,
            kind: SanctionKind::Ban,
            until: None,
            by: actor.user.to_string(),
            by_role,
            reason,
        };
        let context = self.context.clone();
        self.context.spawn_write(async move { Ok(context.store.add_shop_block(&sanction, &entry).await?) }).await?;
        self.refresh_blocks().await;
        Ok(())
    }

    /// Lifts a block. Without effect if there is none.
    pub async fn unblock(&self, actor: &Actor, user: &UserId, reason: Option<&str>) -> Result<()> {
        self.authorize(actor).await?;
        if *user == actor.user {
            return Err(Refusal::bad_request("You cannot do this to yourself.").into());
        }
        let reason = audit::parse_reason(reason)?;
        let person = self.context.store.person_of(user).await?;
        let entry = self.audit.audit_entry(actor, AuditEntry::WHOLE_SHOP, AuditAction::UnblockCustomer);
        let entry = AuditEntry { user: Some(user.clone()), reason, ..entry };
        let context = self.context.clone();
        self.context.spawn_write(async move { Ok(context.store.lift_shop_block(&person, &entry).await?) }).await?;
        self.refresh_blocks().await;
        Ok(())
    }

    /// The change is committed. If it cannot be read back now, the next poll reads it.
    async fn refresh_blocks(&self) {
        if let Err(error) = self.stream_cache.shop_blocks.refresh(&self.context, &self.publisher).await {
            tracing::warn!(error = %error, "the blocks of the shop could not be read");
        }
    }
}
