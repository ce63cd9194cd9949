//! The queries about payments by day, fees and disputes.

use chrono_tz::Tz;
use livesouk::domain::payment_day::days;
use livesouk::domain::{AuditAction, AuditEntry, DisputeResult, DisputeStatus, Payment, PaymentFee, ProviderDispute};

use super::every_query::{Calls, call};
use crate::contract_store::builders::audit_entry;

pub(super) async fn all(c: &Calls, payment: &Payment) {
    let now = c.shop.store.now().await.unwrap();
    // Each day costs some look-ups for each kind of sum, also where nothing happened. Twenty days cost less than a statement may.
    let last = days(None, None, Tz::Asia__Riyadh, now).unwrap();
    let nothing = days(Some("1999-12-12"), Some("1999-12-31"), Tz::Asia__Riyadh, now).unwrap();
    for spans in [&last[10..], &nothing[..]] {
        call!(c, payment_figures(spans));
    }
    call!(c, open_owed_refunds(100));
    let dispute = ProviderDispute {
        reference: "du_1".into(),
        status: DisputeStatus::Open,
        needs_answer: true,
        amount: 5,
        currency: "SAR".into(),
        reason: None,
        due_at: Some(5),
        opened_at: 5,
    };
    call!(c, note_disputes(payment, &[dispute], Some(1)));
    call!(c, disputes_of(payment));
    call!(c, note_unread_disputes(payment, &[], 0));
    call!(c, open_disputes(now, 100));
    call!(c, count_disputes_to_close());
    let entry = || audit_entry(AuditEntry::WHOLE_SHOP, AuditAction::CloseDispute);
    c.shop.run("update disputes set given_up_at = 5 where reference = 'du_1'").await;
    call!(c, close_dispute(payment.order, Some("du_1"), DisputeResult::Lost, &entry()));
    call!(c, close_dispute(payment.order, Some("du_1"), DisputeResult::Won, &entry()));
    call!(c, claim_disputed_payments(10, 20, 50));
    call!(c, payments_without_fee(i64::MAX, 50));
    call!(c, claim_fee_check(payment, 0));
    call!(c, store_fee(payment, Some(&PaymentFee { amount: 5, currency: "SAR".into() })));
}
