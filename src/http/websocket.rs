//! The WebSocket upgrade: turns an HTTP request into a live connection that the HTTP server no longer owns.
//!
//! The session takes the TCP socket itself, not a stream around it: the room writes the same bytes to the sockets of all viewers.
//! A connection that is refused is upgraded and then closed with a close code, because browsers cannot read a failed handshake.

use std::net::IpAddr;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::OnUpgrade;
use serde::Deserialize;
use tokio::net::TcpStream;

use super::admission::AdmissionDecision;
use super::error::{ApiResult, Problem};
use super::extract::{PathId, QueryParams};
use super::handshake::Handshake;
use super::server::ConnectionPermit;
use super::write_deadline::WriteDeadline;
use super::{AppState, auth};
use crate::app::Error;
use crate::domain::{Actor, Refusal, StreamId};
use crate::protocol::{Close, json_bytes};
use crate::session::{self, StreamPosition, UpgradedConnection};

const SUBPROTOCOL: &str = "livesouk.v1";
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);
/// The maximum length of the client's own random session id, which the server keeps.
const SESSION_ID_BYTES_MAX: usize = 64;

#[derive(Deserialize)]
pub struct LiveQuery {
    token: Option<String>,
    epoch: Option<String>,
    seq: Option<u64>,
    session: Option<String>,
    /// `1`: an overlay of the show or a probe, which is not counted as a viewer.
    overlay: Option<String>,
}

/// What happens to a connection after the upgrade.
enum UpgradeDecision {
    Accept {
        actor: Box<Actor>,
        session: Option<String>,
        position: Option<StreamPosition>,
        overlay: bool,
        deflate: bool,
    },
    Refuse(Close),
}

pub async fn live(
    State(state): State<AppState>,
    PathId(stream): PathId<StreamId>,
    QueryParams(query): QueryParams<LiveQuery>,
    mut request: Request<axum::body::Body>,
) -> ApiResult<Response> {
    let Handshake { accept, compression } = match Handshake::check(&request) {
        Ok(handshake) => handshake,
        Err(problem) => return Ok(refuse_handshake(*problem)),
    };
    let compression = compression.filter(|_| state.deflate);
    // Admission control comes first: when many viewers connect at once, a refusal must cost as little as possible.
    let refused = match state.admission.admit(state.app.clock().now()) {
        AdmissionDecision::Admitted => None,
        AdmissionDecision::Deferred { retry_ms } => Some(Close::Overload { retry_ms }),
        AdmissionDecision::Rejected { retry_ms } => return Err(Refusal::Busy { retry_ms }.into()),
    };
    // A stream that does not exist is a permanent error, so it is a 404 and not a close code that says "retry".
    state.app.stream_cache.check_stream_exists(stream).await?;
    let Some(upgrade) = request.extensions_mut().remove::<OnUpgrade>() else {
        return Ok(refuse_handshake(Problem::bad_request(StatusCode::UPGRADE_REQUIRED, "HTTP/1.1 is required.")));
    };
    let subprotocol = offers_subprotocol(request.headers());
    let (parts, _) = request.into_parts();
    let client = state.trusted_proxies.client_ip(&parts);
    let decision = match refused {
        Some(close) => UpgradeDecision::Refuse(close),
        None => decide_upgrade(&state, stream, query, compression.is_some(), client).await,
    };
    let app = state.app.clone();
    let permit = parts.extensions.get::<ConnectionPermit>().cloned();
    app.tasks().spawn(async move {
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
    if subprotocol {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    }
    if let Some(agreed) = compression {
        headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_static(agreed));
    }
    Ok(response)
}

async fn decide_upgrade(
    state: &AppState,
    stream: StreamId,
    query: LiveQuery,
    deflate: bool,
    client: Option<IpAddr>,
) -> UpgradeDecision {
    let actor = match query.token.as_deref().filter(|token| !token.is_empty()) {
        None => auth::guest_actor(),
        Some(token) => match state.authenticate(token, client).await {
            Ok(actor) => actor.scoped_to(stream),
            Err(_) => return UpgradeDecision::Refuse(Close::Token),
        },
    };
    let position = query.epoch.zip(query.seq).map(|(epoch, seq)| StreamPosition { epoch: epoch.into(), seq });
    let session = query.session.filter(|session| (1..=SESSION_ID_BYTES_MAX).contains(&session.len()));
    let overlay = query.overlay.is_some_and(|overlay| overlay != "0");
    UpgradeDecision::Accept { actor: Box::new(actor), session, position, overlay, deflate }
}

async fn start_session(
    state: AppState,
    stream: StreamId,
    socket: TcpStream,
    read_ahead: bytes::Bytes,
    decision: UpgradeDecision,
    permit: Option<ConnectionPermit>,
) {
    let (actor, session, position, overlay, deflate) = match decision {
        UpgradeDecision::Accept { actor, session, position, overlay, deflate } => {
            (*actor, session, position, overlay, deflate)
        }
        UpgradeDecision::Refuse(close) => return refuse_upgraded(&state, socket, close).await,
    };
    match state.app.streams.open_room(&actor, stream).await {
        Ok((room, you)) => {
            let you = json_bytes(&you);
            let missed = match &position {
                Some(position) => state.app.streams.missed_events(&room, position).await,
                None => Vec::new(),
            };
            let connection =
                UpgradedConnection { socket, read_ahead, actor, session, position, missed, you, deflate, overlay };
            // A new task: the memory that the upgrade needed is freed, so that an idle viewer stays small.
            let tasks = state.app.tasks().clone();
            tasks.spawn(session::serve(state.app, room, connection, permit));
        }
        Err(Error::Refused(Refusal::Banned)) => refuse_upgraded(&state, socket, Close::Banned).await,
        Err(Error::Refused(Refusal::TokenInvalid | Refusal::TokenRevoked)) => {
            refuse_upgraded(&state, socket, Close::Token).await
        }
        Err(_) => refuse_upgraded(&state, socket, session::overload_close()).await,
    }
}

async fn refuse_upgraded(state: &AppState, socket: TcpStream, close: Close) {
    state.app.rooms().counters.closes.count(close);
    session::refuse(socket, close).await;
}

fn offers_subprotocol(headers: &HeaderMap) -> bool {
    let offers = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    offers.flat_map(|value| value.split(',')).any(|offer| offer.trim() == SUBPROTOCOL)
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
