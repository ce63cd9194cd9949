//! The commands: each reads its settings and does its work; a node runs until a signal arrives.

use std::io::IsTerminal;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use crate::app::{ChatRateLimit, MailTransport, Settings, WebhookSecret};
use crate::broker::{self, Broker};
use crate::clock::Clock;
use crate::command_output::{CANNOT_PRINT, complain, print_completions, print_manual, print_result, print_usage};
use crate::config::{
    self, Command, DemoArgs, LimitArgs, LogArgs, LogFormat, MailAction, MigrateArgs, NamesShown, OwnerAction, PageArgs,
    PaymentArgs, PaymentProviderName, SecretsAction, ServeArgs, TokenArgs,
};
use crate::demo;
use crate::domain::{Actor, Name, PurchaseNames, Role, StreamId, TokenRules, TokenStamp, UserId};
use crate::first_start;
use crate::guarded_address::AddressGuard;
use crate::http::auth::TokenAuth;
use crate::http::{ContentHosts, DemoHosts, Origins, TrustedProxies};
use crate::mail_command::{self, mail_transport};
#[cfg(feature = "otel")]
use crate::metrics::SPAN_TARGET;
use crate::node::{self, Node, NodeConfig, StartError};
use crate::oidc_settings::oidc_provider;
use crate::payment_settings;
use crate::reconcile_command;
use crate::rehearsal::rehearsal_runner;
use crate::secrets_command::{self, check_key, secrets_key};
use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

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

async fn run_demo(options: DemoArgs) -> anyhow::Result<()> {
    options.payments.check().map_err(StartError::Config)?;
    let mail = mail_transport(&options.mail)?.unwrap_or(MailTransport::DemoLog);
    init_logging(&options.log)?;
    let base_url = options.base_url.as_deref();
    let origins = Origins::new(&options.allow_origins, base_url).map_err(StartError::Config)?;
    let public_url = origins.base_url().map(str::to_owned);
    let demo_hosts = DemoHosts::new(&options.hosts, base_url).map_err(StartError::Config)?;
    let folder = options.data;
    let unusable = |error: &dyn std::fmt::Display| {
        StartError::Config(format!("cannot use --data (LIVESOUK_DATA) {}: {error}", folder.display()))
    };
    std::fs::create_dir_all(&folder).map_err(|error| unusable(&error))?;
    let pictures = node::picture_storage(options.pictures.place(Some(folder.join("pictures"))))?;
    let key = demo::auth_key(&folder).map_err(|error| unusable(&error))?;

    let clock = Clock::system();
    let file = folder.join("livesouk.db");
    let store = node::open_store(&format!("sqlite:{}", file.display()), &clock, 1).await;
    let store = store.map_err(|error| match error {
        StartError::Store(error) => unusable(&error),
        other => other,
    })?;
    let demo_shop = demo::prepare(&store, &clock, !options.no_crowd).await.map_err(|error| unusable(&error))?;
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
        settings: Settings {
            base_path: origins.base_path().to_owned(),
            mail: Some(mail),
            pictures,
            public_url,
            ..app_settings(&options.limits, &options.payments, NodeKind::Demo)
        },
        origins,
        content_hosts: ContentHosts::default(),
        trusted_proxies: TrustedProxies::default(),
        demo_hosts: Some(demo_hosts),
        limits: options.limits,
        video: options.video,
    })
    .await?;
    node.app().streams.set_rehearsal_runner(rehearsal_runner());
    // A script counts what it does itself.
    if !options.no_crowd && !options.json {
        node.app().start_job(demo::Crowd::new(node.app().clone(), demo_shop.stream)?);
    }

    let listen = node.address()?.to_string();
    let base = local_url(&listen);
    if options.json {
        let line = format!("{}\n", demo::startup_json(&demo_shop, &base, &listen, &host_token));
        // The script that waits for this line would not learn where the shop is.
        print_result(&line).context(CANNOT_PRINT)?;
    } else if let Err(error) = print_result(&demo_summary(&demo_shop, &base, &file.display().to_string(), &host_token))
    {
        tracing::warn!("the addresses of the shop could not be printed: {error}");
    }
    let hangup = if is_hangup_ignored() { Hangup::Ignored } else { Hangup::Stops };
    node.serve(shutdown_signal(hangup)?).await;
    Ok(())
}

/// The address under which a browser on this machine reaches the node.
fn local_url(listen: &str) -> String {
    format!("http://{}", listen.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]"))
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
    let kept_ms = |days: u32| (days > 0).then(|| i64::from(days) * 86_400_000);
    Settings {
        chat,
        purchase_names: match limits.purchase_names {
            NamesShown::Full => PurchaseNames::Full,
            NamesShown::Initials => PurchaseNames::Initials,
            NamesShown::Hidden => PurchaseNames::Hidden,
        },
        chat_retention_ms: kept_ms(limits.chat_days),
        address_retention_ms: kept_ms(limits.address_days),
        mail_retention_ms: kept_ms(limits.mail_days),
        is_dev_login_enabled: matches!(kind, NodeKind::Demo),
        stripe: None,
        adapter: None,
        payment_rate: payments.payment_rate,
        is_test_provider_enabled: matches!(kind, NodeKind::Demo | NodeKind::Serve { has_test_payments: true }),
        webhook_secret,
        are_requests_limited: limits.request_limits,
        ..Settings::default()
    }
}

fn demo_host_actor() -> anyhow::Result<Actor> {
    let refused = |refusal| anyhow::anyhow!("{refusal}");
    let user = UserId::parse("demo-host").map_err(refused)?;
    let (name, token) = (Name::parse("Noura").map_err(refused)?, TokenStamp::default());
    Ok(Actor { user, name, role: Role::Host, stream: None, expires_at: None, token, session: None })
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
    if options.broker != "local" {
        broker::check_urls(&options.broker).map_err(StartError::Config)?;
    }
    let mail = mail_transport(&options.mail)?;
    let secrets_key = secrets_key(&options.secrets)?;
    let oidc = oidc_provider(&options.oidc)?;
    init_logging(&options.log)?;
    if let Some(warning) = options.warning() {
        tracing::warn!("{warning}");
    }
    let has_test_payments = options.payment_provider == Some(PaymentProviderName::Test);
    payment_settings::log_provider(&options);
    if mail.is_none() {
        tracing::info!("--smtp-url is not given: this shop sends e-mails only if the desk has set a mail server");
    }
    let clock = Clock::system();
    // Before the database is opened, so that a mistake in a key changes nothing.
    let given = options
        .signing
        .auth_keys
        .first()
        .map(|_| first_start::token_auth(&options.signing.auth_keys, &options.tokens, &clock))
        .transpose();
    let given = given.map_err(StartError::Config)?;
    let origins = Origins::new(&options.allow_origins, options.base_url.as_deref()).map_err(StartError::Config)?;
    let public_url = origins.base_url().map(str::to_owned);
    let adapter = payment_settings::adapter(options.payment_provider, options.adapter, public_url.as_deref());
    let adapter = adapter.map_err(StartError::Config)?;
    let PageArgs { img_hosts, media_hosts, connect_hosts } = options.pages;
    let content_hosts = ContentHosts { images: img_hosts, media: media_hosts, connect: connect_hosts };
    content_hosts.check().map_err(StartError::Config)?;
    let store = node::open_store(&options.store, &clock, usize::from(options.sell_connections)).await?;
    let pictures = node::picture_storage(options.pictures.place(config::folder_beside(&options.store)))?;
    check_key(&store, secrets_key.as_ref()).await?;
    let (shop, is_new) = node::find_or_create_shop(&store, &options.shop, &options.currency).await?;
    if is_new {
        store.open_setup().await.map_err(StartError::Store)?;
    }
    let auth = match given {
        Some(auth) => auth,
        None => {
            let keys = first_start::auth_keys(&store, &options.signing.auth_keys, is_new, secrets_key.as_ref()).await?;
            first_start::token_auth(&keys, &options.tokens, &clock).map_err(StartError::Config)?
        }
    };
    auth.load_jwks().await.map_err(StartError::Config)?;
    let broker = if options.broker == "local" {
        Broker::local()
    } else {
        Broker::redis(&options.broker, &shop.id.0.simple().to_string()).map_err(StartError::Config)?
    };
    let (provider, url) = (options.payment_provider, public_url.as_deref());
    let settings = Settings {
        base_path: origins.base_path().to_owned(),
        token_max_ttl_ms: options.tokens.max_ttl_s * 1_000,
        mail,
        oidc,
        stripe_place: payment_settings::stripe_place(provider, &options.stripe, url, secrets_key.is_some()),
        secrets_key,
        address_guard: AddressGuard::new(options.secrets.private_addresses),
        stripe: payment_settings::stripe(provider, options.stripe, url),
        adapter,
        pictures,
        public_url,
        ..app_settings(&options.limits, &options.payments, NodeKind::Serve { has_test_payments })
    };
    let stored_keys = store.shop_settings().await.map_err(StartError::Store)?.stripe.stored;
    payment_settings::check_stored_keys(stored_keys.map(|stored| stored.mode), &settings)
        .map_err(StartError::Config)?;
    let node = Node::start(NodeConfig {
        listen: options.listen,
        metrics_listen: options.metrics_listen,
        store,
        broker,
        clock,
        shop,
        auth,
        settings,
        origins,
        content_hosts,
        trusted_proxies: TrustedProxies::new(options.trusted_proxies),
        demo_hosts: None,
        limits: options.limits,
        video: options.video,
    })
    .await?;
    node.app().streams.set_rehearsal_runner(rehearsal_runner());
    tracing::info!(
        version = config::VERSION,
        listen = %node.address()?,
        metrics = node.metrics_address().map(tracing::field::display),
        store = options.store.split(':').next(),
        broker = options.broker.split(':').next(),
        "the node is ready"
    );
    let here = local_url(&node.address()?.to_string());
    first_start::print_setup_link(node.app(), options.base_url.as_deref().unwrap_or(&here)).await?;
    node.serve(shutdown_signal(Hangup::Ignored)?).await;
    Ok(())
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

/// What SIGHUP does. It comes when a terminal is closed, and from service managers that ask for new settings.
#[derive(Clone, Copy, PartialEq)]
enum Hangup {
    /// Like SIGTERM: a demo ends with its terminal.
    Stops,
    /// One log line: a node reads its settings only when it starts.
    Ignored,
}

/// Whether this process was started to outlive its terminal (`nohup`).
fn is_hangup_ignored() -> bool {
    #[cfg(target_os = "linux")]
    return std::fs::read_to_string("/proc/self/status").is_ok_and(|status| {
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        ignored.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).is_some_and(|bits| bits & 1 == 1)
    });
    #[cfg(not(target_os = "linux"))]
    false
}

/// Completes at the first SIGINT or SIGTERM, which starts a graceful shutdown. A second signal ends the process at once.
fn shutdown_signal(on_hangup: Hangup) -> anyhow::Result<impl Future<Output = ()>> {
    let listen = |kind| signal(kind).context("cannot listen for signals");
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let mut hangup = listen(SignalKind::hangup())?;
    let mut any = async move || {
        loop {
            tokio::select! {
                _ = interrupt.recv() => break,
                _ = terminate.recv() => break,
                _ = hangup.recv() => match on_hangup {
                    Hangup::Stops => break,
                    Hangup::Ignored => tracing::info!("SIGHUP is ignored: settings are read at start, so restart the node"),
                },
            }
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
    // Otherwise a log file on a full disk would let every request that logs panic: the library reports the failure with `eprintln`.
    let lines = tracing_subscriber::fmt::layer().log_internal_errors(false);
    let lines = lines.with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
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
