//! The public address of this server: an origin and, if the shop is a part of another site, a path below which it is.
//!
//! A proxy may pass on the path or remove it. Both work: the routes answer with and without it, and every address that the
//! server or a page writes has it.

use axum::Router;
use axum::http::header;
use axum::middleware::map_response;
use axum::response::Response;

use super::error::Problem;
use super::origin::normalize_origin;

/// The first parts of our own routes. A shop below one of them could not be told from the route.
const OWN_ROUTES: [&str; 22] = [
    "v1",
    "assets",
    "pictures",
    "watch",
    "orders",
    "invoice",
    "host",
    "hosts",
    "products",
    "policies",
    "manifest.webmanifest",
    "favicon.ico",
    "admin",
    "join",
    "setup",
    "sign-in",
    "follow",
    "unsubscribe",
    "docs",
    "healthz",
    "readyz",
    "metrics",
];
const PATH_BYTES_MAX: usize = 200;

#[derive(Clone, PartialEq, Debug)]
pub struct BaseUrl {
    /// Like `https://shop.example`.
    pub origin: String,
    /// Like `/live`; empty if the shop has a host of its own.
    pub path: String,
    /// Both.
    pub url: String,
}

impl BaseUrl {
    /// Fails if it is not an address of a server; the message says how to fix it.
    pub fn parse(given: &str) -> Result<Self, String> {
        let text = given.trim();
        let rest = text.find("://").map_or(0, |at| at + 3);
        let (origin, path) = text.split_at(text[rest..].find('/').map_or(text.len(), |at| rest + at));
        let origin = normalize_origin(origin)?;
        if origin == "*" {
            return Err("`*` is not an address: write it like https://live.shop.example".to_owned());
        }
        let path = path.trim_end_matches('/');
        let refuse = |why: &str| Err(format!("the path of `{given}` {why}: write it like https://shop.example/live"));
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let is_plain = |part: &&str| {
            part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_~.".contains(&byte))
                && !part.trim_matches('.').is_empty()
        };
        if path.len() > PATH_BYTES_MAX || !parts.iter().all(is_plain) {
            return refuse("may have letters, digits and - _ ~ . only");
        }
        if parts.first().is_some_and(|first| OWN_ROUTES.contains(first)) {
            return refuse(&format!("must not begin with a route of the server ({})", OWN_ROUTES.join(", ")));
        }
        Ok(Self { url: format!("{origin}{path}"), origin, path: path.to_owned() })
    }
}

/// The same routes below `path` too. Their `Location` headers and the `type` of their problems have the path.
pub fn serve_below(path: &str, routes: Router) -> Router {
    if path.is_empty() {
        return routes;
    }
    let base = path.to_owned();
    let routes = routes.layer(map_response(move |mut response: Response| {
        let own = response.headers().get(header::LOCATION).and_then(|own| own.to_str().ok());
        let moved = own.filter(|own| own.starts_with('/')).and_then(|own| format!("{base}{own}").parse().ok());
        if let Some(moved) = moved {
            response.headers_mut().insert(header::LOCATION, moved);
        }
        std::future::ready(match response.extensions_mut().remove::<Problem>() {
            Some(problem) => problem.below(&base).replace_in(response),
            None => response,
        })
    }));
    Router::new().nest_service(path, routes.clone()).fallback_service(routes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_url_is_an_origin_and_a_path() {
        for (given, expected) in [
            ("https://live.example", Some(("https://live.example", ""))),
            ("https://live.example/", Some(("https://live.example", ""))),
            ("HTTPS://Live.Example:443", Some(("https://live.example", ""))),
            ("https://shop.example/live", Some(("https://shop.example", "/live"))),
            ("https://shop.example:8443/a/b-c_d/", Some(("https://shop.example:8443", "/a/b-c_d"))),
            ("http://[::1]:8080/live", Some(("http://[::1]:8080", "/live"))),
            ("https://shop.example/Live", Some(("https://shop.example", "/Live"))),
            ("https://shop.example/v2", Some(("https://shop.example", "/v2"))),
            ("https://shop.example/v1", None),
            ("https://shop.example/host/live", None),
            ("https://shop.example/assets", None),
            ("https://shop.example/admin", None),
            ("https://shop.example//live", None),
            ("https://shop.example/a/../b", None),
            ("https://shop.example/{a}", None),
            ("https://shop.example/*", None),
            ("https://shop.example/a?b=c", None),
            ("https://shop.example/a#b", None),
            ("https://shop.example?b=c", None),
            ("https://shop.example/a b", None),
            ("shop.example/live", None),
            ("/live", None),
            ("*", None),
            ("https://", None),
        ] {
            let parsed = BaseUrl::parse(given);
            let found = parsed.as_ref().ok().map(|base| (base.origin.as_str(), base.path.as_str()));
            assert_eq!(found, expected, "{given}: {parsed:?}");
        }
    }

    #[test]
    fn every_route_of_the_server_is_refused_as_a_path() {
        let routes = include_str!("mod.rs").split(".route(\"/").skip(1);
        let first_parts: Vec<&str> = routes.filter_map(|route| route.split(['/', '"']).next()).collect();
        assert!(first_parts.contains(&"watch"), "{first_parts:?}");
        for part in first_parts.into_iter().filter(|part| !part.is_empty()) {
            assert!(OWN_ROUTES.contains(&part), "/{part} is a route of the server");
        }
    }
}
