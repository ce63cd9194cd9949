//! The settings of the identity provider (OpenID Connect).

use clap::Args;

#[derive(Args, Debug, Default)]
pub struct OidcArgs {
    /// Issuer of the identity provider with which people sign in, like https://login.shop.example; it may be on your own network.
    /// Default: none
    #[arg(long = "oidc-issuer", env = "LIVESOUK_OIDC_ISSUER", value_name = "URL")]
    pub issuer: Option<String>,
    /// What the identity provider calls this shop. Its redirect address there is the address of the shop with /sign-in
    #[arg(long = "oidc-client-id", env = "LIVESOUK_OIDC_CLIENT_ID", value_name = "ID")]
    pub client_id: Option<String>,
    /// Secret that the identity provider gave this shop; a public client has none
    #[arg(
        long = "oidc-client-secret",
        env = "LIVESOUK_OIDC_CLIENT_SECRET",
        value_name = "SECRET",
        hide_env_values = true
    )]
    pub client_secret: Option<String>,
    /// Name of the identity provider, as people read it on the button
    #[arg(long = "oidc-name", env = "LIVESOUK_OIDC_NAME", value_name = "NAME")]
    pub name: Option<String>,
    /// Trust the identity provider that people own the addresses which it calls verified: such an address signs in to its account, also
    /// to one of the staff. Only for a provider whose addresses nobody else can get
    #[arg(long = "oidc-trust-email", env = "LIVESOUK_OIDC_TRUST_EMAIL", default_value_t = false, action = clap::ArgAction::Set, value_name = "true|false")]
    pub trusts_email: bool,
}

impl OidcArgs {
    /// The issuer and the client id; `None`: no identity provider was set. `Err` is a message for the operator.
    pub fn provider(&self) -> Result<Option<(&str, &str)>, String> {
        match (&self.issuer, &self.client_id) {
            (Some(issuer), Some(client_id)) => Ok(Some((issuer, client_id))),
            (None, None) if self.client_secret.is_none() && self.name.is_none() && !self.trusts_email => Ok(None),
            (Some(_), None) => Err("--oidc-client-id (LIVESOUK_OIDC_CLIENT_ID) is missing".to_owned()),
            (None, _) => Err("--oidc-issuer (LIVESOUK_OIDC_ISSUER) is missing".to_owned()),
        }
    }
}
