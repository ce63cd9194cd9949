//! Injects the planned faults into real processes, and records when each began and ended.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use sqlx::{Connection, PgConnection};
use tokio::sync::Mutex as TaskMutex;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::task::AbortOnDropHandle;

use crate::fault::{Fault, PlannedFault};
use crate::journal::Millis;
use crate::node::ChaosNode;
use crate::oracle::{self, FaultWindow, RecoveryTime, STARVED};
use crate::postgres::{self, Postgres};
use crate::run_context::RunContext;

/// Everything that can have a fault.
pub struct FaultInjector {
    pub context: Arc<RunContext>,
    pub postgres: TaskMutex<Postgres>,
    pub database: SocketAddr,
    pub nodes: Vec<TaskMutex<ChaosNode>>,
    windows: Mutex<Vec<FaultWindow>>,
}

impl FaultInjector {
    /// `database` is the address at which observers reach the database.
    pub fn new(
        context: Arc<RunContext>,
        postgres: Postgres,
        database: SocketAddr,
        nodes: Vec<ChaosNode>,
    ) -> FaultInjector {
        let nodes = nodes.into_iter().map(TaskMutex::new).collect();
        FaultInjector { context, postgres: TaskMutex::new(postgres), database, nodes, windows: Mutex::default() }
    }

    pub fn windows(&self) -> Vec<FaultWindow> {
        self.windows.lock().unwrap().clone()
    }

    /// How long ago the last fault ended.
    pub fn recovery_time(&self, healed_at: Millis) -> RecoveryTime {
        let now = self.context.now();
        RecoveryTime { ms: now - healed_at, starved_ms: oracle::starved_ms(&self.windows(), healed_at, now) }
    }

    /// Records when the test machine itself was starved of processor time: no promise says how fast a starved process is. These
    /// windows excuse lateness and nothing else. It continues until the handle is dropped, because the last holds end after
    /// the run is over.
    pub fn detect_starvation(self: &Arc<Self>) -> AbortOnDropHandle<()> {
        let injector = self.clone();
        AbortOnDropHandle::new(tokio::spawn(async move { injector.record_starvation().await }))
    }

    async fn record_starvation(&self) {
        const BEAT: Duration = Duration::from_millis(50);
        const SLOW: Duration = Duration::from_millis(700);
        loop {
            let (from, began) = (self.context.now(), Instant::now());
            let stride = postgres::connect(self.database).await.map(drop);
            sleep(BEAT).await;
            if began.elapsed() > SLOW && stride.is_ok() {
                let window = FaultWindow {
                    fault: STARVED.to_owned(),
                    node: None,
                    from,
                    to: self.context.now(),
                    note: String::new(),
                };
                self.windows.lock().unwrap().push(window);
            }
        }
    }

    /// Injects the faults of one lane, each at its time, or as soon as the one before is over.
    pub async fn walk(&self, lane: &[PlannedFault], began: Instant, mut rng: StdRng) {
        for planned in lane {
            sleep_until(began + planned.at).await;
            let node = Fault::NODE_FAULTS.contains(&planned.fault).then_some(planned.node);
            let window = self.begin(&format!("{:?}", planned.fault), node);
            let note = self.inject(planned, &mut rng).await;
            self.end(window, note.unwrap_or_else(|error| format!("not done: {error}")));
        }
    }

    /// Begins a fault window. Until it ends, readers see a fault that has not ended.
    pub fn begin(&self, fault: &str, node: Option<usize>) -> usize {
        let mut windows = self.windows.lock().unwrap();
        let from = self.context.now();
        windows.push(FaultWindow { fault: fault.to_owned(), node, from, to: i64::MAX, note: String::new() });
        windows.len() - 1
    }

    pub fn end(&self, window: usize, note: String) {
        let mut windows = self.windows.lock().unwrap();
        (windows[window].to, windows[window].note) = (self.context.now(), note);
    }

    /// Returns a note for readers of the evidence.
    async fn inject(&self, planned: &PlannedFault, rng: &mut StdRng) -> Result<String, sqlx::Error> {
        let length = planned.length;
        match planned.fault {
            Fault::KillBackends => self.kill_backends(length).await,
            Fault::CrashPostgres | Fault::RestartPostgres => {
                let mut postgres = self.postgres.lock().await;
                if planned.fault == Fault::CrashPostgres {
                    postgres.crash().await;
                } else {
                    postgres.stop().await;
                }
                sleep(length).await;
                postgres.start_again().await;
                Ok(String::new())
            }
            Fault::LockOffer => {
                let mut admin = self.admin_connection().await?;
                let mut hand = admin.begin().await?;
                let held = lock_an_offer(&mut hand).await?;
                sleep(length).await;
                hand.rollback().await?;
                Ok(format!("offer {held:?}"))
            }
            Fault::DeadlockingUpdate => self.deadlocking_update(length).await,
            _ => self.inject_node_fault(planned, rng).await,
        }
    }

    async fn inject_node_fault(&self, planned: &PlannedFault, rng: &mut StdRng) -> Result<String, sqlx::Error> {
        let mut node = self.nodes[planned.node].lock().await;
        let length = planned.length;
        let mut note = String::new();
        node.restart_if_exited().await;
        match planned.fault {
            Fault::KillNode => {
                node.kill().await;
                sleep(length).await;
                node.restart().await;
            }
            Fault::FreezeNode => {
                node.freeze();
                sleep(length).await;
                node.thaw();
            }
            Fault::FreezeInBatch => {
                let frozen = self.freeze_in_batch(&mut node).await;
                sleep(length).await;
                node.thaw();
                note = format!("{} batches of it were open", frozen?);
            }
            Fault::LoseReplies => node.proxy.lose_replies(),
            Fault::LoseRequests => node.proxy.lose_requests(),
            Fault::ResetLinks => node.proxy.cut(),
            Fault::StallLinks => node.proxy.black_hole(),
            Fault::DelayLinks => node.proxy.delay(Duration::from_millis(900)),
            _ => {
                node.proxy.half_open();
                note = format!("{} links", node.proxy.open());
            }
        }
        if !matches!(planned.fault, Fault::KillNode | Fault::FreezeNode | Fault::FreezeInBatch) {
            sleep(length).await;
            // Sometimes the stalled connections are cut.
            if planned.fault == Fault::StallLinks && rng.random_bool(0.3) {
                node.proxy.cut();
                sleep(Duration::from_millis(20)).await;
            }
            node.proxy.restore();
        }
        Ok(note)
    }

    /// Batches wait for our lock; the node is frozen; we release the lock; then its batch gets the lock and keeps it.
    async fn freeze_in_batch(&self, node: &mut ChaosNode) -> Result<i64, sqlx::Error> {
        let mut admin = self.admin_connection().await?;
        let mut hand = admin.begin().await?;
        sqlx::query("select id from offers where stage = 'open' order by id for update").fetch_all(&mut *hand).await?;
        sleep(Duration::from_millis(250)).await;
        node.freeze();
        hand.rollback().await?;
        sleep(Duration::from_millis(200)).await;
        let open = "select count(*) from pg_stat_activity where application_name = 'livesouk sell'
            and state = 'idle in transaction' and state_change < clock_timestamp() - interval '150 ms'";
        sqlx::query_scalar(open).fetch_one(&mut admin).await
    }

    async fn kill_backends(&self, length: Duration) -> Result<String, sqlx::Error> {
        let mut admin = self.admin_connection().await?;
        let (until, mut killed) = (Instant::now() + length, 0);
        // A backend that is in the middle of a batch, if there is one.
        let kill = "select count(pg_terminate_backend(pid)) from (select pid from pg_stat_activity
            where application_name = 'livesouk sell' order by state = 'idle', random() limit 1) one";
        while Instant::now() < until {
            killed += sqlx::query_scalar::<_, i64>(kill).fetch_one(&mut admin).await?;
            sleep(Duration::from_millis(70)).await;
        }
        Ok(format!("{killed} backends"))
    }

    /// Locking orders first and their offer after them is the wrong order: PostgreSQL must end one of the transactions.
    async fn deadlocking_update(&self, length: Duration) -> Result<String, sqlx::Error> {
        let mut admin = self.admin_connection().await?;
        // The transaction that has waited longest detects the deadlock and is ended. It must not be ours.
        sqlx::raw_sql("set deadlock_timeout = '20s'; set lock_timeout = '4s'").execute(&mut admin).await?;
        let mut hand = admin.begin().await?;
        let touch = "update reservations set buyer_name = buyer_name where id in
            (select id from reservations where status = 'held' order by md5(id::text) limit 20)";
        let touched = sqlx::query(touch).execute(&mut *hand).await?.rows_affected();
        sleep(length).await;
        let offers = "select id from offers where id in (select offer from reservations where status = 'held') order by id desc for update";
        let locked = sqlx::query(offers).fetch_all(&mut *hand).await;
        let note =
            format!("{touched} orders, then {:?} offers", locked.map(|rows| rows.len()).map_err(|e| e.to_string()));
        hand.rollback().await?;
        Ok(note)
    }

    /// The other lane may have stopped the database for a moment.
    async fn admin_connection(&self) -> Result<PgConnection, sqlx::Error> {
        let give_up = Instant::now() + Duration::from_secs(5);
        loop {
            match postgres::connect(self.database).await {
                Err(_) if Instant::now() < give_up => sleep(Duration::from_millis(100)).await,
                settled => return settled,
            }
        }
    }
}

async fn lock_an_offer(hand: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    // An offer that sells now, so that batches wait for it.
    let lock = "select id::text from offers where id = (select id from offers where stage = 'open'
        and opens_at <= extract(epoch from clock_timestamp()) * 1000 order by reserved = quantity, random() limit 1) for update";
    sqlx::query_scalar(lock).fetch_optional(hand).await
}
