//! The command line: reads the settings, starts a node, and runs until a signal arrives.

use std::io::{IsTerminal, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use livesouk::app::{ChatRateLimit, Settings, WebhookSecret};
use livesouk::broker::Broker;
use livesouk::clock::Clock;
use livesouk::config::{
    Cli, Command, DemoArgs, LimitArgs, LogArgs, LogFormat, MigrateArgs, PaymentArgs, PaymentProviderName, ServeArgs,
    TokenArgs,
};
use livesouk::demo;
use livesouk::domain::{Actor, Name, Role, StreamId, UserId};
use livesouk::http::auth::TokenAuth;
use livesouk::http::{DemoHosts, Origins, TrustedProxies};
#[cfg(feature = "otel")]
use livesouk::metrics::SPAN_TARGET;
use livesouk::node::{self, Node, NodeConfig, StartError};
use livesouk::rehearsal::rehearsal_runner;
use livesouk::store::Store;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The deadline of the health check: a node that answers later is unhealthy.
const HEALTH_CHECK_TIMEOUT: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("livesouk: the tokio runtime did not start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(async {
        match cli.command {
            Command::Demo(options) => run_demo(options).await,
            Command::Serve(options) => run_serve(options).await,
            Command::Migrate(options) => run_migrate(options).await,
            Command::Token(options) => print_token(options),
            Command::Healthy(options) => check_health(options.listen).await,
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("livesouk: {error:#}");
            // Exit code 2: the operator can fix it with other settings. Exit code 1: everything else.
            if error.is::<StartError>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

async fn run_demo(options: DemoArgs) -> anyhow::Result<()> {
    options.limits.check().map_err(StartError::Config)?;
    options.payments.check().map_err(StartError::Config)?;
    init_logging(&options.log)?;
    let base_url = options.base_url.as_deref();
    let origins = Origins::new(&options.allow_origins, base_url).map_err(StartError::Config)?;
    let demo_hosts = DemoHosts::new(&options.hosts, base_url).map_err(StartError::Config)?;
    let folder = options.data;
    let data_error = |error| StartError::Config(format!("cannot use --data {}: {error}", folder.display()));
    std::fs::create_dir_all(&folder).map_err(data_error)?;
    let key = demo::auth_key(&folder).map_err(data_error)?;

    let clock = Clock::system();
    let file = folder.join("livesouk.db");
    let store = node::open_store(&format!("sqlite:{}", file.display()), &clock, 1).await?;
    let demo_shop = demo::prepare(&store, &clock).await.map_err(StartError::Store)?;
    let auth = TokenAuth::new(&[key], clock.clone()).map_err(StartError::Config)?;
    let host_token = auth.sign(&demo_host_actor()?, 30 * 24 * 3_600 * 1_000).map_err(StartError::Config)?;
    let node = Node::start(NodeConfig {
        listen: options.listen,
        metrics_listen: None,
        store,
        broker: Broker::local(),
        clock,
        shop: demo_shop.shop.clone(),
        auth,
        origins,
        trusted_proxies: TrustedProxies::default(),
        demo_hosts: Some(demo_hosts),
        settings: app_settings(&options.limits, &options.payments, NodeKind::Demo),
        limits: options.limits,
    })
    .await?;
    node.app().streams.set_rehearsal_runner(rehearsal_runner());

    let listen = node.address()?.to_string();
    let base = format!("http://{}", listen.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]"));
    let mut out = std::io::stdout().lock();
    let printed = if options.json {
        writeln!(out, "{}", demo::startup_json(&demo_shop, &base, &listen, &host_token))
    } else {
        write!(out, "{}", demo_summary(&demo_shop, &base, &file.display().to_string(), &host_token))
    };
    // If stdout is closed, nobody wants to read this; the shop runs anyway.
    let _ = printed.and_then(|()| out.flush());
    drop(out);
    node.serve(shutdown_signal()?).await;
    Ok(())
}

/// Which command starts the node.
enum NodeKind {
    /// Anybody can sign in, and pay with the test provider.
    Demo,
    Serve {
        has_test_payments: bool,
    },
}

fn app_settings(limits: &LimitArgs, payments: &PaymentArgs, kind: NodeKind) -> Settings {
    let defaults = Settings::default();
    let webhook_secret = payments.webhook_secret.as_ref().map_or(defaults.webhook_secret, WebhookSecret::new);
    let chat = ChatRateLimit { viewer_per_s: limits.chat_per_second, room_per_s: limits.room_chat_per_second };
    let chat_kept_ms = (limits.chat_days > 0).then(|| i64::from(limits.chat_days) * 86_400_000);
    Settings {
        chat,
        chat_retention_ms: chat_kept_ms,
        is_dev_login_enabled: matches!(kind, NodeKind::Demo),
        is_test_provider_enabled: matches!(kind, NodeKind::Demo | NodeKind::Serve { has_test_payments: true }),
        webhook_secret,
        ..Settings::default()
    }
}

fn demo_host_actor() -> anyhow::Result<Actor> {
    let refused = |refusal| anyhow::anyhow!("{refusal}");
    let user = UserId::parse("demo-host").map_err(refused)?;
    Ok(Actor { user, name: Name::parse("Noura").map_err(refused)?, role: Role::Host, stream: None, expires_at: None })
}

fn demo_summary(demo_shop: &demo::DemoShop, base: &str, file: &str, token: &str) -> String {
    let units: i64 = demo_shop.offers.iter().map(|offer| offer.terms.left()).sum();
    format!(
        "\n  {title} is running\n\n  \
         Shop      {offers} offers on sale, {units} units, prices in {currency}\n  \
         Data      {file}\n  \
         Broker    in this process\n  \
         Payments  tests only: no money is taken\n\n  \
         Viewer    {viewer}\n  \
         Host      {host}\n  \
         API docs  {base}/docs\n\n  \
         Ctrl-C stops the demo. The next start continues with the same data.\n\n",
        title = demo_shop.shop.title,
        offers = demo_shop.offers.len(),
        currency = demo_shop.shop.currency,
        viewer = demo::viewer_url(base, demo_shop.stream),
        host = demo::host_url(base, demo_shop.stream, token),
    )
}

async fn run_serve(options: ServeArgs) -> anyhow::Result<()> {
    options.check().map_err(StartError::Config)?;
    init_logging(&options.log)?;
    if let Some(warning) = options.warning() {
        tracing::warn!("{warning}");
    }
    let has_test_payments = options.payment_provider == Some(PaymentProviderName::Test);
    match options.payment_provider {
        Some(PaymentProviderName::Test) => tracing::warn!(
            "TEST PAYMENTS ARE ON (--payments test): anybody can pay without money, and every such order counts as paid; \
             never use this for a real shop"
        ),
        None => tracing::info!("this shop takes no payments: --payments is not given"),
    }
    let clock = Clock::system();
    let auth = TokenAuth::new(&options.auth_keys, clock.clone()).map_err(StartError::Config)?;
    let origins = Origins::new(&options.allow_origins, options.base_url.as_deref()).map_err(StartError::Config)?;
    let store = node::open_store(&options.store, &clock, usize::from(options.sell_connections)).await?;
    let shop = node::find_or_create_shop(&store, &options.shop, &options.currency).await?;
    let broker = if options.broker == "local" {
        Broker::local()
    } else {
        Broker::redis(&options.broker, &shop.id.0.simple().to_string()).map_err(StartError::Config)?
    };
    let node = Node::start(NodeConfig {
        listen: options.listen,
        metrics_listen: options.metrics_listen,
        store,
        broker,
        clock,
        shop,
        auth,
        origins,
        trusted_proxies: TrustedProxies::new(options.trusted_proxies),
        demo_hosts: None,
        settings: app_settings(&options.limits, &options.payments, NodeKind::Serve { has_test_payments }),
        limits: options.limits,
    })
    .await?;
    node.app().streams.set_rehearsal_runner(rehearsal_runner());
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        listen = %node.address()?,
        metrics = node.metrics_address().map(tracing::field::display),
        store = options.store.split(':').next(),
        broker = options.broker.split(':').next(),
        "node is ready"
    );
    node.serve(shutdown_signal()?).await;
    Ok(())
}

async fn run_migrate(options: MigrateArgs) -> anyhow::Result<()> {
    Store::migrate(&options.store, Clock::system()).await.map_err(StartError::Store)?;
    println!("The database is up to date.");
    Ok(())
}

fn print_token(options: TokenArgs) -> anyhow::Result<()> {
    let auth = TokenAuth::new(&options.auth_keys, Clock::system()).map_err(StartError::Config)?;
    let refused = |refusal: livesouk::domain::Refusal| StartError::Config(refusal.to_string());
    let role = Role::parse(&options.role);
    let actor = Actor {
        user: UserId::parse(&options.user).map_err(refused)?,
        name: Name::parse(&options.name).map_err(refused)?,
        role: role.ok_or_else(|| StartError::Config(format!("there is no role `{}`", options.role)))?,
        stream: options.stream.map(StreamId),
        expires_at: None,
    };
    println!("{}", auth.sign(&actor, options.ttl * 1_000).map_err(StartError::Config)?);
    Ok(())
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

/// Completes at the first SIGINT or SIGTERM, which starts a graceful shutdown. A second signal ends the process at once.
fn shutdown_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for signals")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
    let mut any = async move || {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    Ok(async move {
        any().await;
        tokio::spawn(async move {
            any().await;
            std::process::exit(130);
        });
    })
}

/// Logs go to stderr; stdout is for the output of the command.
fn init_logging(log: &LogArgs) -> Result<(), StartError> {
    // `Targets` reads levels by module, which is all we offer; `EnvFilter` would add a regular expression engine.
    let filter: Targets =
        log.filter.parse().map_err(|error| StartError::Config(format!("--log {}: {error}", log.filter)))?;
    let lines =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let lines = match log.format {
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
        LogFormat::Text => lines.compact().boxed(),
    };
    let lines = tracing_subscriber::registry().with(lines.with_filter(filter));
    #[cfg(feature = "otel")]
    let lines = lines.with(log.otlp_endpoint.as_deref().map(otlp_layer).transpose()?);
    lines.init();
    Ok(())
}

/// Sends spans to an OpenTelemetry collector, in batches, from a separate thread. Spans that the collector does not accept are
/// dropped.
#[cfg(feature = "otel")]
fn otlp_layer<S>(endpoint: &str) -> Result<impl tracing_subscriber::Layer<S> + use<S>, StartError>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    use opentelemetry::trace::TracerProvider;
    use opentelemetry_otlp::WithExportConfig;
    use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};

    let exporter = opentelemetry_otlp::SpanExporter::builder().with_http().with_endpoint(endpoint).build();
    let exporter = exporter.map_err(|error| StartError::Config(format!("--otlp-endpoint {endpoint}: {error}")))?;
    let resource = Resource::builder().with_service_name("livesouk").build();
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
    let ours = Targets::new().with_target(SPAN_TARGET, tracing::Level::TRACE);
    Ok(tracing_opentelemetry::layer().with_tracer(provider.tracer("livesouk")).with_filter(ours))
}
