//! The implementations that are compared. Each sells the same offer by the same rules; they differ in how they keep the
//! stock correct.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use anyhow::{bail, ensure};
use livesouk::app::{App, Settings};
use livesouk::broker::Broker;
use livesouk::clock::Clock;
use livesouk::domain::offer::NewOffer;
use livesouk::domain::{
    Actor, ChatRules, IdempotencyKey, LiveStream, Name, OfferId, Product, Role, Shop, ShopId, StreamId, StreamStatus,
    UserId, Variant, VariantId,
};
use livesouk::store::Store;
use sqlx::postgres::{PgPool, PgPoolOptions};
use uuid::Uuid;

use testkit::bench_servers::{BenchPostgres, BenchRedis};

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum ContenderKind {
    RowLock,
    RoundTrip,
    LivesoukPostgres,
    LivesoukSqlite,
    RedisGate,
}

impl ContenderKind {
    pub const ALL: [ContenderKind; 5] = [
        ContenderKind::RowLock,
        ContenderKind::RoundTrip,
        ContenderKind::LivesoukPostgres,
        ContenderKind::LivesoukSqlite,
        ContenderKind::RedisGate,
    ];

    pub fn name(self) -> &'static str {
        match self {
            ContenderKind::RowLock => "(a) PostgreSQL, a transaction per purchase",
            ContenderKind::RoundTrip => "(b) the same in one round trip",
            ContenderKind::LivesoukPostgres => "(c) Livesouk on PostgreSQL",
            ContenderKind::LivesoukSqlite => "(d) Livesouk on SQLite",
            ContenderKind::RedisGate => "(e) Redis Lua gate, nothing stored",
        }
    }

    /// The letter in `BENCH_ONLY`.
    pub fn letter(self) -> char {
        self.name().chars().nth(1).unwrap_or_default()
    }

    /// Whether it can follow the fast open loop.
    pub fn is_fast(self) -> bool {
        !matches!(self, ContenderKind::RowLock | ContenderKind::RoundTrip)
    }
}

/// Most applications have a pool of about sixteen connections for everything.
const POOL_SIZE: u32 = 16;
pub const QUANTITY: i64 = 10_000_000;
pub const PER_BUYER: i64 = 2;
const PRICE: i64 = 4_900;

pub struct Contender {
    pub kind: ContenderKind,
    /// The number of the next new buyer.
    pub buyer_numbers: Arc<AtomicU64>,
    offers: OfferFactory,
    backend: Arc<CheckoutBackend>,
}

/// Creates the offers in Livesouk's own tables, also for the plain implementations.
struct OfferFactory {
    store: Option<(Store, App)>,
    stream: StreamId,
    variant: VariantId,
}

/// Where a buyer's purchase goes.
pub enum CheckoutBackend {
    RowLock(PgPool, OfferId),
    RoundTrip(PgPool, OfferId),
    Livesouk(App, OfferId),
    RedisGate(redis::aio::MultiplexedConnection, redis::Script, OfferId),
}

impl Contender {
    pub async fn open(
        kind: ContenderKind,
        postgres: &BenchPostgres,
        redis: &BenchRedis,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let (stream, variant) = (StreamId::new(), VariantId::new());
        let url = match kind {
            ContenderKind::RowLock => Some(postgres.create("row_lock").await?),
            ContenderKind::RoundTrip => Some(postgres.create("round_trip").await?),
            ContenderKind::LivesoukPostgres => Some(postgres.create("livesouk").await?),
            ContenderKind::LivesoukSqlite => Some(format!("sqlite:{}", folder.join("shop.db").display())),
            ContenderKind::RedisGate => None,
        };
        let store = match &url {
            Some(url) => Some(create_shop(url, stream, variant).await?),
            None => None,
        };
        let none = OfferId::new();
        let backend = match (kind, &store, &url) {
            (ContenderKind::RowLock, _, Some(url)) => CheckoutBackend::RowLock(pool(url).await?, none),
            (ContenderKind::RoundTrip, _, Some(url)) => CheckoutBackend::RoundTrip(round_trip(url).await?, none),
            (ContenderKind::LivesoukPostgres | ContenderKind::LivesoukSqlite, Some((_, app)), _) => {
                CheckoutBackend::Livesouk(app.clone(), none)
            }
            _ => {
                let connection = redis::Client::open(redis.url())?.get_multiplexed_async_connection().await?;
                CheckoutBackend::RedisGate(connection, redis::Script::new(GATE_SCRIPT), none)
            }
        };
        let shop = OfferFactory { store, stream, variant };
        Ok(Self { kind, buyer_numbers: Arc::default(), offers: shop, backend: Arc::new(backend) })
    }

    /// A fresh offer for the next round, so that no implementation works on old rows.
    pub async fn new_offer(&mut self) -> anyhow::Result<()> {
        let offer = match &self.offers.store {
            Some((store, _)) => self.offers.open_offer(store, QUANTITY).await?,
            None => OfferId::new(),
        };
        self.backend = Arc::new(match &*self.backend {
            CheckoutBackend::RowLock(pool, _) => CheckoutBackend::RowLock(pool.clone(), offer),
            CheckoutBackend::RoundTrip(pool, _) => CheckoutBackend::RoundTrip(pool.clone(), offer),
            CheckoutBackend::Livesouk(app, _) => CheckoutBackend::Livesouk(app.clone(), offer),
            CheckoutBackend::RedisGate(connection, script, _) => {
                let mut connection = connection.clone();
                let set = redis::cmd("SET").arg(format!("left:{}", offer.0)).arg(QUANTITY).to_owned();
                set.exec_async(&mut connection).await?;
                CheckoutBackend::RedisGate(connection, script.clone(), offer)
            }
        });
        Ok(())
    }

    pub fn backend(&self) -> Arc<CheckoutBackend> {
        self.backend.clone()
    }

    /// An offer of `quantity` units in this shop, and its app.
    pub async fn create_offer(&self, quantity: i64) -> anyhow::Result<Option<(App, OfferId)>> {
        let Some((store, app)) = &self.offers.store else { return Ok(None) };
        Ok(Some((app.clone(), self.offers.open_offer(store, quantity).await?)))
    }

    /// The counters equal the sum of the orders, for every implementation that stores orders.
    pub async fn assert_consistent(&self) -> anyhow::Result<()> {
        if let Some((store, _)) = &self.offers.store {
            ensure!(
                store.reservation_mismatches().await?.is_empty(),
                "{}: the counters differ from the orders",
                self.kind.name()
            );
        }
        Ok(())
    }

    pub async fn close(self) {
        if let Some((_, app)) = self.offers.store {
            app.stopping().cancel();
            app.finish().await;
        }
    }
}

impl OfferFactory {
    async fn open_offer(&self, store: &Store, quantity: i64) -> anyhow::Result<OfferId> {
        let new = NewOffer {
            id: OfferId::new(),
            stream: self.stream,
            variant: self.variant,
            kind: livesouk::domain::OfferKind::Regular,
            price: PRICE,
            old_price: None,
            quantity,
            per_buyer: PER_BUYER,
            countdown_ms: 0,
            duration_ms: None,
            hold_ms: 3_600_000,
            starts_at: None,
            buyers: Default::default(),
            pay_later: None,
        };
        store.create_offer(&new, None).await?;
        store.open_offer(new.id).await?;
        Ok(new.id)
    }
}

impl CheckoutBackend {
    /// Sells one unit to buyer `number`. Every refusal is an error.
    pub async fn buy(&self, number: u64) -> anyhow::Result<()> {
        let (buyer, key) = (format!("buyer-{number}"), format!("key-of-{number}"));
        match self {
            CheckoutBackend::RowLock(pool, offer) => row_lock(pool, *offer, &buyer, &key).await,
            CheckoutBackend::RoundTrip(pool, offer) => {
                let sold: bool = sqlx::query_scalar("select buy($1, $2, $3, $4, $5)")
                    .bind(offer.0)
                    .bind(Uuid::now_v7())
                    .bind(&buyer)
                    .bind(&key)
                    .bind(&[0_u8; 32][..])
                    .fetch_one(pool)
                    .await?;
                ensure!(sold, "refused");
                Ok(())
            }
            CheckoutBackend::Livesouk(app, offer) => {
                app.checkout
                    .buy(
                        &viewer(&buyer)?,
                        *offer,
                        1,
                        IdempotencyKey::parse(&key).map_err(|refusal| anyhow::anyhow!("{refusal}"))?,
                    )
                    .await?;
                Ok(())
            }
            CheckoutBackend::RedisGate(connection, script, offer) => {
                let left: i64 = script
                    .key(format!("left:{}", offer.0))
                    .key(format!("had:{}", offer.0))
                    .arg(&buyer)
                    .arg(1)
                    .arg(PER_BUYER)
                    .invoke_async(&mut connection.clone())
                    .await?;
                ensure!(left >= 0, "refused");
                Ok(())
            }
        }
    }
}

pub fn viewer(name: &str) -> anyhow::Result<Actor> {
    let refused = |refusal: livesouk::domain::Refusal| anyhow::anyhow!("{refusal}");
    let (user, name) = (UserId::parse(name).map_err(refused)?, Name::parse(name).map_err(refused)?);
    Ok(Actor {
        user,
        name,
        role: Role::Viewer,
        stream: None,
        expires_at: None,
        token: Default::default(),
        session: None,
    })
}

/// (a) A correct transaction: lock the row, check, write both tables, commit. Seven round trips.
async fn row_lock(pool: &PgPool, offer: OfferId, buyer: &str, key: &str) -> anyhow::Result<()> {
    let mut tx = pool.begin().await?;
    let lock = "select stream, quantity, reserved, next_place, per_buyer, price, currency, hold_ms,
        (extract(epoch from clock_timestamp()) * 1000)::bigint from offers where id = $1 and stage = 'open' for update";
    let (stream, quantity, reserved, place, per_buyer, price, currency, hold_ms, now): (
        Uuid,
        i64,
        i64,
        i64,
        i64,
        i64,
        String,
        i64,
        i64,
    ) = sqlx::query_as(lock).bind(offer.0).fetch_one(&mut *tx).await?;
    let before: Option<Uuid> = sqlx::query_scalar("select id from reservations where buyer = $1 and key = $2")
        .bind(buyer)
        .bind(key)
        .fetch_optional(&mut *tx)
        .await?;
    let owned = "select coalesce(sum(qty - returned), 0)::bigint from reservations
        where offer = $1 and person = $2 and status in ('held', 'capturing', 'sold')";
    let owned: i64 = sqlx::query_scalar(owned).bind(offer.0).bind(buyer).fetch_one(&mut *tx).await?;
    if before.is_some() || owned >= per_buyer || reserved >= quantity {
        bail!("refused");
    }
    let insert =
        "insert into reservations (id, stream, offer, buyer, buyer_name, key, hash, status, qty, amount, currency, place,
            created_at, hold_until, changed_at, person)
        values ($1, $2, $3, $4, $4, $5, $6, 'held', 1, $7, $8, $9, $10, $11, $10, $4)";
    sqlx::query(insert)
        .bind(Uuid::now_v7())
        .bind(stream)
        .bind(offer.0)
        .bind(buyer)
        .bind(key)
        .bind(&[0_u8; 32][..])
        .bind(price)
        .bind(currency)
        .bind(place)
        .bind(now)
        .bind(now + hold_ms)
        .execute(&mut *tx)
        .await?;
    let take =
        "update offers set reserved = reserved + 1, next_place = next_place + 1, version = version + 1 where id = $1";
    sqlx::query(take).bind(offer.0).execute(&mut *tx).await?;
    Ok(tx.commit().await?)
}

/// (b) The same rules in a function on the server: one call, one commit. It locks first and reads in later statements.
const BUY_FUNCTION: &str =
    "create function buy(p_offer uuid, p_id uuid, p_buyer text, p_key text, p_hash bytea) returns boolean
language plpgsql as $$
declare o offers; t bigint;
begin
  select * into o from offers where id = p_offer and stage = 'open' for no key update;
  t := (extract(epoch from clock_timestamp()) * 1000)::bigint;
  if exists (select 1 from reservations where buyer = p_buyer and key = p_key) or o.reserved >= o.quantity
     or (select coalesce(sum(qty - returned), 0) from reservations where offer = p_offer and person = p_buyer
         and status in ('held', 'capturing', 'sold')) >= o.per_buyer then
    return false;
  end if;
  insert into reservations (id, stream, offer, buyer, buyer_name, key, hash, status, qty, amount, currency, place, created_at,
      hold_until, changed_at, person)
    values (p_id, o.stream, p_offer, p_buyer, p_buyer, p_key, p_hash, 'held', 1, o.price, o.currency, o.next_place, t,
      t + o.hold_ms, t, p_buyer);
  update offers set reserved = reserved + 1, next_place = next_place + 1, version = version + 1 where id = p_offer;
  return true;
end $$";

/// (e) Takes a unit and remembers how many each buyer has, in memory.
const GATE_SCRIPT: &str = "
local had = tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or '0')
local want = tonumber(ARGV[2])
if had + want > tonumber(ARGV[3]) then return -2 end
local left = tonumber(redis.call('GET', KEYS[1]) or '0')
if left < want then return -1 end
redis.call('HINCRBY', KEYS[2], ARGV[1], want)
return redis.call('DECRBY', KEYS[1], want)";

async fn pool(url: &str) -> anyhow::Result<PgPool> {
    Ok(PgPoolOptions::new()
        .max_connections(POOL_SIZE)
        .min_connections(POOL_SIZE)
        .acquire_timeout(std::time::Duration::from_secs(60))
        .connect(url)
        .await?)
}

async fn round_trip(url: &str) -> anyhow::Result<PgPool> {
    let pool = pool(url).await?;
    sqlx::raw_sql(BUY_FUNCTION).execute(&pool).await?;
    Ok(pool)
}

/// A migrated database with one stream and a stock pool that never runs out.
async fn create_shop(url: &str, stream: StreamId, variant: VariantId) -> anyhow::Result<(Store, App)> {
    let clock = Clock::system();
    Store::migrate(url, clock.clone()).await?;
    let store = Store::open(url, clock.clone(), 8).await?;
    let shop = Shop { id: ShopId::new(), title: "Shop".into(), titles: Default::default(), currency: "SAR".into() };
    let shop = store.create_shop(shop).await?;
    let (name, stock) = ("One size".into(), 1_000 * QUANTITY);
    let variant = Variant { id: variant, name, price: PRICE, stock, ..Variant::default() };
    let product = Product { title: "Lamp".into(), variants: vec![variant], ..Product::default() };
    store.create_product(shop.id, &product, None).await?;
    let live = LiveStream {
        id: stream,
        title: "Show".into(),
        titles: Default::default(),
        host: "Noura".into(),
        status: StreamStatus::Scheduled,
        video: None,
        poster: None,
        scheduled_at: None,
        started_at: None,
        ended_at: None,
        pin: None,
        chat: ChatRules::default(),
        blocklist_version: 0,
        likes: 0,
        version: 1,
        edition: 1,
        ..LiveStream::default()
    };
    store.create_stream(shop.id, &live).await?;
    let chat = livesouk::app::ChatRateLimit { viewer_per_s: 0.0, room_per_s: 0.0 };
    let settings =
        Settings { chat, are_requests_limited: false, is_test_provider_enabled: true, ..Settings::default() };
    let app = App::start(store.clone(), Broker::local(), clock, shop, settings, Default::default()).await?;
    Ok((store, app))
}
