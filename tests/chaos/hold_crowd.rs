//! A crowd whose holds end together: as many as a flash sale of a large show has, all in the same millisecond, while
//! faults go on. The oracle checks each of them like every other hold.

use std::time::Duration;

use sqlx::AssertSqlSafe;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::host::{ChaosHost, HOLD_MS};
use crate::injector::FaultInjector;
use crate::journal::TextId;
use crate::oracle::CROWD_BUYER;
use crate::postgres;

const HOLDS: i64 = 20_000;
/// The first crowd comes after this time, and then one at each interval.
const FIRST_AFTER: Duration = Duration::from_secs(12);
const INTERVAL: Duration = Duration::from_secs(60);
const OPEN_DEADLINE: Duration = Duration::from_secs(30);
/// How often it is tried to add a crowd, and the time between two tries.
const TRIES: usize = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// Adds crowds until the run is over. Returns how many were added.
pub async fn add_crowds(injector: &FaultInjector, mut host: ChaosHost, began: Instant, length: Duration) -> usize {
    let mut at = FIRST_AFTER;
    let mut added = 0;
    while at + Duration::from_millis(HOLD_MS as u64) < length {
        sleep_until(began + at).await;
        // The host tries until it works; a pool without enough units must not hold up the run.
        let opened = timeout(OPEN_DEADLINE, host.open_permanent_sale(HOLDS, 1)).await;
        if let Ok(Some(offer)) = opened {
            added += usize::from(add_crowd(injector, &offer).await);
        }
        at += INTERVAL;
    }
    added
}

/// The database may be away for a moment, or a fault ends the connection. `false`: the holds could not be added.
async fn add_crowd(injector: &FaultInjector, offer: &TextId) -> bool {
    for try_number in 1..=TRIES {
        match add_holds(injector, offer, &injector.context.stream).await {
            Ok(()) => return true,
            // The reply to an earlier commit was lost.
            Err(sqlx::Error::Database(error)) if try_number > 1 && error.is_unique_violation() => return true,
            Err(error) => println!("a crowd of holds was not added: {error}"),
        }
        sleep(PAUSE).await;
    }
    false
}

/// Writes the holds directly: no crowd of clients could make them end in the same millisecond.
async fn add_holds(injector: &FaultInjector, offer: &TextId, stream: &str) -> Result<(), sqlx::Error> {
    let mut connection = postgres::connect(injector.database).await?;
    let statement = format!(
        "begin;
        set local lock_timeout = '3s';
        select id from offers where id = '{offer}' for no key update;
        insert into reservations (id, stream, offer, buyer, person, buyer_name, key, hash, status, qty, amount, currency, place,
            created_at, hold_until, changed_at)
        select gen_random_uuid(), '{stream}', o.id, '{CROWD_BUYER}' || n, '{CROWD_BUYER}' || n, 'Crowd', '{CROWD_BUYER}{offer}-' || n,
            decode(repeat('00', 32), 'hex'), 'held', 1, o.price, o.currency, o.next_place + n - 1,
            clock.now, clock.now + {HOLD_MS}, clock.now
        from offers o, generate_series(1, {HOLDS}) n,
            (select (extract(epoch from clock_timestamp()) * 1000)::bigint as now) clock
        where o.id = '{offer}';
        update offers set reserved = reserved + {HOLDS}, next_place = next_place + {HOLDS}, version = version + 1
        where id = '{offer}';
        commit"
    );
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.map(drop)
}
