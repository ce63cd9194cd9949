//! `livesouk serve`: a node of a shop, until a signal arrives.

use tokio::sync::mpsc;

use crate::app::Settings;
use crate::broker::{self, Broker, BrokerEvent};
use crate::clock::Clock;
use crate::config::{self, PageArgs, PaymentProviderName, ServeArgs};
use crate::domain::Shop;
use crate::first_start;
use crate::guarded_address::AddressGuard;
use crate::http::auth::TokenAuth;
use crate::http::{ContentHosts, Origins, TrustedProxies};
use crate::logging::init_logging;
use crate::mail_command::mail_transport;
use crate::node::{self, Node, NodeConfig, StartError};
use crate::node_settings::{NodeKind, app_settings, local_url};
use crate::oidc_settings::oidc_provider;
use crate::payment_settings;
use crate::rehearsal::rehearsal_runner;
use crate::secrets_command::{check_key, secrets_key};
use crate::signals::{Hangup, shutdown_signal};

pub async fn run_serve(options: ServeArgs) -> anyhow::Result<()> {
    options.check().map_err(StartError::Config)?;
    if options.broker != "local" {
        broker::check_urls(&options.broker).map_err(StartError::Config)?;
    }
    let mail = mail_transport(&options.mail)?;
    let secrets_key = secrets_key(&options.secrets)?;
    let oidc = oidc_provider(&options.oidc)?;
    init_logging(&options.log)?;
    log_settings(&options, mail.is_some());
    let clock = Clock::system();
    // Before the database is opened, so that a mistake in a key changes nothing.
    let given = given_auth(&options, &clock)?;
    let origins = Origins::new(&options.allow_origins, options.base_url.as_deref()).map_err(StartError::Config)?;
    let public_url = origins.base_url().map(str::to_owned);
    let adapter = payment_settings::adapter(options.payment_provider, options.adapter, public_url.as_deref());
    let adapter = adapter.map_err(StartError::Config)?;
    let content_hosts = content_hosts(options.pages)?;
    let store = node::open_store(&options.store, &clock, usize::from(options.sell_connections)).await?;
    let pictures = node::picture_storage(options.pictures.location(config::folder_beside(&options.store)))?;
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
    let broker = open_broker(&options.broker, &shop)?;
    let (provider, url) = (options.payment_provider, public_url.as_deref());
    let has_test_payments = provider == Some(PaymentProviderName::Test);
    let settings = Settings {
        base_path: origins.base_path().to_owned(),
        token_max_ttl_ms: options.tokens.max_ttl_s * 1_000,
        mail,
        oidc,
        stripe_endpoints: payment_settings::stripe_endpoints(provider, &options.stripe, url, secrets_key.is_some()),
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
    log_ready(&node, &options.store, &options.broker)?;
    let here = local_url(&node.address()?.to_string());
    first_start::print_setup_link(node.app(), options.base_url.as_deref().unwrap_or(&here)).await?;
    node.serve(shutdown_signal(Hangup::Ignored)?).await;
    Ok(())
}

fn log_settings(options: &ServeArgs, has_mail_server: bool) {
    if let Some(warning) = options.warning() {
        tracing::warn!("{warning}");
    }
    payment_settings::log_provider(options);
    if !has_mail_server {
        tracing::info!("--smtp-url is not given: this shop sends e-mails only if the desk has set a mail server");
    }
}

fn log_ready(node: &Node, store: &str, broker: &str) -> anyhow::Result<()> {
    tracing::info!(
        version = config::VERSION,
        listen = %node.address()?,
        metrics = node.metrics_address().map(tracing::field::display),
        store = store.split(':').next(),
        broker = broker.split(':').next(),
        "the node is ready"
    );
    Ok(())
}

/// The keys for tokens that the settings have. `None`: they have none, so the shop has a key of its own.
fn given_auth(options: &ServeArgs, clock: &Clock) -> Result<Option<TokenAuth>, StartError> {
    let keys = &options.signing.auth_keys;
    let auth = keys.first().map(|_| first_start::token_auth(keys, &options.tokens, clock)).transpose();
    auth.map_err(StartError::Config)
}

fn content_hosts(pages: PageArgs) -> Result<ContentHosts, StartError> {
    let PageArgs { img_hosts, media_hosts, connect_hosts } = pages;
    let hosts = ContentHosts { images: img_hosts, media: media_hosts, connect: connect_hosts };
    hosts.check().map_err(StartError::Config)?;
    Ok(hosts)
}

fn open_broker(url: &str, shop: &Shop) -> Result<(Broker, mpsc::Receiver<BrokerEvent>), StartError> {
    if url == "local" {
        return Ok(Broker::local());
    }
    Broker::redis(url, &shop.id.0.simple().to_string()).map_err(StartError::Config)
}
