//! The connections: requests come in, answers leave or are cut, events are sent.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use crate::clock::system_ms;
use crate::route::{self, Asked, Sent};
use crate::webhooks::deliver;
use crate::{API_VERSION, Shared};

const BODY_BYTES_MAX: usize = 1 << 20;
/// A pause after a failed accept, so that a lack of file descriptors does not become a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The connection ends here, on request.
#[derive(Debug)]
pub struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection was cut on request")
    }
}

impl std::error::Error for Cut {}

/// A body in one piece, which may break off.
pub struct Reply {
    bytes: Option<Bytes>,
    is_cut: bool,
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self.bytes.take() {
            Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            None if std::mem::take(&mut self.is_cut) => Poll::Ready(Some(Err(Cut))),
            None => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.bytes {
            _ if self.is_cut => SizeHint::default(),
            bytes => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
        }
    }
}

pub async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((socket, _)) => {
                tokio::spawn(serve_connection(socket, shared.clone()));
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn serve_connection(socket: TcpStream, shared: Arc<Shared>) {
    let answer = service_fn(move |request| answer(request, shared.clone()));
    // A cut connection is an error here, and what the test asked for.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), answer).await;
}

async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Reply>, Cut> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, BODY_BYTES_MAX).collect().await.map_err(|_| Cut)?.to_bytes();
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let asked = Asked {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        authorization: header("authorization"),
        version: header("stripe-version"),
        idempotency_key: header("idempotency-key"),
        body,
    };
    // The work goes on when the client has gone.
    let sent = tokio::spawn(async move { route::answer(&shared, asked).await }).await.unwrap_or(Sent::Nothing);
    let (status, kind, headers, body, is_cut) = match sent {
        Sent::Nothing => return Err(Cut),
        Sent::Page { kind, body } => (200, kind, Vec::new(), body.into_bytes(), false),
        Sent::Redirect(to) => (303, "text/plain", vec![("location", to)], Vec::new(), false),
        Sent::Json { status, body, headers, is_cut } => {
            let mut body = body.to_string().into_bytes();
            if is_cut {
                body.truncate(body.len() / 2);
            }
            (status, "application/json", headers, body, is_cut)
        }
    };
    let mut response = Response::builder().status(status).header("content-type", kind);
    // The replacement of the payment form asks from the page of the shop.
    response = response.header("access-control-allow-origin", "*").header("access-control-allow-headers", "*");
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(Reply { bytes: Some(Bytes::from(body)), is_cut }).map_err(|_| Cut)
}

/// Sends events until the server ends.
pub async fn send_events(shared: Arc<Shared>) {
    loop {
        shared.has_events.notified().await;
        let delay = shared.world().delivery.delay;
        tokio::time::sleep(delay).await;
        send_waiting_events(&shared).await;
    }
}

/// Sends the events that wait, one after another.
pub async fn send_waiting_events(shared: &Shared) {
    let _order = shared.sending.lock().await;
    loop {
        let (event, endpoints, delivery, number) = {
            let mut world = shared.world();
            let delivery = world.delivery;
            let waiting = &mut world.ledger.new_events;
            let next = if delivery.is_reordered { waiting.pop_back() } else { waiting.pop_front() };
            let Some(event) = next else { return };
            world.events_seen += 1;
            (event, world.endpoints.clone(), delivery, world.events_seen)
        };
        if delivery.lost_every > 0 && number.is_multiple_of(delivery.lost_every) {
            continue;
        }
        for endpoint in &endpoints {
            for _ in 0..if delivery.is_twice { 2 } else { 1 } {
                deliver(&shared.client, endpoint, &event, API_VERSION, system_ms() / 1_000).await;
            }
        }
    }
}
