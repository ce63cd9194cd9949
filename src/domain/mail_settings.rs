//! The mail server of a shop, as its owner typed it into the pages.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{EmailAddress, Refusal};

const HOST_LENGTH_MAX: usize = 253;
/// The longest user name and password, in bytes.
pub const LOGIN_LENGTH_MAX: usize = 200;

/// How the connection to a mail server is protected.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MailProtection {
    /// TLS from the first byte.
    Tls,
    /// TLS after the greeting.
    Starttls,
    /// None: for a relay in the own network, without a password.
    None,
}

/// A mail server and the sender of the mails. Stored as JSON.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MailSettings {
    pub host: String,
    pub port: u16,
    pub protection: MailProtection,
    /// `None`: the server asks for none.
    pub user: Option<String>,
    /// Encrypted with the secrets key; there if `user` is.
    pub sealed_password: Option<String>,
    /// The sender.
    pub from: String,
}

/// What was typed, checked.
#[derive(Clone, PartialEq, Eq)]
pub struct TypedMailServer {
    pub host: String,
    pub port: u16,
    pub protection: MailProtection,
    pub user: Option<String>,
    /// `None` with a user: the stored one stays.
    pub password: Option<String>,
    pub from: EmailAddress,
}

/// A mail server as it is typed.
#[derive(Clone, PartialEq, Eq, Deserialize, ToSchema)]
pub struct MailServerRequest {
    pub host: String,
    pub port: i64,
    pub protection: MailProtection,
    /// Left out: the server asks for none.
    pub user: Option<String>,
    /// Left out: the one that is stored for this server and user stays.
    pub password: Option<String>,
    /// The address from which the mails come.
    pub from: String,
}

impl MailServerRequest {
    /// Checks what was typed. `before`: the settings that hold now.
    pub fn checked(self, before: Option<&MailSettings>) -> Result<TypedMailServer, Refusal> {
        let is_host = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-' || c == ':';
        let host = self.host.trim().to_ascii_lowercase();
        if host.is_empty() || host.len() > HOST_LENGTH_MAX || !host.chars().all(is_host) {
            return Err(Refusal::bad_field("host", "must be the name of a mail server, like smtp.example.com."));
        }
        let port = u16::try_from(self.port).ok().filter(|port| *port > 0);
        let port = port.ok_or_else(|| Refusal::bad_field("port", "must be 1 to 65535."))?;
        let is_plain = |text: &String| text.len() <= LOGIN_LENGTH_MAX && !text.chars().any(char::is_control);
        let (user, password) =
            (self.user.filter(|user| !user.is_empty()), self.password.filter(|text| !text.is_empty()));
        for (field, text) in [("user", &user), ("password", &password)] {
            if !text.as_ref().is_none_or(is_plain) {
                return Err(Refusal::bad_field(field, "must have at most 200 bytes and no control characters."));
            }
        }
        // A password is kept only for the server and the connection that it belongs to: another host must not get it.
        let place = |settings: &MailSettings| {
            (settings.host.clone(), settings.port, settings.protection, settings.user.clone())
        };
        let is_kept = before.is_some_and(|before| {
            before.sealed_password.is_some() && place(before) == (host.clone(), port, self.protection, user.clone())
        });
        match (&user, &password) {
            (Some(_), None) if !is_kept => return Err(Refusal::invalid_value("password", "is missing.")),
            (None, Some(_)) => return Err(Refusal::invalid_value("user", "is missing.")),
            (Some(_), _) if self.protection == MailProtection::None => {
                let why = "must not be none: the password would be readable on its way.";
                return Err(Refusal::invalid_value("protection", why));
            }
            _ => {}
        }
        let from =
            EmailAddress::parse(&self.from).map_err(|_| Refusal::bad_field("from", "must be an e-mail address."))?;
        Ok(TypedMailServer { host, port, protection: self.protection, user, password, from })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> MailServerRequest {
        MailServerRequest {
            host: " SMTP.Example.com ".to_owned(),
            port: 465,
            protection: MailProtection::Tls,
            user: Some("shop".to_owned()),
            password: Some("p/w@1".to_owned()),
            from: "orders@example.com".to_owned(),
        }
    }

    #[test]
    fn bad_value_is_refused_with_its_field() {
        for (bad, field) in [
            (MailServerRequest { host: String::new(), ..form() }, "host"),
            (MailServerRequest { host: "a b".to_owned(), ..form() }, "host"),
            (MailServerRequest { host: "smtp://x".to_owned(), ..form() }, "host"),
            (MailServerRequest { port: 0, ..form() }, "port"),
            (MailServerRequest { port: 65_536, ..form() }, "port"),
            (MailServerRequest { user: None, ..form() }, "user"),
            (MailServerRequest { user: Some("a\nb".to_owned()), ..form() }, "user"),
            (MailServerRequest { password: None, ..form() }, "password"),
            (MailServerRequest { password: Some("x".repeat(201)), ..form() }, "password"),
            (MailServerRequest { protection: MailProtection::None, ..form() }, "protection"),
            (MailServerRequest { from: "orders".to_owned(), ..form() }, "from"),
        ] {
            let Err(refusal) = bad.checked(None) else { panic!("{field} is accepted") };
            assert_eq!(refusal.field(), Some(field));
        }
        assert_eq!(form().checked(None).ok().unwrap().host, "smtp.example.com");
    }

    #[test]
    fn stored_password_stays_only_for_the_same_server_and_user() {
        let stored = MailSettings {
            host: "smtp.example.com".to_owned(),
            port: 465,
            protection: MailProtection::Tls,
            user: Some("shop".to_owned()),
            sealed_password: Some("1.x.y".to_owned()),
            from: "orders@example.com".to_owned(),
        };
        let without = MailServerRequest { password: None, ..form() };
        assert!(without.clone().checked(Some(&stored)).is_ok());
        for other in [
            MailServerRequest { host: "smtp.evil.example".to_owned(), ..without.clone() },
            MailServerRequest { port: 466, ..without.clone() },
            MailServerRequest { protection: MailProtection::Starttls, ..without.clone() },
            MailServerRequest { user: Some("other".to_owned()), ..without },
        ] {
            assert!(other.checked(Some(&stored)).is_err());
        }
    }
}
