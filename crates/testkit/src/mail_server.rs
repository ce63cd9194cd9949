//! A real mail server: aiosmtpd, which takes mails, refuses them, delays them or breaks off, as the test says.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::process::Process;
use super::python::python_with;
use super::{SOON, until_some};

const REQUIREMENTS: &str = include_str!("../mail_server/requirements.txt");

/// What the server does with mails; `mail_server/server.py` has the words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MailMode {
    Accept,
    Refuse,
    Greylist,
    Busy,
    Drop,
    Hang,
    HangData,
}

impl MailMode {
    fn name(self) -> &'static str {
        match self {
            MailMode::Accept => "accept",
            MailMode::Refuse => "refuse",
            MailMode::Greylist => "greylist",
            MailMode::Busy => "busy",
            MailMode::Drop => "drop",
            MailMode::Hang => "hang",
            MailMode::HangData => "hang-data",
        }
    }
}

/// It ends when its value is dropped.
#[derive(Debug)]
pub struct MailServer {
    process: Process,
    folder: TempDir,
    pub port: u16,
}

impl MailServer {
    /// Starts a server without TLS that asks for no password.
    pub async fn start(mode: MailMode) -> MailServer {
        MailServer::start_with(mode, &[]).await
    }

    /// The same with options of `server.py`, like `user=shop`.
    pub async fn start_with(mode: MailMode, options: &[&str]) -> MailServer {
        let python = tokio::task::spawn_blocking(|| python_with("mail_server", REQUIREMENTS))
            .await
            .expect("the tools are installed");
        let folder = tempfile::tempdir().expect("a temporary folder");
        write_mode(folder.path(), mode);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("mail_server/server.py");
        let mut command = Command::new(python);
        command.arg(script).arg(folder.path()).args(options);
        let mut process = Process::start(&mut command);
        let port = process.line("port of the mail server", SOON, |line| line.trim().parse().ok()).await;
        MailServer { process, folder, port }
    }

    pub fn set(&self, mode: MailMode) {
        write_mode(self.folder.path(), mode);
    }

    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}?tls=none", self.port)
    }

    /// The settings with which `livesouk` sends its mails here.
    pub fn settings(&self) -> [String; 2] {
        [format!("--smtp-url={}", self.url()), "--mail-from=orders@shop.example".to_owned()]
    }

    /// Whether a client has greeted the server.
    pub fn was_greeted(&self) -> bool {
        self.folder.path().join("greeted").exists()
    }

    /// The mails that the server has taken, in their order, as Python's e-mail package reads them.
    pub fn mails(&self) -> Vec<Value> {
        (1..)
            .map_while(|number| std::fs::read(self.folder.path().join(format!("{number}.json"))).ok())
            .map(|text| serde_json::from_slice(&text).expect("the server writes JSON"))
            .collect()
    }

    /// Waits until the server has accepted this number of mails.
    pub async fn until_mails(&self, number: usize) -> Vec<Value> {
        let seen = || format!("{:?}\n{}", self.mails(), self.process.stderr());
        let mails =
            until_some("mails", SOON * 2, async || Some(self.mails()).filter(|mails| mails.len() >= number)).await;
        assert_eq!(mails.len(), number, "{}", seen());
        mails
    }
}

fn write_mode(folder: &Path, mode: MailMode) {
    // Renamed, because the server must not read half of it.
    std::fs::write(folder.join("mode.new"), mode.name()).expect("the folder is ours");
    std::fs::rename(folder.join("mode.new"), folder.join("mode")).expect("the folder is ours");
}
