//! Invoices and credit notes as JSON.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{BillingBody, BillingDocumentId, DocumentKind, Millis, OrderId};

/// An invoice or a credit note. It never changes.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = BillingDocument)]
pub struct BillingDocumentView {
    pub id: BillingDocumentId,
    pub kind: DocumentKind,
    /// `INV-2026-00042`: unique in the shop.
    #[schema(example = "INV-2026-00042")]
    pub number: String,
    /// The calendar year in the time zone of the shop.
    pub year: i64,
    /// The number in its year, from 1 without gaps for each kind.
    pub sequence: i64,
    pub order: OrderId,
    /// The number of the refund in its order; null: an invoice.
    pub refund: Option<i64>,
    pub issued_at: Millis,
    #[serde(flatten)]
    pub body: BillingBody,
}
