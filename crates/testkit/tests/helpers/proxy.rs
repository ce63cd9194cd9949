//! Tests of the proxy of the tests: the tests that use it prove something only if it is correct.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use testkit::proxy::Proxy;
use testkit::{SOON, until_some};

/// Starts a server that echoes every byte.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = socket.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    address
}

async fn ask(socket: &mut TcpStream, text: &[u8]) -> std::io::Result<Vec<u8>> {
    socket.write_all(text).await?;
    answer(socket, text.len()).await
}

async fn answer(socket: &mut TcpStream, length: usize) -> std::io::Result<Vec<u8>> {
    let mut answer = vec![0; length];
    timeout(SOON, socket.read_exact(&mut answer)).await.expect("an answer or an error within the deadline")?;
    Ok(answer)
}

#[tokio::test]
async fn cut_resets_old_and_new_connections_until_restored() {
    let proxy = Proxy::start(echo().await).await;
    let mut socket = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(ask(&mut socket, b"one").await.unwrap(), b"one");
    assert_eq!(proxy.open(), 1);

    proxy.cut();
    assert!(answer(&mut socket, 1).await.is_err());
    let mut late = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(ask(&mut late, b"two").await.is_err());
    until_some("end of the connections", SOON, async || (proxy.open() == 0).then_some(())).await;

    proxy.restore();
    let mut again = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(ask(&mut again, b"three").await.unwrap(), b"three");
}

#[tokio::test]
async fn black_hole_keeps_all_bytes_and_delivers_them_when_restored() {
    let proxy = Proxy::start(echo().await).await;
    let mut socket = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(ask(&mut socket, b"one").await.unwrap(), b"one");

    proxy.black_hole();
    socket.write_all(b"two").await.unwrap();
    let mut late = TcpStream::connect(proxy.address()).await.unwrap();
    late.write_all(b"three").await.unwrap();
    let dark = Duration::from_millis(300);
    assert!(timeout(dark, socket.read_u8()).await.is_err());
    assert!(timeout(dark, late.read_u8()).await.is_err());

    proxy.restore();
    assert_eq!(answer(&mut socket, 3).await.unwrap(), b"two");
    assert_eq!(answer(&mut late, 5).await.unwrap(), b"three");
}

#[tokio::test]
async fn slow_link_keeps_its_rate_until_restored() {
    let proxy = Proxy::narrow(echo().await).await;
    let mut socket = TcpStream::connect(proxy.address()).await.unwrap();
    proxy.slow(10_000);
    let began = Instant::now();
    assert_eq!(ask(&mut socket, &[7; 5_000]).await.unwrap(), [7; 5_000]);
    assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());

    proxy.slow(1);
    socket.write_all(&[8; 100]).await.unwrap();
    assert_eq!(answer(&mut socket, 1).await.unwrap(), [8]);
    proxy.restore();
    assert_eq!(answer(&mut socket, 99).await.unwrap(), [8; 99]);
}

#[tokio::test]
async fn half_close_reaches_the_other_side() {
    let proxy = Proxy::start(echo().await).await;
    let mut socket = TcpStream::connect(proxy.address()).await.unwrap();
    socket.write_all(b"last words").await.unwrap();
    socket.shutdown().await.unwrap();
    let mut received = Vec::new();
    timeout(SOON, socket.read_to_end(&mut received)).await.unwrap().unwrap();
    assert_eq!(received, b"last words");
}

#[tokio::test]
async fn new_upstream_applies_to_new_connections_and_a_dropped_proxy_closes() {
    let closed_address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
    let proxy = Proxy::start(closed_address).await;
    let mut socket = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(ask(&mut socket, b"one").await.is_err());

    proxy.aim(echo().await);
    let mut socket = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(ask(&mut socket, b"two").await.unwrap(), b"two");

    let address = proxy.address();
    drop(proxy);
    assert!(answer(&mut socket, 1).await.is_err());
    until_some("closed port", SOON, async || TcpStream::connect(address).await.err()).await;
}

#[tokio::test]
async fn lost_connection_stays_silent_and_a_new_one_passes() {
    let proxy = Proxy::start(echo().await).await;
    let mut socket = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(ask(&mut socket, b"one").await.unwrap(), b"one");
    proxy.lose();
    socket.write_all(b"two").await.unwrap();
    let mut new = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(ask(&mut new, b"three").await.unwrap(), b"three");
    proxy.restore();
    let silence = timeout(Duration::from_millis(200), socket.read_u8()).await;
    assert!(silence.is_err(), "{silence:?}");
    proxy.cut();
    assert!(answer(&mut socket, 1).await.is_err());
}

/// Starts a server that counts and echoes every byte.
async fn counting() -> (SocketAddr, tokio::sync::watch::Receiver<usize>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (count, counted) = tokio::sync::watch::channel(0);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let count = count.clone();
            tokio::spawn(async move {
                while let Ok(byte) = socket.read_u8().await {
                    count.send_modify(|count| *count += 1);
                    let _ = socket.write_u8(byte).await;
                }
            });
        }
    });
    (address, counted)
}

#[tokio::test]
async fn lost_replies_were_processed_lost_requests_were_not_and_both_end_in_a_reset() {
    let (server, mut arrived) = counting().await;
    let proxy = Proxy::start(server).await;
    let mut socket = TcpStream::connect(proxy.address()).await.unwrap();
    let mut quiet = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(ask(&mut quiet, b"0").await.unwrap(), b"0");

    proxy.lose_replies();
    socket.write_all(b"123").await.unwrap();
    timeout(SOON, arrived.wait_for(|count| *count == 4)).await.unwrap().unwrap();
    assert!(timeout(Duration::from_millis(200), socket.read_u8()).await.is_err());
    proxy.restore();
    assert!(answer(&mut socket, 1).await.is_err(), "a connection never continues after lost bytes");
    assert_eq!(ask(&mut quiet, b"4").await.unwrap(), b"4", "this connection lost no bytes");

    proxy.lose_requests();
    quiet.write_all(b"567").await.unwrap();
    assert!(timeout(Duration::from_millis(200), quiet.read_u8()).await.is_err());
    proxy.restore();
    assert!(answer(&mut quiet, 1).await.is_err(), "a connection never continues after lost bytes");
    assert_eq!(*arrived.borrow(), 5);
}

#[tokio::test]
async fn half_open_connection_ends_at_the_server_and_the_client_is_not_notified() {
    let (server, arrived) = counting().await;
    let proxy = Proxy::start(server).await;
    let mut socket = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(ask(&mut socket, b"1").await.unwrap(), b"1");
    proxy.half_open();
    assert!(timeout(Duration::from_millis(200), socket.read_u8()).await.is_err());
    socket.write_all(b"2").await.unwrap();
    let mut new = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(ask(&mut new, b"3").await.unwrap(), b"3");
    assert_eq!(*arrived.borrow(), 2);
    drop(socket);
    until_some("end of the half-open link", SOON, async || (proxy.open() == 1).then_some(())).await;
}

#[tokio::test]
async fn some_delayed_connections_answer_late_and_all_answer() {
    let proxy = Proxy::start(echo().await).await;
    let mut sockets = Vec::new();
    for _ in 0..20 {
        sockets.push(TcpStream::connect(proxy.address()).await.unwrap());
    }
    proxy.delay(Duration::from_millis(400));
    let mut took: Vec<Duration> = Vec::new();
    for socket in &mut sockets {
        let began = Instant::now();
        assert_eq!(ask(socket, b"one").await.unwrap(), b"one");
        took.push(began.elapsed());
    }
    let late = took.iter().filter(|took| **took >= Duration::from_millis(400)).count();
    assert!((1..20).contains(&late), "{took:?}");
}
