//! Requests to a payment provider over the network: each waits for its turn, has a deadline from then on, and is repeated when it was
//! certainly not carried out.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::pacer::{Endpoint, Pacer};
use crate::domain::payment::{CREATE_REPEAT_MAX_MS, PAYMENT_CALL_LEASE_MS};
use crate::domain::{Millis, Payment};

/// A confirmation waits for the bank.
pub const CONFIRM_DEADLINE: Duration = Duration::from_secs(25);
pub const CALL_DEADLINE: Duration = Duration::from_secs(10);
/// How long a request waits for its turn. A change of a payment comes again later, by the reconciler.
const TURN_MAX: Duration = Duration::from_secs(10);
/// Another request holds the object for a moment.
const LOCKED_PAUSE: Duration = Duration::from_millis(300);
/// Requests that are refused only because of their number or a lock are repeated so often, within their deadline.
const REPEATS_MAX: usize = 8;

/// The clocks of a provider and of our database may differ by this much.
pub const CLOCKS_DIFFER_MS: Millis = 120_000;

/// What came of sending a request once.
#[derive(Debug)]
pub enum Sent<R> {
    Answered(R),
    /// Nothing was done: there were too many requests.
    TooMany,
    /// Nothing was done: another request holds the object.
    Locked,
}

/// When a request may be sent, and how long it may take.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    pub endpoint: Endpoint,
    pub deadline: Duration,
    /// Its turn was taken before: the queue takes that of a payment which is created.
    pub is_taken: bool,
}

impl Turn {
    pub fn create() -> Self {
        Self { endpoint: Endpoint::Create, deadline: CONFIRM_DEADLINE, is_taken: true }
    }

    pub fn of(endpoint: Endpoint) -> Self {
        Self { endpoint, deadline: CALL_DEADLINE, is_taken: false }
    }
}

/// Sends a request when its turn has come; the time of its deadline begins then. A request that the provider refused because there were too
/// many, or because another one holds the object, was not carried out: it is repeated. `None`: it has no answer in time.
pub async fn send_in_turn<R, F: Future<Output = Sent<R>>>(
    pacer: &Pacer,
    turn: Turn,
    send: impl Fn(Instant) -> F,
) -> Option<R> {
    let Turn { endpoint, deadline, is_taken } = turn;
    if !is_taken && !pacer.turn(endpoint, Instant::now() + TURN_MAX).await {
        tracing::warn!(?endpoint, "a request to the payment provider had to wait for too long");
        return None;
    }
    let give_up = Instant::now() + deadline;
    for _ in 0..REPEATS_MAX {
        match send(give_up).await {
            Sent::TooMany => {
                pacer.slow_down(endpoint);
                if !pacer.turn(endpoint, give_up).await {
                    break;
                }
            }
            Sent::Locked => sleep(LOCKED_PAUSE).await,
            Sent::Answered(answer) => {
                pacer.speed_up();
                return Some(answer);
            }
        }
    }
    None
}

/// From when to when the intent of an attempt can have been made; `None`: the provider was never asked. A request that is sent again later
/// moves `called_at`, and with it the end.
pub fn search_window(payment: &Payment) -> Option<(Millis, Millis)> {
    let called_at = payment.called_at?;
    let last = if payment.is_sent_by_queue { called_at } else { payment.created_at + CREATE_REPEAT_MAX_MS };
    // Between the mark in our database and the request are a write and the pace; the lease covers them, for then it may be sent again.
    let until = last + PAYMENT_CALL_LEASE_MS + CONFIRM_DEADLINE.as_millis() as Millis + CLOCKS_DIFFER_MS;
    Some((payment.created_at - CLOCKS_DIFFER_MS, until))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;
    use std::sync::{Arc, Mutex};

    use super::*;

    const CAPTURE: Endpoint = Endpoint::Capture;

    /// Sends a request whose answers are these, by their number from 0. Gives the time that each request was given, and what came of them.
    async fn sent(
        pacer: &Pacer,
        turn: Turn,
        answer: impl Fn(usize) -> Sent<&'static str>,
    ) -> (Vec<Duration>, Option<&'static str>) {
        let times = Mutex::new(Vec::new());
        let send = |give_up: Instant| {
            let mut times = times.lock().unwrap();
            times.push(give_up - Instant::now());
            std::future::ready(answer(times.len() - 1))
        };
        let outcome = send_in_turn(pacer, turn, send).await;
        (times.into_inner().unwrap(), outcome)
    }

    /// So many captures wait for their turn.
    async fn let_captures_wait(pacer: &Arc<Pacer>, count: usize) {
        for _ in 0..count {
            let pacer = pacer.clone();
            tokio::spawn(async move { pacer.turn(CAPTURE, Instant::now() + 100 * TURN_MAX).await });
        }
        tokio::task::yield_now().await;
    }

    #[tokio::test(start_paused = true)]
    async fn request_that_finds_a_lock_is_repeated_after_a_pause_and_not_for_ever() {
        let (pacer, began) = (Pacer::new(1_000), Instant::now());
        let locked_twice = |n| if n < 2 { Sent::Locked } else { Sent::Answered("done") };
        let (times, outcome) = sent(&pacer, Turn::of(CAPTURE), locked_twice).await;
        assert_eq!((times.len(), outcome), (3, Some("done")));
        assert!((2 * LOCKED_PAUSE..3 * LOCKED_PAUSE).contains(&began.elapsed()), "{:?}", began.elapsed());
        assert!(times[2] <= CALL_DEADLINE - 2 * LOCKED_PAUSE, "one deadline for all of them: {times:?}");
        let (times, outcome) = sent(&pacer, Turn::of(CAPTURE), |_| Sent::Locked).await;
        assert_eq!((times.len(), outcome), (REPEATS_MAX, None));
    }

    #[tokio::test(start_paused = true)]
    async fn request_beyond_the_rate_is_repeated_more_slowly_and_not_for_ever() {
        let (pacer, began) = (Pacer::new(1_000), Instant::now());
        let refused_once = |n| if n < 1 { Sent::TooMany } else { Sent::Answered("done") };
        let (times, outcome) = sent(&pacer, Turn::of(CAPTURE), refused_once).await;
        assert_eq!((times.len(), outcome), (2, Some("done")));
        assert!(began.elapsed() >= Duration::from_secs(1), "its second must be over: {:?}", began.elapsed());
        assert_eq!(pacer.refused.load(Ordering::Relaxed), 1);
        let (times, outcome) = sent(&pacer, Turn::of(CAPTURE), |_| Sent::TooMany).await;
        assert_eq!((times.len(), outcome), (REPEATS_MAX, None));
        // A slow provider: its turn would come after the deadline, so it is not sent again.
        let hurried = Turn { deadline: Duration::from_millis(500), ..Turn::of(CAPTURE) };
        let (times, outcome) = sent(&pacer, hurried, |_| Sent::TooMany).await;
        assert_eq!((times.len(), outcome), (1, None));
    }

    #[tokio::test(start_paused = true)]
    async fn request_waits_ten_seconds_for_its_turn_and_its_deadline_begins_then() {
        let (pacer, began) = (Arc::new(Pacer::new(1)), Instant::now());
        let_captures_wait(&pacer, 5).await;
        let (times, outcome) = sent(&pacer, Turn::of(CAPTURE), |_| Sent::Answered("done")).await;
        assert_eq!((times, outcome), (vec![CALL_DEADLINE], Some("done")));
        assert!(began.elapsed() > Duration::from_secs(5), "{:?}", began.elapsed());
        let_captures_wait(&pacer, 9).await;
        let began = Instant::now();
        let (times, outcome) = sent(&pacer, Turn::of(CAPTURE), |_| Sent::Answered("done")).await;
        assert_eq!((times.len(), outcome), (0, None), "it would have to wait for too long");
        assert_eq!(began.elapsed(), Duration::ZERO, "and it does not");
    }

    #[tokio::test(start_paused = true)]
    async fn payment_takes_its_turn_once() {
        let (pacer, began) = (Pacer::new(1), Instant::now());
        assert_eq!(pacer.take_creates(9), 1, "the queue takes it");
        let (times, outcome) = sent(&pacer, Turn::create(), |_| Sent::Answered("done")).await;
        assert_eq!((times, outcome), (vec![CONFIRM_DEADLINE], Some("done")));
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
