//! What browsers may do with our pages: the content security policy of each page, and headers for every response.
//!
//! The console is never framed: a page around it could make a host press a button without seeing it. The viewer page may be framed by
//! the origins that the operator allows.

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

use super::AppState;

/// Hosts from which the pages may load, beside this server.
#[derive(Clone, Default, Debug)]
pub struct ContentHosts {
    /// Images: product pictures, posters. Empty: any HTTPS address.
    pub images: Vec<String>,
    /// Videos and HLS playlists. Empty: any address.
    pub media: Vec<String>,
    /// What scripts may connect to. Empty: any address, because the video may be on another server.
    pub connect: Vec<String>,
}

impl ContentHosts {
    /// Fails if one of them is not a host source of a content security policy; the message names it.
    pub fn check(&self) -> Result<(), String> {
        let settings = [
            ("--img-host (LIVESOUK_IMG_HOST)", &self.images),
            ("--media-host (LIVESOUK_MEDIA_HOST)", &self.media),
            ("--connect-host (LIVESOUK_CONNECT_HOST)", &self.connect),
        ];
        for (setting, hosts) in settings {
            if let Some(wrong) = hosts.iter().find(|host| !is_host_source(host)) {
                return Err(format!("{setting}: `{wrong}` is not a host: write it like https://cdn.example"));
            }
        }
        Ok(())
    }
}

/// A scheme and a host, with an optional port and an optional `*.` in front. Anything else could end the directive that contains it.
fn is_host_source(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else { return false };
    let host = host.strip_prefix("*.").unwrap_or(host);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    matches!(scheme, "https" | "http" | "wss" | "ws") && !host.is_empty() && host.chars().all(is_plain)
}

/// The content security policies of a page, by who may frame it.
#[derive(Debug)]
struct Policies {
    framed: HeaderValue,
    never_framed: HeaderValue,
}

#[derive(Debug)]
pub struct PagePolicy {
    plain: Policies,
    /// While the pages have the card form of the payment provider.
    with_card_form: Policies,
    /// The public address is HTTPS.
    is_https: bool,
}

/// Where the card form of Stripe comes from. Its frames come from there, from hosts below it, and from `hooks.stripe.com`.
const STRIPE: &str = "https://js.stripe.com";
const BELOW_STRIPE: &str = "https://*.js.stripe.com";
/// The wallet of Stripe, which its card form and its express buttons offer. Apple Pay and Google Pay need no address of their own.
const LINK: &str = "https://link.com https://*.link.com";
const BELOW_LINK: &str = "https://*.link.com";

/// A page, by who may frame it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Framing {
    /// By this server and the allowed origins.
    Allowed,
    Never,
}

impl PagePolicy {
    /// `frames`: the origins that may frame the viewer pages. `card_form`: the script of the payment provider's card form, if the pages can
    /// have one.
    pub fn new(
        frames: &[String],
        base_url: Option<&str>,
        hosts: &ContentHosts,
        card_form: Option<&str>,
    ) -> Result<Self, String> {
        hosts.check()?;
        let is_https = base_url.is_some_and(|url| url.to_ascii_lowercase().starts_with("https://"));
        let plain = Policies::new(frames, hosts, None)?;
        Ok(Self { plain, with_card_form: Policies::new(frames, hosts, card_form)?, is_https })
    }

    /// `has_card_form`: the pages have the card form of the payment provider now, whose scripts come from elsewhere.
    pub fn content_security_policy(&self, framing: Framing, has_card_form: bool) -> HeaderValue {
        let policies = if has_card_form { &self.with_card_form } else { &self.plain };
        match framing {
            Framing::Allowed => policies.framed.clone(),
            Framing::Never => policies.never_framed.clone(),
        }
    }
}

impl Policies {
    fn new(frames: &[String], hosts: &ContentHosts, card_form: Option<&str>) -> Result<Self, String> {
        let list = |own: &str, default: &str, given: &[String]| match given {
            [] => format!("{own} {default}"),
            given => format!("{own} {}", given.join(" ")),
        };
        // A script that plays a video reads its playlists and segments itself, so where connections are limited they may also go to
        // the hosts of videos.
        let mut connect =
            if hosts.connect.is_empty() { Vec::new() } else { [&hosts.connect[..], &hosts.media].concat() };
        let mut images = hosts.images.clone();
        let (scripts, framed_here) = match card_form {
            None => ("'self'".to_owned(), String::new()),
            Some(script) => {
                let origin =
                    url::Url::parse(script).map_err(|_| format!("`{script}` is not the address of a script"))?;
                let origin = origin.origin().ascii_serialization();
                let (scripts, frames, api) = match origin.as_str() {
                    STRIPE => (
                        format!("{STRIPE} {BELOW_STRIPE}"),
                        format!("{STRIPE} {BELOW_STRIPE} https://hooks.stripe.com {LINK}"),
                        format!("https://api.stripe.com {LINK}"),
                    ),
                    _ => (origin.clone(), origin.clone(), origin.clone()),
                };
                if !connect.is_empty() {
                    connect.push(api);
                }
                if !images.is_empty() && origin == STRIPE {
                    images.push(BELOW_LINK.to_owned());
                }
                (format!("'self' {scripts}"), format!("frame-src 'self' {frames}; "))
            }
        };
        let common = format!(
            "default-src 'self'; img-src {}; media-src {}; connect-src {}; style-src 'self'; script-src {scripts}; {framed_here}\
             object-src 'none'; base-uri 'none'; form-action 'self'; require-trusted-types-for 'script'; frame-ancestors ",
            list("'self' data:", "https:", &images),
            list("'self' blob:", "https: http:", &hosts.media),
            list("'self'", "ws: wss: https: http:", &connect),
        );
        let value = |ancestors: &str| {
            HeaderValue::from_str(&format!("{common}{ancestors}"))
                .map_err(|_| "an allowed origin is not ASCII".to_owned())
        };
        let framed = value(
            ["'self'"].into_iter().chain(frames.iter().map(String::as_str)).collect::<Vec<_>>().join(" ").as_str(),
        )?;
        Ok(Self { framed, never_framed: value("'none'")? })
    }
}

/// The pages use none of these. `autoplay` and `fullscreen` are for the video, `web-share` and `clipboard-write` for the share button, `payment` for the wallets in the card form.
const PERMISSIONS: &str = "accelerometer=(), bluetooth=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), hid=(), \
    magnetometer=(), microphone=(), midi=(), payment=(self \"https://js.stripe.com\" \"https://*.js.stripe.com\"), serial=(), \
    usb=(), autoplay=(self), fullscreen=(self), web-share=(self), clipboard-write=(self)";
/// A year. Subdomains are left to the operator, who may have others.
const HSTS: &str = "max-age=31536000";

/// Middleware that sets the headers of every response.
pub async fn set_headers(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let is_api = request.uri().path().starts_with("/v1/");
    let (parts, body) = request.into_parts();
    // Only behind TLS: over plain HTTP browsers ignore the header, and a shop that is tried without TLS must stay reachable.
    let is_https = state.page_policy.is_https || state.trusted_proxies.reports_https(&parts);
    let mut response = next.run(Request::from_parts(parts, body)).await;
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("permissions-policy"), HeaderValue::from_static(PERMISSIONS));
    // Payment providers may open a window of their own.
    let opener = HeaderValue::from_static("same-origin-allow-popups");
    headers.insert(HeaderName::from_static("cross-origin-opener-policy"), opener);
    if is_https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(HSTS));
    }
    // An answer of the API belongs to its reader: neither a proxy nor the disk of a shared computer keeps it.
    if is_api && !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(hosts: &ContentHosts) -> Result<PagePolicy, String> {
        PagePolicy::new(&["https://shop.example".to_owned()], Some("https://live.shop.example"), hosts, None)
    }

    #[test]
    fn only_the_card_form_of_the_provider_may_be_loaded_from_elsewhere() {
        let limited = ContentHosts {
            connect: vec!["wss://live.shop.example".into()],
            images: vec!["https://cdn.example".into()],
            ..ContentHosts::default()
        };
        let text = |form| {
            let policy = PagePolicy::new(&[], None, &limited, form).unwrap();
            let text = |has_form| policy.content_security_policy(Framing::Never, has_form).to_str().unwrap().to_owned();
            assert!(!text(false).contains("stripe.com") && !text(false).contains("link.com"), "no form is shown");
            assert!(!text(false).contains("127.0.0.1"), "no form is shown");
            text(true)
        };
        assert!(text(None).contains("script-src 'self'; object-src"), "{}", text(None));
        let stripe = text(Some("https://js.stripe.com/v3/"));
        for part in [
            "script-src 'self' https://js.stripe.com https://*.js.stripe.com;",
            "frame-src 'self' https://js.stripe.com https://*.js.stripe.com https://hooks.stripe.com https://link.com https://*.link.com;",
            "connect-src 'self' wss://live.shop.example https://api.stripe.com https://link.com https://*.link.com;",
            "img-src 'self' data: https://cdn.example https://*.link.com;",
        ] {
            assert!(stripe.contains(part), "{stripe}");
        }
        let stand_in = text(Some("http://127.0.0.1:7/element.js"));
        assert!(stand_in.contains("script-src 'self' http://127.0.0.1:7;"), "{stand_in}");
        assert!(!stand_in.contains("stripe.com") && !stand_in.contains("link.com"), "{stand_in}");
    }

    #[test]
    fn console_is_never_framed_and_other_pages_by_allowed_origins() {
        let policy = policy(&ContentHosts::default()).unwrap();
        let text = |framing| policy.content_security_policy(framing, false).to_str().unwrap().to_owned();
        assert!(text(Framing::Never).ends_with("frame-ancestors 'none'"));
        assert!(text(Framing::Allowed).ends_with("frame-ancestors 'self' https://shop.example"));
        assert!(text(Framing::Allowed).contains("img-src 'self' data: https:;"));
    }

    #[test]
    fn given_hosts_replace_the_default() {
        let hosts = ContentHosts {
            images: vec!["https://cdn.example".into(), "https://*.img.example:8443".into()],
            media: vec!["https://video.example".into()],
            connect: vec!["wss://live.shop.example".into()],
        };
        let text = policy(&hosts).unwrap().content_security_policy(Framing::Never, false).to_str().unwrap().to_owned();
        for part in [
            "img-src 'self' data: https://cdn.example https://*.img.example:8443;",
            "media-src 'self' blob: https://video.example;",
            "connect-src 'self' wss://live.shop.example https://video.example;",
        ] {
            assert!(text.contains(part), "{text}");
        }
        for wrong in [
            "cdn.example",
            "https://",
            "https://a b",
            "https://a;script-src *",
            "https://a/path",
            "data:",
            "'unsafe-inline'",
        ] {
            let hosts = ContentHosts { images: vec![wrong.into()], ..ContentHosts::default() };
            assert!(policy(&hosts).unwrap_err().contains("--img-host"), "{wrong}");
        }
    }
}
