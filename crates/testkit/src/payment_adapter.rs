//! The sample of a payment adapter (`examples/payment-adapter`), run by Node, and a wire to it that loses answers.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

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
    /// The type of the request whose answer is lost; empty: none.
    lost_answer: Arc<Mutex<&'static str>>,
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
        let lost_answer = Arc::new(Mutex::new(""));
        let wire = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", wire.local_addr().unwrap());
        tokio::spawn(carry(wire, address, lost_answer.clone()));
        PaymentAdapter { process, url, key_file, lost_answer, _folder: folder }
    }

    /// The next request of this type, such as `create_payment`, is carried out, and its answer never arrives.
    pub fn lose_answer_to(&self, request: &'static str) {
        *self.lost_answer.lock().unwrap() = request;
    }

    /// What it has written to stderr: its faults.
    pub fn stderr(&self) -> String {
        self.process.stderr()
    }
}

async fn carry(wire: TcpListener, address: String, lost_answer: Arc<Mutex<&'static str>>) {
    while let Ok((mut shop, _)) = wire.accept().await {
        let Ok(mut adapter) = TcpStream::connect(&address).await else { continue };
        let lost_answer = lost_answer.clone();
        tokio::spawn(async move {
            let takes_answer = tokio::time::timeout(SOON, takes_answer(&shop, &lost_answer)).await;
            if takes_answer == Ok(true) {
                lose_answer(&mut shop, &mut adapter).await
            } else {
                copy_bidirectional(&mut shop, &mut adapter).await.map(drop)
            }
        });
    }
}

/// Whether the first request of this connection is the one whose answer is lost. Only one answer is lost.
async fn takes_answer(shop: &TcpStream, lost_answer: &Mutex<&'static str>) -> bool {
    let mut bytes = [0; 8_192];
    let request = loop {
        let count = shop.peek(&mut bytes).await.unwrap_or(0);
        let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
        // A person on the page of the provider sends other requests.
        if count == 0 || !text.contains("application/json") || text.contains("\"type\":\"") {
            break text;
        }
        tokio::time::sleep(Duration::from_millis(1)).await; // its body is still on the way
    };
    let mut lost = lost_answer.lock().unwrap();
    let is_lost = !lost.is_empty() && request.contains(&format!("\"type\":\"{}\"", *lost));
    if is_lost {
        *lost = "";
    }
    is_lost
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
