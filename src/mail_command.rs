//! The mail server of the settings, and the command that tries it: `livesouk mail test`.

use crate::app::{MailTransport, SmtpServer, send_test_mail};
use crate::clock::Clock;
use crate::config::{MailArgs, MailCommandArgs};
use crate::domain::{EmailAddress, Language, Shop, ShopId};
use crate::node::StartError;

/// The mail server of the settings, if they have one.
pub fn mail_transport(args: &MailArgs) -> Result<Option<MailTransport>, StartError> {
    args.check().map_err(StartError::Config)?;
    let (Some(url), Some(from)) = (&args.smtp_url, &args.mail_from) else { return Ok(None) };
    let server = SmtpServer::parse(url);
    let server = server.map_err(|why| StartError::Config(format!("--smtp-url (LIVESOUK_SMTP_URL): {why}")))?;
    let from = address(from, "--mail-from (LIVESOUK_MAIL_FROM)")?;
    Ok(Some(MailTransport::Smtp { server, from, name: args.mail_name.clone() }))
}

fn address(text: &str, setting: &str) -> Result<EmailAddress, StartError> {
    let write = |_| StartError::Config(format!("{setting}: write an e-mail address like orders@shop.example"));
    EmailAddress::parse(text).map_err(write)
}

/// Sends the test message at once and gives what to print. The error says in words what the mail server did not like.
pub async fn send_test(options: MailCommandArgs) -> anyhow::Result<String> {
    let MailCommandArgs { to, language, mail, .. } = options;
    let (to, language) = (address(&to, "--to")?, Language::of_tag(&language));
    let missing =
        || StartError::Config("--smtp-url (LIVESOUK_SMTP_URL) is missing: there is no mail server".to_owned());
    let transport = mail_transport(&mail)?.ok_or_else(missing)?;
    // The name of the shop is in its database, which this command does not need.
    let title = mail.mail_name.as_deref().unwrap_or("Livesouk").to_owned();
    let shop = Shop { id: ShopId::new(), title, titles: Default::default(), currency: "USD".to_owned() };
    let sent = send_test_mail(&transport, &shop, to.clone(), language, Clock::system().now()).await;
    sent.map_err(|why| anyhow::anyhow!("the test message was not sent. {why}"))?;
    Ok(format!("The mail server has accepted the test message to {to}.\n"))
}
