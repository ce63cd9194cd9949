//! The sample of a payment adapter (`examples/payment-adapter`), run by Node, and a wire to it that loses answers.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::process::Process;
use super::{SOON, until_some};

/// It ends when its value is dropped.
#[derive(Debug)]
pub struct PaymentAdapter {
    process: Process,
    /// The address of the wire, such as `http://127.0.0.1:40123`.
    pub url: String,
    /// The file with the key.
    pub key_file: String,
    /// The number of the answer that is lost, counted from now: 1 is the next, 0 is none.
    lost_answer: Arc<AtomicUsize>,
    _folder: TempDir,
}

impl PaymentAdapter {
    /// Starts it with this key; its events go to `webhook_url`.
    pub async fn start(key: &str, webhook_url: &str) -> PaymentAdapter {
        let folder = tempfile::tempdir().unwrap();
        let key_file = folder.path().join("key").display().to_string();
        std::fs::write(&key_file, format!("{key}\n")).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/payment-adapter/adapter.mjs");
        let mut command = Command::new("node");
        command.arg(script).env("ADAPTER_LISTEN", "127.0.0.1:0").env("ADAPTER_KEY_FILE", &key_file);
        let process = Process::start(command.env("SHOP_WEBHOOK_URL", webhook_url));
        let address = until_some("payment adapter", SOON * 2, async || {
            process.stdout().lines().next().and_then(|line| line.strip_prefix("http://").map(str::to_owned))
        });
        let address = address.await;
        let lost_answer = Arc::new(AtomicUsize::new(0));
        let wire = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", wire.local_addr().unwrap());
        tokio::spawn(carry(wire, address, lost_answer.clone()));
        PaymentAdapter { process, url, key_file, lost_answer, _folder: folder }
    }

    /// The `n`-th request from now on is carried out, and its answer never arrives; 1 is the next request.
    pub fn lose_answer(&self, n: usize) {
        self.lost_answer.store(n, Ordering::Relaxed);
    }

    /// What it has written to stderr: its faults.
    pub fn stderr(&self) -> String {
        self.process.stderr()
    }
}

async fn carry(wire: TcpListener, address: String, lost_answer: Arc<AtomicUsize>) {
    while let Ok((mut shop, _)) = wire.accept().await {
        let count = |left: usize| left.checked_sub(1);
        let is_lost = lost_answer.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count) == Ok(1);
        let Ok(mut adapter) = TcpStream::connect(&address).await else { continue };
        tokio::spawn(async move {
            if is_lost {
                lose_answer(&mut shop, &mut adapter).await
            } else {
                copy_bidirectional(&mut shop, &mut adapter).await.map(drop)
            }
        });
    }
}

/// Passes the request on until the answer begins, and closes both sides then.
async fn lose_answer(shop: &mut TcpStream, adapter: &mut TcpStream) -> std::io::Result<()> {
    let mut bytes = [0; 8_192];
    let mut answer = [0; 1];
    loop {
        tokio::select! {
            read = shop.read(&mut bytes) => match read? {
                0 => return Ok(()),
                count => adapter.write_all(&bytes[..count]).await?,
            },
            read = adapter.read(&mut answer) => return read.map(drop),
        }
    }
}
