//! Durable storage on PostgreSQL or SQLite: the only SQL of the server.
//!
//! [`Store`] is one interface to both databases. `transaction.rs` has the queries and transactions that run on either;
//! `sell/` has the selling path, which is written for each database. Rules are decided in `domain`; a refusal that is
//! found under a lock is returned as [`Error::Refused`].
//!
//! Every write runs in a task of its own (see `app`): a transaction must never live in a future that is cancelled when a
//! client disconnects. There is one lock order: variants, offers, reservations (the lines of orders), orders, coupons, each
//! ascending. A transaction that changes the status of a payment has locked the lines of its order.

mod account;
mod address;
mod address_retention;
mod announcement;
mod api_key;
mod audit;
mod begin_payment;
mod billing;
mod blocklist;
mod bulk_edit;
mod card_limit;
mod catalogue_import;
mod catalogue_import_apply;
mod catalogue_import_insert;
mod catalogue_product;
mod chat;
mod connection_pool;
mod counters;
mod coupon;
mod coupon_claim;
mod coupon_use;
mod customer;
mod dispute;
mod email_code;
mod erased_mailbox;
mod error;
mod follow;
mod free_text;
mod guest_orders;
mod hold;
mod invite;
mod keyed_request;
mod lineup;
mod mail;
mod migration;
mod offer;
mod oidc;
mod oldest_snapshot;
mod open_new_order;
mod open_new_orders;
mod open_order;
mod order;
mod order_end;
mod order_history;
mod order_sums;
mod owed_refund;
mod own_data;
mod passkey;
mod payment;
mod payment_account;
mod payment_day;
mod payment_fee;
mod payment_hold;
mod payment_queue;
mod picture;
mod placed_order;
mod postgres;
mod postgres_connection;
mod product;
mod product_change;
mod publish_key;
mod quick_item;
mod quote;
mod refund;
mod report;
mod reservation;
mod review;
mod row;
mod sanction;
mod saved_address;
mod saved_card;
mod saved_view;
mod search;
mod sell;
mod setup;
mod shop_order;
mod shop_settings;
mod sign_in_code;
mod sign_in_session;
mod silent_link;
mod sqlite;
mod staff;
mod stock_alert;
mod stream;
mod stream_change;
mod test_provider;
mod token_revocation;
mod transaction;
mod user_data;
mod webhook;
mod withdrawal;

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::clock::Clock;
use crate::domain::{Millis, Titles};

pub use announcement::{AnnouncementQueue, AnnouncementStep, BULK_MAILS_WAITING_MAX, FOLLOWERS_NOTIFIED_TOGETHER_MAX};
pub use begin_payment::{BegunPayment, NewPayment};
pub use billing::{BillingDocument, DueDocument, IssuedDocument};
pub use bulk_edit::{BulkOutcome, BulkWrite, EditOutcome};
pub use catalogue_import::CheckedProduct;
pub use catalogue_import_apply::{ImportOutcome, ImportWriter};
pub use counters::{PoolUsage, StoreCounters};
pub use coupon_claim::CouponInShow;
pub use coupon_use::DECIDED_TOGETHER_MAX;
pub use email_code::{NewEmailCode, TypedEmailCode};
pub use error::{Error, Result};
pub use follow::FollowOfMail;
pub use guest_orders::LINKS_OF_ORDER_MAX;
pub use hold::{LockWait, RELEASED_TOGETHER_MAX, ReleaseReason};
pub use keyed_request::KeyedRequest;
pub use mail::{COUNTED_MAX, LoggedMail, MAIL_CLAIM_MS, MailQueue, WAITING_MAILS_MAX};
pub use offer::{OFFERS_TO_CLOSE_MAX, OPEN_OFFERS_MAX, OfferVersion};
pub use oidc::OidcSignIn;
pub use open_new_orders::{OpenedOrder, OrderToOpen};
pub use order::{IdempotencyRecord, OutboxEvent};
pub use order_end::OrderEnd;
pub use order_sums::SumProgress;
pub use owed_refund::OwedRefund;
pub use own_data::OwnDatum;
pub use payment::Reported;
pub use payment_account::AccountPayments;
pub use payment_queue::{DuePayment, PaymentQueueLength};
pub use picture::{CONDEMNED_LEASE_MS, PictureRow};
pub use placed_order::{NewPlacement, ReceivedPayment};
pub use product::{PAGE_VARIANTS_MAX, ProductPage};
pub use product_change::{ChangedProduct, REVISIONS_READ_MAX};
pub use refund::{NewRefund, RefundRecord};
pub use report::SalesTotals;
pub use saved_card::ProviderRemoval;
pub use search::INDEXED_TOGETHER_MAX;
pub use sell::{BatchOutcome, BatchTurn, PurchaseOutcome};
pub use shop_order::{ORDERS_EXAMINED_MAX, OrderNote, PaymentAttempt, ShopOrder, ShopOrderPage};
pub use shop_settings::{StoredSecret, StoredSettings};
pub use sign_in_session::NewSession;
pub use stock_alert::StockAlertCount;
pub use stream::{RECORDINGS_SEARCHED_MAX, ShowTexts};
pub use stream_change::CopiedStream;
pub use test_provider::{TestIntent, TestProviderReply};
pub use user_data::ErasureReport;
pub use webhook::PaymentEvent;

#[derive(Clone)]
pub enum Store {
    Postgres(Arc<postgres::Postgres>),
    Sqlite(Arc<sqlite::Sqlite>),
}

impl Store {
    /// Opens `sqlite:PATH` or `postgres://…`. A SQLite file is created and migrated. A PostgreSQL database is migrated
    /// only by `livesouk migrate`, and is refused here while migrations are missing.
    pub async fn open(url: &str, clock: Clock, sell_connections: usize) -> Result<Self> {
        match url.split_once(':') {
            Some(("sqlite", path)) => Ok(Store::Sqlite(sqlite::Sqlite::open(path, clock).await?.into())),
            Some(("postgres" | "postgresql", _)) => {
                let postgres = postgres::Postgres::open(url, sell_connections).await?;
                postgres.check_migrated().await?;
                Ok(Store::Postgres(postgres.into()))
            }
            // Without the URL, because it may contain a password.
            _ => Err(Error::Setup("--store is neither sqlite:PATH nor postgres://…".to_owned())),
        }
    }

    /// Migrates a database to this version. It may run twice, and in two processes at the same time.
    pub async fn migrate(url: &str, clock: Clock) -> Result<()> {
        match url.split_once(':') {
            Some(("postgres" | "postgresql", _)) => postgres::Postgres::migrate(url).await,
            _ => {
                // Closed, so that the file is whole and has no write-ahead log beside it.
                Self::open(url, clock, 1).await?.close().await;
                Ok(())
            }
        }
    }

    /// The time of the database's own clock, which decides about sale windows and holds.
    pub async fn now(&self) -> Result<Millis> {
        match self {
            Store::Postgres(db) => db.now().await,
            Store::Sqlite(db) => Ok(db.clock().now()),
        }
    }

    /// The first half of every `v`. It rises when versions may have started again (a failover, a restart on SQLite).
    pub async fn epoch(&self) -> Result<i64> {
        match self {
            Store::Postgres(db) => db.epoch().await,
            Store::Sqlite(db) => Ok(db.epoch()),
        }
    }

    /// Whether other nodes may use this database at the same time. A SQLite file belongs to one node.
    pub fn is_shared(&self) -> bool {
        matches!(self, Store::Postgres(_))
    }

    /// How long batches wait for and hold the lock of an offer's row, for the metrics.
    pub fn counters(&self) -> &StoreCounters {
        match self {
            Store::Postgres(db) => db.counters(),
            Store::Sqlite(db) => db.counters(),
        }
    }

    /// The connection pools as they are now.
    pub fn pools(&self) -> Vec<PoolUsage> {
        match self {
            Store::Postgres(db) => {
                vec![db.money().usage(), db.reads().usage(), db.reports().usage(), db.selling().usage()]
            }
            Store::Sqlite(db) => vec![
                PoolUsage::from_pool("reads", db.readers()),
                PoolUsage::from_pool("reports", db.reports()),
                db.writer_usage(),
            ],
        }
    }

    /// Closes the connections. Whatever is committed stays.
    pub async fn close(&self) {
        match self {
            Store::Postgres(db) => db.close().await,
            Store::Sqlite(db) => db.close().await,
        }
    }
}

fn titles_to_json(titles: &Titles) -> String {
    serde_json::to_string(titles).unwrap_or_else(|_| "{}".to_owned())
}

fn titles_from_json(text: &str) -> Result<Titles> {
    serde_json::from_str(text).map_err(|error| Error::CorruptRow(error.to_string()))
}

fn from_json<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::CorruptRow(error.to_string()))
}

fn to_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::CorruptRow(error.to_string()))
}

/// A JSON array of ids as hexadecimal digits: a list for a placeholder, which both databases can read.
fn ids_to_json(ids: impl Iterator<Item = Uuid>) -> Result<String> {
    to_json(&ids.map(|id| id.simple().to_string()).collect::<Vec<_>>())
}

/// The value of a stored name, which is one of those that we know.
fn require_known<T>(value: Option<T>, what: &str, text: &str) -> Result<T> {
    value.ok_or_else(|| Error::CorruptRow(format!("{what} `{text}`")))
}
