//! The key for secrets in the database: read from the settings, checked at the start, and changed by `livesouk secrets rekey`.

use crate::app::{check_secrets, rekey_secrets};
use crate::clock::Clock;
use crate::config::{SecretArgs, SecretsCommandArgs};
use crate::domain::secrets_key::SecretsKey;
use crate::node::{self, StartError};
use crate::store::Store;

/// The key of the settings, if they have one.
pub fn secrets_key(args: &SecretArgs) -> Result<Option<SecretsKey>, StartError> {
    args.secrets_key.as_deref().map(|text| parse(text, "--secrets-key-file (LIVESOUK_SECRETS_KEY_FILE)")).transpose()
}

fn parse(text: &str, setting: &str) -> Result<SecretsKey, StartError> {
    SecretsKey::parse(text).map_err(|why| StartError::Config(format!("{setting}: {why}")))
}

/// Refuses a start that could not read the secrets in the database.
pub async fn check_key(store: &Store, key: Option<&SecretsKey>) -> Result<(), StartError> {
    let checked = check_secrets(store, key).await.map_err(StartError::App)?;
    checked.map_err(|why| StartError::Config(format!("--secrets-key-file (LIVESOUK_SECRETS_KEY_FILE): {why}")))
}

/// `livesouk secrets rekey`: gives what to print.
pub async fn rekey(options: SecretsCommandArgs) -> anyhow::Result<&'static str> {
    let key = |given: Option<String>, setting: &str| {
        let given =
            given.ok_or_else(|| StartError::Config(format!("{setting} is missing: it names the file of a key")))?;
        parse(&given, setting)
    };
    let (old, new) = (key(options.old, "--old-file")?, key(options.new, "--new-file")?);
    let store = node::open_store(&options.store, &Clock::system(), 1).await?;
    let changed = rekey_secrets(&store, &old, &new).await.map_err(StartError::App);
    store.close().await;
    match changed?.map_err(|why| StartError::Config(format!("--old-file: {why}; nothing was changed")))? {
        true => Ok("The secrets are encrypted with the new key. Start every node with it.\n"),
        false => Ok("There are no secrets in this database. Start every node with the new key.\n"),
    }
}
