//! Refunds and disputes.

use serde_json::Value;

use crate::card::Behaviour;
use crate::error::ApiError;
use crate::form::Parameters;
use crate::intent::{Dispute, Refund};
use crate::ledger::Ledger;

const DAY_S: i64 = 86_400;

impl Ledger {
    pub fn create_refund(&mut self, given: &Parameters, now: i64) -> Result<Value, ApiError> {
        let reason = given.text("reason").map(str::to_owned);
        let known = ["duplicate", "fraudulent", "requested_by_customer"];
        if reason.as_deref().is_some_and(|reason| !known.contains(&reason)) {
            return Err(ApiError::invalid("parameter_invalid", "Invalid reason."));
        }
        let charge_id = match (given.text("payment_intent"), given.text("charge")) {
            (Some(intent), None) => {
                let none = || ApiError::state("payment_intent_unexpected_state", "This PaymentIntent has no charge.");
                self.intent(intent)?.charge.clone().ok_or_else(none)?
            }
            (None, Some(charge)) => charge.to_owned(),
            _ => return Err(ApiError::invalid("parameter_missing", "Give one of payment_intent and charge.")),
        };
        let charge = self.charges.get(&charge_id).ok_or_else(|| ApiError::missing("charge", &charge_id))?.clone();
        if charge.captured == 0 {
            return Err(ApiError::state("charge_not_captured", "The charge was not captured."));
        }
        let left = charge.captured - charge.refunded;
        if left == 0 {
            return Err(ApiError::state("charge_already_refunded", "The charge has already been refunded."));
        }
        let amount = given.integer("amount")?.unwrap_or(left);
        if amount < 1 {
            return Err(ApiError::invalid("parameter_invalid_integer", "Invalid positive integer: amount"));
        }
        if amount > left {
            return Err(ApiError::state("amount_too_large", "The refund is larger than what is left of the charge."));
        }
        let (status, next) = match charge.card.behaviour {
            Behaviour::RefundPends => ("pending", Some((now + DAY_S, "succeeded"))),
            Behaviour::PendingRefundFails => ("pending", Some((now + 2 * DAY_S, "failed"))),
            Behaviour::RefundFails => ("succeeded", Some((now + 2 * DAY_S, "failed"))),
            _ => ("succeeded", None),
        };
        let refund = Refund {
            id: self.new_id("re"),
            created: now,
            charge: charge_id.clone(),
            intent: charge.intent.clone(),
            amount,
            currency: charge.currency.clone(),
            status,
            metadata: given.object("metadata"),
            reason,
            next,
        };
        let view = refund.view();
        self.refunds.insert(refund.id.clone(), refund);
        if let Some(charge) = self.charges.get_mut(&charge_id) {
            charge.refunded += amount;
            let charge = charge.view();
            self.record_event("refund.created", view.clone(), now);
            self.record_event("charge.refunded", charge, now);
        }
        Ok(view)
    }

    pub fn advance_refunds(&mut self, now: i64) {
        let is_due = |refund: &Refund| refund.next.is_some_and(|(at, _)| at <= now);
        let due: Vec<String> =
            self.refunds.values().filter(|refund| is_due(refund)).map(|refund| refund.id.clone()).collect();
        for id in due {
            let Some(refund) = self.refunds.get_mut(&id) else { continue };
            let Some((_, status)) = refund.next.take() else { continue };
            refund.status = status;
            let (view, charge, amount) = (refund.view(), refund.charge.clone(), refund.amount);
            if status == "failed" {
                if let Some(charge) = self.charges.get_mut(&charge) {
                    charge.refunded -= amount;
                }
                self.record_event("refund.failed", view.clone(), now);
            }
            self.record_event("refund.updated", view, now);
        }
    }

    pub fn open_dispute(&mut self, charge_id: &str, now: i64) {
        let id = self.new_id("du");
        let Some(charge) = self.charges.get_mut(charge_id) else { return };
        charge.is_disputed = true;
        let dispute = Dispute {
            id: id.clone(),
            created: now,
            charge: charge_id.to_owned(),
            intent: charge.intent.clone(),
            amount: charge.captured,
            currency: charge.currency.clone(),
            status: "needs_response",
            is_live: charge.is_live,
        };
        let view = dispute.view();
        self.disputes.insert(id, dispute);
        self.record_event("charge.dispute.created", view, now);
    }

    pub fn close_dispute(&mut self, id: &str, is_won: bool, now: i64) -> Result<Value, ApiError> {
        let dispute = self.disputes.get_mut(id).ok_or_else(|| ApiError::missing("dispute", id))?;
        dispute.status = if is_won { "won" } else { "lost" };
        let view = dispute.view();
        self.record_event("charge.dispute.closed", view.clone(), now);
        Ok(view)
    }
}
