//! Coupons: what the team makes, changes and ends. Which order has one is in `coupon_use.rs`.

use uuid::Uuid;

use super::audit::insert_audit_entry;
use super::row::from_row;
use super::transaction::Transaction;
use super::{Error, KeyedRequest, Result, Store, from_json, ids_to_json, to_json};
use crate::domain::coupon::COUPONS_MAX;
use crate::domain::{
    AuditEntry, Coupon, CouponChange, CouponCode, CouponDiscount, CouponId, CouponProblem, ProductId, Refusal, StreamId,
};

pub(super) struct CouponRow {
    id: Uuid,
    code: String,
    percent_bp: Option<i64>,
    amount: Option<i64>,
    currency: String,
    starts_at: i64,
    ends_at: Option<i64>,
    quota: Option<i64>,
    per_person: i64,
    minimum: i64,
    products: String,
    stream: Option<Uuid>,
    uses: i64,
    ended_at: Option<i64>,
    created_at: i64,
    version: i64,
}

from_row!(CouponRow {
    id,
    code,
    percent_bp,
    amount,
    currency,
    starts_at,
    ends_at,
    quota,
    per_person,
    minimum,
    products,
    stream,
    uses,
    ended_at,
    created_at,
    version
});

impl CouponRow {
    pub fn into_coupon(self) -> Result<Coupon> {
        let corrupt = || Error::CorruptRow(format!("coupon {}", self.id));
        let discount = match (self.percent_bp, self.amount) {
            (Some(rate), None) => CouponDiscount::Percent(rate),
            (None, Some(amount)) => CouponDiscount::Amount(amount),
            _ => return Err(corrupt()),
        };
        Ok(Coupon {
            id: CouponId(self.id),
            code: CouponCode::parse(&self.code).ok_or_else(corrupt)?,
            discount,
            currency: self.currency,
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            quota: self.quota,
            per_person: self.per_person,
            minimum: self.minimum,
            products: from_json::<Vec<ProductId>>(&self.products)?,
            stream: self.stream.map(StreamId),
            uses: self.uses,
            ended_at: self.ended_at,
            created_at: self.created_at,
            version: self.version,
        })
    }
}

/// Every column of a coupon between its two halves.
macro_rules! coupons {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " c.id, c.code, c.percent_bp, c.amount, c.currency, c.starts_at, c.ends_at, c.quota, c.per_person, c.minimum,
            c.products, c.stream, c.uses, c.ended_at, c.created_at, c.version ",
            $after
        )
    };
}

pub(super) use coupons;

impl Store {
    /// Stores a new coupon; the same key again gives the id of the first. Refused when another coupon that was not ended has its code.
    pub async fn create_coupon(&self, new: &Coupon, request: &KeyedRequest) -> Result<CouponId> {
        self.transaction(async |tx| {
            if let Some(earlier) = tx.take_key(Some(request), new.id.0).await? {
                return Ok(CouponId(earlier));
            }
            tx.lock_name("coupons").await?;
            let count = "select cast(count(*) as bigint) from coupons where ended_at is null";
            if COUPONS_MAX <= tx.query(count).fetch_value::<i64>().await? {
                return Err(Refusal::WrongStatus("There are too many coupons; end some first.").into());
            }
            check_parts(tx, new).await?;
            let (percent_bp, amount) = new.discount.parts();
            let insert =
                "insert into coupons (id, code, folded, percent_bp, amount, currency, starts_at, ends_at, quota,
                    per_person, minimum, products, stream, created_at, by_user, version)
                values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
                on conflict (folded) where ended_at is null do nothing";
            let inserted = tx
                .query(insert)
                .bind(new.id.0)
                .bind(&new.code.text)
                .bind(&new.code.folded)
                .bind(percent_bp)
                .bind(amount)
                .bind(&new.currency)
                .bind(new.starts_at)
                .bind(new.ends_at)
                .bind(new.quota)
                .bind(new.per_person)
                .bind(new.minimum)
                .bind(to_json(&new.products)?)
                .bind(new.stream.map(|stream| stream.0))
                .bind(new.created_at)
                .bind(request.user.as_str())
                .bind(new.version)
                .execute()
                .await?;
            if inserted == 0 {
                return Err(Refusal::invalid_value("code", "is the code of a coupon that was not ended.").into());
            }
            Ok(new.id)
        })
        .await
    }

    pub async fn coupon(&self, id: CouponId) -> Result<Option<Coupon>> {
        let row: Option<CouponRow> =
            self.query(coupons!("select", "from coupons c where c.id = $1")).bind(id.0).fetch_optional().await?;
        row.map(CouponRow::into_coupon).transpose()
    }

    /// A page of the coupons, newest first, before `after`.
    pub async fn coupons(&self, after: Option<CouponId>, limit: i64) -> Result<Vec<Coupon>> {
        let read = coupons!("select", "from coupons c where c.id < $1 order by c.id desc limit $2");
        let before = after.map_or(Uuid::max(), |id| id.0);
        let rows: Vec<CouponRow> = self.query(read).bind(before).bind(limit).fetch_all().await?;
        rows.into_iter().map(CouponRow::into_coupon).collect()
    }

    /// Is there a coupon that can be used now?
    pub async fn has_coupons(&self) -> Result<bool> {
        let find = "select c.id from coupons c where c.ended_at is null and c.starts_at <= $1
            and (c.ends_at is null or c.ends_at > $1) limit 1";
        let now = self.now().await?;
        Ok(self.query(find).bind(now).fetch_optional_value::<Uuid>().await?.is_some())
    }

    /// Changes a coupon, with its entry in the audit log.
    pub async fn change_coupon(&self, id: CouponId, change: CouponChange, entry: &AuditEntry) -> Result<Coupon> {
        self.transaction(async |tx| {
            let before = lock_coupon(tx, id).await?.ok_or(Refusal::Coupon(CouponProblem::Unknown))?;
            let now = tx.now().await?;
            let next = change.apply(&before, now)?;
            if next == before {
                return Ok(next);
            }
            let set = "update coupons set ends_at = $2, quota = $3, per_person = $4, ended_at = $5, version = $6
                where id = $1";
            let set = tx.query(set).bind(id.0).bind(next.ends_at).bind(next.quota).bind(next.per_person);
            set.bind(next.ended_at).bind(next.version).execute().await?;
            insert_audit_entry(tx, &AuditEntry { name: Some(next.code.text.clone()), ..entry.clone() }).await?;
            Ok(next)
        })
        .await
    }

    /// Coupons whose counter differs from the orders that have them. It must always be empty.
    pub async fn coupon_mismatches(&self) -> Result<Vec<CouponId>> {
        let ids: Vec<Uuid> = self.query("select id from coupon_mismatches").fetch_values().await?;
        Ok(ids.into_iter().map(CouponId).collect())
    }
}

/// Locks a coupon's row, and reads it as it is then.
pub(super) async fn lock_coupon(tx: &mut Transaction<'_>, id: CouponId) -> Result<Option<Coupon>> {
    let lock = tx.choose(
        coupons!("select", "from coupons c where c.id = $1 for no key update"),
        coupons!("select", "from coupons c where c.id = $1"),
    );
    let row: Option<CouponRow> = tx.query(lock).bind(id.0).fetch_optional().await?;
    row.map(CouponRow::into_coupon).transpose()
}

/// Refuses products and a show that do not exist, and a currency that the shop has no longer.
async fn check_parts(tx: &mut Transaction<'_>, new: &Coupon) -> Result<()> {
    let currency = "select currency from shops order by created_at limit 1";
    let currency: Option<String> = tx.query(currency).fetch_optional_value().await?;
    if currency.is_some_and(|currency| currency != new.currency) {
        // Another node has changed it, and this node receives the change in a moment.
        return Err(Refusal::Busy { retry_ms: 1_000 }.into());
    }
    let count = tx.choose(
        "select cast(count(*) as bigint) from products
            where id = any (array(select value::uuid from json_array_elements_text($1::json)))",
        "select cast(count(*) as bigint) from products where id in (select unhex(value) from json_each($1))",
    );
    let known: i64 = match new.products.is_empty() {
        true => 0,
        false => tx.query(count).bind(ids_to_json(new.products.iter().map(|id| id.0))?).fetch_value().await?,
    };
    if known != new.products.len() as i64 {
        return Err(Refusal::invalid_value("products", "has a product that does not exist.").into());
    }
    let Some(stream) = new.stream else { return Ok(()) };
    let find = "select id from streams where id = $1";
    match tx.query(find).bind(stream.0).fetch_optional_value::<Uuid>().await? {
        Some(_) => Ok(()),
        None => Err(Refusal::NoSuchStream.into()),
    }
}
