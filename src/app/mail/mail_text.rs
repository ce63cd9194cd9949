//! The text of a mail: what it says, as blocks, and the two forms in which it is sent. The plain text is for programs and readers that
//! show no HTML; the HTML stays readable in programs that know only tables and inline styles.
//!
//! Names, amounts and numbers are isolated, so that an Arabic name cannot reorder an English sentence, nor a number an Arabic one.

use crate::domain::Language;

const FIRST_STRONG: char = '\u{2068}';
const LEFT_TO_RIGHT: char = '\u{2066}';
const END_OF_ISOLATE: char = '\u{2069}';

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Block {
    Text(String),
    /// A code to type, on a line of its own.
    Code(String),
    /// Labels and values.
    Rows(Vec<(String, String)>),
    /// A link, and what it does.
    Link {
        label: String,
        url: String,
    },
    /// Less important than the rest.
    Small(String),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MailText {
    pub language: Language,
    pub subject: String,
    pub blocks: Vec<Block>,
    /// The address at which one request ends such mails; `None`: the mail is no news.
    pub stop: Option<String>,
}

/// A value inside a sentence of this language, isolated by its own first letter. ASCII inside of a left-to-right sentence needs no
/// isolation.
pub fn isolated(language: Language, value: &str) -> String {
    wrapped(language, FIRST_STRONG, value)
}

/// A value that runs from left to right in every language: an amount, a tracking number, an address of the web.
pub fn left_to_right(language: Language, value: &str) -> String {
    wrapped(language, LEFT_TO_RIGHT, value)
}

fn wrapped(language: Language, start: char, value: &str) -> String {
    let value: String = value.chars().filter(|c| !is_direction_control(*c)).collect();
    match language.direction() == "ltr" && value.is_ascii() {
        true => value,
        false => format!("{start}{value}{END_OF_ISOLATE}"),
    }
}

/// Embeddings, overrides and isolates: an open one would reorder the rest of the line.
fn is_direction_control(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl MailText {
    pub fn plain(&self) -> String {
        let mut text = String::new();
        for block in &self.blocks {
            match block {
                Block::Text(line) | Block::Small(line) => text.push_str(line),
                Block::Code(code) => text.push_str(code),
                Block::Rows(rows) => {
                    let lines: Vec<String> = rows.iter().map(|(label, value)| format!("{label}: {value}")).collect();
                    text.push_str(&lines.join("\n"));
                }
                // On a line of its own, where no sentence can reorder it.
                Block::Link { label, url } => text.push_str(&format!("{label}:\n{url}")),
            }
            text.push_str("\n\n");
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        text
    }

    pub fn html(&self) -> String {
        let (dir, tag) = (self.language.direction(), self.language.tag());
        let align = if dir == "rtl" { "right" } else { "left" };
        let blocks: String = self.blocks.iter().map(|block| block_html(block, dir, align)).collect();
        // Mail programs drop attributes of `html` and `body`, so the direction stands on the inner elements too.
        format!(
            "<!doctype html>\n<html lang=\"{tag}\" dir=\"{dir}\">\n<head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title></head>\n\
             <body style=\"margin:0;background:#f4f4f5\">\n\
             <div lang=\"{tag}\" dir=\"{dir}\" style=\"direction:{dir};text-align:{align}\">\n\
             <table role=\"presentation\" dir=\"{dir}\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\"><tr>\
             <td align=\"center\" style=\"padding:16px\">\n\
             <table role=\"presentation\" dir=\"{dir}\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" \
             style=\"max-width:560px;background:#ffffff;border-radius:8px\"><tr>\
             <td dir=\"{dir}\" align=\"{align}\" style=\"padding:24px;direction:{dir};text-align:{align};\
             font-family:'Segoe UI',Tahoma,Arial,sans-serif;font-size:16px;line-height:1.5;color:#18181b\">\n{blocks}</td>\
             </tr></table>\n</td></tr></table>\n</div>\n</body>\n</html>\n",
            title = escaped(&self.subject),
        )
    }
}

fn block_html(block: &Block, dir: &str, align: &str) -> String {
    match block {
        Block::Text(line) => format!("<p style=\"margin:0 0 16px\">{}</p>\n", escaped(line)),
        Block::Small(line) => {
            format!("<p style=\"margin:0 0 16px;font-size:14px;color:#52525b\">{}</p>\n", escaped(line))
        }
        Block::Code(code) => format!(
            "<p style=\"margin:0 0 16px\"><span dir=\"ltr\" style=\"font-size:28px;font-weight:bold;letter-spacing:4px\">{}</span></p>\n",
            escaped(code)
        ),
        Block::Rows(rows) => {
            let rows: String = rows
                .iter()
                .map(|(label, value)| {
                    format!(
                        "<tr><td align=\"{align}\" valign=\"top\" style=\"padding:4px 0;color:#52525b;text-align:{align}\">{}</td>\
                         <td width=\"16\"></td><td align=\"{align}\" valign=\"top\" \
                         style=\"padding:4px 0;text-align:{align}\">{}</td></tr>\n",
                        escaped(label),
                        escaped(value).replace('\n', "<br>")
                    )
                })
                .collect();
            format!(
                "<table role=\"presentation\" dir=\"{dir}\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" \
                 style=\"margin:0 0 16px\">\n{rows}</table>\n"
            )
        }
        Block::Link { label, url } => format!(
            "<p style=\"margin:0 0 16px\"><a href=\"{url}\" style=\"color:#1d4ed8\">{label}</a><br>\
             <span dir=\"ltr\" style=\"font-size:14px;color:#52525b;word-break:break-all\">{url}</span></p>\n",
            url = escaped(url),
            label = escaped(label)
        ),
    }
}

/// Text as HTML: isolates become elements, which more programs know than the characters.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            FIRST_STRONG => html.push_str("<bdi>"),
            LEFT_TO_RIGHT => html.push_str("<bdi dir=\"ltr\">"),
            END_OF_ISOLATE => html.push_str("</bdi>"),
            _ => html.push(c),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail_text(language: Language, blocks: Vec<Block>) -> MailText {
        MailText { language, subject: "Hello".to_owned(), blocks, stop: None }
    }

    #[test]
    fn values_are_isolated_where_the_directions_can_mix() {
        assert_eq!(isolated(Language::English, "Ann"), "Ann");
        assert_eq!(isolated(Language::English, "سارة"), "\u{2068}سارة\u{2069}");
        assert_eq!(left_to_right(Language::Arabic, "SAR 5"), "\u{2066}SAR 5\u{2069}");
        assert_eq!(isolated(Language::English, "A\u{202e}nn\u{2067}"), "Ann", "a value cannot turn the line around");
    }

    #[test]
    fn typed_text_is_no_markup() {
        let name = isolated(Language::Arabic, "<img src=x onerror=1> & \"Ann\"");
        let html = mail_text(Language::Arabic, vec![Block::Text(name)]).html();
        assert!(html.contains("<bdi>&lt;img src=x onerror=1&gt; &amp; &quot;Ann&quot;</bdi>"), "{html}");
    }

    #[test]
    fn arabic_html_has_its_direction_on_the_inner_elements() {
        let rows = vec![Block::Rows(vec![("المبلغ".to_owned(), "5".to_owned())])];
        let html = mail_text(Language::Arabic, rows).html();
        assert!(html.contains("<div lang=\"ar\" dir=\"rtl\" style=\"direction:rtl;text-align:right\">"), "{html}");
        assert_eq!(
            html.matches("<table").count(),
            html.matches("dir=\"rtl\" ").count() - 2,
            "every table, the div and a cell"
        );
        assert!(mail_text(Language::English, vec![]).html().contains("<div lang=\"en\" dir=\"ltr\""));
    }

    #[test]
    fn plain_text_has_codes_and_links_on_lines_of_their_own() {
        let blocks = vec![
            Block::Text("Your code:".to_owned()),
            Block::Code("012345".to_owned()),
            Block::Link { label: "Open".to_owned(), url: "https://shop.example/orders".to_owned() },
        ];
        let plain = mail_text(Language::Arabic, blocks).plain();
        assert!(plain.lines().any(|line| line == "012345"), "{plain}");
        assert!(plain.lines().any(|line| line == "https://shop.example/orders"), "{plain}");
    }
}
