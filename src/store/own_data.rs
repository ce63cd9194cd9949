//! What is stored about a user, for the user: the right of access.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Error, Result, Store, ids_to_json};
use crate::domain::{AccountId, MailId, MessageId, Millis, OfferId, OrderId, SanctionKind, StreamId, UserId};

/// Sessions, passkeys, identities and claimed coupons of one user: the shop lets nobody have more.
const ROWS_MAX: i64 = 1_000;

/// One thing that is stored about a user.
#[derive(Clone, PartialEq, Debug)]
pub struct OwnDatum {
    pub kind: &'static str,
    pub at: Millis,
    pub data: Value,
}

impl Store {
    /// What there is little of: the account, its sessions, passkeys and identities, follows, the saved address, saved cards and claimed coupons. Secrets and their hashes are left out.
    pub async fn own_data(&self, user: &UserId) -> Result<Vec<OwnDatum>> {
        let mut found = Vec::new();
        let mut add = |kind, at, data| found.push(OwnDatum { kind, at, data });
        if let Some(account) = AccountId::of_user(user) {
            let read = "select email, name, language, created_at from accounts where id = $1";
            type Account = (Option<String>, String, String, i64);
            let row: Option<Account> = self.query(read).bind(account.0).fetch_optional().await?;
            if let Some((email, name, language, at)) = row {
                add("account", at, json!({ "email": email, "name": name, "language": language }));
            }
            let read = "select f.email, p.id, p.title, f.created_at from follows f left join products p on p.id = f.target
                where f.email_normalized = (select a.email_normalized from accounts a where a.id = $1) order by f.created_at limit $2";
            type Follow = (String, Option<Uuid>, Option<String>, i64);
            let rows: Vec<Follow> = self.query(read).bind(account.0).bind(ROWS_MAX).fetch_all().await?;
            for (email, product, title, at) in rows {
                add("follow", at, json!({ "email": email, "product": product, "title": title }));
            }
            let read =
                "select name, created_at, last_used_at from passkeys where account = $1 order by created_at limit $2";
            let rows: Vec<(String, i64, Option<i64>)> =
                self.query(read).bind(account.0).bind(ROWS_MAX).fetch_all().await?;
            for (name, at, last_used_at) in rows {
                add("passkey", at, json!({ "name": name, "last_used_at": last_used_at }));
            }
            let read = "select issuer, subject, created_at from oidc_identities where account = $1 order by created_at limit $2";
            let rows: Vec<(String, String, i64)> = self.query(read).bind(account.0).bind(ROWS_MAX).fetch_all().await?;
            for (issuer, subject, at) in rows {
                add("identity", at, json!({ "issuer": issuer, "subject": subject }));
            }
        }
        let read = "select s.brand, s.last4, s.exp_month, s.exp_year, s.created_at from payment_customers c
            join saved_cards s on s.customer = c.id where c.user_id = $1 order by s.created_at limit $2";
        let rows: Vec<(String, String, i64, i64, i64)> =
            self.query(read).bind(user.as_str()).bind(ROWS_MAX).fetch_all().await?;
        for (brand, last4, exp_month, exp_year, at) in rows {
            let data = json!({ "brand": brand, "last4": last4, "exp_month": exp_month, "exp_year": exp_year });
            add("saved_card", at, data);
        }
        let read = "select name, user_agent, created_at, last_used_at from sign_in_sessions where user_id = $1
            order by created_at limit $2";
        let rows: Vec<(String, String, i64, i64)> =
            self.query(read).bind(user.as_str()).bind(ROWS_MAX).fetch_all().await?;
        for (name, user_agent, at, last_used_at) in rows {
            add("session", at, json!({ "name": name, "user_agent": user_agent, "last_used_at": last_used_at }));
        }
        let read = "select l.coupon, c.code, l.claimed_at from coupon_claims l join coupons c on c.id = l.coupon
            where l.user_id = $1 order by l.claimed_at limit $2";
        let rows: Vec<(Uuid, String, i64)> = self.query(read).bind(user.as_str()).bind(ROWS_MAX).fetch_all().await?;
        for (coupon, code, at) in rows {
            add("coupon_claim", at, json!({ "coupon": coupon, "code": code }));
        }
        let read = "select address, changed_at from saved_addresses where user_id = $1";
        let saved: Option<(String, i64)> = self.query(read).bind(user.as_str()).fetch_optional().await?;
        if let Some((address, at)) = saved {
            let address: Value =
                serde_json::from_str(&address).map_err(|error| Error::CorruptRow(error.to_string()))?;
            add("saved_address", at, address);
        }
        Ok(found)
    }

    /// A page of the stock alerts of a user, by offer.
    pub async fn stock_alerts_of_user(
        &self,
        user: &UserId,
        after: Option<OfferId>,
        limit: i64,
    ) -> Result<Vec<(OfferId, OwnDatum)>> {
        let read = "select offer, stream, created_at from stock_alerts where user_id = $1 and offer > $2
            order by offer limit $3";
        let after = after.map_or(Uuid::nil(), |offer| offer.0);
        let rows: Vec<(Uuid, Uuid, i64)> =
            self.query(read).bind(user.as_str()).bind(after).bind(limit).fetch_all().await?;
        let datum = |(offer, stream, at): (Uuid, Uuid, i64)| {
            (OfferId(offer), OwnDatum { kind: "stock_alert", at, data: json!({ "offer": offer, "stream": stream }) })
        };
        Ok(rows.into_iter().map(datum).collect())
    }

    /// A page of the mutes and bans of a user, by show.
    pub async fn sanctions_of_user(
        &self,
        user: &UserId,
        after: Option<(StreamId, SanctionKind)>,
        limit: i64,
    ) -> Result<Vec<((StreamId, SanctionKind), OwnDatum)>> {
        let read = "select stream, kind, until, reason, created_at from sanctions
            where user_id = $1 and (stream, kind) > ($2, $3) order by stream, kind limit $4";
        // A block in the whole shop has the id whose bits are all zero.
        let (stream, kind) = after.map_or((Uuid::nil(), ""), |(stream, kind)| (stream.0, kind.name()));
        type Row = (Uuid, String, Option<i64>, Option<String>, i64);
        let rows: Vec<Row> =
            self.query(read).bind(user.as_str()).bind(stream).bind(kind).bind(limit).fetch_all().await?;
        let datum = |(stream, kind, until, reason, at): Row| {
            let place = if kind == SanctionKind::Ban.name() { SanctionKind::Ban } else { SanctionKind::Mute };
            let data = json!({ "stream": stream, "kind": kind, "until": until, "reason": reason });
            ((StreamId(stream), place), OwnDatum { kind: "sanction", at, data })
        };
        Ok(rows.into_iter().map(datum).collect())
    }

    /// A page of the e-mails to a user, by id.
    pub async fn mails_of_user(
        &self,
        user: &UserId,
        after: Option<MailId>,
        limit: i64,
    ) -> Result<Vec<(MailId, OwnDatum)>> {
        let read = "select id, kind, to_address, language, status, created_at from mails
            where user_id = $1 and id > $2 order by id limit $3";
        let after = after.map_or(Uuid::nil(), |id| id.0);
        type Row = (Uuid, String, String, String, String, i64);
        let rows: Vec<Row> = self.query(read).bind(user.as_str()).bind(after).bind(limit).fetch_all().await?;
        let datum = |(id, kind, to, language, status, at): Row| {
            let data = json!({ "kind": kind, "to": to, "language": language, "status": status });
            (MailId(id), OwnDatum { kind: "mail", at, data })
        };
        Ok(rows.into_iter().map(datum).collect())
    }

    /// The refunds of these orders, and the withdrawals from them.
    pub async fn refunds_and_withdrawals_of(&self, orders: &[OrderId]) -> Result<Vec<(OrderId, OwnDatum)>> {
        let ids = ids_to_json(orders.iter().map(|order| order.0))?;
        let read = self.choose(
            "select order_id, amount, currency, status, reason, created_at from refunds
                where order_id = any (array(select json_array_elements_text($1::json)::uuid)) order by order_id, n",
            "select order_id, amount, currency, status, reason, created_at from refunds
                where order_id in (select unhex(value) from json_each($1)) order by order_id, n",
        );
        type RefundRow = (Uuid, i64, String, String, Option<String>, i64);
        let refunds: Vec<RefundRow> = self.query(read).bind(ids.clone()).fetch_all().await?;
        let refund = |(order, amount, currency, status, reason, at): RefundRow| {
            let data =
                json!({ "order": order, "amount": amount, "currency": currency, "status": status, "reason": reason });
            (OrderId(order), OwnDatum { kind: "refund", at, data })
        };
        let read = self.choose(
            "select order_id, created_at from withdrawals
                where order_id = any (array(select json_array_elements_text($1::json)::uuid))",
            "select order_id, created_at from withdrawals where order_id in (select unhex(value) from json_each($1))",
        );
        let withdrawals: Vec<(Uuid, i64)> = self.query(read).bind(ids).fetch_all().await?;
        let withdrawal = |(order, at): (Uuid, i64)| {
            (OrderId(order), OwnDatum { kind: "withdrawal", at, data: json!({ "order": order }) })
        };
        Ok(refunds.into_iter().map(refund).chain(withdrawals.into_iter().map(withdrawal)).collect())
    }

    /// A page of what a user wrote in the chat of all shows, by show, with the place from which the next page goes on.
    pub async fn messages_of_user(
        &self,
        user: &UserId,
        after: Option<(StreamId, MessageId)>,
        limit: i64,
    ) -> Result<Vec<(StreamId, MessageId, OwnDatum)>> {
        let read = "select stream, id, at, user_name, body, status from messages
            where user_id = $1 and (stream > $2 or stream = $2 and id > $3) order by stream, id limit $4";
        let (stream, id) = after.map_or((Uuid::nil(), Uuid::nil()), |(stream, id)| (stream.0, id.0));
        type Row = (Uuid, Uuid, i64, String, String, String);
        let query = self.report_query(read).bind(user.as_str()).bind(stream).bind(id).bind(limit);
        let rows: Vec<Row> = query.fetch_all().await?;
        let datum = |(stream, id, at, name, text, status): Row| {
            let data = json!({ "id": id, "stream": stream, "name": name, "text": text, "status": status });
            (StreamId(stream), MessageId(id), OwnDatum { kind: "message", at, data })
        };
        Ok(rows.into_iter().map(datum).collect())
    }
}
