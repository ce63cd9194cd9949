//! The identity provider of the settings: checked, and refused by a binary that was built without it.

use std::sync::Arc;

use crate::app::OidcProvider;
use crate::config::OidcArgs;
use crate::domain::oidc::OidcSettings;
use crate::node::StartError;

/// The identity provider of the settings. A binary without the feature `oidc` refuses them.
pub fn oidc_provider(args: &OidcArgs) -> Result<Option<Arc<OidcProvider>>, StartError> {
    let Some((issuer, client_id)) = args.provider().map_err(StartError::Config)? else { return Ok(None) };
    let settings = OidcSettings {
        issuer: issuer.to_owned(),
        client_id: client_id.to_owned(),
        client_secret: args.client_secret.clone(),
        name: args.name.clone().unwrap_or_default(),
        trusts_email: args.trusts_email,
    };
    let provider = settings.checked().and_then(OidcProvider::new);
    Ok(Some(Arc::new(provider.map_err(|why| StartError::Config(format!("--oidc-issuer, --oidc-name: {why}")))?)))
}
