//! The settings of tokens: the keys that sign them, and the rules by which they are accepted.

use clap::Args;

#[derive(Args, Debug)]
pub struct AuthKeyArgs {
    /// Key that signs user tokens, at least 32 bytes; to rotate keys, put the new one first. A new shop that is served without makes one
    /// and keeps it in its database
    #[arg(
        long = "auth-key",
        env = "LIVESOUK_AUTH_KEY",
        value_name = "KEY",
        value_delimiter = ',',
        hide_env_values = true
    )]
    pub auth_keys: Vec<String>,
}

#[derive(Args, Debug)]
pub struct TokenRuleArgs {
    /// Highest role that the tokens of an --auth-key may have: one for all keys, or one for each in the same order, like
    /// admin,viewer; default: admin. One key needs admin: it signs the tokens of this server
    #[arg(long = "auth-key-max-role", env = "LIVESOUK_AUTH_KEY_MAX_ROLE", value_name = "ROLE", value_delimiter = ',')]
    pub auth_key_max_roles: Vec<String>,
    /// File or https URL of a key set (JWKS): its EdDSA (Ed25519) and ES256 keys verify tokens too; may be repeated
    #[arg(long, env = "LIVESOUK_JWKS", value_name = "PATH|URL", value_delimiter = ',')]
    pub jwks: Vec<String>,
    /// Highest role that the tokens of a key set may have: one for all of them, or one for each in the same order; default: admin
    #[arg(long = "jwks-max-role", env = "LIVESOUK_JWKS_MAX_ROLE", value_name = "ROLE", value_delimiter = ',')]
    pub jwks_max_roles: Vec<String>,
    /// Longest lifetime of a token in seconds, from its `iat` to its `exp`; a token without `iat` may end this long after now
    #[arg(long = "token-max-ttl", env = "LIVESOUK_TOKEN_MAX_TTL", default_value_t = 7_776_000, value_name = "SECONDS", value_parser = clap::value_parser!(i64).range(60..=315_360_000))]
    pub max_ttl_s: i64,
    /// Audience that a token must name in `aud`; may be repeated, one of them is enough. Default: `aud` is not checked
    #[arg(long = "audience", env = "LIVESOUK_AUDIENCE", value_name = "AUD", value_delimiter = ',')]
    pub audiences: Vec<String>,
    /// Issuer that a token must have as `iss`; may be repeated, one of them is enough. Default: `iss` is not checked
    #[arg(long = "issuer", env = "LIVESOUK_ISSUER", value_name = "ISS", value_delimiter = ',')]
    pub issuers: Vec<String>,
}
