//! The page of a product, with its own link: what people share, and what search engines and messengers read of it.
//!
//! The page itself is a script like the others. What is read without running scripts is put into its head: the title, `og:` tags and
//! structured data (JSON-LD, schema.org).

use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use serde_json::json;

use super::AppState;
use super::auth::anonymous_actor;
use super::error::ApiResult;
use super::page::{head_response, not_found};
use super::page_language::page_language;
use super::share::own_address;
use crate::app::Error;
use crate::domain::{LiveStream, ProductId, Refusal, StreamId, Titles, currency};
use crate::protocol::ProductDetailView;
use crate::protocol::date::rfc3339;

/// In characters; messengers cut what is longer.
const DESCRIPTION_MAX: usize = 200;

/// The page of a product: `/products/{product}`. One that does not exist, or is archived, is a page in words with the status 404.
pub async fn product(
    State(state): State<AppState>,
    uri: Uri,
    headers: HeaderMap,
    Path(product): Path<String>,
) -> ApiResult<Response> {
    let found = match product.parse::<ProductId>() {
        Ok(id) => state.app.catalogue.product(&anonymous_actor(), id).await,
        Err(_) => Err(Refusal::NoSuchProduct.into()),
    };
    let found = match found {
        Ok(found) => found,
        Err(Error::Refused(_)) => return Ok(not_found(&state, &uri, &headers)),
        Err(fault) => return Err(fault.into()),
    };
    let language = page_language(uri.query(), &headers).code;
    let address = own_address(&state, &headers)?;
    let shop = state.app.shop().title.clone();
    let head = product_head(&found, language, (&address, &shop));
    Ok(head_response(&state, &uri, &headers, "product.html", &head))
}

/// The tags of the show that `/watch?stream=…` names, if there is one.
pub async fn head_of_show(state: &AppState, uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let named = uri.query()?.split('&').find_map(|pair| pair.strip_prefix("stream="))?;
    let stream: StreamId = named.parse().ok()?;
    let address = own_address(state, headers).ok()?;
    let show = state.app.stream_cache.find_stream(stream).await.ok()?.stream();
    Some(show_head(&show, page_language(uri.query(), headers).code, (&address, &state.app.shop().title)))
}

fn show_head(show: &LiveStream, language: &str, (address, shop): (&str, &str)) -> String {
    let title = in_language(&show.titles, language, &show.title);
    let mut tags = vec![
        ("og:type", "video.other".to_owned()),
        ("og:title", title.to_owned()),
        ("og:site_name", shop.to_owned()),
        ("og:url", format!("{address}/watch?stream={}", show.id)),
    ];
    if let Some(poster) = &show.poster {
        tags.push(("og:image", absolute(poster, address)));
    }
    let image = show.poster.as_ref().map(|poster| absolute(poster, address));
    let start = show.started_at.or(show.scheduled_at).map(rfc3339);
    let data = json!({
        "@context": "https://schema.org", "@type": "BroadcastEvent", "name": title, "isLiveBroadcast": true,
        "startDate": start, "image": image, "organizer": { "@type": "Organization", "name": shop },
    });
    head(title, shop, &tags, &data)
}

fn product_head(product: &ProductDetailView, language: &str, (address, shop): (&str, &str)) -> String {
    let view = &product.product;
    let title = in_language(&view.titles, language, &view.title);
    let about = in_language(&product.descriptions, language, &product.description);
    let about: String = about.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(DESCRIPTION_MAX).collect();
    let url = format!("{address}/products/{}", view.id);
    let image = view.image.as_ref().map(|image| absolute(image, address));
    let mut tags = vec![
        ("og:type", "product".to_owned()),
        ("og:title", title.to_owned()),
        ("og:site_name", shop.to_owned()),
        ("og:url", url.clone()),
        ("og:description", about.clone()),
    ];
    tags.extend(image.iter().map(|image| ("og:image", image.clone())));
    let prices = view.variants.iter().map(|variant| variant.price);
    let money = prices.clone().min().zip(prices.max()).zip(view.variants.first());
    let mut offers = serde_json::Value::Null;
    if let Some(((low, high), first)) = money {
        let amount = |minor| currency::decimal_text(minor, &first.currency);
        tags.push(("product:price:amount", amount(low)));
        tags.push(("product:price:currency", first.currency.clone()));
        offers = json!({ "@type": "AggregateOffer", "lowPrice": amount(low), "highPrice": amount(high),
            "priceCurrency": first.currency, "offerCount": view.variants.len(), "url": url });
    }
    let sku = view.variants.first().and_then(|variant| variant.sku.clone());
    let data = json!({
        "@context": "https://schema.org", "@type": "Product", "name": title, "description": about, "image": image,
        "category": view.category, "sku": sku, "offers": offers,
    });
    head(title, shop, &tags, &data)
}

fn in_language<'a>(texts: &'a Titles, language: &str, other: &'a str) -> &'a str {
    texts.get(language).filter(|text| !text.is_empty()).map_or(other, String::as_str)
}

/// The address of a picture as other sites need it.
fn absolute(picture: &str, address: &str) -> String {
    if picture.starts_with('/') { format!("{address}{picture}") } else { picture.to_owned() }
}

fn head(title: &str, shop: &str, tags: &[(&str, String)], data: &serde_json::Value) -> String {
    let mut text = format!("<title>{}</title>\n", escaped(&format!("{title} · {shop}")));
    for (name, content) in tags.iter().filter(|(_, content)| !content.is_empty()) {
        text.push_str(&format!("  <meta property=\"{name}\" content=\"{}\">\n", escaped(content)));
    }
    // In a script nothing is escaped, so nothing may look like its end.
    let data = data.to_string().replace('<', "\\u003c");
    text.push_str(&format!("  <script type=\"application/ld+json\">{data}</script>"));
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_typed_is_text_in_the_head() {
        let evil = "</script><b a=\"\">&";
        let made =
            head(evil, "Shop", &[("og:title", evil.to_owned()), ("og:image", String::new())], &json!({"name": evil}));
        assert!(made.starts_with("<title>&lt;/script&gt;&lt;b a=&quot;&quot;&gt;&amp; · Shop</title>"), "{made}");
        assert!(made.contains("content=\"&lt;/script&gt;&lt;b a=&quot;&quot;&gt;&amp;\">"), "{made}");
        assert_eq!(made.matches("</script>").count(), 1, "{made}");
        assert!(!made.contains("og:image"), "{made}");
    }
}
