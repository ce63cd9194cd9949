//! Disputes that were given up: only the provider knows how they ended, and somebody of the team who saw it there closes them here.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Checkout;
use super::payment_day::dispute_view;
use crate::app::error::{Result, as_outcome_unknown};
use crate::domain::{
    Actor, AuditAction, AuditEntry, DisputeEnd, OrderId, Permission, Place, Refusal, authorize_by_role,
};
use crate::protocol::DisputeView;

impl Checkout {
    /// Closes a dispute that was given up, for those who refund in its show: the sums of the day count it as won or lost. To say the same
    /// again changes nothing; another result puts the first one right.
    pub async fn close_dispute(self: &Arc<Self>, actor: &Actor, id: OrderId, end: DisputeEnd) -> Result<DisputeView> {
        authorize_by_role(actor, Permission::UseOwnData, Place::Shop)?;
        let order = self.context.store.order(id).await?.ok_or(Refusal::NoSuchOrder)?;
        self.stream_cache.authorize(actor, Permission::ManageStreams, order.stream).await?;
        actor.check_recent_sign_in(self.context.now())?;
        let DisputeEnd { reference, result, note } = end.checked()?;
        let entry = AuditEntry {
            subject: Some(order.id.to_string()),
            detail: Some(result.name().to_owned()),
            reason: Some(note),
            ..self.audit.audit_entry(actor, order.stream, AuditAction::CloseDispute)
        };
        let this = self.clone();
        let close = async move {
            let closed = this.context.store.close_dispute(order.id, reference.as_deref(), result, &entry).await?;
            if let Err(error) = this.count_disputes_to_close().await {
                // It is closed. The job counts again soon.
                tracing::warn!(error = %error, "the disputes to close could not be counted");
            }
            Ok(dispute_view(closed))
        };
        self.context.spawn_write(close).await.map_err(as_outcome_unknown)
    }

    /// Publishes how many disputes wait for somebody to close them, for the alert.
    pub(super) async fn count_disputes_to_close(&self) -> Result<()> {
        let waiting = self.context.store.count_disputes_to_close().await?;
        self.context.counters.disputes_to_close.store(waiting.unsigned_abs(), Ordering::Relaxed);
        Ok(())
    }
}
