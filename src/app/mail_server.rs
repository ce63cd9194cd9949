//! The mail server: where it is, how the connection is protected, and one mail over one connection.
//!
//! lettre speaks the protocol. The steps are taken one by one here, because what a lost answer means depends on the step: before
//! the mail itself was transferred it was certainly not accepted, after that nobody knows.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::ClientId;
use tokio::time::timeout;
use url::{Host, Url};

use crate::connection_url;
use crate::domain::mail_settings::{MailProtection, TypedMailServer};
use crate::domain::{EmailAddress, MailOutcome};
use crate::guarded_address::AddressGuard;

/// The deadline of each step: of the connection with its greeting and log-in, and of each command.
const STEP_DEADLINE: Duration = Duration::from_secs(20);
const STARTTLS_PORT: u16 = 587;
const TLS_PORT: u16 = 465;
const PLAIN_PORT: u16 = 25;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Protection {
    /// TLS from the first byte (`smtps`).
    Tls,
    /// TLS after the greeting (`smtp`). A server that does not offer it gets no mail.
    StartTls,
    /// None (`?tls=none`).
    Plain,
}

/// Where mails go.
#[derive(Clone, Debug)]
pub enum MailTransport {
    Smtp {
        server: SmtpServer,
        /// The sender.
        from: EmailAddress,
        /// The name beside it; the title of the shop if there is none.
        name: Option<String>,
    },
    /// The log of a demo, which has no mail server: a code can be read there, and nothing is sent.
    DemoLog,
}

/// A mail server that takes our mails.
#[derive(Clone)]
pub struct SmtpServer {
    host: String,
    port: u16,
    protection: Protection,
    /// User name and password.
    login: Option<(String, String)>,
    /// For a server that somebody typed on a page: which addresses it may have.
    guard: Option<AddressGuard>,
}

impl std::fmt::Debug for SmtpServer {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SmtpServer({}:{})", self.host, self.port)
    }
}

impl MailTransport {
    /// A server that was typed into the pages, with its password in the clear.
    pub fn typed(typed: TypedMailServer, guard: AddressGuard) -> Self {
        let protection = match typed.protection {
            MailProtection::Tls => Protection::Tls,
            MailProtection::Starttls => Protection::StartTls,
            MailProtection::None => Protection::Plain,
        };
        let (host, port, login) = (typed.host, typed.port, typed.user.zip(typed.password));
        let server = SmtpServer { host, port, protection, login, guard: Some(guard) };
        Self::Smtp { server, from: typed.from, name: None }
    }

    /// The password of the server, for one that is saved again without typing it.
    pub fn password(&self) -> Option<&str> {
        match self {
            Self::Smtp { server, .. } => server.login.as_ref().map(|(_, password)| password.as_str()),
            Self::DemoLog => None,
        }
    }
}

impl SmtpServer {
    /// Reads `smtps://user:password@host:port` (TLS), `smtp://…` (STARTTLS, required) or `smtp://…?tls=none`. The message of an error
    /// never contains the URL, because it may contain a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        const FORMS: &str = "write smtps://USER:PASSWORD@HOST:465 or smtp://USER:PASSWORD@HOST:587";
        connection_url::check(text)?;
        let url = Url::parse(text).map_err(|_| format!("it is not a URL; {FORMS}"))?;
        let query: Vec<_> = url.query_pairs().collect();
        let protection = match (url.scheme(), query.as_slice()) {
            ("smtps", []) => Protection::Tls,
            ("smtp", []) => Protection::StartTls,
            ("smtp", [(name, value)]) if name == "tls" && value == "none" => Protection::Plain,
            ("smtp" | "smtps", _) => return Err("the only option is ?tls=none, of smtp://".to_owned()),
            _ => return Err(FORMS.to_owned()),
        };
        if !matches!(url.path(), "" | "/") {
            return Err(format!("it has a path, which means nothing here; {FORMS}"));
        }
        let (host, is_loopback) = match url.host() {
            // For a scheme that it does not know, the parser leaves an address as a name.
            Some(Host::Domain(name)) => {
                let address = name.parse::<IpAddr>().ok();
                (name.to_owned(), name == "localhost" || address.is_some_and(|address| address.is_loopback()))
            }
            Some(Host::Ipv4(address)) => (address.to_string(), address.is_loopback()),
            Some(Host::Ipv6(address)) => (address.to_string(), address.is_loopback()),
            None => return Err(format!("it has no host; {FORMS}")),
        };
        if host.is_empty() {
            return Err(format!("it has no host; {FORMS}"));
        }
        let login = match (decoded(url.username())?, url.password().map(decoded).transpose()?) {
            (user, None) if user.is_empty() => None,
            (user, Some(password)) if !user.is_empty() && !password.is_empty() => Some((user, password)),
            _ => return Err(format!("it has a user name without a password, or the reverse; {FORMS}")),
        };
        if protection == Protection::Plain && login.is_some() && !is_loopback {
            return Err("?tls=none would send the password in clear text over the network; leave it out".to_owned());
        }
        let port = match (url.port(), protection) {
            (Some(0), _) => return Err("port 0 is no port".to_owned()),
            (Some(port), _) => port,
            (None, Protection::Tls) => TLS_PORT,
            (None, Protection::StartTls) => STARTTLS_PORT,
            (None, Protection::Plain) => PLAIN_PORT,
        };
        Ok(Self { host, port, protection, login, guard: None })
    }

    /// Sends one mail over a connection of its own. It ends within a few deadlines, whatever the server does.
    ///
    /// `is_transferring` becomes true before the mail itself is transferred: who stops waiting after that does not know whether it was
    /// accepted.
    pub async fn send(
        &self,
        from: &EmailAddress,
        to: &EmailAddress,
        message: &[u8],
        is_transferring: &AtomicBool,
    ) -> MailOutcome {
        let mut connection = match self.connect(from).await {
            Ok(connection) => connection,
            Err(why) => return MailOutcome::ServerUnavailable(why),
        };
        let outcome = transfer(&mut connection, from, to, message, is_transferring).await;
        // The outcome is known. A server that does not say goodbye keeps nobody waiting.
        let _ = timeout(Duration::from_secs(1), connection.quit()).await;
        outcome
    }

    /// Connects, greets, starts TLS and logs in. The error is a sentence for the operator.
    async fn connect(&self, from: &EmailAddress) -> Result<AsyncSmtpConnection, String> {
        let at = format!("{}:{}", self.host, self.port);
        let connecting = self.connect_in_steps(from, &at);
        match timeout(STEP_DEADLINE, connecting).await {
            Ok(connected) => connected,
            Err(_) => Err(format!("The mail server {at} did not answer within {} s.", STEP_DEADLINE.as_secs())),
        }
    }

    async fn connect_in_steps(&self, from: &EmailAddress, at: &str) -> Result<AsyncSmtpConnection, String> {
        let greeting_name = ClientId::Domain(from.domain().to_owned());
        let tls = || {
            let parameters = TlsParameters::builder(self.host.clone()).build_rustls();
            parameters.map_err(|error| format!("TLS cannot be used: {}.", chain(&error)))
        };
        let wrapper = if self.protection == Protection::Tls { Some(tls()?) } else { None };
        let deadline = Some(STEP_DEADLINE);
        let connected = match &self.guard {
            Some(guard) => {
                let addresses = guard.resolve(&self.host, self.port).await;
                let addresses = addresses.map_err(|why| format!("The mail server {at} is not used: {why}."))?;
                AsyncSmtpConnection::connect_tokio1(&addresses[..], deadline, &greeting_name, wrapper, None).await
            }
            None => {
                let address = (self.host.as_str(), self.port);
                AsyncSmtpConnection::connect_tokio1(address, deadline, &greeting_name, wrapper, None).await
            }
        };
        let mut connection = connected.map_err(|error| connect_error(at, &error, self.protection))?;
        if self.protection == Protection::StartTls {
            if !connection.can_starttls() {
                return Err(format!(
                    "The mail server {at} does not offer STARTTLS. Use smtps:// for TLS from the first byte, or ?tls=none for \
                     a server in your own network."
                ));
            }
            let started = connection.starttls(tls()?, &greeting_name).await;
            started.map_err(|error| connect_error(at, &error, self.protection))?;
        }
        if let Some((user, password)) = &self.login {
            let mechanisms = [Mechanism::Plain, Mechanism::Login];
            let login = Credentials::new(user.clone(), password.clone());
            connection.auth(&mechanisms, &login).await.map_err(|error| match error.is_permanent() {
                true => format!("The mail server {at} refused the user name or the password: {}.", answer(&error)),
                false => format!("The log-in at the mail server {at} failed: {}.", answer(&error)),
            })?;
        }
        Ok(connection)
    }
}

/// The steps of one mail over an open connection.
async fn transfer(
    connection: &mut AsyncSmtpConnection,
    from: &EmailAddress,
    to: &EmailAddress,
    message: &[u8],
    is_transferring: &AtomicBool,
) -> MailOutcome {
    let (Ok(sender), Ok(recipient)) = (from.as_str().parse::<Address>(), to.as_str().parse::<Address>()) else {
        return MailOutcome::Rejected(format!("The address {to} cannot be written in the protocol."));
    };
    // A refused sender is a mistake in our settings and no fault of this mail, so it is tried again.
    if let Err(why) = step(connection.command(Mail::new(Some(sender), Vec::new()))).await {
        return MailOutcome::ServerUnavailable(format!("The mail server refused the sender {from}: {}.", why.text));
    }
    if let Err(why) = step(connection.command(Rcpt::new(recipient, Vec::new()))).await {
        return why.into_outcome(&format!("The mail server refused the recipient {to}"));
    }
    if let Err(why) = step(connection.command(Data)).await {
        let outcome = why.into_outcome("The mail server did not take the mail");
        let _ = timeout(Duration::from_secs(1), connection.command(Rset)).await;
        return outcome;
    }
    is_transferring.store(true, Ordering::Relaxed);
    match step(connection.message(message)).await {
        Ok(()) => MailOutcome::Accepted,
        Err(why) if why.kind == FaultKind::NoAnswer => MailOutcome::Unknown(format!(
            "The mail was transferred, but the mail server did not confirm it: {}.",
            why.text
        )),
        Err(why) => why.into_outcome("The mail server did not accept the mail"),
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum FaultKind {
    /// A code of 400 to 499.
    Later,
    /// A code of 500 to 599.
    Never,
    /// The connection broke, or the deadline passed.
    NoAnswer,
}

struct StepFault {
    kind: FaultKind,
    text: String,
}

impl StepFault {
    fn into_outcome(self, what: &str) -> MailOutcome {
        let sentence = format!("{what}: {}.", self.text);
        match self.kind {
            FaultKind::Later => MailOutcome::Deferred(sentence),
            FaultKind::Never => MailOutcome::Rejected(sentence),
            FaultKind::NoAnswer => MailOutcome::ServerUnavailable(sentence),
        }
    }
}

/// One command and its answer, within the deadline.
async fn step<T>(command: impl Future<Output = Result<T, SmtpError>>) -> Result<(), StepFault> {
    match timeout(STEP_DEADLINE, command).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => {
            let kind = match (error.is_permanent(), error.is_transient()) {
                (true, _) => FaultKind::Never,
                (_, true) => FaultKind::Later,
                _ => FaultKind::NoAnswer,
            };
            Err(StepFault { kind, text: answer(&error) })
        }
        Err(_) => {
            let text = format!("no answer within {} s", STEP_DEADLINE.as_secs());
            Err(StepFault { kind: FaultKind::NoAnswer, text })
        }
    }
}

fn connect_error(at: &str, error: &SmtpError, protection: Protection) -> String {
    let why = chain(error);
    if error.is_tls() || why.contains("certificate") {
        return format!("The TLS certificate of the mail server {at} is not accepted, or it speaks no TLS: {why}.");
    }
    match (error.status(), protection) {
        (Some(_), _) => format!("The mail server {at} refuses us: {}.", answer(error)),
        (None, Protection::Tls) => {
            format!("The mail server {at} cannot be reached with TLS: {why}. If it expects STARTTLS, use smtp://.")
        }
        (None, _) => format!("The mail server {at} cannot be reached: {why}."),
    }
}

/// The code and the words of the server; without an answer, the reason.
fn answer(error: &SmtpError) -> String {
    match error.status() {
        Some(code) => {
            let words = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
            format!("{code} {}", words.trim().trim_end_matches('.')).trim().to_owned()
        }
        None => chain(error),
    }
}

/// The error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text.trim_end_matches('.').to_owned()
}

/// Undoes percent-encoding.
fn decoded(text: &str) -> Result<String, String> {
    let bytes = percent_encoding::percent_decode_str(text);
    let decoded = bytes.decode_utf8().map_err(|_| "the user name or the password is not text in UTF-8".to_owned())?;
    if decoded.chars().any(char::is_control) {
        return Err("the user name or the password has a control character".to_owned());
    }
    Ok(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_says_where_the_server_is_and_how_it_is_protected() {
        for (url, host, port, protection, login) in [
            ("smtps://shop%40x:p%2Fw@mail.example", "mail.example", 465, Protection::Tls, Some(("shop@x", "p/w"))),
            ("smtp://shop:secret@mail.example", "mail.example", 587, Protection::StartTls, Some(("shop", "secret"))),
            ("smtp://mail.example:2525/", "mail.example", 2525, Protection::StartTls, None),
            ("smtp://relay.internal?tls=none", "relay.internal", 25, Protection::Plain, None),
            ("smtp://u:p@127.0.0.1:2525?tls=none", "127.0.0.1", 2525, Protection::Plain, Some(("u", "p"))),
        ] {
            let server = SmtpServer::parse(url).unwrap();
            assert_eq!((server.host.as_str(), server.port, server.protection), (host, port, protection), "{url}");
            let login = login.map(|(user, password)| (user.to_owned(), password.to_owned()));
            assert_eq!(server.login, login, "{url}");
            assert!(!format!("{server:?}").contains("secret"), "the password is not printed");
        }
    }

    #[test]
    fn mistake_in_the_url_is_named_and_the_password_is_not() {
        for (url, cure) in [
            ("mail.example:587", "smtps://"),
            ("https://mail.example", "smtps://"),
            ("smtp://", "host"),
            ("smtp://shop@mail.example", "without a password"),
            ("smtp://:secret@mail.example", "without a password"),
            ("smtp://shop:sec/ret@mail.example", "Percent-encode"),
            ("smtp://shop:secret@mail.example?tls=none", "clear text"),
            ("smtp://mail.example?tls=maybe", "?tls=none"),
            ("smtps://mail.example?tls=none", "?tls=none"),
            ("smtp://mail.example/shop", "path"),
            ("smtp://mail.example:0", "port 0"),
            ("smtp://shop:a%0Ab@mail.example", "control character"),
        ] {
            let why = SmtpServer::parse(url).expect_err(url);
            assert!(why.contains(cure), "{url}: {why}");
            assert!(!why.contains("secret") && !why.contains("ret@"), "{url}: the message shows the password: {why}");
        }
    }
}
