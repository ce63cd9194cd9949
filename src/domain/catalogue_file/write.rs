//! Writes products as rows, so that reading them gives the same products again.

use super::CatalogueProduct;
use super::cell::escape_formula;
use super::columns::{Column, FileKind};
use crate::domain::number_text::write_amount;
use crate::domain::{ProductPicture, ProductStatus, Variant};

/// The name of the option of a product that has none, and the value where it has one variant only: Shopify writes them so.
pub(super) const NO_OPTION: &str = "Title";
pub(super) const NO_VALUE: &str = "Default Title";

/// The names of the columns.
pub fn head_row(kind: FileKind) -> Vec<String> {
    Column::of_kind(kind).map(|(_, name)| name.to_owned()).collect()
}

/// The rows of a product, each cell safe in a spreadsheet. `decimals` are those of the currency of the shop.
pub fn rows_of(kind: FileKind, of: &CatalogueProduct, decimals: usize) -> Vec<Vec<String>> {
    let rows = of.product.variants.len().max(of.pictures.len());
    (0..rows)
        .map(|at| {
            let row = RowWriter { kind, of, decimals, at };
            Column::of_kind(kind).map(|(column, _)| escape_formula(&row.cell(column).unwrap_or_default())).collect()
        })
        .collect()
}

struct RowWriter<'a> {
    kind: FileKind,
    of: &'a CatalogueProduct,
    decimals: usize,
    at: usize,
}

impl RowWriter<'_> {
    fn cell(&self, column: Column) -> Option<String> {
        use Column::*;
        let product = &self.of.product;
        let variant = product.variants.get(self.at);
        let picture = self.of.pictures.get(self.at);
        let is_first = self.at == 0;
        let texts = &product.texts;
        match column {
            Handle => Some(self.of.handle.clone()),
            OptionName(n) if is_first => self.option_name(n),
            OptionValue(n) => self.option_value(variant?, n),
            VariantName => self.own_name(variant?),
            VariantNameIn(language) => variant?.names.get(language).cloned(),
            Sku => variant?.sku.clone(),
            Barcode => variant?.barcode.clone(),
            Price => Some(write_amount(variant?.price, self.decimals)),
            Cost => variant?.cost.map(|cost| write_amount(cost, self.decimals)),
            WeightG => variant?.weight_g.map(|weight| weight.to_string()),
            Stock => Some(variant?.stock.to_string()),
            Picture => picture.map(ProductPicture::source_address),
            PictureAlt => picture?.alt.clone(),
            _ if !is_first => None,
            Title => Some(product.title.clone()),
            TitleIn(language) => product.titles.get(language).cloned(),
            Description if self.kind == FileKind::Shopify => Some(body_of(&texts.description)),
            Description => Some(texts.description.clone()),
            DescriptionIn(language) => texts.descriptions.get(language).cloned(),
            Delivery => Some(texts.delivery.clone()),
            DeliveryIn(language) => texts.deliveries.get(language).cloned(),
            Category => product.category.clone(),
            Status => Some(match product.status {
                ProductStatus::Active => "active".to_owned(),
                ProductStatus::Archived => "archived".to_owned(),
            }),
            OptionName(_) => None,
        }
    }

    fn option_name(&self, n: usize) -> Option<String> {
        match (self.of.product.options.get(n), self.kind, n) {
            (Some(option), ..) => Some(option.name.clone()),
            (None, FileKind::Shopify, 0) if self.of.product.options.is_empty() => Some(NO_OPTION.to_owned()),
            _ => None,
        }
    }

    fn option_value(&self, variant: &Variant, n: usize) -> Option<String> {
        if !self.of.product.options.is_empty() {
            return variant.options.get(n).cloned();
        }
        let is_first_of_shopify = self.kind == FileKind::Shopify && n == 0;
        is_first_of_shopify.then(|| self.own_name(variant).unwrap_or_else(|| NO_VALUE.to_owned()))
    }

    /// The name of a variant without options. A single one that is called like its product needs none.
    fn own_name(&self, variant: &Variant) -> Option<String> {
        let product = &self.of.product;
        let is_like_product = product.variants.len() == 1 && variant.name == product.title;
        (product.options.is_empty() && !is_like_product).then(|| variant.name.clone())
    }
}

/// Descriptions are Markdown here and HTML in Shopify's files. One that could be taken for HTML is written as preformatted text.
fn body_of(markdown: &str) -> String {
    if !is_html(markdown) {
        return markdown.to_owned();
    }
    let escaped = markdown.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!("{PREFORMATTED}{escaped}{PREFORMATTED_END}")
}

const PREFORMATTED: &str = "<pre data-markdown>";
const PREFORMATTED_END: &str = "</pre>";

/// Whether a text has a tag or a character reference.
fn is_html(text: &str) -> bool {
    let begins_tag = |rest: &str| rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!');
    let begins_reference = |rest: &str| reference(rest).is_some();
    text.match_indices('<').any(|(at, _)| begins_tag(&text[at + 1..]))
        || text.match_indices('&').any(|(at, _)| begins_reference(&text[at + 1..]))
}

/// The name of a character reference, without its `;`, if the text begins with one. Only the beginning is looked at.
fn reference(text: &str) -> Option<&str> {
    let end = text.bytes().take(REFERENCE_LENGTH_MAX).position(|byte| byte == b';')?;
    let name = &text[..end];
    (!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'#')).then_some(name)
}

const REFERENCE_LENGTH_MAX: usize = 11;

/// What follows the closing tag of a script or style, which are no text; empty: it does not end.
fn after_close<'a>(html: &'a str, name: &str) -> &'a str {
    let closes =
        |at: &usize| html.get(at + 2..at + 2 + name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name));
    html.match_indices("</").map(|(at, _)| at).find(closes).map_or("", |at| &html[at..])
}

/// A description of a Shopify file as Markdown: the tags that our pages show are kept, of the others only their text.
pub(super) fn markdown_of(html: &str) -> String {
    if let Some(text) = html.trim().strip_prefix(PREFORMATTED).and_then(|rest| rest.strip_suffix(PREFORMATTED_END)) {
        return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    }
    if !is_html(html) {
        return html.to_owned();
    }
    let mut markdown = String::new();
    let mut links: Vec<String> = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        push_text(&mut markdown, &rest[..at]);
        let Some(end) = rest[at..].find('>') else {
            rest = &rest[at + 1..];
            continue;
        };
        let tag = &rest[at + 1..at + end];
        rest = &rest[at + end + 1..];
        let name = tag.trim_start_matches('/').split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        let (name, closes) = (name.to_ascii_lowercase(), tag.starts_with('/'));
        match (name.as_str(), closes) {
            ("script" | "style", false) => {
                rest = after_close(rest, &name);
            }
            ("br", _) => markdown.push_str("  \n"),
            ("li", false) => break_lines(&mut markdown, 1, "- "),
            ("h1" | "h2" | "h3" | "h4" | "h5" | "h6", false) => break_lines(&mut markdown, 2, "### "),
            ("p" | "div" | "ul" | "ol" | "table" | "blockquote" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6", _) => {
                break_lines(&mut markdown, 2, "");
            }
            ("tr", _) => break_lines(&mut markdown, 1, ""),
            ("td" | "th", true) => markdown.push(' '),
            ("strong" | "b", _) => markdown.push_str("**"),
            ("em" | "i", _) => markdown.push('*'),
            ("a", false) => {
                links.push(attribute(tag, "href").unwrap_or_default());
                markdown.push('[');
            }
            ("a", true) => {
                let address = links.pop().unwrap_or_default();
                markdown.push_str(&format!("]({address})"));
            }
            _ => {}
        }
    }
    push_text(&mut markdown, rest);
    markdown.trim().to_owned()
}

fn push_text(markdown: &mut String, html: &str) {
    let text = plain_text(html);
    let words: Vec<&str> = text.split_whitespace().collect();
    if text.starts_with(char::is_whitespace) && !markdown.ends_with(char::is_whitespace) && !markdown.is_empty() {
        markdown.push(' ');
    }
    markdown.push_str(&words.join(" "));
    if text.ends_with(char::is_whitespace) && !words.is_empty() {
        markdown.push(' ');
    }
}

/// Ends the line so that `lines` line ends stand before what follows.
fn break_lines(markdown: &mut String, lines: usize, then: &str) {
    let kept = markdown.trim_end().len();
    if kept > 0 {
        let ends = markdown[kept..].matches('\n').count().max(lines);
        markdown.truncate(kept);
        markdown.push_str(&"\n".repeat(ends.min(2)));
    }
    markdown.push_str(then);
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!("{name}="))?;
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (value, _) = rest[1..].split_once(quote)?;
    Some(plain_text(value).replace([' ', ')', '('], ""))
}

/// Resolves character references.
fn plain_text(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some((before, after)) = rest.split_once('&') {
        text.push_str(before);
        let found = reference(after);
        match found.and_then(|name| Some((name.len(), character(name)?))) {
            Some((length, c)) => {
                text.push(c);
                rest = &after[length + 1..];
            }
            _ => {
                text.push('&');
                rest = after;
            }
        }
    }
    text + rest
}

fn character(name: &str) -> Option<char> {
    let number = match name.strip_prefix('#') {
        Some(digits) => match digits.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => digits.parse().ok(),
        },
        None => None,
    };
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        "ndash" => Some('–'),
        "mdash" => Some('—'),
        "rsquo" => Some('’'),
        "lsquo" => Some('‘'),
        "hellip" => Some('…'),
        "bull" => Some('•'),
        "deg" => Some('°'),
        "times" => Some('×'),
        _ => number.and_then(char::from_u32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_of_a_shop_becomes_markdown() {
        for (html, expected) in [
            ("A plain text\nwith *two* lines", "A plain text\nwith *two* lines"),
            ("5 < 6 & 7 > 3", "5 < 6 & 7 > 3"),
            ("<p>Warm &amp; soft.</p>\n<p>Made in <b>Java</b>.</p>", "Warm & soft.\n\nMade in **Java**."),
            ("<ul>\n<li>One</li>\n<li>Two</li></ul>End", "- One\n- Two\n\nEnd"),
            ("One<br>two<br/>", "One  \ntwo"),
            ("<h2 class='x'>Care</h2><div>Wash &#8211; cold</div>", "### Care\n\nWash – cold"),
            ("<script>alert('<p>')</script>Text<style>p{}</style>", "Text"),
            ("<a href=\"https://x.example/a\">Read</a> on", "[Read](https://x.example/a) on"),
            ("a <unclosed", "a unclosed"),
            ("<", "<"),
        ] {
            assert_eq!(markdown_of(html), expected, "{html}");
        }
    }

    #[test]
    fn markdown_that_looks_like_html_is_read_as_it_was_written() {
        for markdown in ["a <b>bold</b> move", "R&D; or &amp;", "</pre>", "<pre data-markdown>x</pre>", "1 < 2", "&lt;"]
        {
            assert_eq!(markdown_of(&body_of(markdown)), markdown);
        }
    }
}
