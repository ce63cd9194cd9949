//! The pace of requests to a payment provider: a maximum number each second to each endpoint, over all nodes.
//!
//! Each node takes its share, and sends one request after another at even distances. A provider that refuses requests because there were
//! too many is asked more slowly for a while.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::metrics::{WaitingRequest, increment};

/// Requests that one endpoint of Stripe takes in a second unless it allows an account more.
pub const DEFAULT_RATE: u32 = 25;
/// The share of the rate that is used: requests that were sent at even distances arrive closer together.
const USED_SHARE: f64 = 0.9;
/// Looks at payments take this share of the rate of an endpoint: nothing that moves money waits for them.
const LOOKS_SHARE: f64 = 0.4;
/// After a pause, requests of this time may be sent at once.
const BURST: Duration = Duration::from_millis(100);
/// How much slower requests become at each refusal, and the slowest.
const SLOWER: f64 = 1.5;
const SLOWEST: f64 = 10.0;
/// How much of that each accepted request removes.
const FASTER: f64 = 0.97;
/// Changes that wait for their turn above which no payment is created: money that is authorised is captured or given back first.
const CHANGES_WAITING_MAX: u64 = 3;

/// Requests that the provider counts together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Endpoint {
    Create,
    Capture,
    Cancel,
    Refund,
    Customer,
    Look,
}

#[derive(Debug)]
pub struct Pacer {
    /// Requests a second to one endpoint, from all nodes.
    rate: u32,
    state: Mutex<State>,
    /// Captures and cancellations that wait for their turn.
    changes_waiting: AtomicU64,
    /// Requests that the provider refused because there were too many.
    pub refused: AtomicU64,
}

#[derive(Debug)]
struct State {
    /// Nodes that share the rate, this one included.
    nodes: u32,
    /// How much slower than allowed the requests are now: 1 is not slower.
    slowness: f64,
    /// When the next request to each endpoint may be sent.
    next: [Option<Instant>; 6],
}

impl Pacer {
    pub fn new(rate: u32) -> Self {
        let state = State { nodes: 1, slowness: 1.0, next: [None; 6] };
        Self {
            rate: rate.max(1),
            state: Mutex::new(state),
            changes_waiting: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set_nodes(&self, nodes: u32) {
        self.state().nodes = nodes.max(1);
    }

    /// Requests a second that this node sends to one endpoint now.
    pub fn node_rate(&self) -> f64 {
        let state = self.state();
        f64::from(self.rate) * USED_SHARE / f64::from(state.nodes) / state.slowness
    }

    fn interval(&self, state: &State, endpoint: Endpoint) -> Duration {
        let share = if endpoint == Endpoint::Look { LOOKS_SHARE } else { 1.0 };
        let rate = f64::from(self.rate) * USED_SHARE * share;
        Duration::from_secs_f64(f64::from(state.nodes) * state.slowness / rate)
    }

    /// Takes the turns of payments that may be created now, at most `most`. None while captures and cancellations wait.
    pub fn take_creates(&self, most: usize) -> usize {
        if self.changes_waiting.load(Ordering::Relaxed) > CHANGES_WAITING_MAX {
            return 0;
        }
        let now = Instant::now();
        let mut state = self.state();
        let interval = self.interval(&state, Endpoint::Create);
        let mut taken = 0;
        while taken < most {
            let at = state.turn(Endpoint::Create, now);
            if at > now {
                break;
            }
            state.next[Endpoint::Create as usize] = Some(at + interval);
            taken += 1;
        }
        taken
    }

    /// Gives back turns to create that were not used.
    pub fn give_back_creates(&self, count: usize) {
        let mut state = self.state();
        let interval = self.interval(&state, Endpoint::Create);
        let next = &mut state.next[Endpoint::Create as usize];
        *next = next.and_then(|at| at.checked_sub(interval * u32::try_from(count).unwrap_or(u32::MAX)));
    }

    /// Waits for the turn of a request. `false`: it would not come before `deadline`, and none was taken.
    pub async fn turn(&self, endpoint: Endpoint, deadline: Instant) -> bool {
        let is_change = matches!(endpoint, Endpoint::Capture | Endpoint::Cancel);
        let _waiting = is_change.then(|| WaitingRequest::register(&self.changes_waiting));
        let at = {
            let mut state = self.state();
            let at = state.turn(endpoint, Instant::now());
            if at >= deadline {
                return false;
            }
            state.next[endpoint as usize] = Some(at + self.interval(&state, endpoint));
            at
        };
        sleep_until(at).await;
        true
    }

    /// The provider refused a request because there were too many.
    pub fn slow_down(&self, endpoint: Endpoint) {
        increment(&self.refused);
        let mut state = self.state();
        state.slowness = (state.slowness * SLOWER).min(SLOWEST);
        // Its second must be over before the next request.
        let pause = Instant::now() + Duration::from_secs(1);
        let next = &mut state.next[endpoint as usize];
        *next = Some(next.map_or(pause, |at| at.max(pause)));
    }

    /// The provider took a request.
    pub fn speed_up(&self) {
        let mut state = self.state();
        state.slowness = (state.slowness * FASTER).max(1.0);
    }
}

impl State {
    /// When the next request to this endpoint may be sent: in the past, if some may be sent at once.
    fn turn(&self, endpoint: Endpoint, now: Instant) -> Instant {
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        self.next[endpoint as usize].map_or(now, |at| at.max(earliest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: Duration = Duration::from_secs(60);

    /// Requests that were sent in each second, as the provider counts them.
    async fn sent_in(pacer: &Pacer, time: Duration) -> usize {
        let (end, mut sent) = (Instant::now() + time, 0);
        while Instant::now() < end {
            sent += pacer.take_creates(100);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        sent
    }

    #[tokio::test(start_paused = true)]
    async fn rate_is_kept_and_shared_by_the_nodes() {
        let pacer = Pacer::new(25);
        tokio::time::sleep(FAR).await;
        let first = sent_in(&pacer, Duration::from_secs(1)).await;
        assert!((20..=25).contains(&first), "{first} in the first second");
        let second = sent_in(&pacer, Duration::from_secs(10)).await;
        assert!((215..=230).contains(&second), "{second} in ten seconds");
        pacer.set_nodes(5);
        let shared = sent_in(&pacer, Duration::from_secs(10)).await;
        assert!((40..=48).contains(&shared), "{shared} of a fifth");
    }

    #[tokio::test(start_paused = true)]
    async fn requests_wait_for_their_turn_or_are_not_sent() {
        let pacer = Pacer::new(10);
        let began = Instant::now();
        for _ in 0..19 {
            assert!(pacer.turn(Endpoint::Capture, began + FAR).await);
        }
        let took = began.elapsed();
        assert!((Duration::from_millis(1_800)..Duration::from_millis(2_100)).contains(&took), "{took:?}");
        assert!(!pacer.turn(Endpoint::Capture, Instant::now()).await, "its turn comes too late");
        assert!(pacer.turn(Endpoint::Refund, Instant::now() + FAR).await);
        assert_eq!(Instant::now() - began, took, "another endpoint has turns of its own");
    }

    #[tokio::test(start_paused = true)]
    async fn refused_requests_make_the_pace_slower_for_a_while() {
        let pacer = Pacer::new(25);
        let usual = pacer.node_rate();
        (0..3).for_each(|_| pacer.slow_down(Endpoint::Create));
        assert!(pacer.node_rate() < usual / 3.0, "{}", pacer.node_rate());
        assert_eq!(pacer.take_creates(1), 0, "its second is not over");
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(pacer.take_creates(1) > 0);
        (0..100).for_each(|_| pacer.speed_up());
        assert_eq!(pacer.node_rate(), usual);
    }

    #[tokio::test(start_paused = true)]
    async fn money_that_is_authorised_comes_first() {
        let pacer = std::sync::Arc::new(Pacer::new(10));
        let capture = || {
            let pacer = pacer.clone();
            tokio::spawn(async move { pacer.turn(Endpoint::Capture, Instant::now() + FAR).await })
        };
        let captures: Vec<_> = (0..8).map(|_| capture()).collect();
        tokio::task::yield_now().await;
        assert_eq!(pacer.take_creates(5), 0, "captures wait");
        for capture in captures {
            assert!(capture.await.unwrap());
        }
        assert!(pacer.take_creates(5) > 0);
    }
}
