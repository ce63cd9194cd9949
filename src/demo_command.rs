//! `livesouk demo`: a shop with a live show, simulated viewers and a payment provider for tests.

use anyhow::Context;

use crate::app::{MailTransport, Settings};
use crate::broker::Broker;
use crate::clock::Clock;
use crate::command_output::{CANNOT_PRINT, print_result};
use crate::config::DemoArgs;
use crate::demo;
use crate::domain::{Actor, Name, Role, TokenStamp, UserId};
use crate::http::auth::TokenAuth;
use crate::http::{ContentHosts, DemoHosts, Origins, TrustedProxies};
use crate::logging::init_logging;
use crate::mail_command::mail_transport;
use crate::node::{self, Node, NodeConfig, StartError};
use crate::node_settings::{NodeKind, app_settings, local_url};
use crate::rehearsal::rehearsal_runner;
use crate::signals::{Hangup, is_hangup_ignored, shutdown_signal};

pub async fn run_demo(options: DemoArgs) -> anyhow::Result<()> {
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
    let pictures = node::picture_storage(options.pictures.location(Some(folder.join("pictures"))))?;
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
