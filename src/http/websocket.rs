//! The WebSocket upgrade: turns an HTTP request into a live connection that the HTTP server no longer owns.
//!
//! The session takes the TCP socket itself, not a stream around it: the room writes the same bytes to the sockets of all viewers.
//! A connection that is refused is upgraded and then closed with a close code, because browsers cannot read a failed handshake.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::OnUpgrade;
use serde::Deserialize;
use tokio::net::TcpStream;

use super::address_key::AddressKey;
use super::admission::{AdmissionDecision, Newcomer, TicketHolder};
use super::connection_limit::ConnectionPermit;
use super::error::{ApiResult, Problem};
use super::extract::{PathId, QueryParams};
use super::handshake::Handshake;
use super::session_cookie::CookieScope;
use super::write_deadline::WriteDeadline;
use super::{AppState, auth, subprotocol};
use crate::app::Error;
use crate::domain::authorization::Place;
use crate::domain::{Actor, AdmissionTicket, Refusal, StreamId};
use crate::protocol::{Close, json_bytes};
use crate::session::{self, StreamPosition, UpgradedConnection};

const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);
/// The maximum length of the client's own random session id, which the server keeps.
const SESSION_ID_BYTES_MAX: usize = 64;

#[derive(Deserialize)]
pub struct LiveQuery {
    /// A token among the subprotocols comes first.
    token: Option<String>,
    epoch: Option<String>,
    seq: Option<u64>,
    session: Option<String>,
    /// What the last close gave to a client that was told to come back.
    ticket: Option<String>,
    /// `1`: an overlay of the show or a probe, which is not counted as a viewer.
    overlay: Option<String>,
}

/// What happens to a connection after the upgrade.
enum UpgradeDecision {
    Accept {
        actor: Box<Actor>,
        session: Option<String>,
        position: Option<StreamPosition>,
        is_uncounted: bool,
        deflate: bool,
    },
    /// With a ticket if a place is kept for the client.
    Refuse(Close, Option<AdmissionTicket>),
}

pub async fn live(
    State(state): State<AppState>,
    PathId(stream): PathId<StreamId>,
    QueryParams(query): QueryParams<LiveQuery>,
    request: Request<axum::body::Body>,
) -> ApiResult<Response> {
    let Handshake { accept, compression } = match Handshake::check(&request) {
        Ok(handshake) => handshake,
        Err(problem) => return Ok(refuse_handshake(*problem)),
    };
    let compression = compression.filter(|_| state.deflate);
    let (mut parts, _) = request.into_parts();
    let client = state.trusted_proxies.client_ip(&parts);
    // A proxy that does not name its client is treated as all its clients.
    let limited = client.filter(|address| !state.trusted_proxies.is_trusted(*address));
    let address = limited.and_then(|address| state.connections.address_key(address));
    check_stream(&state, stream, address).await?;
    let Some(upgrade) = parts.extensions.remove::<OnUpgrade>() else {
        return Ok(refuse_handshake(Problem::bad_request(StatusCode::UPGRADE_REQUIRED, "HTTP/1.1 is required.")));
    };
    let token = subprotocol::offered_token(&parts.headers).or(query.token.as_deref()).filter(|token| !token.is_empty());
    let actor = match token {
        Some(token) => state.authenticate(token, client).await.map(Some).map_err(Error::from),
        None => {
            match CookieScope::of(&state.origins, &state.trusted_proxies, &parts).secret_for_upgrade(&parts.headers) {
                // Boxed: most connections come without a sign-in session.
                Some(secret) => Box::pin(state.app.accounts.authenticate(&secret)).await,
                None => Ok(None),
            }
        }
    };
    let user = actor.as_ref().ok().and_then(Option::as_ref);
    let holder = TicketHolder { stream, user: user.map(|actor| &actor.user), address: limited.map(AddressKey::from) };
    let is_team = user.is_some_and(|actor| !actor.role_in(Place::Stream(stream)).is_audience());
    let ticket = query.ticket.as_deref().and_then(AdmissionTicket::parse);
    let newcomer = Newcomer { address, user: holder.user, is_team, holder, ticket };
    let refused = match state.admission.admit(&newcomer, state.app.clock().now()) {
        AdmissionDecision::Admitted => None,
        AdmissionDecision::Deferred { retry_ms, ticket } => Some((Close::Overload { retry_ms }, ticket)),
        AdmissionDecision::Rejected { retry_ms } => return Err(Refusal::Busy { retry_ms }.into()),
    };
    let speaks_protocol = subprotocol::offers_protocol(&parts.headers);
    let permit = parts.extensions.get::<ConnectionPermit>().cloned();
    // A signed-in user has limits of their own, so the connection does not count for the address.
    let counted = permit.as_ref().map_or(Some(true), |permit| permit.count_for(address.filter(|_| user.is_none())));
    let decision = match (refused, actor, counted) {
        (Some((close, ticket)), ..) => UpgradeDecision::Refuse(close, ticket),
        (None, Err(Error::Refused(_)), _) => UpgradeDecision::Refuse(Close::Token, None),
        // The sign-in session could not be read: it may be valid.
        (None, Err(_), _) => UpgradeDecision::Refuse(session::overload_close(), None),
        (None, Ok(_), None) => UpgradeDecision::Refuse(session::overload_close(), None),
        (None, Ok(actor), Some(is_counted)) => {
            let actor = actor.map_or_else(auth::anonymous_actor, |actor| actor.scoped_to(stream));
            accept_upgrade(query, actor, is_counted, compression.is_some())
        }
    };
    let app = state.app.clone();
    app.spawn(async move {
        let Ok(Ok(upgraded)) = tokio::time::timeout(UPGRADE_TIMEOUT, upgrade).await else { return };
        let Ok(parts) = upgraded.downcast::<WriteDeadline>() else { return };
        // Copied: even an empty slice would keep the whole HTTP read buffer of 8 KiB alive for as long as the viewer stays.
        let read_ahead = bytes::Bytes::copy_from_slice(&parts.read_buf);
        drop(parts.read_buf);
        start_session(state, stream, parts.io.into_socket(), read_ahead, decision, permit).await;
    });
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    if speaks_protocol {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(subprotocol::SUBPROTOCOL));
    }
    if let Some(agreed) = compression {
        headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_static(agreed));
    }
    Ok(response)
}

/// A stream that does not exist is a permanent error, so it is a 404 and not a close code that says "retry". The check comes
/// before admission: invented ids must not use up what is for viewers. The look-ups that they cause are limited themselves.
async fn check_stream(state: &AppState, stream: StreamId, address: Option<AddressKey>) -> ApiResult<()> {
    if !state.app.stream_cache.is_known(stream) {
        let admitted = state.admission.admit_lookup(address, state.app.clock().now());
        admitted.map_err(|retry_ms| Refusal::Busy { retry_ms })?;
    }
    Ok(state.app.stream_cache.check_stream_exists(stream).await?)
}

fn accept_upgrade(query: LiveQuery, actor: Actor, is_counted: bool, deflate: bool) -> UpgradeDecision {
    let position = query.epoch.zip(query.seq).map(|(epoch, seq)| StreamPosition { epoch: epoch.into(), seq });
    let session = query.session.filter(|session| (1..=SESSION_ID_BYTES_MAX).contains(&session.len()));
    let overlay = query.overlay.is_some_and(|overlay| overlay != "0");
    let actor = Box::new(actor);
    UpgradeDecision::Accept { actor, session, position, is_uncounted: overlay || !is_counted, deflate }
}

async fn start_session(
    state: AppState,
    stream: StreamId,
    socket: TcpStream,
    read_ahead: bytes::Bytes,
    decision: UpgradeDecision,
    permit: Option<ConnectionPermit>,
) {
    let (actor, session, position, is_uncounted, deflate) = match decision {
        UpgradeDecision::Accept { actor, session, position, is_uncounted, deflate } => {
            (*actor, session, position, is_uncounted, deflate)
        }
        UpgradeDecision::Refuse(close, ticket) => return refuse_upgraded(&state, socket, close, ticket).await,
    };
    match state.app.streams.open_room(&actor, stream).await {
        Ok((room, you)) => {
            let you = json_bytes(&you);
            let missed = match &position {
                Some(position) => state.app.streams.missed_events(&room, position).await,
                None => Vec::new(),
            };
            let connection =
                UpgradedConnection { socket, read_ahead, actor, session, position, missed, you, deflate, is_uncounted };
            // A new task: the memory that the upgrade needed is freed, so that an idle viewer stays small.
            let tasks = state.app.tasks().clone();
            tasks.spawn(session::serve(state.app, room, connection, permit));
        }
        Err(Error::Refused(Refusal::Banned)) => refuse_upgraded(&state, socket, Close::Banned, None).await,
        Err(Error::Refused(Refusal::TokenInvalid | Refusal::TokenRevoked)) => {
            refuse_upgraded(&state, socket, Close::Token, None).await;
        }
        Err(_) => refuse_upgraded(&state, socket, session::overload_close(), None).await,
    }
}

async fn refuse_upgraded(state: &AppState, socket: TcpStream, close: Close, ticket: Option<AdmissionTicket>) {
    state.app.rooms().counters.closes.count(close);
    session::refuse(socket, close, ticket).await;
}

/// A refused handshake names the version that this server speaks. 426 also names the protocol.
fn refuse_handshake(problem: Problem) -> Response {
    let mut response = problem.into_response();
    if response.status() == StatusCode::UPGRADE_REQUIRED {
        response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    }
    response.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    response
}
