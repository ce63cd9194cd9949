//! Connections start and end in every way there is. Afterwards nothing of them may be left: no task, no file, no
//! memory.
//!
//! This is a test binary of its own, because it counts the resources of its whole process. It makes 50,000 connections
//! in a release build, 8,000 in a debug build, or `LIVESOUK_LEAK_CONNECTIONS`.

#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use livesouk::app::{ChatRateLimit, Settings};
use livesouk::broker::Broker;
use livesouk::clock::Clock;
use livesouk::config::{LimitArgs, NamesShown, VideoArgs};
use livesouk::demo;
use livesouk::http::auth::TokenAuth;
use livesouk::http::{Origins, TrustedProxies};
use livesouk::node::{self, Node, NodeConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

const CONCURRENT_CONNECTIONS: usize = 100;
const DEADLINE: Duration = Duration::from_secs(20);

/// The resources of this process.
#[derive(Clone, Copy, Debug)]
struct ProcessResources {
    tasks: usize,
    files: usize,
    rss_kib: i64,
}

impl ProcessResources {
    fn now() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        Self {
            tasks: tokio::runtime::Handle::current().metrics().num_alive_tasks(),
            files: std::fs::read_dir("/proc/self/fd").unwrap().count(),
            rss_kib: line.trim().trim_end_matches(" kB").parse().unwrap(),
        }
    }

    /// The resources once everything under way has ended: when three samples in a row are equal.
    async fn settled() -> Self {
        let deadline = Instant::now() + DEADLINE;
        let mut last = Self::now();
        let mut same = 0;
        while same < 3 && Instant::now() < deadline {
            sleep(Duration::from_millis(700)).await;
            let now = Self::now();
            same = if (now.tasks, now.files) == (last.tasks, last.files) { same + 1 } else { 0 };
            last = now;
        }
        last
    }
}

/// One viewer that connects and leaves. Its number selects the way it leaves.
async fn connect_and_leave(server: SocketAddr, stream: String, number: usize) {
    let socket = TcpSocket::new_v4().unwrap();
    // Several source addresses, so that there are enough ports.
    let own = Ipv4Addr::new(127, 0, 1, 1 + (number % 8) as u8);
    socket.bind(SocketAddr::from((own, 0))).unwrap();
    let mut socket = socket.connect(server).await.unwrap();
    let ending = number % 7;
    if ending == 0 {
        return;
    }
    let deflate = if number.is_multiple_of(2) { "Sec-WebSocket-Extensions: permessage-deflate\r\n" } else { "" };
    let request = format!(
        "GET /v1/streams/{stream}/live?session=s{number} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{deflate}\r\n"
    );
    let request = if ending == 1 { &request[..60] } else { &request };
    socket.write_all(request.as_bytes()).await.unwrap();
    if ending <= 2 {
        return;
    }
    // The response and a part of the hello.
    let mut seen = Vec::new();
    while !seen.windows(4).any(|end| end == b"\r\n\r\n") {
        assert_ne!(timeout(DEADLINE, socket.read_buf(&mut seen)).await.unwrap().unwrap(), 0, "a response");
    }
    assert!(seen.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&seen));
    match ending {
        // A close frame that is answered and read to the end.
        3 => {
            socket.write_all(b"\x88\x80\0\0\0\0").await.unwrap();
            read_to_end(&mut socket).await;
        }
        // An invalid frame: the server closes the connection.
        4 => {
            socket.write_all(b"\x83\x80\0\0\0\0").await.unwrap();
            read_to_end(&mut socket).await;
        }
        // Half a message, then nothing more.
        5 => socket.write_all(b"\x81\xfe\x10\0\0\0\0\0half").await.unwrap(),
        // A reset connection.
        _ => socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO)).unwrap(),
    }
}

async fn read_to_end(socket: &mut TcpStream) {
    let mut rest = [0; 4_096];
    while timeout(DEADLINE, socket.read(&mut rest)).await.unwrap().is_ok_and(|length| length > 0) {}
}

async fn run_connections(server: SocketAddr, stream: &str, count: usize) {
    let mut connections_open = JoinSet::new();
    for number in 0..count {
        if connections_open.len() == CONCURRENT_CONNECTIONS {
            connections_open.join_next().await.unwrap().unwrap();
        }
        connections_open.spawn(connect_and_leave(server, stream.to_owned(), number));
    }
    while let Some(closed) = connections_open.join_next().await {
        closed.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_connections_leave_no_task_file_or_memory() {
    let requested = std::env::var("LIVESOUK_LEAK_CONNECTIONS").ok().and_then(|count| count.parse().ok());
    let connections: usize = requested.unwrap_or(if cfg!(debug_assertions) { 8_000 } else { 50_000 });

    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::system();
    let store = node::open_store(&format!("sqlite:{}", folder.path().join("shop.db").display()), &clock, 1).await;
    let store = store.unwrap();
    let opened = demo::prepare(&store, &clock, false).await.unwrap();
    let plan = NodeConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        metrics_listen: None,
        store,
        broker: Broker::local(),
        auth: TokenAuth::new(&["a key that only this test signs with".to_owned()], clock.clone()).unwrap(),
        clock,
        shop: opened.shop,
        origins: Origins::new(&[], None).unwrap(),
        content_hosts: Default::default(),
        trusted_proxies: TrustedProxies::default(),
        demo_hosts: None,
        settings: Settings { chat: ChatRateLimit { viewer_per_s: 1.0, room_per_s: 0.0 }, ..Settings::default() },
        video: VideoArgs::default(),
        limits: LimitArgs {
            purchase_names: NamesShown::Full,
            chat_days: 0,
            address_days: 0,
            mail_days: 0,
            chat_per_second: 1.0,
            room_chat_per_second: 0.0,
            connections_max: None,
            joins_per_second: Some(0.0),
            connections_per_address: 0,
            address_exempt: Vec::new(),
            request_limits: true,
            deflate: true,
            grace_seconds: None,
            drain_seconds: 0.0,
        },
    };
    let node = Node::start(plan).await.unwrap();
    let (server, stream) = (node.address().unwrap(), opened.stream.to_string());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(node.serve(async { _ = stopped.await }));

    // Pools, buffers and the room reach their full size first.
    run_connections(server, &stream, 2_000).await;
    let base = ProcessResources::settled().await;
    let started = Instant::now();
    run_connections(server, &stream, connections).await;
    let elapsed = started.elapsed();
    let after = ProcessResources::settled().await;
    println!("{connections} connections in {elapsed:?}: {base:?}, then {after:?}");

    // The state of a viewer takes about 600 bytes; a leak of a tenth of that for each connection would be seen.
    let allowed = 4_096 + connections as i64 * 60 / 1_024;
    assert!(after.tasks <= base.tasks + 2, "{base:?}, then {after:?}");
    assert!(after.files <= base.files + 2, "{base:?}, then {after:?}");
    assert!(after.rss_kib <= base.rss_kib + allowed, "more than {allowed} KiB: {base:?}, then {after:?}");
    stop.send(()).unwrap();
    timeout(DEADLINE, serving).await.unwrap().unwrap();
}
