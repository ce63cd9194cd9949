//! The queries about refunds, invoices and credit notes.

use livesouk::domain::{BillingDocumentId, Issuer, OrderId, RefundScope};
use livesouk::store::{DueDocument, NewRefund};

use super::every_query::{Calls, call};
use crate::contract_store::builders::{key, user};

pub(super) async fn all(c: &Calls, order: OrderId) {
    let refund = NewRefund {
        order,
        by: user("noura"),
        key: key("refund-00001"),
        hash: [2; 32],
        scope: RefundScope::Whole,
        restock: true,
        reason: Some("broken".into()),
    };
    let refund = call!(c, begin_refund(&refund)).unwrap();
    call!(c, refund(order, 1));
    call!(c, live_refunds(order));
    call!(c, refunds_to_reconcile(i64::MAX, i64::MAX, 100));
    call!(c, done_refunds_to_check(0, i64::MAX, 100));
    call!(c, note_refund_reference(&refund, "re_1"));
    call!(c, test_refund("re_1"));
    call!(c, reverse_refund(&refund));
    call!(c, claim_refund(&refund, i64::MAX));
    call!(c, fail_refund(&refund));
    call!(c, finish_refund(&refund));
    call!(c, refunds_of_order(order));
    call!(c, refunded_amounts(&[order]));
    let refunded = c.shop.store.order(order).await.unwrap().unwrap();
    call!(c, refundable(&refunded));
    call!(c, due_documents(50));
    call!(c, due_documents_beyond((2, 2), 50));
    for refund in [None, Some(1)] {
        call!(c, issue_document(&DueDocument { order, refund, at: 1 }, &Issuer::default(), 1_781_524_800_000));
    }
    call!(c, issue_documents(&[], &Issuer::default(), 1_781_524_800_000));
    call!(c, documents_of_order(order));
    call!(c, documents_of_orders(&[order]));
    call!(c, billing_documents(None, (None, None), Some(BillingDocumentId::new()), 50));
}
