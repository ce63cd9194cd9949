//! The commands: each reads its settings and does its work; a node runs until a signal arrives.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use crate::clock::Clock;
use crate::command_output::{CANNOT_PRINT, complain, print_completions, print_manual, print_result, print_usage};
use crate::config::{self, Command, MailAction, MigrateArgs, OwnerAction, SecretsAction, TokenArgs};
use crate::demo_command::run_demo;
use crate::domain::{Actor, Name, Role, StreamId, TokenRules, TokenStamp, UserId};
use crate::first_start;
use crate::http::auth::TokenAuth;
use crate::logging::init_logging;
use crate::mail_command;
use crate::node::{self, StartError};
use crate::reconcile_command;
use crate::secrets_command;
use crate::serve_command::run_serve;
use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The deadline of the health check: a node that answers later is unhealthy.
const HEALTH_CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// Runs the command that the process was started with, to its end, and gives its exit code: 0 for success, 2 for what the
/// operator can fix with other settings, 3 for differences that `reconcile` leaves, 1 for everything else.
pub fn run() -> ExitCode {
    let cli = match config::parse(std::env::args_os().collect(), &|name| std::env::var_os(name)) {
        Ok(cli) => cli,
        Err(error) => return print_usage(&error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(format_args!("the tokio runtime did not start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(async {
        let done: anyhow::Result<()> = match cli.command {
            Command::Demo(options) => run_demo(options).await,
            Command::Serve(options) => run_serve(options).await,
            Command::Migrate(options) => run_migrate(options).await,
            Command::Token(options) => print_token(options),
            Command::Mail(options) => match options.action {
                MailAction::Test => print_result(&mail_command::send_test(options).await?).context(CANNOT_PRINT),
            },
            Command::Owner(options) => match options.action {
                OwnerAction::Recover => first_start::recover_owner(options).await,
            },
            Command::Secrets(options) => match options.action {
                SecretsAction::Rekey => print_result(secrets_command::rekey(options).await?).context(CANNOT_PRINT),
            },
            Command::Reconcile(options) => {
                init_logging(&options.log)?;
                let (report, code) = Box::pin(reconcile_command::reconcile(options)).await?;
                print_result(&report).context(CANNOT_PRINT)?;
                return Ok(code);
            }
            Command::Healthy(options) => check_health(options.listen).await,
            Command::Completions(options) => print_completions(options.shell),
            Command::Man(options) => print_manual(options.command.as_deref()),
        };
        done.map(|()| ExitCode::SUCCESS)
    });
    match result {
        Ok(code) => code,
        Err(error) => {
            complain(format_args!("{error:#}"));
            // Exit code 2: the operator can fix it with other settings. Exit code 1: everything else.
            if error.is::<StartError>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

async fn run_migrate(options: MigrateArgs) -> anyhow::Result<()> {
    node::migrate_store(&options.store, &Clock::system()).await?;
    print_result("The database is up to date.\n").context(CANNOT_PRINT)
}

fn print_token(options: TokenArgs) -> anyhow::Result<()> {
    let auth = TokenAuth::new(&options.signing.auth_keys, Clock::system()).map_err(StartError::Config)?;
    let refused = |flag: &str, why: &dyn std::fmt::Display| StartError::Config(format!("{flag}: {why}"));
    let no_role = || refused("--role", &format_args!("there is no role `{}`; see livesouk token --help", options.role));
    let actor = Actor {
        user: UserId::parse(&options.user).map_err(|refusal| refused("--user", &refusal))?,
        name: Name::parse(&options.name).map_err(|refusal| refused("--name", &refusal))?,
        role: Role::of_token(&options.role).ok_or_else(no_role)?,
        stream: options.stream.map(StreamId),
        expires_at: None,
        token: TokenStamp::default(),
        session: None,
    };
    let ttl_ms = options.ttl * 1_000;
    // The server that accepts the token has its own rules.
    let auth = auth.with_rules(TokenRules { max_ttl_ms: ttl_ms, ..TokenRules::default() });
    let id = options.jti.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    let token = auth.sign_with_id(&actor, ttl_ms, &id).map_err(StartError::Config)?;
    print_result(&format!("{token}\n")).context(CANNOT_PRINT)
}

/// Requests `/healthz` from the node on this machine. If the node listens on all addresses, the loopback address is used.
async fn check_health(listen: SocketAddr) -> anyhow::Result<()> {
    let loopback = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let ask = async {
        let mut socket = TcpStream::connect((loopback, listen.port())).await?;
        socket.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
        let mut status = [0; 12];
        socket.read_exact(&mut status).await?;
        std::io::Result::Ok(status)
    };
    let status = tokio::time::timeout(HEALTH_CHECK_TIMEOUT, ask).await.context("the node did not answer in time")??;
    anyhow::ensure!(&status == b"HTTP/1.1 200", "the node answered {}", String::from_utf8_lossy(&status));
    Ok(())
}
