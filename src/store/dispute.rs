//! Payments that buyers dispute at their banks. What the provider says is kept, so that the desk can show it without asking.

use uuid::Uuid;

use super::audit::insert_audit_entry;
use super::row::from_row;
use super::{Result, Store, require_known};
use crate::domain::{
    AuditEntry, DisputeResult, DisputeStatus, Millis, OpenDispute, OrderId, Payment, ProviderDispute, Refusal,
};

struct DisputeRow {
    reference: String,
    status: String,
    needs_answer: i64,
    amount: i64,
    currency: String,
    reason: Option<String>,
    due_at: Option<i64>,
    opened_at: i64,
}

from_row!(DisputeRow { reference, status, needs_answer, amount, currency, reason, due_at, opened_at });

impl DisputeRow {
    fn into_dispute(self) -> Result<ProviderDispute> {
        Ok(ProviderDispute {
            status: require_known(DisputeStatus::parse(&self.status), "status of a dispute", &self.status)?,
            reference: self.reference,
            needs_answer: self.needs_answer == 1,
            amount: self.amount,
            currency: self.currency,
            reason: self.reason,
            due_at: self.due_at,
            opened_at: self.opened_at,
        })
    }
}

struct OpenRow {
    order_id: Uuid,
    number: Option<i64>,
    provider: String,
    has_details: bool,
    unread_since: Option<i64>,
    is_given_up: bool,
    closed_as: Option<String>,
    closed_at: Option<i64>,
    dispute: DisputeRow,
}

from_row!(OpenRow { order_id, number, provider, has_details, unread_since, is_given_up, closed_as, closed_at } and dispute);

impl OpenRow {
    fn into_dispute(self) -> Result<OpenDispute> {
        let closed_as = self.closed_as.as_deref().map(parse_result).transpose()?;
        Ok(OpenDispute {
            order: OrderId(self.order_id),
            order_number: self.number,
            provider: self.provider,
            dispute: self.dispute.into_dispute()?,
            has_details: self.has_details,
            unread_since: self.unread_since,
            is_given_up: self.is_given_up,
            closed: closed_as.zip(self.closed_at),
        })
    }
}

fn parse_result(text: &str) -> Result<DisputeResult> {
    require_known(DisputeResult::parse(text), "result of a dispute", text)
}

/// The disputes `d`, as the team sees them; a condition and an order follow.
macro_rules! open_disputes {
    ($from:literal) => {
        concat!(
            "select d.order_id, (select o.number from orders o where o.id = d.order_id) as number, d.provider,
                d.reference <> coalesce((select p.reference from payments p
                    where p.order_id = d.order_id and p.attempt = d.attempt), '') as has_details,
                d.unread_since, d.given_up_at is not null as is_given_up, d.closed_as, d.closed_at,
                d.reference, d.status, d.needs_answer, d.amount, d.currency, d.reason, d.due_at, d.opened_at ",
            $from
        )
    };
}

impl Store {
    /// Notes the disputes of a payment as the provider has them now; open ones are asked for again at `look_at`. One that has ended stays
    /// as it is, because an answer may be older than what is known; only where the team has closed it, the result of the provider counts
    /// instead. A dispute without details is replaced by the first one with them. One that has details was read, so the time without an
    /// answer is over.
    pub async fn note_disputes(
        &self,
        payment: &Payment,
        disputes: &[ProviderDispute],
        look_at: Option<Millis>,
    ) -> Result<()> {
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let unnamed = payment.reference.as_deref().unwrap_or_default();
            if disputes.iter().any(|dispute| dispute.reference != unnamed) {
                let delete = "delete from disputes where provider = $1 and reference = $2";
                tx.query(delete).bind(&payment.provider).bind(unnamed).execute().await?;
            }
            for dispute in disputes {
                let is_open = dispute.status == DisputeStatus::Open;
                let write = "insert into disputes (provider, reference, order_id, attempt, status, needs_answer, amount, currency,
                        reason, due_at, opened_at, closed_at, look_at)
                    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
                    on conflict (provider, reference) do update set status = excluded.status, needs_answer = excluded.needs_answer,
                        amount = excluded.amount, reason = excluded.reason, due_at = excluded.due_at, closed_as = null,
                        closed_at = case when disputes.status = excluded.status then disputes.closed_at else excluded.closed_at end,
                        look_at = excluded.look_at,
                        unread_since = case when disputes.reference = $14 then disputes.unread_since end,
                        given_up_at = case when disputes.reference = $14 then disputes.given_up_at end
                    where disputes.status = 'open' or (disputes.closed_as is not null and excluded.status <> 'open')";
                tx.query(write)
                    .bind(&payment.provider)
                    .bind(&dispute.reference)
                    .bind(payment.order.0)
                    .bind(payment.attempt)
                    .bind(dispute.status.name())
                    .bind(i64::from(dispute.needs_answer))
                    .bind(dispute.amount)
                    .bind(&dispute.currency)
                    .bind(&dispute.reason)
                    .bind(dispute.due_at)
                    .bind(dispute.opened_at)
                    .bind((!is_open).then_some(now))
                    .bind(look_at.filter(|_| is_open))
                    .bind(unnamed)
                    .execute()
                    .await?;
            }
            Ok(())
        })
        .await
    }

    /// Notes that open disputes of a payment could not be read: those that are not among `read`, which the provider gave. One that could not
    /// be read since `unread_before` or longer is given up. Gives how many were given up.
    pub async fn note_unread_disputes(
        &self,
        payment: &Payment,
        read: &[ProviderDispute],
        unread_before: Millis,
    ) -> Result<u64> {
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let find = "select reference from disputes where order_id = $1 and attempt = $2 and status = 'open' limit 100";
            let open: Vec<String> =
                tx.query(find).bind(payment.order.0).bind(payment.attempt).fetch_values().await?;
            let mut given_up = 0;
            for reference in open {
                if read.iter().any(|dispute| dispute.reference == reference) {
                    continue;
                }
                let mark = "update disputes set unread_since = $3 where provider = $1 and reference = $2 and unread_since is null";
                tx.query(mark).bind(&payment.provider).bind(&reference).bind(now).execute().await?;
                let end = "update disputes set look_at = null, given_up_at = coalesce(given_up_at, $3)
                    where provider = $1 and reference = $2 and unread_since <= $4 and (given_up_at is null or look_at is not null)";
                let query = tx.query(end).bind(&payment.provider).bind(&reference).bind(now).bind(unread_before);
                given_up += query.execute().await?;
            }
            Ok(given_up)
        })
        .await
    }

    /// Reads the disputes of a payment.
    pub async fn disputes_of(&self, payment: &Payment) -> Result<Vec<ProviderDispute>> {
        let read = "select reference, status, needs_answer, amount, currency, reason, due_at, opened_at from disputes
            where order_id = $1 and attempt = $2 order by opened_at, reference limit 100";
        let query = self.query(read).bind(payment.order.0).bind(payment.attempt);
        query.fetch_all::<DisputeRow>().await?.into_iter().map(DisputeRow::into_dispute).collect()
    }

    /// Finds payments of which a dispute is to be asked for, and claims them until `next`, so that one node asks.
    pub async fn claim_disputed_payments(&self, now: Millis, next: Millis, most: i64) -> Result<Vec<Payment>> {
        let rows: Vec<(Uuid, i64)> = self
            .transaction(async |tx| {
                let read = "select provider, reference, order_id, attempt from disputes where look_at is not null and look_at <= $1
                    order by look_at limit $2";
                let due: Vec<(String, String, Uuid, i64)> = tx.query(read).bind(now).bind(most).fetch_all().await?;
                let mut claimed = Vec::with_capacity(due.len());
                for (provider, reference, order, attempt) in due {
                    let mark = "update disputes set look_at = $3 where provider = $1 and reference = $2 and look_at <= $4";
                    let mark = tx.query(mark).bind(provider).bind(reference).bind(next).bind(now);
                    if mark.execute().await? > 0 && !claimed.contains(&(order, attempt)) {
                        claimed.push((order, attempt));
                    }
                }
                Ok(claimed)
            })
            .await?;
        let mut payments = Vec::with_capacity(rows.len());
        for (order, attempt) in rows {
            payments.extend(self.payment(OrderId(order), attempt).await?);
        }
        Ok(payments)
    }

    /// Reads the disputes that have not ended: those that the shop has to answer first, by their deadline. At the end those that the team has
    /// closed at `closed_since` or later.
    pub async fn open_disputes(&self, closed_since: Millis, most: i64) -> Result<Vec<OpenDispute>> {
        let read = open_disputes!(
            "from (select * from disputes where status = 'open'
                union all select * from disputes where closed_at >= $1 and closed_as is not null) d
            order by case when d.status = 'open' then 0 else 1 end, d.needs_answer desc, coalesce(d.due_at, d.opened_at),
                d.reference limit $2"
        );
        let rows: Vec<OpenRow> = self.report_query(read).bind(closed_since).bind(most).fetch_all().await?;
        rows.into_iter().map(OpenRow::into_dispute).collect()
    }

    /// How many disputes were given up that nobody has closed.
    pub async fn count_disputes_to_close(&self) -> Result<i64> {
        let count = "select cast(count(*) as bigint) from disputes where status = 'open' and given_up_at is not null";
        self.query(count).fetch_value().await
    }

    /// Writes down how a dispute of an order ended that was given up, with the entry of the audit log. `reference`: its id at the provider;
    /// `None`: the one without details. To say the same again changes nothing, and a result that the team gave can be corrected; what the
    /// provider said stays.
    pub async fn close_dispute(
        &self,
        order: OrderId,
        reference: Option<&str>,
        result: DisputeResult,
        entry: &AuditEntry,
    ) -> Result<OpenDispute> {
        self.transaction(async |tx| {
            let find = tx.choose(DISPUTE_ON_POSTGRES, DISPUTE_ON_SQLITE);
            let found: Option<OpenRow> = tx.query(find).bind(order.0).bind(reference).fetch_optional().await?;
            let found = found.ok_or(Refusal::WrongStatus("The order has no such dispute."))?.into_dispute()?;
            let is_open = found.dispute.status == DisputeStatus::Open;
            match found.closed {
                Some((known, _)) if known == result => return Ok(found),
                None if !is_open => {
                    return Err(Refusal::WrongStatus("The payment provider has said how this dispute ended.").into());
                }
                None if !found.is_given_up => {
                    return Err(Refusal::WrongStatus("The payment provider is still asked for this dispute.").into());
                }
                Some(_) | None => {}
            }
            let now = tx.now().await?;
            let set =
                "update disputes set status = $3, closed_as = $4, closed_at = coalesce(closed_at, $5), look_at = null
                where provider = $1 and reference = $2";
            tx.query(set)
                .bind(&found.provider)
                .bind(&found.dispute.reference)
                .bind(result.status().name())
                .bind(result.name())
                .bind(now)
                .execute()
                .await?;
            insert_audit_entry(tx, entry).await?;
            let closed_at = found.closed.map_or(now, |(_, at)| at);
            let dispute = ProviderDispute { status: result.status(), ..found.dispute };
            Ok(OpenDispute { dispute, closed: Some((result, closed_at)), ..found })
        })
        .await
    }
}

/// A dispute of an order, by its reference. Without one: the dispute of which the provider gave no details. An order rarely has more than one
/// of those, and then the one that is open and was given up first comes first.
macro_rules! dispute_of_order {
    ($lock:literal) => {
        concat!(
            open_disputes!(
                "from disputes d where d.order_id = $1 and d.reference = coalesce($2, (select coalesce(p.reference, '')
                    from payments p where p.order_id = d.order_id and p.attempt = d.attempt))
                order by case when d.status = 'open' then 0 else 1 end, d.given_up_at limit 1"
            ),
            $lock
        )
    };
}

const DISPUTE_ON_POSTGRES: &str = dispute_of_order!(" for update of d");
const DISPUTE_ON_SQLITE: &str = dispute_of_order!("");
