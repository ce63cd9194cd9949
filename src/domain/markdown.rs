//! Descriptions in Markdown, rendered to a fixed set of tags: `p`, `h3`, `ul`, `ol`, `li`, `blockquote`, `strong`, `em`, `br` and `a`
//! with an address. Nothing that a person typed becomes a tag, an attribute or a script: HTML is shown as text, pictures as their
//! description, and a link is one only if it leads to a page or an e-mail address.
//!
//! The library reads the Markdown; what is written is decided here, so that a new version of it cannot add a tag.

use pulldown_cmark::{Event, Parser, Tag, TagEnd};

/// Tags inside of each other, above which the rest is written without tags: a page must not have to draw a thousand boxes.
const DEPTH_MAX: usize = 8;

/// Renders a description. The result is HTML that is safe to insert into a page.
pub fn to_html(markdown: &str) -> String {
    let mut html = String::with_capacity(markdown.len() + markdown.len() / 4);
    // The tags that are open, as far as they were written.
    let (mut open, mut depth): (Vec<Option<&'static str>>, usize) = (Vec::new(), 0);
    for event in Parser::new(markdown) {
        match event {
            Event::Start(tag) => {
                let name = name_of(&tag).filter(|_| depth < DEPTH_MAX);
                depth += usize::from(name.is_some());
                match (&tag, name) {
                    (Tag::Link { dest_url, .. }, Some("a")) => {
                        html.push_str("<a href=\"");
                        escape(&mut html, dest_url);
                        html.push_str("\" rel=\"nofollow noopener noreferrer\" target=\"_blank\">");
                    }
                    (_, Some(name)) => {
                        html.push('<');
                        html.push_str(name);
                        html.push('>');
                    }
                    (_, None) => {}
                }
                open.push(name);
            }
            Event::End(tag) => {
                if let Some(name) = open.pop().flatten() {
                    depth -= 1;
                    html.push_str("</");
                    html.push_str(name);
                    html.push('>');
                } else if matches!(tag, TagEnd::Paragraph | TagEnd::Item | TagEnd::CodeBlock) {
                    html.push(' ');
                }
            }
            Event::Text(text) | Event::Code(text) | Event::Html(text) | Event::InlineHtml(text) => {
                escape(&mut html, &text);
            }
            Event::SoftBreak => html.push('\n'),
            Event::HardBreak => html.push_str("<br>"),
            // A line between paragraphs, and extensions that are switched off.
            _ => {}
        }
    }
    html
}

/// The tag that is written; `None`: only what is in it.
fn name_of(tag: &Tag<'_>) -> Option<&'static str> {
    match tag {
        Tag::Paragraph | Tag::CodeBlock(_) | Tag::HtmlBlock => Some("p"),
        Tag::Heading { .. } => Some("h3"),
        Tag::BlockQuote(_) => Some("blockquote"),
        Tag::List(Some(_)) => Some("ol"),
        Tag::List(None) => Some("ul"),
        Tag::Item => Some("li"),
        Tag::Emphasis => Some("em"),
        Tag::Strong => Some("strong"),
        Tag::Link { dest_url, .. } => is_link(dest_url).then_some("a"),
        _ => None,
    }
}

fn is_link(address: &str) -> bool {
    let starts_with = |start: &str| {
        address.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start)) && start.len() < address.len()
    };
    ["https://", "http://", "mailto:"].into_iter().any(starts_with)
}

fn escape(html: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '&' => html.push_str("&amp;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn markdown_becomes_the_tags_of_the_table() {
        for (markdown, expected) in [
            ("", ""),
            ("One\n\nTwo", "<p>One</p><p>Two</p>"),
            ("# Care\n**wash** at *30°*", "<h3>Care</h3><p><strong>wash</strong> at <em>30°</em></p>"),
            ("- a\n- b", "<ul><li>a</li><li>b</li></ul>"),
            ("1. a", "<ol><li>a</li></ol>"),
            ("> calm", "<blockquote><p>calm</p></blockquote>"),
            ("a  \nb", "<p>a<br>b</p>"),
            ("`x < 1`", "<p>x &lt; 1</p>"),
            ("الغسل **يدوي**", "<p>الغسل <strong>يدوي</strong></p>"),
            (
                "[site](https://a.example/?x=1&y=\"2)",
                "<p><a href=\"https://a.example/?x=1&amp;y=&quot;2\" rel=\"nofollow noopener noreferrer\" target=\"_blank\">site</a></p>",
            ),
        ] {
            assert_eq!(to_html(markdown), expected, "{markdown}");
        }
    }

    #[test]
    fn nothing_that_was_typed_becomes_a_script_or_an_address_of_one() {
        for typed in [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "a <b onclick=alert(1)>b</b>",
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](data:text/html,1)",
            "[x](//evil.example)",
            "![x](https://a.example/x.png)",
            "<javascript:alert(1)>",
            "[x](https://a.example/\"onmouseover=\"alert(1))",
        ] {
            assert_eq!(problem(&to_html(typed)), None, "{typed}: {}", to_html(typed));
        }
        assert!(!to_html("[x](javascript:alert(1))").contains("<a"));
    }

    /// The first thing in the HTML that is not one of our tags, or is not closed.
    fn problem(html: &str) -> Option<String> {
        const LINK: &str = "a href=\"";
        let mut open = Vec::new();
        let mut rest = html;
        while let Some(start) = rest.find('<') {
            let (text, tag) = rest.split_at(start);
            if text.contains('>') {
                return Some(format!("a loose > in {text}"));
            }
            let end = tag.find('>')?;
            let (name, after) = (&tag[1..end], &tag[end + 1..]);
            rest = after;
            if let Some(name) = name.strip_prefix('/') {
                if open.pop() != Some(name) {
                    return Some(format!("</{name}> closes nothing"));
                }
            } else if let Some(link) = name.strip_prefix(LINK) {
                let (address, attributes) = link.split_once('"')?;
                let is_ours =
                    attributes == " rel=\"nofollow noopener noreferrer\" target=\"_blank\"" && is_link(address);
                if !is_ours {
                    return Some(format!("link {name}"));
                }
                open.push("a");
            } else if name != "br" {
                if !["p", "h3", "ul", "ol", "li", "blockquote", "strong", "em"].contains(&name) {
                    return Some(format!("<{name}>"));
                }
                open.push(name);
            }
            if DEPTH_MAX < open.len() {
                return Some("too deep".to_owned());
            }
        }
        (!open.is_empty()).then(|| format!("{open:?} stay open"))
    }

    #[test]
    fn a_thousand_nested_quotes_are_not_a_thousand_boxes() {
        assert_eq!(problem(&to_html(&">".repeat(10_000))), None);
        assert_eq!(problem(&to_html(&format!("{}a", "- ".repeat(3_000)))), None);
        assert_eq!(problem(&to_html(&"*a **b ".repeat(1_000))), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]
        #[test]
        fn any_text_becomes_only_our_tags(parts in prop::collection::vec(prop_oneof![
            Just("*"), Just("**"), Just("_"), Just("<"), Just(">"), Just("\n"), Just("\n\n"), Just("- "), Just("1. "), Just("# "),
            Just("["), Just("]("), Just(")"), Just("!["), Just("`"), Just("```\n"), Just("    "), Just("\\"), Just("&#x3c;"),
            Just("https://a.example/"), Just("javascript:alert(1)"), Just("\""), Just("'"), Just("<script>"), Just("</p>"),
            Just("<!--"), Just("<a href=\"javascript:x\">"), Just("a"), Just("ن"), Just("\u{0}"), Just("|"), Just("---\n"),
        ], 0..60)) {
            let markdown: String = parts.concat();
            prop_assert_eq!(problem(&to_html(&markdown)), None, "{}", markdown);
        }
    }
}
