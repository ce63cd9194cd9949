//! The settings of e-mails.

use clap::{Args, ValueEnum};

#[derive(Args, Debug, Default)]
pub struct MailArgs {
    /// Server that sends the e-mails of the shop: smtps://USER:PASSWORD@HOST (TLS, port 465) or smtp://USER:PASSWORD@HOST (STARTTLS,
    /// port 587); smtp://HOST?tls=none for a relay in your own network. Default: the shop sends no e-mails
    #[arg(long, env = "LIVESOUK_SMTP_URL", value_name = "URL", hide_env_values = true)]
    pub smtp_url: Option<String>,
    /// Address from which the e-mails come, like orders@shop.example; the mail server must allow it
    #[arg(long, env = "LIVESOUK_MAIL_FROM", value_name = "ADDRESS")]
    pub mail_from: Option<String>,
    /// Name beside that address; default: the name of the shop
    #[arg(long, env = "LIVESOUK_MAIL_NAME", value_name = "NAME", value_parser = mail_name)]
    pub mail_name: Option<String>,
}

#[derive(Args, Debug)]
pub struct MailCommandArgs {
    /// What to do
    pub action: MailAction,
    /// Address that gets the test message
    #[arg(long, value_name = "ADDRESS")]
    pub to: String,
    /// Language of the test message: en, ar or id
    #[arg(long, default_value = "en", value_name = "TAG", value_parser = ["en", "ar", "id"])]
    pub language: String,
    #[command(flatten)]
    pub mail: MailArgs,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum MailAction {
    /// Send a test message at once, and say what went wrong
    Test,
}

impl MailArgs {
    /// Checks that the settings fit together. `Err` is a message for the operator.
    pub fn check(&self) -> Result<(), String> {
        match (&self.smtp_url, &self.mail_from) {
            (Some(_), None) => {
                Err("--mail-from (LIVESOUK_MAIL_FROM) is missing: --smtp-url needs the address from which the \
                e-mails come"
                    .to_owned())
            }
            (None, Some(_)) => {
                Err("--smtp-url (LIVESOUK_SMTP_URL) is missing: --mail-from has no server to send with".to_owned())
            }
            _ => Ok(()),
        }
    }
}

fn mail_name(text: &str) -> Result<String, String> {
    let fits = (1..=80).contains(&text.chars().count());
    match fits && !text.chars().any(char::is_control) {
        true => Ok(text.to_owned()),
        false => Err("write a name of 1 to 80 characters on one line".to_owned()),
    }
}
