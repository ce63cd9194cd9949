//! The settings of payments by an adapter of the operator.

use std::net::IpAddr;

use clap::Args;
use url::{Host, Url};

/// Ends of names that only a private network knows. Only there an address may do without TLS.
const OWN_NETWORKS: [&str; 3] = [".local", ".internal", ".localhost"];

#[derive(Args, Debug, Default)]
pub struct AdapterArgs {
    /// Address of your payment adapter, which takes every request, like https://adapter.shop.example/livesouk
    // A flag only: a variable that was left behind must not send payments elsewhere.
    #[arg(long, value_name = "URL")]
    pub payment_adapter_url: Option<String>,
    /// Key that the payment adapter and this server share (whsec_…); only from a file or a variable. While it is being changed, the new one
    /// and the old one
    #[arg(
        long = "payment-adapter-key",
        env = "LIVESOUK_PAYMENT_ADAPTER_KEY",
        value_name = "KEY",
        value_delimiter = ',',
        hide_env_values = true
    )]
    pub payment_adapter_keys: Vec<String>,
    /// The payment adapter is one for tests: its payments take no money, and count as paid all the same
    // A flag only, as above: a shop must not give its goods away by a variable.
    #[arg(long)]
    pub payment_adapter_test: bool,
}

impl AdapterArgs {
    /// Checks what `--payments http` needs. `Err` is a message for the operator.
    pub fn check(&self, base_url: Option<&str>) -> Result<(), String> {
        let url = self.payment_adapter_url.as_deref();
        let url = url.ok_or("--payments http needs the address of your payment adapter: --payment-adapter-url")?;
        let url = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let url = url.ok_or("--payment-adapter-url must be an address: https://HOST/PATH")?;
        if url.scheme() == "http" && !is_own_network(&url) {
            return Err(
                "--payment-adapter-url must begin with https://, because it is not on a network of your own".to_owned()
            );
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err("--payment-adapter-url must have no name, no password and no #".to_owned());
        }
        if self.payment_adapter_keys.is_empty() {
            return Err("--payments http needs the key of your payment adapter: --payment-adapter-key-file, or \
                LIVESOUK_PAYMENT_ADAPTER_KEY"
                .to_owned());
        }
        if base_url.is_none() {
            return Err(
                "--payments http needs --base-url (LIVESOUK_BASE_URL): the provider sends the buyer back to it"
                    .to_owned(),
            );
        }
        Ok(())
    }
}

/// Does the host name this machine, a private address, or a name that only a private network knows?
fn is_own_network(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => !name.contains('.') || OWN_NETWORKS.iter().any(|end| name.ends_with(end)),
        Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_private(),
        Some(Host::Ipv6(ip)) => IpAddr::from(ip).is_loopback() || ip.is_unique_local(),
        None => false,
    }
}
