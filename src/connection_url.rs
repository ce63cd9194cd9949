//! Mistakes in the URL of a database or a Redis, found before anybody connects: a client library would only say "invalid port
//! number" or try to reach a host that does not exist. No message contains the URL, because it may contain a password.

/// What is wrong with this URL, as a sentence that says how to fix it.
pub fn check(url: &str) -> Result<(), String> {
    let Some((scheme, rest)) = url.split_once("://") else { return Ok(()) };
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
    // The first `/`, `?` or `#` ends the part with the password, so the `@` behind the password is found too late.
    let is_at_too_late = path.contains('@') || query.split(['=', '&']).next().is_some_and(|name| name.contains('@'));
    if is_at_too_late || tail.contains('#') || has_bad_percent(authority) {
        return Err(
            "the user name or the password contains a character that has a meaning in a URL. Percent-encode it: \
            / is %2F, ? is %3F, # is %23, @ is %40, : is %3A, % is %25"
                .to_owned(),
        );
    }
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    for address in host.split(',') {
        if address.matches(':').count() > 1 && !address.starts_with('[') {
            return Err(format!("an IPv6 address needs square brackets: {scheme}://[::1]:PORT"));
        }
    }
    if query.split('&').any(|pair| pair == "sslrootcert=system") {
        return Err(
            "sslrootcert=system is not a file. Leave sslrootcert out: with sslmode=verify-full the certificate \
            authorities of the system are trusted"
                .to_owned(),
        );
    }
    Ok(())
}

/// A `%` that does not begin an encoded character.
fn has_bad_percent(text: &str) -> bool {
    text.split('%')
        .skip(1)
        .any(|rest| !matches!(rest.as_bytes(), [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn each_mistake_is_named_with_a_hint() {
        for (url, hint) in [
            ("postgres://shop:pa/ss@db/shop", "Percent-encode"),
            ("postgres://shop:12/34@db:5432/shop", "Percent-encode"),
            ("postgres://shop:pa?ss@db/shop", "Percent-encode"),
            ("postgres://shop:pa#ss@db/shop", "Percent-encode"),
            ("postgres://shop:100%@db/shop", "Percent-encode"),
            ("postgres://shop:%zz@db/shop", "Percent-encode"),
            ("redis://:pa/ss@redis:6379", "Percent-encode"),
            ("redis+cluster://:pa#ss@a:1,b:2", "Percent-encode"),
            ("postgres://shop@::1/shop", "square brackets: postgres://[::1]"),
            ("postgres://fd00::1:5432/shop", "square brackets"),
            ("redis://:secret@fe80::2:6379", "square brackets: redis://[::1]"),
            ("postgres://shop@db/shop?sslmode=verify-full&sslrootcert=system", "Leave sslrootcert out"),
        ] {
            let why = check(url).expect_err(url);
            assert!(why.contains(hint), "{url}: {why}");
            assert!(!why.contains("ss@") && !why.contains("secret"), "{url}: the message shows the password: {why}");
        }
    }

    #[test]
    fn correct_urls_pass() {
        for url in [
            "postgres://shop@db/shop",
            "postgres://shop:pa%2Fss%40@db:5432/shop?sslmode=verify-full&sslrootcert=/etc/ssl/ca.pem",
            "postgres://shop:p@ss@db/shop",
            "postgres://db/shop?user=me@example.com&password=x",
            "postgresql://shop:secret@[fd00::1]:5432/shop",
            "redis://:secret@[::1]:6379/2",
            "redis://a:6379,redis://b:6379",
            "rediss+cluster://user:secret@a:1,b:2",
            "sqlite:livesouk.db",
            "local",
        ] {
            assert_eq!(check(url), Ok(()), "{url}");
        }
    }
}
