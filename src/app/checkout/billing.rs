//! Invoices and credit notes: one job makes them after a payment or a refund, never the payment itself, and their readers.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::Notify;

use super::Checkout;
use crate::app::error::Result;
use crate::app::jobs::{BackgroundJob, JobSpec, NextRun};
use crate::domain::billing::BillingBuyer;
use crate::domain::{
    Actor, AuditAction, AuditEntry, BillingDocumentId, DocumentKind, Issuer, Millis, Order, OrderId, Permission,
    Refusal,
};
use crate::protocol::BillingDocumentView;
use crate::store::{BillingDocument, DueDocument, IssuedDocument};

const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// Payments, and as many refunds, that are read at once.
const DUE_BATCH_MAX: i64 = 50;
/// Documents that are made in one transaction. It holds the numbers, and other nodes wait for them for a second.
const DUE_TOGETHER_MAX: usize = 10;
/// Such pages that one run reads.
const PAGES_PER_RUN_MAX: i64 = 20;
const EXPORT_PAGE_SIZE: i64 = 100;

/// Makes the documents of payments and refunds. Several nodes may run it: the store gives one number at a time.
pub struct BillingJob(pub Arc<Checkout>);

impl BackgroundJob for BillingJob {
    fn spec(&self) -> JobSpec {
        JobSpec::new("billing", POLL_INTERVAL, Duration::from_secs(60))
    }

    fn wake(&self) -> Option<Arc<Notify>> {
        Some(self.0.billing_due.clone())
    }

    async fn run(&mut self, _is_last: bool) -> Result<NextRun> {
        self.0.issue_due_documents().await
    }
}

/// Which documents a list has.
#[derive(Clone, Copy, Debug, Default)]
pub struct BillingFilter {
    pub kind: Option<DocumentKind>,
    pub since: Option<Millis>,
    pub until: Option<Millis>,
}

impl Checkout {
    /// Makes documents, the oldest payments first. A document that cannot be made does not delay the others.
    pub async fn issue_due_documents(&self) -> Result<NextRun> {
        let store = &self.context.store;
        let issuer = Issuer::of(&self.context.shop(), &self.context.profile());
        // Payments and refunds that stay without a document in this run: the next page begins after them.
        let mut left_out = (0, 0);
        let mut is_full = false;
        for _ in 0..PAGES_PER_RUN_MAX {
            let due = store.due_documents_beyond(left_out, DUE_BATCH_MAX).await?;
            for one in self.issue_due_page(&due, &issuer).await {
                match one.refund {
                    None => left_out.0 += 1,
                    Some(_) => left_out.1 += 1,
                }
            }
            is_full = due.len() as i64 >= DUE_BATCH_MAX;
            if !is_full || self.context.stop.is_cancelled() {
                break;
            }
        }
        let left = store.due_documents(1).await?;
        let oldest = left.iter().map(|one| one.at).min().unwrap_or(0);
        self.context.counters.billing_oldest_at.store(oldest, Ordering::Relaxed);
        let has_progress = left_out.0 + left_out.1 < PAGES_PER_RUN_MAX * DUE_BATCH_MAX;
        Ok(if is_full && has_progress { NextRun::Immediately } else { NextRun::AfterInterval })
    }

    /// Makes documents, some in each transaction. Gives those that are still to be made.
    async fn issue_due_page<'d>(&self, due: &'d [DueDocument], issuer: &Issuer) -> Vec<&'d DueDocument> {
        let mut left = Vec::new();
        for some in due.chunks(DUE_TOGETHER_MAX) {
            if self.context.stop.is_cancelled() {
                break;
            }
            match self.context.store.issue_documents(some, issuer, self.context.now()).await {
                Ok(issued) => {
                    let pairs = some.iter().zip(issued);
                    left.extend(pairs.filter(|(_, issued)| *issued == IssuedDocument::NotYet).map(|(one, _)| one));
                }
                // Another node holds the numbers, and makes these documents too.
                Err(fault) if fault.is_transient() => {
                    tracing::warn!(documents = some.len(), error = %fault, "invoices or credit notes could not be made yet");
                    left.extend(some);
                }
                // One of them is at fault: the others must not wait for it.
                Err(_) => {
                    for one in some {
                        if !self.issue_due_document(one, issuer).await {
                            left.push(one);
                        }
                    }
                }
            }
        }
        left
    }

    /// Makes one document. `false`: it is still to be made.
    async fn issue_due_document(&self, due: &DueDocument, issuer: &Issuer) -> bool {
        let DueDocument { order, refund, .. } = due;
        match self.context.store.issue_document(due, issuer, self.context.now()).await {
            Ok(IssuedDocument::NotYet) => false,
            Ok(_) => true,
            // Another node holds the numbers, or the order is being changed.
            Err(fault) if fault.is_transient() => {
                tracing::warn!(order.id = %order, refund, error = %fault, "an invoice or a credit note could not be made yet");
                false
            }
            Err(fault) => {
                tracing::error!(order.id = %order, refund, error = %fault, "an invoice or a credit note could not be made");
                false
            }
        }
    }

    /// The documents of an order, for its buyer and for those who sell in its show. The audit log records who of the team read who bought.
    pub async fn order_documents(&self, actor: &Actor, id: OrderId) -> Result<Vec<BillingDocumentView>> {
        self.stream_cache.authorize_in_shop(actor, Permission::UseOwnData).await?;
        let order = self.context.store.order(id).await?.ok_or(Refusal::NotYours)?;
        let is_buyer = order.buyer == actor.user;
        if !is_buyer && !self.stream_cache.allows(actor, Permission::ManageOffers, order.stream).await? {
            return Err(Refusal::NotYours.into());
        }
        let documents = self.documents_of(&order).await?;
        if !is_buyer && !documents.is_empty() {
            self.record_order_action(actor, &order, AuditAction::ReadAddress, None);
        }
        Ok(documents)
    }

    /// The documents of the order of a link, without the buyer: a link may be read by others.
    pub async fn documents_of_link(&self, secret: &str) -> Result<Vec<BillingDocumentView>> {
        let order = self.linked_order(secret).await?;
        let mut documents = self.documents_of(&order).await?;
        documents.iter_mut().for_each(|document| document.body.buyer = None);
        Ok(documents)
    }

    pub(super) async fn documents_of(&self, order: &Order) -> Result<Vec<BillingDocumentView>> {
        let documents = self.context.store.documents_of_order(order.id).await?;
        Ok(documents.into_iter().map(document_view).collect())
    }

    /// A page of all documents of the shop, the newest first, for those who sell in it. As in the list of orders, buyers have their name
    /// here and not their address. Addresses are in the documents of one order, and the audit log records who reads them.
    pub async fn shop_documents(
        &self,
        actor: &Actor,
        filter: BillingFilter,
        after: Option<BillingDocumentId>,
        limit: i64,
    ) -> Result<Vec<BillingDocumentView>> {
        self.stream_cache.authorize_in_shop(actor, Permission::ManageOffers).await?;
        let BillingFilter { kind, since, until } = filter;
        let documents = self.context.store.billing_documents(kind, (since, until), after, limit).await?;
        let mut documents: Vec<BillingDocumentView> = documents.into_iter().map(document_view).collect();
        for buyer in documents.iter_mut().filter_map(|document| document.body.buyer.as_mut()) {
            let BillingBuyer { name, country, .. } = std::mem::take(buyer);
            *buyer = BillingBuyer { name, country, ..Default::default() };
        }
        Ok(documents)
    }

    /// Begins an export of documents, for those who may list them. The audit log records it.
    pub async fn begin_document_export(&self, actor: &Actor) -> Result<()> {
        self.stream_cache.authorize_in_shop(actor, Permission::ManageOffers).await?;
        let entry = self.audit.audit_entry(actor, AuditEntry::WHOLE_SHOP, AuditAction::ExportOrders);
        self.audit.record_audit_entry(AuditEntry { detail: Some("documents".to_owned()), ..entry });
        Ok(())
    }

    /// A page of an export, and where the next one begins.
    pub async fn export_documents(
        &self,
        actor: &Actor,
        filter: BillingFilter,
        after: Option<BillingDocumentId>,
    ) -> Result<(Vec<BillingDocumentView>, Option<BillingDocumentId>)> {
        let page = self.shop_documents(actor, filter, after, EXPORT_PAGE_SIZE).await?;
        let is_full = page.len() as i64 == EXPORT_PAGE_SIZE;
        let next = page.last().filter(|_| is_full).map(|last| last.id);
        Ok((page, next))
    }
}

pub(super) fn document_view(document: BillingDocument) -> BillingDocumentView {
    let BillingDocument { id, kind, year, number, order, refund, issued_at, body } = document;
    let text = kind.number_text(year, number);
    BillingDocumentView { id, kind, number: text, year, sequence: number, order, refund, issued_at, body }
}
