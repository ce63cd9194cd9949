//! A real WHEP server, made with aiortc: it gives a moving picture to viewers whom the shop allows.

use std::process::Command;

use super::ports::free_address;
use super::process::Process;
use super::python::python_with;
use super::{SOON, until_some};

const REQUIREMENTS: &str = include_str!("../whep_server/requirements.txt");

/// It ends when its value is dropped.
#[derive(Debug)]
pub struct WhepServer {
    _process: Process,
    /// Such as `http://127.0.0.1:40123`.
    address: String,
    http: reqwest::Client,
}

impl WhepServer {
    /// It asks the shop at this address. It is down at first.
    pub async fn start(shop: &str) -> WhepServer {
        let python = tokio::task::spawn_blocking(|| python_with("whep_server", REQUIREMENTS));
        let python = python.await.expect("the tools are installed");
        let address = free_address();
        let (_, port) = address.rsplit_once(':').expect("an address has a port");
        let mut command = Command::new(python);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/whep_server/server.py")).args([port, shop]);
        let process = Process::start(&mut command);
        let server =
            WhepServer { _process: process, address: format!("http://{address}"), http: reqwest::Client::new() };
        until_some("WHEP server", SOON * 2, async || server.try_sessions().await).await;
        server
    }

    /// The address at which a page watches this show.
    pub fn url(&self, stream: &str) -> String {
        format!("{}/{stream}/whep", self.address)
    }

    /// Gives the picture, or ends all sessions and refuses new ones.
    pub async fn set_live(&self, is_live: bool) {
        self.put("mode", if is_live { "live" } else { "down" }).await;
    }

    /// The picture stands still in all sessions, and the sound goes on.
    pub async fn stop_the_picture(&self) {
        self.put("mode", "sound").await;
    }

    /// From now on answers name a TURN server, with a user and a password.
    pub async fn name_a_turn_server(&self) {
        self.put("ice", "on").await;
    }

    /// How many peers the TURN server relays for: each has shown the password.
    pub async fn relayed(&self) -> u64 {
        self.number("ice").await.expect("the server answers")
    }

    pub async fn sessions(&self) -> u64 {
        self.try_sessions().await.expect("the server answers")
    }

    async fn try_sessions(&self) -> Option<u64> {
        self.number("sessions").await
    }

    async fn number(&self, path: &str) -> Option<u64> {
        self.http.get(format!("{}/{path}", self.address)).send().await.ok()?.json().await.ok()
    }

    async fn put(&self, path: &str, body: &'static str) {
        let answer = self.http.put(format!("{}/{path}", self.address)).body(body).send().await;
        assert!(answer.expect("the server answers").status().is_success());
    }
}
