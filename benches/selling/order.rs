//! An order of three lines: one buyer takes three items of a show into one order, compared with a transaction that locks three stock
//! rows. And how many orders are bought and paid each second.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::{Context, ensure};
use livesouk::app::App;
use livesouk::domain::{IdempotencyKey, OfferId, OrderId};
use sqlx::postgres::PgPool;
use uuid::Uuid;

use super::contender::{CheckoutBackend, Contender, ContenderKind, PER_BUYER, QUANTITY, viewer};
use super::load::closed_loop_of;
use super::report::median;

/// Lines of an order.
const LINES: usize = 3;
/// Buyers who pay at the same time. A payment takes several transactions.
const PAYING: usize = 100;

pub struct OrderOfThreeResult {
    /// Livesouk's orders of three lines, as a multiple of the twin's.
    pub ratio: f64,
    pub orders_per_second: [f64; 2],
    pub paid_per_second: f64,
}

impl std::fmt::Display for OrderOfThreeResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [ours, twin] = self.orders_per_second;
        writeln!(f, "orders of three lines: {ours:.0} per second; the twin: {twin:.0}")?;
        writeln!(f, "ratio bag_of_3_vs_row_lock {:.1}", self.ratio)?;
        write!(f, "figure orders_paid_s {:.0}", self.paid_per_second)
    }
}

/// Lets the two implementations take turns in each round.
pub async fn measure(
    contenders: &[Contender],
    rounds: usize,
    buyers: usize,
    length: Duration,
) -> anyhow::Result<OrderOfThreeResult> {
    let find = |kind| contenders.iter().find(|contender| contender.kind == kind).context("a contender is missing");
    let (livesouk, twin) = (find(ContenderKind::LivesoukPostgres)?, find(ContenderKind::RowLock)?);
    let CheckoutBackend::RowLock(pool, _) = &*twin.backend() else { anyhow::bail!("the twin has another backend") };
    let (mut ours, mut theirs, mut ratios, mut paid) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}: orders of three lines and payments");
        let (app, offers) = offers_of(livesouk).await?;
        let own =
            rate_of(buyers, length, async |number| Box::pin(reserve_and_order(&app, &offers, number)).await).await?;
        let (_, mut rows) = offers_of(twin).await?;
        rows.sort_by_key(|offer| offer.0);
        let other = rate_of(buyers, length, async |number| lock_rows_and_order(pool, &rows, number).await).await?;
        ours.push(own);
        theirs.push(other);
        ratios.push(own / other);
        paid.push(rate_of(PAYING, length, async |number| Box::pin(buy_and_pay(&app, offers[0], number)).await).await?);
    }
    Ok(OrderOfThreeResult {
        ratio: median(ratios),
        orders_per_second: [median(ours), median(theirs)],
        paid_per_second: median(paid),
    })
}

/// How often `purchase` is done each second, by new buyers.
async fn rate_of(
    buyers: usize,
    length: Duration,
    purchase: impl AsyncFn(u64) -> anyhow::Result<()>,
) -> anyhow::Result<f64> {
    static NUMBERS: AtomicU64 = AtomicU64::new(0);
    Ok(closed_loop_of(&NUMBERS, buyers, length, purchase).await?.per_second())
}

async fn offers_of(contender: &Contender) -> anyhow::Result<(App, Vec<OfferId>)> {
    let mut offers = Vec::new();
    let mut app = None;
    for _ in 0..LINES {
        let (of_shop, offer) = contender.create_offer(QUANTITY).await?.context("a shop with a database")?;
        offers.push(offer);
        app = Some(of_shop);
    }
    Ok((app.context("an app")?, offers))
}

fn key(text: String) -> anyhow::Result<IdempotencyKey> {
    IdempotencyKey::parse(&text).map_err(|refusal| anyhow::anyhow!("{refusal}"))
}

/// Livesouk: three reservations side by side, then one order of them.
async fn reserve_and_order(app: &App, offers: &[OfferId], number: u64) -> anyhow::Result<()> {
    let buyer = viewer(&format!("buyer-of-three-{number}"))?;
    let reserve = async |item: usize| {
        let bought = app.checkout.buy(&buyer, offers[item], 1, key(format!("key-of-three-{number}-{item}"))?).await?;
        anyhow::Ok(bought.reservation.id)
    };
    let (one, two, three) = tokio::try_join!(reserve(0), reserve(1), reserve(2))?;
    app.checkout.open_order(&buyer, &[one, two, three]).await?;
    Ok(())
}

async fn buy_and_pay(app: &App, offer: OfferId, number: u64) -> anyhow::Result<()> {
    let buyer = viewer(&format!("payer-{number}"))?;
    let bought = app.checkout.buy(&buyer, offer, 1, key(format!("key-of-{number}-buy"))?).await?;
    let order = OrderId(bought.reservation.id.0);
    app.checkout.pay(&buyer, order, "ok", None, key(format!("key-of-{number}-pay"))?).await?;
    Ok(())
}

/// The twin: one transaction locks the three rows in one order, checks them, writes three lines and the order, and commits. A statement
/// for each step, not for each row.
async fn lock_rows_and_order(pool: &PgPool, offers: &[OfferId], number: u64) -> anyhow::Result<()> {
    let (buyer, ids) = (format!("buyer-of-three-{number}"), offers.iter().map(|offer| offer.0).collect::<Vec<_>>());
    let mut tx = pool.begin().await?;
    let lock = "select stream, quantity, reserved, next_place, price, currency, hold_ms,
        (extract(epoch from clock_timestamp()) * 1000)::bigint from offers
        where id = any ($1) and stage = 'open' order by id for update";
    type Row = (Uuid, i64, i64, i64, i64, String, i64, i64);
    let rows: Vec<Row> = sqlx::query_as(lock).bind(&ids).fetch_all(&mut *tx).await?;
    let owned = "select coalesce(max(n), 0)::bigint from (select sum(qty - returned) n from reservations
        where offer = any ($1) and person = $2 and status in ('held', 'capturing', 'sold') group by offer) each";
    let owned: i64 = sqlx::query_scalar(owned).bind(&ids).bind(&buyer).fetch_one(&mut *tx).await?;
    let has_units = rows.iter().all(|(_, quantity, reserved, ..)| reserved < quantity);
    ensure!(rows.len() == LINES && has_units && owned < PER_BUYER, "refused");
    let (stream, currency, hold_ms, now) = (rows[0].0, &rows[0].5, rows[0].6, rows[0].7);
    let reservations: Vec<Uuid> = ids.iter().map(|_| Uuid::now_v7()).collect();
    let order = reservations[0];
    let insert = "insert into reservations (id, stream, offer, buyer, buyer_name, key, hash, status, qty, amount, currency, place,
            created_at, hold_until, changed_at, person, order_id)
        select line.id, $1, line.offer, $2, $2, $2 || '-' || line.n, $3, 'held', 1, line.price, $4, line.place, $5, $6, $5, $2, $7
        from unnest($8::uuid[], $9::uuid[], $10::bigint[], $11::bigint[]) with ordinality line (id, offer, price, place, n)";
    sqlx::query(insert)
        .bind(stream)
        .bind(&buyer)
        .bind(&[0_u8; 32][..])
        .bind(currency)
        .bind(now)
        .bind(now + hold_ms)
        .bind(order)
        .bind(&reservations)
        .bind(&ids)
        .bind(rows.iter().map(|row| row.4).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.3).collect::<Vec<_>>())
        .execute(&mut *tx)
        .await?;
    let write = "insert into orders (id, stream, buyer, status, currency, created_at, changed_at) values ($1, $2, $3, 'open', $4, $5, $5)";
    sqlx::query(write).bind(order).bind(stream).bind(&buyer).bind(currency).bind(now).execute(&mut *tx).await?;
    let take = "update offers set reserved = reserved + 1, next_place = next_place + 1, version = version + 1 where id = any ($1)";
    sqlx::query(take).bind(&ids).execute(&mut *tx).await?;
    Ok(tx.commit().await?)
}
