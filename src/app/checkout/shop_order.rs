//! The seller's desk: the orders of the shop or of one show, their fulfilment, notes and tags.

use std::sync::Arc;

use uuid::Uuid;

use super::Checkout;
use crate::app::error::Result;
use crate::app::mail::mail_view;
use crate::domain::fulfilment::PARCEL_ORDERS_MAX;
use crate::domain::{
    Actor, Address, AuditAction, AuditEntry, Consignment, Fulfilment, FulfilmentStep, Minor, Order, OrderId,
    Permission, Refund, Refusal, ReturnedLine, ShopOrderFilter, fulfilment, order_history,
};
use crate::protocol::{OrderNoteView, PaymentAttemptView, RefundLineView, RefundView, ShopOrderDetail, ShopOrderView};
use crate::store::{OrderNote, PaymentAttempt, RefundRecord, ShopOrder};

/// Orders that an export reads at once.
const EXPORT_PAGE_SIZE: i64 = 100;

/// A page of orders, newest first. A page may be short, or empty, and have a next one.
#[derive(Clone, PartialEq, Debug)]
pub struct ShopOrderList {
    pub items: Vec<ShopOrderView>,
    /// Where the next page begins; `None`: this is the last page.
    pub next: Option<OrderId>,
}

/// An order in an export.
pub struct ExportedOrder {
    pub listed: ShopOrderView,
    pub address: Option<Address>,
    /// What refunds that are done gave back.
    pub refunded: Minor,
}

impl Checkout {
    /// The orders of the whole shop, or of the show that the filter names, for those who sell there.
    pub async fn shop_orders(
        &self,
        actor: &Actor,
        filter: &ShopOrderFilter,
        after: Option<OrderId>,
        limit: i64,
    ) -> Result<ShopOrderList> {
        self.authorize_order_list(actor, filter).await?;
        let page = self.context.store.shop_orders(filter, after, limit).await?;
        let mut items = Vec::with_capacity(page.orders.len());
        for order in page.orders {
            items.push(self.shop_order_view(order).await);
        }
        Ok(ShopOrderList { items, next: page.next })
    }

    /// Begins an export of the orders that match, with their addresses, for those who may list them. The audit log records it.
    pub async fn begin_order_export(&self, actor: &Actor, filter: &ShopOrderFilter) -> Result<()> {
        self.authorize_order_list(actor, filter).await?;
        let place = filter.stream.unwrap_or(AuditEntry::WHOLE_SHOP);
        self.audit.record_audit_entry(self.audit.audit_entry(actor, place, AuditAction::ExportOrders));
        Ok(())
    }

    /// A page of an export: as the list, with the address of each order and what was given back.
    pub async fn export_orders(
        &self,
        actor: &Actor,
        filter: &ShopOrderFilter,
        after: Option<OrderId>,
    ) -> Result<(Vec<ExportedOrder>, Option<OrderId>)> {
        let page = self.shop_orders(actor, filter, after, EXPORT_PAGE_SIZE).await?;
        let ids: Vec<OrderId> = page.items.iter().map(|order| order.order.id).collect();
        let mut addresses = self.context.store.addresses_of(&ids).await?;
        let refunded = self.context.store.refunded_amounts(&ids).await?;
        let exported = |listed: ShopOrderView| {
            let id = listed.order.id;
            let (address, refunded) = (addresses.remove(&id), refunded.get(&id).copied().unwrap_or(0));
            ExportedOrder { listed, address, refunded }
        };
        Ok((page.items.into_iter().map(exported).collect(), page.next))
    }

    async fn authorize_order_list(&self, actor: &Actor, filter: &ShopOrderFilter) -> Result<()> {
        match filter.stream {
            Some(stream) => self.stream_cache.authorize(actor, Permission::ManageOffers, stream).await.map(drop),
            None => self.stream_cache.authorize_in_shop(actor, Permission::ManageOffers).await,
        }
    }

    /// The tags that the filter of the list can name, for those who sell in the shop.
    pub async fn tags_in_use(&self, actor: &Actor) -> Result<Vec<String>> {
        self.stream_cache.authorize_in_shop(actor, Permission::ManageOffers).await?;
        Ok(self.context.store.tags_in_use().await?)
    }

    /// One order with its address, payments and notes, for those who sell in its show. The audit log records who read an
    /// address.
    pub async fn shop_order(&self, actor: &Actor, id: OrderId) -> Result<ShopOrderDetail> {
        let order = self.order_to_fulfil(actor, id).await?;
        let store = &self.context.store;
        let (timestamps, address) = (store.order_timestamps(order.id).await?, store.address(order.id).await?);
        let id = order.id;
        let mails = store.mails_of_order(id).await?;
        let documents = self.documents_of(&order).await?;
        // A mail and a document name an address too.
        if (address.is_some() || !mails.is_empty() || !documents.is_empty()) && order.buyer != actor.user {
            self.record_order_action(actor, &order, AuditAction::ReadAddress, None);
        }
        let replay_ms = store.stream(order.stream).await?.and_then(|stream| stream.replay_position(order.created_at));
        Ok(ShopOrderDetail {
            replay_ms,
            history: order_history(&order, &timestamps),
            address,
            payments: store.payments_of_order(id).await?.into_iter().map(attempt_view).collect(),
            refunds: store.refunds_of_order(id).await?.into_iter().map(refund_view).collect(),
            refundable: store.refundable(&order).await?.into(),
            documents,
            notes: store.order_notes(id).await?.into_iter().map(note_view).collect(),
            mails: mails.into_iter().map(mail_view).collect(),
            order: self.whole_shop_order(order).await?,
        })
    }

    /// Does a step of fulfilment, for those who sell in the order's show. To do it again changes only the consignment.
    pub async fn fulfil(
        self: &Arc<Self>,
        actor: &Actor,
        id: OrderId,
        step: FulfilmentStep,
        consignment: Option<Consignment>,
    ) -> Result<Fulfilment> {
        let consignment = consignment.map(Consignment::validated).transpose()?;
        let order = self.order_to_fulfil(actor, id).await?;
        let (this, actor, id) = (self.clone(), actor.clone(), order.id);
        self.context
            .spawn_write(async move {
                let store = &this.context.store;
                let (done, is_new) = store.set_fulfilment(id, step, consignment.as_ref(), &actor.user).await?;
                if is_new {
                    this.context.mail_queued.notify_one();
                    this.record_order_action(&actor, &order, action_of(step), None);
                }
                Ok(done)
            })
            .await
    }

    /// Sends the orders of one buyer in one show as one parcel, for those who sell in the show: all or none, with one e-mail. To send
    /// it again changes only the consignment.
    pub async fn send_parcel(
        self: &Arc<Self>,
        actor: &Actor,
        ids: &[OrderId],
        consignment: Consignment,
    ) -> Result<Vec<(OrderId, Fulfilment)>> {
        let consignment = consignment.validated()?;
        if ids.len() > PARCEL_ORDERS_MAX {
            fulfilment::check_parcel(&[])?;
        }
        let mut orders = Vec::with_capacity(ids.len());
        for id in ids {
            orders.push(self.order_to_fulfil(actor, *id).await?);
        }
        fulfilment::check_parcel(&orders)?;
        let (this, actor) = (self.clone(), actor.clone());
        let ids: Vec<OrderId> = orders.iter().map(|order| order.id).collect();
        self.context
            .spawn_write(async move {
                let sent = this.context.store.send_parcel(&ids, &consignment, &actor.user).await?;
                this.context.mail_queued.notify_one();
                for order in &orders {
                    if sent.iter().any(|(id, _, is_new)| *id == order.id && *is_new) {
                        this.record_order_action(&actor, order, AuditAction::Sent, None);
                    }
                }
                Ok(sent.into_iter().map(|(id, fulfilment, _)| (id, fulfilment)).collect())
            })
            .await
    }

    /// Undoes a step of fulfilment, for those who sell in the order's show. To undo it again is no error.
    pub async fn undo_fulfilment(
        self: &Arc<Self>,
        actor: &Actor,
        id: OrderId,
        step: FulfilmentStep,
    ) -> Result<Fulfilment> {
        let order = self.order_to_fulfil(actor, id).await?;
        let (this, actor, id) = (self.clone(), actor.clone(), order.id);
        self.context
            .spawn_write(async move {
                let (left, is_changed) = this.context.store.undo_fulfilment(id, step).await?;
                if is_changed {
                    let step = Some(action_of(step).name().to_owned());
                    this.record_order_action(&actor, &order, AuditAction::UndoFulfilment, step);
                }
                Ok(left)
            })
            .await
    }

    /// Adds a note to an order, for those who sell in its show. `id` is chosen by the client, so a retry adds it once.
    pub async fn add_order_note(
        self: &Arc<Self>,
        actor: &Actor,
        id: OrderId,
        note: Uuid,
        text: &str,
    ) -> Result<OrderNoteView> {
        let text = fulfilment::order_note(text)?;
        let id = self.order_to_fulfil(actor, id).await?.id;
        let (by, by_name) = (actor.user.as_str().to_owned(), actor.name.as_str().to_owned());
        let note = OrderNote { id: note, at: self.context.now(), by, by_name, text };
        let this = self.clone();
        self.context
            .spawn_write(async move {
                this.context.store.add_order_note(id, &note).await?;
                Ok(note_view(note))
            })
            .await
    }

    /// Puts a tag on an order, for those who sell in its show, and gives all its tags.
    pub async fn add_order_tag(self: &Arc<Self>, actor: &Actor, id: OrderId, tag: &str) -> Result<Vec<String>> {
        let tag = fulfilment::order_tag(tag)?;
        let id = self.order_to_fulfil(actor, id).await?.id;
        let this = self.clone();
        self.context
            .spawn_write(async move {
                this.context.store.add_order_tag(id, &tag).await?;
                Ok(this.context.store.order_tags(id).await?)
            })
            .await
    }

    /// Takes a tag from an order, for those who sell in its show, and gives the tags that are left.
    pub async fn remove_order_tag(self: &Arc<Self>, actor: &Actor, id: OrderId, tag: &str) -> Result<Vec<String>> {
        let tag = fulfilment::order_tag(tag)?;
        let id = self.order_to_fulfil(actor, id).await?.id;
        let this = self.clone();
        self.context
            .spawn_write(async move {
                this.context.store.remove_order_tag(id, &tag).await?;
                Ok(this.context.store.order_tags(id).await?)
            })
            .await
    }

    /// The order, for those who sell in its show. Others do not learn whether it exists.
    async fn order_to_fulfil(&self, actor: &Actor, id: OrderId) -> Result<Order> {
        self.stream_cache.authorize_in_shop(actor, Permission::UseOwnData).await?;
        let order = self.context.store.order(id).await?.ok_or(Refusal::NotYours)?;
        match self.stream_cache.allows(actor, Permission::ManageOffers, order.stream).await? {
            true => Ok(order),
            false => Err(Refusal::NotYours.into()),
        }
    }

    pub(super) fn record_order_action(&self, actor: &Actor, order: &Order, kind: AuditAction, detail: Option<String>) {
        let subject = Some(order.id.to_string());
        let entry = AuditEntry { subject, detail, ..self.audit.audit_entry(actor, order.stream, kind) };
        self.audit.record_audit_entry(entry);
    }

    async fn whole_shop_order(&self, order: Order) -> Result<ShopOrderView> {
        let (fulfilment, tags) =
            (self.context.store.fulfilment(order.id).await?, self.context.store.order_tags(order.id).await?);
        Ok(self.shop_order_view(ShopOrder { order, fulfilment, tags }).await)
    }

    async fn shop_order_view(&self, order: ShopOrder) -> ShopOrderView {
        let ShopOrder { order, fulfilment, tags } = order;
        ShopOrderView {
            order: self.catalogue.order_view(&order).await,
            buyer: order.buyer,
            buyer_name: order.buyer_name,
            fulfilment_status: fulfilment.status(),
            fulfilment,
            tags,
        }
    }
}

fn action_of(step: FulfilmentStep) -> AuditAction {
    match step {
        FulfilmentStep::Packed => AuditAction::Packed,
        FulfilmentStep::Sent => AuditAction::Sent,
        FulfilmentStep::Delivered => AuditAction::Delivered,
    }
}

fn note_view(note: OrderNote) -> OrderNoteView {
    let OrderNote { id, at, by, by_name, text } = note;
    OrderNoteView { id, at, by, by_name, text }
}

fn attempt_view(of: PaymentAttempt) -> PaymentAttemptView {
    let PaymentAttempt { attempt, provider, reference, status, created_at, changed_at } = of;
    PaymentAttemptView { attempt, provider, reference, status: status.name(), created_at, changed_at }
}

fn refund_view(of: RefundRecord) -> RefundView {
    let RefundRecord { refund, delivery, has_units, reason, lines } = of;
    let Refund { n, status, amount, restock, created_at, .. } = refund;
    let line = |ReturnedLine { reservation, qty, amount, .. }| RefundLineView { reservation, qty, amount };
    let lines = lines.into_iter().map(line).collect();
    RefundView { n, status: status.name(), amount, delivery, restock, has_units, reason, created_at, lines }
}
