//! Makes the faults of the plan happen to real processes, and writes down when each began and ended.

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
use crate::node::ChaosNode;
use crate::oracle::{FaultWindow, STARVED};
use crate::postgres::{self, Postgres};
use crate::run_context::RunContext;

/// Everything that can be broken.
pub struct FaultInjector {
    pub context: Arc<RunContext>,
    pub postgres: TaskMutex<Postgres>,
    pub database: SocketAddr,
    pub nodes: Vec<TaskMutex<ChaosNode>>,
    windows: Mutex<Vec<FaultWindow>>,
}

impl FaultInjector {
    /// `database` is the way to it for those who look from the side.
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

    /// Notes when the machine itself stood still: nobody's promise says how fast a starved process is. Those times excuse
    /// lateness, and nothing else, like a fault that nobody planned. Goes on until what it gives is dropped: the last holds
    /// run out after the run is over.
    pub fn detect_starvation(self: &Arc<Self>) -> AbortOnDropHandle<()> {
        let injector = self.clone();
        AbortOnDropHandle::new(tokio::spawn(async move { injector.beat().await }))
    }

    async fn beat(&self) {
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

    /// Lets the faults of one lane happen, each at its time or as soon after it as the one before is over.
    pub async fn walk(&self, lane: &[PlannedFault], began: Instant, mut rng: StdRng) {
        for planned in lane {
            sleep_until(began + planned.at).await;
            let node = Fault::NODE_FAULTS.contains(&planned.fault).then_some(planned.node);
            let window = self.begin(&format!("{:?}", planned.fault), node);
            let note = self.inject(planned, &mut rng).await;
            self.end(window, note.unwrap_or_else(|error| format!("not done: {error}")));
        }
    }

    /// Something is broken from now on. Whoever asks meanwhile what is broken sees a fault that has not ended.
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

    /// The answer is a note for those who read the evidence.
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
            // Now and then the links that stood still are cut where they stand.
            if planned.fault == Fault::StallLinks && rng.random_bool(0.3) {
                node.proxy.cut();
                sleep(Duration::from_millis(20)).await;
            }
            node.proxy.restore();
        }
        Ok(note)
    }

    /// Batches queue up behind our lock; the node is stopped; the lock goes, and its batch gets the row and sits on it.
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
        // One that is in the middle of a batch, if there is one.
        let kill = "select count(pg_terminate_backend(pid)) from (select pid from pg_stat_activity
            where application_name = 'livesouk sell' order by state = 'idle', random() limit 1) one";
        while Instant::now() < until {
            killed += sqlx::query_scalar::<_, i64>(kill).fetch_one(&mut admin).await?;
            sleep(Duration::from_millis(70)).await;
        }
        Ok(format!("{killed} backends"))
    }

    /// Orders first and the offer after them is the wrong way round: Postgres has to end somebody's transaction.
    async fn deadlocking_update(&self, length: Duration) -> Result<String, sqlx::Error> {
        let mut admin = self.admin_connection().await?;
        // The one who has waited for longest looks for the deadlock and loses: not us.
        sqlx::raw_sql("set deadlock_timeout = '20s'; set lock_timeout = '4s'").execute(&mut admin).await?;
        let mut hand = admin.begin().await?;
        let touch = "update orders set buyer_name = buyer_name where id in
            (select id from orders where status = 'held' order by md5(id::text) limit 20)";
        let touched = sqlx::query(touch).execute(&mut *hand).await?.rows_affected();
        sleep(length).await;
        let offers = "select id from offers where id in (select offer from orders where status = 'held') order by id desc for update";
        let locked = sqlx::query(offers).fetch_all(&mut *hand).await;
        let note =
            format!("{touched} orders, then {:?} offers", locked.map(|rows| rows.len()).map_err(|e| e.to_string()));
        hand.rollback().await?;
        Ok(note)
    }

    /// The other lane may have the database down for a moment.
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
    // One that sells now, so that batches come to wait for it.
    let lock = "select id::text from offers where id = (select id from offers where stage = 'open'
        and opens_at <= extract(epoch from clock_timestamp()) * 1000 order by reserved = quantity, random() limit 1) for update";
    sqlx::query_scalar(lock).fetch_optional(hand).await
}
