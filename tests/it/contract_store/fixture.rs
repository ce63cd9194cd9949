//! A store with a shop, a show and a stock, and the shortest way to each verb.

use std::sync::Arc;
use std::time::Duration;

use livesouk::app::{App, ChatRateLimit, ReconcileSettings, Settings, WebhookSecret};
use livesouk::broker::Broker;
use livesouk::clock::Clock;
use livesouk::domain::offer::NewOffer;
use livesouk::domain::order::request_hash;
use livesouk::domain::{
    FulfilmentStep, Market, Millis, Offer, OfferId, OfferKind, Order, OrderId, Payment, Product, ProductId,
    PurchaseRequest, QuoteRules, Refusal, Shop, ShopId, StreamId, Variant, VariantId,
};
use livesouk::store::{BatchOutcome, Error, NewPayment, PurchaseOutcome, Store};
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::builders::{key, purchase_request, stream, user};
use super::raw_sql::RawConnection;
use crate::support::migrated::put_sqlite;
use crate::support::postgres::Database;

/// Runs every fact once on each database.
macro_rules! facts {
    ($($fact:ident)*) => {
        mod sqlite {
            use crate::contract_store::fixture::Fixture;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $fact() {
                super::$fact(Fixture::on_sqlite().await).await;
            })*
        }
        mod postgres {
            use crate::contract_store::fixture::Fixture;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $fact() {
                super::$fact(Fixture::on_postgres().await).await;
            })*
        }
    };
}
pub(super) use facts;

/// The secret that signs the webhooks of the tests.
pub const WEBHOOK_SECRET: &str = "the-secret-that-the-tests-sign-webhooks-with";

pub fn payment_settings(provider_ms: u64) -> Settings {
    Settings {
        chat: ChatRateLimit { viewer_per_s: 0.0, room_per_s: 0.0 },
        webhook_secret: WebhookSecret::new(WEBHOOK_SECRET),
        provider_deadline: Duration::from_millis(provider_ms),
        reconcile: ReconcileSettings {
            interval: Duration::from_secs(3_600),
            min_age_ms: 3_600_000,
            late_request_ms: 0,
        },
        is_test_provider_enabled: true,
        ..Settings::default()
    }
}

pub const SELL_CONNECTIONS: usize = 8;

pub struct Fixture {
    pub store: Store,
    pub url: String,
    pub shop: Shop,
    pub stream: StreamId,
    pub product: ProductId,
    pub variant: VariantId,
    pub raw: RawConnection,
    // The folder or server of the database, kept as long as the store.
    _folder: Option<TempDir>,
    _database: Option<Database>,
}

/// The ids of the objects that every fixture starts with. Two stores with the same ids can be compared.
#[derive(Clone, Copy)]
pub struct Ids {
    pub shop: ShopId,
    pub stream: StreamId,
    pub product: ProductId,
    pub variant: VariantId,
}

impl Ids {
    pub fn new() -> Self {
        Ids { shop: ShopId::new(), stream: StreamId::new(), product: ProductId::new(), variant: VariantId::new() }
    }
}

/// Longer than any test, so that only `expire_holds` ends a hold.
pub const HOLD_MS: i64 = 300_000;

/// Units in the stock at first: enough for every fact.
pub const STOCK: i64 = 10_000;

impl Fixture {
    pub async fn on_sqlite() -> Fixture {
        Fixture::sqlite_with(Ids::new()).await
    }

    pub async fn on_postgres() -> Fixture {
        Fixture::postgres_with(Ids::new()).await
    }

    pub async fn sqlite_with(ids: Ids) -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop.db");
        let url = format!("sqlite:{}", path.display());
        put_sqlite(&path).await;
        let store = Store::open(&url, Clock::system(), SELL_CONNECTIONS).await.unwrap();
        let side = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
        let side = RawConnection::Sqlite(Mutex::new(side));
        Fixture::with_stock(Fixture::empty(store, url, side, ids, Some(folder), None)).await
    }

    pub async fn postgres_with(ids: Ids) -> Fixture {
        let database = Database::migrated().await;
        let url = database.url();
        let store = Store::open(&url, Clock::system(), SELL_CONNECTIONS).await.unwrap();
        let side = RawConnection::Postgres(Mutex::new(database.connect().await));
        Fixture::with_stock(Fixture::empty(store, url, side, ids, None, Some(database))).await
    }

    fn empty(
        store: Store,
        url: String,
        raw: RawConnection,
        ids: Ids,
        _folder: Option<TempDir>,
        _database: Option<Database>,
    ) -> Fixture {
        let shop = Shop { id: ids.shop, title: "Shop".into(), titles: Default::default(), currency: "SAR".into() };
        Fixture {
            store,
            url,
            shop,
            stream: ids.stream,
            product: ids.product,
            variant: ids.variant,
            raw,
            _folder,
            _database,
        }
    }

    async fn with_stock(self) -> Fixture {
        self.store.create_shop(self.shop.clone()).await.unwrap();
        let variant =
            Variant { id: self.variant, name: "One size".into(), price: 4_900, stock: STOCK, ..Variant::default() };
        let product = Product { id: self.product, title: "Lamp".into(), variants: vec![variant], ..Product::default() };
        self.store.create_product(self.shop.id, &product, None).await.unwrap();
        self.store.create_stream(self.shop.id, &stream(self.stream)).await.unwrap();
        self
    }

    /// Closes the store and opens it again, as in a restart.
    pub async fn reopened(self) -> Fixture {
        self.reopened_at(Clock::system()).await
    }

    /// The same, with this clock from then on if the database has no clock of its own.
    pub async fn reopened_at(mut self, clock: Clock) -> Fixture {
        self.store.close().await;
        let Fixture { store, .. } = self;
        drop(store);
        self.store = Store::open(&self.url, clock, SELL_CONNECTIONS).await.unwrap();
        self
    }

    /// The verbs of `app` over this store, as a node runs them.
    pub async fn app(&self) -> App {
        self.app_over(self.store.clone()).await
    }

    pub async fn app_over(&self, store: Store) -> App {
        self.app_with(
            store,
            Settings {
                chat: ChatRateLimit { viewer_per_s: 0.0, room_per_s: 0.0 },
                is_test_provider_enabled: true,
                // The limits per user have tests of their own; here one buyer does a thousand things at once.
                are_requests_limited: false,
                ..Settings::default()
            },
        )
        .await
    }

    pub async fn app_with(&self, store: Store, settings: Settings) -> App {
        App::start(store, Broker::local(), Clock::system(), self.shop.clone(), settings, CancellationToken::new())
            .await
            .unwrap()
    }

    /// The verbs of `app` with this deadline for the payment provider. The reconciler runs only when a test calls it.
    pub async fn app_with_provider(&self, provider_ms: u64) -> App {
        self.app_with(self.store.clone(), payment_settings(provider_ms)).await
    }

    /// The provider's ledger and our tables agree: money was captured once for each paid order and for no other order,
    /// and was refunded for each refunded order.
    pub async fn assert_money(&self) {
        for (what, sql) in [
            (
                "paid without money, or money without an order",
                "select count(*) from orders o where o.status = 'paid' and o.placement is null and exists
                        (select 1 from reservations r where r.order_id = o.id and r.status = 'sold' and r.amount > 0)
                    <> exists (select 1 from test_intents i where i.order_id = o.id and i.captured =
                        (select sum(r.amount) from reservations r where r.order_id = o.id and r.status = 'sold'))",
            ),
            (
                "charged twice, or for no order",
                "select count(*) from (select i.order_id from test_intents i where i.captured > i.refunded group by i.order_id
                    having count(*) > 1 or not exists (select 1 from orders o where o.id = i.order_id and o.status = 'paid' and o.placement is null)) t",
            ),
            (
                "refunds",
                "select count(*) from reservations r join orders o on o.id = r.order_id
                    join test_intents i on i.order_id = o.id and i.attempt = o.attempt
                    where i.captured > 0 and r.status = 'sold'
                    and ((r.returned = r.qty) <> (i.refunded = i.captured) or i.refunded not in (0, i.captured))",
            ),
            ("our own tables", "select count(*) from payment_mismatches"),
            ("units", "select count(*) from reservation_mismatches"),
        ] {
            assert_eq!(self.number(sql).await, 0, "{what}");
        }
    }

    /// The same, and no work is left to do.
    pub async fn assert_settled(&self) {
        self.assert_money().await;
        for (what, sql) in [
            ("authorized money", "select count(*) from test_intents where status = 'authorized'"),
            (
                "attempts that are not final",
                "select count(*) from payments where status in ('creating', 'needs_action', 'authorized', 'voiding')",
            ),
            ("money that is owed", "select count(*) from owed_refunds where status = 'owed'"),
            ("pending refunds", "select count(*) from refunds where status = 'pending'"),
            ("orders in capture", "select count(*) from reservations where status = 'capturing'"),
        ] {
            assert_eq!(self.number(sql).await, 0, "{what}");
        }
    }

    /// Begins a payment attempt, as `pay` does. Refused if the order cannot be paid.
    pub async fn begin_payment(&self, id: OrderId, token: &str) -> livesouk::store::Result<Payment> {
        self.begin_new_payment(id, token, false).await
    }

    /// The same with a provider whose payments wait for their turn.
    pub async fn begin_queued_payment(&self, id: OrderId, token: &str) -> livesouk::store::Result<Payment> {
        self.begin_new_payment(id, token, true).await
    }

    async fn begin_new_payment(&self, id: OrderId, token: &str, is_queued: bool) -> livesouk::store::Result<Payment> {
        let new = NewPayment {
            order: id,
            buyer: user("the-buyer"),
            key: key(&format!("try-{:016x}", rand::random::<u64>())),
            hash: request_hash(&["pay"]),
            provider: "test",
            token: token.to_owned(),
            card: Default::default(),
            quote_version: None,
            rules: QuoteRules::default(),
            market: Market::default(),
            is_queued,
            request_ms: 0,
        };
        Ok(self.store.begin_payment(&new).await?.payment)
    }

    /// Begins an attempt and its capture, as `pay` does once the money is authorized.
    pub async fn begin_capture(&self, id: OrderId) -> livesouk::store::Result<Option<Order>> {
        match self.begin_payment(id, "ok").await {
            Ok(payment) => {
                let begun = self.store.begin_capture(&payment, Some(payment.create_key().as_str())).await?;
                Ok(begun.map(|(order, _)| order))
            }
            Err(Error::Refused(_)) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Creates an open regular offer.
    pub async fn offer(&self, quantity: i64, per_buyer: i64) -> OfferId {
        let offer = self.draft(quantity, per_buyer).await;
        self.store.open_offer(offer).await.unwrap();
        offer
    }

    pub async fn draft(&self, quantity: i64, per_buyer: i64) -> OfferId {
        let new = self.new_offer(quantity, per_buyer);
        self.store.create_offer(&new, None).await.unwrap();
        new.id
    }

    pub fn new_offer(&self, quantity: i64, per_buyer: i64) -> NewOffer {
        NewOffer {
            id: OfferId::new(),
            stream: self.stream,
            variant: self.variant,
            kind: OfferKind::Regular,
            price: 4_900,
            old_price: None,
            quantity,
            per_buyer,
            countdown_ms: 0,
            duration_ms: None,
            hold_ms: HOLD_MS,
            starts_at: None,
            buyers: Default::default(),
            pay_later: None,
        }
    }

    pub async fn sell(&self, offer: OfferId, requests: &[PurchaseRequest]) -> BatchOutcome {
        self.store.sell(offer, requests).await.unwrap()
    }

    /// Sells one purchase in a batch of its own.
    pub async fn buy(&self, offer: OfferId, request: &PurchaseRequest) -> Result<PurchaseOutcome, Refusal> {
        match self.store.sell(offer, std::slice::from_ref(request)).await {
            Ok(mut sold) => sold.results.remove(0),
            Err(Error::Refused(refusal)) => Err(refusal),
            Err(fault) => panic!("{fault}"),
        }
    }

    /// Creates a held order of one unit.
    pub async fn hold_one(&self, offer: OfferId, buyer: &str) -> Order {
        self.buy(offer, &purchase_request(buyer, &format!("key-of-{buyer}"), 1)).await.unwrap().reservation.into()
    }

    /// Creates an order of one unit and pays for it.
    pub async fn paid_one(&self, offer: OfferId, buyer: &str) -> OrderId {
        let order = self.hold_one(offer, buyer).await.id;
        self.begin_capture(order).await.unwrap().expect("the capture begins");
        self.store.finish_capture(order).await.unwrap().expect("the order is paid");
        order
    }

    /// Marks an order as sent, and gives the time; `None`: it is not paid.
    pub async fn mark_sent(&self, order: OrderId) -> Option<Millis> {
        match self.store.set_fulfilment(order, FulfilmentStep::Sent, None, &user("noura")).await {
            Ok((fulfilment, _)) => fulfilment.sent_at,
            Err(Error::Refused(Refusal::NotPaid)) => None,
            Err(other) => panic!("{other}"),
        }
    }

    /// Moves the end of every hold of this offer into the past.
    pub async fn expire_holds(&self, offer: OfferId) {
        self.run(&format!("update reservations set hold_until = 1000 where offer = {}", self.id(offer.0))).await;
    }

    pub async fn load_offer(&self, offer: OfferId) -> Offer {
        self.store.offer(offer).await.unwrap().unwrap()
    }

    pub async fn order(&self, id: OrderId) -> Order {
        self.store.order(id).await.unwrap().unwrap()
    }

    /// The variant's stock.
    pub async fn stock(&self) -> i64 {
        self.number(&format!("select stock from variants where id = {}", self.id(self.variant.0))).await
    }

    pub async fn assert_consistent(&self) {
        assert_eq!(self.store.reservation_mismatches().await.unwrap(), []);
    }

    pub fn into_arc(self) -> Arc<Fixture> {
        Arc::new(self)
    }
}
