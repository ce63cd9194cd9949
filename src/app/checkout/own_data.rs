//! What a user may take away: everything that is stored about them, in pages.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::json;
use uuid::Uuid;

use super::Checkout;
use super::billing::document_view;
use crate::app::error::Result;
use crate::domain::{
    Actor, AuditAction, AuditEntry, MailId, MessageId, OfferId, OrderId, Permission, SanctionKind, StreamId, UserId,
};
use crate::store::OwnDatum;

const PAGE: i64 = 200;

/// Where the next page begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OwnDataCursor {
    #[default]
    Start,
    StockAlerts(Option<OfferId>),
    Sanctions(Option<(StreamId, SanctionKind)>),
    Mails(Option<MailId>),
    Orders(Option<OrderId>),
    Messages(Option<(StreamId, MessageId)>),
}

impl Checkout {
    /// May the caller take their data away?
    pub async fn authorize_own_data(&self, actor: &Actor) -> Result<()> {
        self.stream_cache.authorize_in_shop(actor, Permission::UseOwnData).await
    }

    /// May the caller read everything about a customer?
    pub async fn authorize_customer_data(&self, actor: &Actor) -> Result<()> {
        self.stream_cache.authorize_in_shop(actor, Permission::EraseUserData).await
    }

    /// Writes down that somebody exports what is stored about a customer.
    pub async fn begin_customer_export(self: &Arc<Self>, actor: &Actor, user: &UserId) -> Result<()> {
        let entry = self.audit.audit_entry(actor, AuditEntry::WHOLE_SHOP, AuditAction::ExportUserData);
        let entry = AuditEntry { user: Some(user.clone()), ..entry };
        let context = self.context.clone();
        self.context.spawn_write(async move { Ok(context.store.insert_audit_entry(&entry).await?) }).await
    }

    /// A page of what is stored about a user, for that user or for who may read it, and the cursor of the next one; `None`: that was all.
    pub async fn stored_data(
        &self,
        actor: &Actor,
        user: &UserId,
        cursor: OwnDataCursor,
    ) -> Result<(Vec<OwnDatum>, Option<OwnDataCursor>)> {
        match *user == actor.user {
            true => self.authorize_own_data(actor).await?,
            false => self.authorize_customer_data(actor).await?,
        }
        let store = &self.context.store;
        match cursor {
            OwnDataCursor::Start => Ok((store.own_data(user).await?, Some(OwnDataCursor::StockAlerts(None)))),
            OwnDataCursor::StockAlerts(after) => {
                let found = store.stock_alerts_of_user(user, after, PAGE).await?;
                let next = found
                    .last()
                    .map_or(OwnDataCursor::Sanctions(None), |(last, _)| OwnDataCursor::StockAlerts(Some(*last)));
                Ok((data_of(found), Some(next)))
            }
            OwnDataCursor::Sanctions(after) => {
                let found = store.sanctions_of_user(user, after, PAGE).await?;
                let next =
                    found.last().map_or(OwnDataCursor::Mails(None), |(last, _)| OwnDataCursor::Sanctions(Some(*last)));
                Ok((data_of(found), Some(next)))
            }
            OwnDataCursor::Mails(after) => {
                let found = store.mails_of_user(user, after, PAGE).await?;
                let next =
                    found.last().map_or(OwnDataCursor::Orders(None), |(last, _)| OwnDataCursor::Mails(Some(*last)));
                Ok((data_of(found), Some(next)))
            }
            OwnDataCursor::Orders(after) => self.stored_orders(user, after).await,
            OwnDataCursor::Messages(after) => {
                let messages = store.messages_of_user(user, after, PAGE).await?;
                let next = messages.last().map(|(stream, id, _)| OwnDataCursor::Messages(Some((*stream, *id))));
                Ok((messages.into_iter().map(|(.., datum)| datum).collect(), next))
            }
        }
    }

    /// A page of the orders of a user, each with its address, and with what the user withdrew from and got back.
    async fn stored_orders(
        &self,
        user: &UserId,
        after: Option<OrderId>,
    ) -> Result<(Vec<OwnDatum>, Option<OwnDataCursor>)> {
        let store = &self.context.store;
        let orders = store.orders_of_buyer(user, None, after, PAGE).await?;
        let ids: Vec<OrderId> = orders.iter().map(|order| order.id).collect();
        let addresses = store.addresses_of(&ids).await?;
        let mut more: HashMap<Uuid, Vec<OwnDatum>> = HashMap::new();
        for (order, datum) in store.refunds_and_withdrawals_of(&ids).await? {
            more.entry(order.0).or_default().push(datum);
        }
        for document in store.documents_of_orders(&ids).await? {
            let view = document_view(document);
            let datum = OwnDatum { kind: view.kind.name(), at: view.issued_at, data: json!(view) };
            more.entry(view.order.0).or_default().push(datum);
        }
        let mut data = Vec::with_capacity(orders.len());
        for order in &orders {
            let view = self.catalogue.order_view(order).await;
            let stored = json!({ "order": view, "address": addresses.get(&order.id) });
            data.push(OwnDatum { kind: "order", at: order.created_at, data: stored });
            data.extend(more.remove(&order.id.0).into_iter().flatten());
        }
        let next = ids.last().map_or(OwnDataCursor::Messages(None), |last| OwnDataCursor::Orders(Some(*last)));
        Ok((data, Some(next)))
    }
}

fn data_of<Key>(found: Vec<(Key, OwnDatum)>) -> Vec<OwnDatum> {
    found.into_iter().map(|(_, datum)| datum).collect()
}
