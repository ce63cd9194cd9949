//! How many connections may be open: of all clients together, and of one address when slots are short. Each open
//! connection has one slot.
//!
//! Some slots are reserved. A connection that finds no other slot gets one of them for a single request, and that request is
//! served only if it is a health check or comes from the team: so a node that is full can still be observed, and the host can
//! still run the show. The team has slots of its own, to which such a connection moves.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::address_key::{AddressCounts, AddressKey, ConnectionsPerAddress};
use super::error::Problem;
use super::extract::bearer_token;
use super::{AppState, client_address::ClientAddress};
use crate::domain::Refusal;
use crate::metrics::increment;

/// The largest number of reserved slots; a tenth of all slots, if that is less.
const RESERVED_MAX: usize = 80;
/// The part of the reserved slots for requests that may be health checks; the others are the team's.
const RESERVED_DIVISOR: usize = 5;
/// One address may have this part of the slots for such requests.
const RESERVED_ADDRESS_DIVISOR: usize = 4;
/// When less than this part of the slots is free, slots are short: an address then gets no more than its share.
const SHORT_DIVISOR: usize = 4;
/// The largest share of one address when slots are short.
const SHARE_DIVISOR: usize = 2;
const FULL_RETRY_MS: std::ops::Range<i64> = 2_000..10_000;

/// Limits the number of open connections, and counts those that were refused.
#[derive(Debug)]
pub struct ConnectionLimiter {
    general: Arc<Semaphore>,
    general_max: usize,
    reserved: Arc<Semaphore>,
    reserved_max: usize,
    team: Arc<Semaphore>,
    pub max: usize,
    limit: ConnectionsPerAddress,
    addresses: AddressCounts,
    reserved_addresses: AddressCounts,
    /// Connections that were dropped because of the limit.
    pub dropped: AtomicU64,
    /// Connections that found no slot because their address had its share.
    pub over_share: AtomicU64,
    /// Requests that were answered with 503 because only reserved slots were left.
    pub full: AtomicU64,
    /// Connections that could not be accepted, mostly because of the limit on open files.
    pub accept_failures: AtomicU64,
    /// Connections that were cut because the client did not read its data for too long.
    pub stalled: Arc<AtomicU64>,
}

impl ConnectionLimiter {
    pub fn new(max: usize, limit: ConnectionsPerAddress) -> Arc<Self> {
        let all_reserved = (max / 10).min(RESERVED_MAX);
        let reserved_max = all_reserved.div_ceil(RESERVED_DIVISOR);
        let general_max = max - all_reserved;
        let slots = |count| Arc::new(Semaphore::new(count));
        let (dropped, over_share, full, accept_failures, stalled) = Default::default();
        let (addresses, reserved_addresses) = Default::default();
        Arc::new(Self {
            general: slots(general_max),
            general_max,
            reserved: slots(reserved_max),
            reserved_max,
            team: slots(all_reserved - reserved_max),
            max,
            limit,
            addresses,
            reserved_addresses,
            dropped,
            over_share,
            full,
            accept_failures,
            stalled,
        })
    }

    pub fn open_connections(&self) -> usize {
        let free = [&self.general, &self.reserved, &self.team].map(|slots| slots.available_permits());
        self.max.saturating_sub(free.iter().sum())
    }

    /// Addresses that have a connection and a limit.
    pub fn limited_addresses(&self) -> usize {
        self.addresses.address_count()
    }

    /// The key under which the connections of this address are limited; `None`: they are not.
    pub fn address_key(&self, address: std::net::IpAddr) -> Option<AddressKey> {
        self.limit.key(address)
    }

    /// A slot for a new connection; `None`: it must be dropped. The client reconnects with jitter, later or to another node.
    pub fn accept(self: &Arc<Self>, address: Option<AddressKey>) -> Option<ConnectionPermit> {
        if self.has_share(address) {
            if let Ok(permit) = self.general.clone().try_acquire_owned() {
                return Some(ConnectionPermit::new(self.clone(), permit, Slot::General, address));
            }
        } else {
            increment(&self.over_share);
        }
        let reserved_share = (self.reserved_max / RESERVED_ADDRESS_DIVISOR).max(1);
        let has_reserve = address.is_none_or(|key| self.reserved_addresses.get(key) < reserved_share);
        if has_reserve && let Ok(permit) = self.reserved.clone().try_acquire_owned() {
            return Some(ConnectionPermit::new(self.clone(), permit, Slot::Reserved, address));
        }
        increment(&self.dropped);
        None
    }

    /// Whether this address may have one more connection. Always true while there are many slots.
    fn has_share(&self, address: Option<AddressKey>) -> bool {
        let is_short = self.general.available_permits() * SHORT_DIVISOR < self.general_max;
        let share = self.limit.connections.min(self.general_max.div_ceil(SHARE_DIVISOR));
        !is_short || address.is_none_or(|key| self.addresses.get(key) < share)
    }

    fn slots(&self, slot: Slot) -> &Semaphore {
        match slot {
            Slot::General => &self.general,
            Slot::Reserved => &self.reserved,
            Slot::Team => &self.team,
        }
    }

    fn counts(&self, slot: Slot) -> Option<&AddressCounts> {
        match slot {
            Slot::General => Some(&self.addresses),
            Slot::Reserved => Some(&self.reserved_addresses),
            Slot::Team => None,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Slot {
    General,
    /// Only for one request, from an address that is counted there.
    Reserved,
    Team,
}

/// The permission for one open connection. It moves with the connection to the WebSocket session.
#[derive(Clone, Debug)]
pub struct ConnectionPermit(Arc<ConnectionSlot>);

#[derive(Debug)]
struct ConnectionSlot {
    limiter: Arc<ConnectionLimiter>,
    /// Read for each request, so it is not behind the lock.
    is_reserved: AtomicBool,
    held: Mutex<HeldSlot>,
}

#[derive(Debug)]
struct HeldSlot {
    /// Its permit belongs to this value: it is given back when the slot is left.
    slot: Slot,
    address: Option<AddressKey>,
}

impl ConnectionPermit {
    fn new(
        limiter: Arc<ConnectionLimiter>,
        permit: OwnedSemaphorePermit,
        slot: Slot,
        address: Option<AddressKey>,
    ) -> Self {
        if let Some((counts, key)) = limiter.counts(slot).zip(address) {
            counts.add(key);
        }
        permit.forget();
        let (is_reserved, held) = (AtomicBool::new(slot == Slot::Reserved), HeldSlot { slot, address });
        Self(Arc::new(ConnectionSlot { limiter, is_reserved, held: Mutex::new(held) }))
    }

    /// The connection found no general slot.
    pub fn is_reserved(&self) -> bool {
        self.0.is_reserved.load(Ordering::Relaxed)
    }

    /// Moves the connection to a slot of the team. `false`: all of them are taken.
    fn move_to_team(&self) -> bool {
        let Ok(permit) = self.0.limiter.team.clone().try_acquire_owned() else { return false };
        let mut held = self.0.held();
        self.0.leave(&held);
        permit.forget();
        *held = HeldSlot { slot: Slot::Team, address: None };
        self.0.is_reserved.store(false, Ordering::Relaxed);
        true
    }

    /// From now on the connection counts for this address instead of the address of its socket: for the client behind a proxy,
    /// or for none, because a signed-in user has limits of their own. Returns whether it is within the number of connections
    /// that count, or `None` if slots are short and the address has its share.
    pub fn count_for(&self, address: Option<AddressKey>) -> Option<bool> {
        let limiter = &self.0.limiter;
        let mut held = self.0.held();
        if held.slot != Slot::General {
            return Some(true);
        }
        if held.address != address {
            if !limiter.has_share(address) {
                increment(&limiter.over_share);
                return None;
            }
            self.0.uncount(&held);
            held.address = address;
            address.inspect(|key| _ = limiter.addresses.add(*key));
        }
        Some(address.is_none_or(|key| limiter.addresses.get(key) <= limiter.limit.connections))
    }
}

impl ConnectionSlot {
    fn held(&self) -> MutexGuard<'_, HeldSlot> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the slot back.
    fn leave(&self, held: &HeldSlot) {
        self.uncount(held);
        self.limiter.slots(held.slot).add_permits(1);
    }

    fn uncount(&self, held: &HeldSlot) {
        if let Some((counts, key)) = self.limiter.counts(held.slot).zip(held.address) {
            counts.remove(key);
        }
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.leave(&self.held());
    }
}

/// Middleware: of the connections that found no general slot, only health checks and the team are served.
pub async fn check_slot(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let permit = request.extensions().get::<ConnectionPermit>().filter(|permit| permit.is_reserved()).cloned();
    let Some(permit) = permit else { return next.run(request).await };
    let is_health_check = ["/healthz", "/readyz", "/metrics"].contains(&request.uri().path());
    let client = request.extensions().get::<ClientAddress>().map(|client| client.0);
    let token = request_token(request.headers(), request.uri());
    let is_team = match token.filter(|_| !is_health_check) {
        Some(token) => state.authenticate(&token, client).await.is_ok_and(|actor| actor.is_team()),
        None => false,
    };
    if is_team && permit.move_to_team() {
        return next.run(request).await;
    }
    let mut response = if is_health_check {
        next.run(request).await
    } else {
        increment(&state.connections.full);
        Problem::from(&Refusal::Busy { retry_ms: rand::random_range(FULL_RETRY_MS) }).into_response()
    };
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The token in the header, or in the query of a WebSocket handshake.
fn request_token(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(bearer_token);
    let in_query = || uri.query()?.split('&').find_map(|pair| pair.strip_prefix("token="));
    header.or_else(in_query).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: Option<AddressKey> = Some(AddressKey::V4(1));
    const BOB: Option<AddressKey> = Some(AddressKey::V4(2));

    fn limiter(max: usize, connections: usize) -> Arc<ConnectionLimiter> {
        ConnectionLimiter::new(max, ConnectionsPerAddress { connections, exempt: Vec::new() })
    }

    fn take(limiter: &Arc<ConnectionLimiter>, address: Option<AddressKey>, count: usize) -> Vec<ConnectionPermit> {
        let general = || limiter.accept(address).filter(|permit| !permit.is_reserved());
        (0..count).map_while(|_| general()).collect()
    }

    #[test]
    fn one_address_cannot_take_the_slots_of_all_others() {
        let limiter = limiter(100, 2_000);
        // 90 general slots: when fewer than a quarter is free, an address has its share of a half.
        let all = take(&limiter, ANN, 100);
        assert_eq!(all.len(), 68);
        let others = take(&limiter, BOB, 100);
        assert_eq!(others.len(), 22, "the others have the rest");
        drop(others);
        drop(all);
        assert_eq!((limiter.open_connections(), limiter.limited_addresses()), (0, 0));
    }

    #[test]
    fn address_without_a_limit_may_take_every_general_slot() {
        let limiter = limiter(100, 10);
        let all = take(&limiter, None, 200);
        assert_eq!(all.len(), 90);
        assert_eq!(limiter.open_connections(), 90);
    }

    #[test]
    fn full_node_keeps_slots_for_health_checks_of_several_addresses_and_for_the_team() {
        let limiter = limiter(200, 0);
        let _all = take(&limiter, None, 200);
        let arrive = || limiter.accept(ANN);
        let first = arrive().unwrap();
        assert!(first.is_reserved());
        assert!(arrive().is_none(), "one address has one of the four");
        assert!(limiter.accept(BOB).is_some_and(|permit| permit.is_reserved()));
        assert!(first.move_to_team() && !first.is_reserved());
        assert!(arrive().is_some(), "its slot is free again");
        drop(first);
        assert_eq!(limiter.dropped.load(Ordering::Relaxed), 1);
        let team: Vec<_> = std::iter::from_fn(|| arrive().filter(ConnectionPermit::move_to_team)).take(50).collect();
        assert_eq!(team.len(), 16);
    }

    #[test]
    fn connections_above_the_number_of_an_address_do_not_count() {
        let limiter = limiter(1_000, 3);
        let permits = take(&limiter, ANN, 5);
        assert_eq!(permits.len(), 5, "there are slots enough");
        assert_eq!(permits[4].count_for(ANN), Some(false));
        // A signed-in user does not count for the address.
        assert_eq!((permits[0].count_for(None), permits[1].count_for(None)), (Some(true), Some(true)));
        assert_eq!(permits[4].count_for(ANN), Some(true));
        // Clients behind a proxy count for their own address.
        assert_eq!(permits[2].count_for(BOB), Some(true));
        drop(permits);
        assert_eq!(limiter.limited_addresses(), 0);
    }
}
