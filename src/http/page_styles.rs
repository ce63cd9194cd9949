//! The style sheets of a page in one file: a browser with a slow network asks for six files at a time, and draws nothing before it has all
//! style sheets.
//!
//! The pages name each sheet, so that a reader of them sees what is used. The server joins the names in the page and the sheets in
//! their order: `watch.html` is sent with one link to `watch.html.css`.

/// One link of a page to a sheet, as it is written in our pages.
const LINK: &str = "  <link rel=\"stylesheet\" href=\"/assets/";
const LINK_END: &str = ".css\">\n";

/// The names of the sheets of a page, in their order and without `.css`.
fn sheets(html: &str) -> impl Iterator<Item = &str> {
    html.split(LINK).skip(1).filter_map(|rest| rest.split_once(LINK_END).map(|(name, _)| name))
}

/// The page with one link instead of many. `data-sheets` says to its scripts which sheets they need not load.
pub fn join_links(html: &str, page: &str) -> String {
    let names: Vec<&str> = sheets(html).collect();
    let Some(first) = html.find(LINK).filter(|_| names.len() > 1) else { return html.to_owned() };
    let mut out = html.to_owned();
    for name in &names {
        out = out.replace(&format!("{LINK}{name}{LINK_END}"), "");
    }
    out.insert_str(first, &format!("{LINK}{page}.css\" data-sheets=\"{}\">\n", names.join(" ")));
    out
}

/// The page whose sheets have this path: `watch.html` for `watch.html.css`.
pub fn page_of(path: &str) -> Option<&str> {
    path.strip_suffix(".css").filter(|page| page.ends_with(".html"))
}

/// The sheets of a page one after the other. Addresses in a sheet of a folder begin one folder above.
pub fn joined_sheets(html: &str, read: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    for name in sheets(html) {
        let Some(sheet) = read(&format!("{name}.css")) else { continue };
        out.push_str(&if name.contains('/') { sheet.replace("url(../", "url(") } else { sheet });
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "<head>\n  <link rel=\"stylesheet\" href=\"/assets/style.css\">\n  \
        <link rel=\"stylesheet\" href=\"/assets/host/console.css\">\n  <script></script>\n</head>";

    #[test]
    fn page_has_one_link_that_names_its_sheets() {
        let joined = join_links(PAGE, "host.html");
        let link = "<link rel=\"stylesheet\" href=\"/assets/host.html.css\" data-sheets=\"style host/console\">";
        assert_eq!(joined, format!("<head>\n  {link}\n  <script></script>\n</head>"));
        let single = PAGE.replace("  <link rel=\"stylesheet\" href=\"/assets/host/console.css\">\n", "");
        assert_eq!(join_links(&single, "host.html"), single);
    }

    #[test]
    fn sheets_are_joined_in_their_order_with_their_addresses() {
        let read = |name: &str| Some(format!("/* {name} */ a {{ background: url(../globe.svg) }}"));
        assert_eq!(
            joined_sheets(PAGE, read),
            "/* style.css */ a { background: url(../globe.svg) }\n/* host/console.css */ a { background: url(globe.svg) }\n"
        );
        assert_eq!(
            (page_of("watch.html.css"), page_of("watch.css"), page_of("watch.html")),
            (Some("watch.html"), None, None)
        );
    }
}
