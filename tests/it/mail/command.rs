//! `livesouk mail test`, and the settings of the mail server: what is wrong is said in words, without the password.

use std::process::Command;
use std::time::Duration;

use crate::support::mail_server::{MailMode, MailServer};
use crate::support::ports::free_address;
use crate::support::process::Process;

/// Runs the command, with this URL in its variable, and gives its exit code, stdout and stderr.
async fn run(url: &str, more: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let args = ["mail", "test", "--to", "you@shop.example", "--mail-from", "orders@shop.example"];
    let environment = [&[("LIVESOUK_SMTP_URL", url)], environment].concat();
    let mut process = Process::livesouk_with(&[&args, more].concat(), std::path::Path::new("/"), &environment);
    let status = process.end(Duration::from_secs(60)).await;
    (status.code(), process.stdout(), process.stderr())
}

/// A certificate for `localhost` that nobody else has signed, and its key.
fn certificate(folder: &std::path::Path) -> [String; 2] {
    let [certificate, key] = ["certificate.pem", "key.pem"].map(|name| folder.join(name).display().to_string());
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]);
    openssl.args([
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
        "-addext",
        "basicConstraints=CA:FALSE",
    ]);
    let output = openssl.args(["-keyout", &key, "-out", &certificate]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    [certificate, key]
}

#[tokio::test]
async fn test_message_arrives_in_each_language() {
    let server = MailServer::start(MailMode::Accept).await;
    for (language, subject) in [("en", "Souk: a test message"), ("ar", "رسالة تجريبية"), ("id", "pesan percobaan")]
    {
        let (code, out, error) = run(&server.url(), &["--language", language, "--mail-name", "Souk"], &[]).await;
        assert_eq!(code, Some(0), "{error}");
        assert!(out.contains("accepted the test message to you@shop.example"), "{out}");
        let mail = server.mails().pop().unwrap();
        assert!(mail["headers"]["subject"].as_str().unwrap().contains(subject), "{mail:#}");
    }
}

#[tokio::test]
async fn what_the_mail_server_did_not_like_is_said_in_words() {
    let closed = free_address();
    let (code, _, error) = run(&format!("smtp://{closed}?tls=none"), &[], &[]).await;
    assert_eq!(code, Some(1));
    assert!(error.contains("cannot be reached") && error.contains(&closed), "{error}");

    let server = MailServer::start(MailMode::Refuse).await;
    let (_, _, error) = run(&server.url(), &[], &[]).await;
    assert!(error.contains("refused the recipient you@shop.example: 550"), "{error}");
    let starttls = format!("smtp://127.0.0.1:{}", server.port);
    let (_, _, error) = run(&starttls, &[], &[]).await;
    assert!(error.contains("does not offer STARTTLS"), "{error}");

    let server = MailServer::start_with(MailMode::Accept, &["user=shop", "password=right"]).await;
    let with = |password: &str| format!("smtp://shop:{password}@127.0.0.1:{}?tls=none", server.port);
    let (code, _, error) = run(&with("wrong"), &[], &[]).await;
    assert_eq!(code, Some(1));
    assert!(error.contains("refused the user name or the password") && !error.contains("wrong"), "{error}");
    let (code, _, error) = run(&with("right"), &[], &[]).await;
    assert_eq!(code, Some(0), "{error}");
    assert_eq!(server.mails()[0]["user"], "shop");
}

#[tokio::test]
async fn tls_is_required_and_its_certificate_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let [certificate, key] = certificate(folder.path());
    let files = [format!("certificate={certificate}"), format!("key={key}")];
    for (scheme, mode) in [("smtp", "tls=offered"), ("smtps", "tls=wrapped")] {
        let options = [files[0].as_str(), files[1].as_str(), mode, "user=shop", "password=right"];
        let server = MailServer::start_with(MailMode::Accept, &options).await;
        let url = format!("{scheme}://shop:right@localhost:{}", server.port);
        let (code, _, error) = run(&url, &[], &[]).await;
        assert_eq!(code, Some(1));
        assert!(error.contains("certificate"), "{scheme}: {error}");
        assert_eq!(server.mails().len(), 0, "{scheme}: nothing is sent to a server that nobody knows");
        let (code, _, error) = run(&url, &[], &[("SSL_CERT_FILE", &certificate)]).await;
        assert_eq!(code, Some(0), "{scheme}: {error}");
        let mails = server.mails();
        assert_eq!((&mails[0]["tls"], &mails[0]["user"]), (&true.into(), &"shop".into()), "{scheme}");
    }
}

#[tokio::test]
async fn wrong_settings_are_refused_at_start_without_the_password() {
    let folder = tempfile::tempdir().unwrap();
    for (args, environment, named) in [
        (&["--mail-from", "orders@shop.example"][..], &[][..], "--smtp-url (LIVESOUK_SMTP_URL) is missing"),
        (&[], &[("LIVESOUK_SMTP_URL", "smtps://u:secret@mail.example")], "--mail-from (LIVESOUK_MAIL_FROM) is missing"),
        (&["--mail-from", "orders"], &[("LIVESOUK_SMTP_URL", "smtps://u:secret@mail.example")], "--mail-from"),
        (&["--mail-from", "o@s.example"], &[("LIVESOUK_SMTP_URL", "smtps://u:sec/ret@mail.example")], "Percent-encode"),
        (&["--mail-from", "o@s.example"], &[("LIVESOUK_SMTP_URL", "http://u:secret@mail.example")], "smtps://"),
        (
            &["--mail-from", "o@s.example"],
            &[("LIVESOUK_SMTP_URL", "smtp://u:secret@mail.example?tls=none")],
            "clear text",
        ),
    ] {
        let all = [&["serve", "--listen", "127.0.0.1:0", "--auth-key", crate::support::shop::KEY], args].concat();
        let mut process = Process::livesouk_with(&all, folder.path(), environment);
        let status = process.end(crate::support::SOON).await;
        let error = process.stderr();
        assert_eq!(status.code(), Some(2), "{error}");
        assert!(error.contains(named) && !error.contains("secret") && !error.contains("ret@"), "{named}: {error}");
    }
}
