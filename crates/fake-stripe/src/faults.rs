//! Faults that a test requests, and the limits of the account.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// A kind of call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Call {
    Create,
    Confirm,
    Capture,
    Cancel,
    Fetch,
    List,
    Refund,
    Disputes,
    CreateCustomer,
    DeleteCustomer,
    ListMethods,
    Detach,
    /// Everything else.
    Other,
}

impl Call {
    pub fn parse(name: &str) -> Option<Self> {
        let all = [
            ("create", Call::Create),
            ("confirm", Call::Confirm),
            ("capture", Call::Capture),
            ("cancel", Call::Cancel),
            ("fetch", Call::Fetch),
            ("list", Call::List),
            ("refund", Call::Refund),
            ("disputes", Call::Disputes),
            ("create_customer", Call::CreateCustomer),
            ("delete_customer", Call::DeleteCustomer),
            ("list_methods", Call::ListMethods),
            ("detach", Call::Detach),
            ("other", Call::Other),
        ];
        all.into_iter().find(|(known, _)| *known == name).map(|(_, call)| call)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// 500, and nothing was done. The key keeps the 500.
    ErrorBefore,
    /// It was done, and the answer is 500. The key keeps the 500.
    ErrorAfter,
    /// The connection is closed before anything is done. The key is free.
    CutBefore,
    /// It was done and the answer is kept, and the connection is closed without it.
    CutAfter,
    /// It was done, and the connection is closed in the middle of the answer.
    HalfAnswer,
    /// 429 `lock_timeout`: another call holds the object. Nothing was done.
    LockTimeout,
    /// 429: too many requests. Nothing was done.
    RateLimit,
    /// The answer comes after this time.
    Slow(Duration),
}

impl Fault {
    pub fn parse(name: &str) -> Option<Self> {
        let slow = name.strip_prefix("slow:").and_then(|ms| ms.parse().ok()).map(Duration::from_millis);
        Some(match name {
            "error_before" => Fault::ErrorBefore,
            "error_after" => Fault::ErrorAfter,
            "cut_before" => Fault::CutBefore,
            "cut_after" => Fault::CutAfter,
            "half_answer" => Fault::HalfAnswer,
            "lock_timeout" => Fault::LockTimeout,
            "rate_limit" => Fault::RateLimit,
            _ => return slow.map(Fault::Slow),
        })
    }
}

pub struct Faults {
    /// What the next calls of a kind meet, in this order.
    planned: HashMap<Call, Vec<Fault>>,
    /// The share of calls that meet a random fault.
    random: f64,
    /// Every connection is closed without an answer.
    pub is_down: bool,
    rng: StdRng,
}

impl Faults {
    pub fn new(seed: u64) -> Self {
        Self { planned: HashMap::new(), random: 0.0, is_down: false, rng: StdRng::seed_from_u64(seed) }
    }

    pub fn plan(&mut self, call: Call, fault: Fault, times: usize) {
        self.planned.entry(call).or_default().extend(std::iter::repeat_n(fault, times));
    }

    pub fn set_random(&mut self, share: f64) {
        self.random = share.clamp(0.0, 1.0);
    }

    pub fn clear(&mut self) {
        self.planned.clear();
        (self.random, self.is_down) = (0.0, false);
    }

    pub fn take(&mut self, call: Call) -> Option<Fault> {
        if self.is_down {
            return Some(Fault::CutBefore);
        }
        if let Some(planned) = self.planned.get_mut(&call).filter(|planned| !planned.is_empty()) {
            return Some(planned.remove(0));
        }
        if self.random == 0.0 || !self.rng.random_bool(self.random) {
            return None;
        }
        let slow = Fault::Slow(Duration::from_millis(self.rng.random_range(50..500)));
        let all = [
            Fault::ErrorBefore,
            Fault::ErrorAfter,
            Fault::CutBefore,
            Fault::CutAfter,
            Fault::HalfAnswer,
            Fault::LockTimeout,
            slow,
        ];
        Some(all[self.rng.random_range(0..all.len())])
    }
}

/// The limits of an account, in real time: requests a second to one endpoint.
pub struct RateLimit {
    pub per_endpoint: u32,
    windows: HashMap<(String, Call), (Instant, u32)>,
}

impl RateLimit {
    pub fn new(per_endpoint: u32) -> Self {
        Self { per_endpoint, windows: HashMap::new() }
    }

    /// `false`: the endpoint had too many requests in this second.
    pub fn take(&mut self, method: &str, call: Call) -> bool {
        let now = Instant::now();
        let (began, count) = self.windows.entry((method.to_owned(), call)).or_insert((now, 0));
        if now.duration_since(*began) >= Duration::from_secs(1) {
            (*began, *count) = (now, 0);
        }
        *count += 1;
        *count <= self.per_endpoint
    }
}
