//! Invoices and credit notes: what needs one, how it gets its number, and the lists.
//!
//! A document and its number are written in one transaction, and only one such transaction runs at a time: the numbers of a year have no
//! gap and no double, however many nodes make documents and whenever one of them dies. No document is ever changed or deleted.

use uuid::Uuid;

use super::address::address_of;
use super::address_retention::CLOCKS_DIFFER_MS;
use super::order::read_order;
use super::row::from_row;
use super::transaction::Transaction;
use super::{Error, Result, Store, from_json, ids_to_json, require_known, to_json};
use crate::domain::{
    BillingBody, BillingDocumentId, CreditedSoFar, DocumentKind, Issuer, Millis, Order, OrderId, OrderQuote,
    QuoteRules, RefundToCredit, ReturnedLine, SoldItem,
};

/// The name that the one transaction locks which gives a number.
const NUMBERS: &str = "billing_documents";
/// The buyers that a demo simulates.
const CROWD: &str = "crowd:";

/// An invoice or a credit note.
#[derive(Clone, PartialEq, Debug)]
pub struct BillingDocument {
    pub id: BillingDocumentId,
    pub kind: DocumentKind,
    pub year: i64,
    pub number: i64,
    pub order: OrderId,
    /// The number of the refund in its order; of a credit note.
    pub refund: Option<i64>,
    pub issued_at: Millis,
    pub body: BillingBody,
}

/// What came of a payment or a refund without a document.
#[derive(Clone, PartialEq, Debug)]
pub enum IssuedDocument {
    Made(Box<BillingDocument>),
    /// It needs none, or another node has made it.
    NotNeeded,
    /// Its invoice comes first.
    NotYet,
}

/// A payment or a refund without its document.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DueDocument {
    pub order: OrderId,
    /// The number of the refund; `None`: the invoice of the order.
    pub refund: Option<i64>,
    /// When it was paid or given back.
    pub at: Millis,
}

struct BillingRow {
    id: Uuid,
    kind: String,
    year: i64,
    number: i64,
    order_id: Uuid,
    refund: Option<i64>,
    issued_at: i64,
    body: String,
}

from_row!(BillingRow { id, kind, year, number, order_id, refund, issued_at, body });

impl BillingRow {
    fn into_document(self) -> Result<BillingDocument> {
        Ok(BillingDocument {
            id: BillingDocumentId(self.id),
            kind: require_known(DocumentKind::parse(&self.kind), "kind of a document", &self.kind)?,
            year: self.year,
            number: self.number,
            order: OrderId(self.order_id),
            refund: self.refund,
            issued_at: self.issued_at,
            body: from_json(&self.body)?,
        })
    }
}

const DOCUMENTS_OF_ORDER: &str =
    "select id, kind, year, number, order_id, refund, issued_at, body from billing_documents
    where order_id = $1 order by id limit 200";

impl Store {
    /// Finds payments and refunds without a document, the oldest first; all payments come before all refunds.
    pub async fn due_documents(&self, most: i64) -> Result<Vec<DueDocument>> {
        self.due_documents_beyond((0, 0), most).await
    }

    /// The same without the first payments and refunds: this many of each could not get theirs now.
    pub async fn due_documents_beyond(&self, left_out: (i64, i64), most: i64) -> Result<Vec<DueDocument>> {
        let paid = "select id, paid_at from orders where documented is null and paid_at is not null
            and paid_at >= (select since from billing_begin where one = 1) order by paid_at, id limit $1 offset $2";
        let paid: Vec<(Uuid, i64)> = self.query(paid).bind(most).bind(left_out.0).fetch_all().await?;
        let given_back = "select order_id, n, changed_at from refunds where documented is null and status = 'done'
            and changed_at >= (select since from billing_begin where one = 1) order by changed_at, order_id, n limit $1
                offset $2";
        let given_back: Vec<(Uuid, i64, i64)> = self.query(given_back).bind(most).bind(left_out.1).fetch_all().await?;
        let paid = paid.into_iter().map(|(order, at)| DueDocument { order: OrderId(order), refund: None, at });
        let given_back =
            given_back.into_iter().map(|(order, n, at)| DueDocument { order: OrderId(order), refund: Some(n), at });
        Ok(paid.chain(given_back).collect())
    }

    /// Makes the document of a payment or a refund, with the next number of its kind in the year of the shop.
    pub async fn issue_document(&self, due: &DueDocument, issuer: &Issuer, now: Millis) -> Result<IssuedDocument> {
        let issued = self.issue_documents(std::slice::from_ref(due), issuer, now).await?;
        issued.into_iter().next().ok_or_else(|| Error::CorruptRow(format!("order {} got no document", due.order)))
    }

    /// The same for several in one transaction, which makes all of them or none: what came of each, in their order.
    pub async fn issue_documents(
        &self,
        due: &[DueDocument],
        issuer: &Issuer,
        now: Millis,
    ) -> Result<Vec<IssuedDocument>> {
        self.transaction(async |tx| {
            tx.limit_lock_wait().await?;
            tx.lock_name(NUMBERS).await?;
            let mut issued = Vec::with_capacity(due.len());
            for one in due {
                issued.push(match one.refund {
                    None => issue_invoice(tx, one.order, issuer, now).await?,
                    Some(n) => issue_credit_note(tx, one.order, n, issuer, now).await?,
                });
            }
            Ok(issued)
        })
        .await
    }

    /// The invoice and the credit notes of an order, in the order in which they were made.
    pub async fn documents_of_order(&self, order: OrderId) -> Result<Vec<BillingDocument>> {
        let rows: Vec<BillingRow> = self.query(DOCUMENTS_OF_ORDER).bind(order.0).fetch_all().await?;
        rows.into_iter().map(BillingRow::into_document).collect()
    }

    /// The documents of several orders, in the order in which they were made.
    pub async fn documents_of_orders(&self, orders: &[OrderId]) -> Result<Vec<BillingDocument>> {
        let read = self.choose(
            "select id, kind, year, number, order_id, refund, issued_at, body from billing_documents
                where order_id = any (array(select json_array_elements_text($1::json)::uuid)) order by id",
            "select id, kind, year, number, order_id, refund, issued_at, body from billing_documents
                where order_id in (select unhex(value) from json_each($1)) order by id",
        );
        let ids = ids_to_json(orders.iter().map(|order| order.0))?;
        let rows: Vec<BillingRow> = self.query(read).bind(ids).fetch_all().await?;
        rows.into_iter().map(BillingRow::into_document).collect()
    }

    /// A page of all documents, the newest first, of those that were made from `since` on and before `until`.
    pub async fn billing_documents(
        &self,
        kind: Option<DocumentKind>,
        (since, until): (Option<Millis>, Option<Millis>),
        after: Option<BillingDocumentId>,
        limit: i64,
    ) -> Result<Vec<BillingDocument>> {
        let read = "select id, kind, year, number, order_id, refund, issued_at, body from billing_documents
            where id < $1 and id >= $6 and ($2 = '' or kind = $2) and issued_at >= $3 and issued_at < $4 order by id desc limit $5";
        // The time in an id is that of a node, the other one the database's.
        let first = BillingDocumentId::first_at(since.unwrap_or(0).saturating_sub(CLOCKS_DIFFER_MS));
        let query = self.report_query(read).bind(after.map_or(Uuid::max(), |id| id.0));
        let query = query.bind(kind.map_or("", DocumentKind::name)).bind(since.unwrap_or(0));
        let rows: Vec<BillingRow> =
            query.bind(until.unwrap_or(Millis::MAX)).bind(limit).bind(first.0).fetch_all().await?;
        rows.into_iter().map(BillingRow::into_document).collect()
    }
}

async fn issue_invoice(tx: &mut Transaction<'_>, id: OrderId, issuer: &Issuer, now: Millis) -> Result<IssuedDocument> {
    let find = "select paid_at from orders where id = $1 and documented is null";
    let paid_at: Option<Option<i64>> = tx.query(find).bind(id.0).fetch_optional_value().await?;
    let Some(paid_at) = paid_at.flatten() else { return Ok(IssuedDocument::NotNeeded) };
    let order = read_order(tx, id).await?;
    let quote = match &order.quote {
        Some(quote) => OrderQuote::clone(quote),
        // From before there were quotes: it cost the sum of its lines.
        None => plain_quote(&order)?,
    };
    mark_documented(tx, "update orders set documented = 1 where id = $1", id, None).await?;
    // What costs nothing needs no invoice, and what a demo simulates is no sale.
    if quote.total == 0 || order.buyer.as_str().starts_with(CROWD) {
        return Ok(IssuedDocument::NotNeeded);
    }
    let address = address_of(tx, id).await?;
    let body = BillingBody::invoice(issuer, &order, &quote, address, paid_at);
    insert_document(tx, (DocumentKind::Invoice, issuer.year_of(now)), (id, None), now, body).await
}

fn plain_quote(order: &Order) -> Result<OrderQuote> {
    let lines: Vec<_> = order.lines.iter().map(|line| (line, SoldItem::default())).collect();
    Ok(OrderQuote::of(&lines, None, QuoteRules::default(), None)?)
}

async fn issue_credit_note(
    tx: &mut Transaction<'_>,
    order: OrderId,
    n: i64,
    issuer: &Issuer,
    now: Millis,
) -> Result<IssuedDocument> {
    let find = "select amount, delivery, changed_at from refunds
        where order_id = $1 and n = $2 and status = 'done' and documented is null";
    let found: Option<(i64, i64, i64)> = tx.query(find).bind(order.0).bind(n).fetch_optional().await?;
    let Some((amount, delivery, at)) = found else { return Ok(IssuedDocument::NotNeeded) };
    let rows: Vec<BillingRow> = tx.query(DOCUMENTS_OF_ORDER).bind(order.0).fetch_all().await?;
    let documents: Vec<BillingDocument> = rows.into_iter().map(BillingRow::into_document).collect::<Result<_>>()?;
    let invoice = documents.iter().find(|document| document.kind == DocumentKind::Invoice);
    if invoice.is_none() && is_invoice_due(tx, order).await? {
        return Ok(IssuedDocument::NotYet);
    }
    let set = "update refunds set documented = 1 where order_id = $1 and n = $2";
    mark_documented(tx, set, order, Some(n)).await?;
    // Without an invoice there is nothing to correct: the order is from before, or nothing was paid.
    let Some(invoice) = invoice else { return Ok(IssuedDocument::NotNeeded) };
    let given_back = "select cast(coalesce(sum(amount), 0) as bigint) from refunds
        where order_id = $1 and status = 'done' and documented = 1";
    let given_back: i64 = tx.query(given_back).bind(order.0).fetch_value().await?;
    let lines =
        "select reservation, qty, amount, goods from refund_lines where order_id = $1 and n = $2 order by reservation";
    let lines: Vec<(Uuid, i64, i64, i64)> = tx.query(lines).bind(order.0).bind(n).fetch_all().await?;
    let line =
        |(reservation, qty, amount, goods)| ReturnedLine { reservation: OrderId(reservation), qty, amount, goods };
    let lines = lines.into_iter().map(line).collect();
    let mut before = CreditedSoFar::default();
    documents.iter().filter(|known| known.kind == DocumentKind::CreditNote).for_each(|note| before.add(&note.body));
    let refund = RefundToCredit { at, amount, delivery, lines, given_back };
    let corrected = invoice.kind.number_text(invoice.year, invoice.number);
    match BillingBody::credit_note(issuer, &invoice.body, corrected, &before, &refund)? {
        None => Ok(IssuedDocument::NotNeeded),
        Some(body) => {
            let year = issuer.year_of(now);
            insert_document(tx, (DocumentKind::CreditNote, year), (order, Some(n)), now, body).await
        }
    }
}

/// Whether the invoice of an order is still to be made.
async fn is_invoice_due(tx: &mut Transaction<'_>, order: OrderId) -> Result<bool> {
    let count = "select cast(count(*) as bigint) from orders where id = $1 and documented is null
        and paid_at >= (select since from billing_begin where one = 1)";
    Ok(tx.query(count).bind(order.0).fetch_value::<i64>().await? > 0)
}

async fn mark_documented(tx: &mut Transaction<'_>, set: &'static str, order: OrderId, n: Option<i64>) -> Result<()> {
    let query = tx.query(set).bind(order.0);
    let query = match n {
        Some(n) => query.bind(n),
        None => query,
    };
    match query.execute().await? {
        1 => Ok(()),
        _ => Err(Error::CorruptRow(format!("order {order} has no row to document"))),
    }
}

async fn insert_document(
    tx: &mut Transaction<'_>,
    (kind, year): (DocumentKind, i64),
    (order, refund): (OrderId, Option<i64>),
    now: Millis,
    body: BillingBody,
) -> Result<IssuedDocument> {
    let last = "select cast(coalesce(max(number), 0) as bigint) from billing_documents where kind = $1 and year = $2";
    let last: i64 = tx.query(last).bind(kind.name()).bind(year).fetch_value().await?;
    let document = BillingDocument {
        id: BillingDocumentId::new(),
        kind,
        year,
        number: last + 1,
        order,
        refund,
        issued_at: now,
        body,
    };
    let insert = "insert into billing_documents (id, kind, year, number, order_id, refund, issued_at, currency, total, tax, body)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    tx.query(insert)
        .bind(document.id.0)
        .bind(kind.name())
        .bind(year)
        .bind(document.number)
        .bind(order.0)
        .bind(refund)
        .bind(now)
        .bind(&document.body.currency)
        .bind(document.body.total)
        .bind(document.body.tax)
        .bind(to_json(&document.body)?)
        .execute()
        .await?;
    Ok(IssuedDocument::Made(Box::new(document)))
}
