//! Uploading pictures and serving them, from outside.

use png::{BitDepth, ColorType};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, IF_NONE_MATCH};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};

use crate::support::postgres::Database;
use crate::support::raw_client::{answer, connect_from};
use crate::support::shop::Shop;

const JPEG: &str = "image/jpeg";

/// A picture of a camera, with a text beside the pixels.
fn photo(width: u16, height: u16) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut file, 90);
    encoder.add_exif_metadata(b"II*\0\x08\0\0\0\0\0\0\0\0\0at home").unwrap();
    let pixels: Vec<u8> = (0..u32::from(width) * u32::from(height) * 3).map(|n| (n % 251) as u8).collect();
    encoder.encode(&pixels, width, height, jpeg_encoder::ColorType::Rgb).unwrap();
    file
}

fn glass() -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 40, 30);
    encoder.set_color(ColorType::Rgba);
    encoder.set_depth(BitDepth::Eight);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&[9; 40 * 30 * 4]).unwrap();
    writer.finish().unwrap();
    file
}

async fn upload(shop: &Shop, role: &str, file: Vec<u8>) -> (u16, Value) {
    let client = Client::builder().no_proxy().build().unwrap();
    let mut request = client.post(format!("{}/v1/pictures", shop.server.url)).header(CONTENT_TYPE, JPEG).body(file);
    if !role.is_empty() {
        request = request.bearer_auth(shop.token(role, role));
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

async fn open(shop: &Shop, path: &str, tag: &str) -> Response {
    let client = Client::builder().no_proxy().build().unwrap();
    client.get(format!("{}{path}", shop.server.url)).header(IF_NONE_MATCH, tag).send().await.unwrap()
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[tokio::test]
async fn uploaded_picture_is_served_in_three_sizes_for_a_year() {
    let shop = Shop::demo(&["--base-url", "http://shop.example/live"]).await;
    let (status, made) = upload(&shop, "producer", photo(900, 600)).await;
    assert_eq!((status, &made["width"], &made["height"]), (201, &json!(900), &json!(600)), "{made}");
    let address = made["address"].as_str().unwrap();
    for (size, width) in [("1600", 900), ("800", 800), ("200", 200)] {
        let path = address.replace("/800", &format!("/{size}"));
        let answer = open(&shop, &format!("/live{path}"), "").await;
        assert_eq!((answer.status(), header(&answer, "content-type")), (StatusCode::OK, "image/jpeg"));
        assert_eq!(header(&answer, "cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(header(&answer, "content-security-policy"), "default-src 'none'; sandbox");
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
        let tag = header(&answer, "etag").to_owned();
        let again = open(&shop, &path, &tag).await;
        assert_eq!((again.status(), header(&again, "etag")), (StatusCode::NOT_MODIFIED, tag.as_str()));
        let file = answer.bytes().await.unwrap();
        assert!(!file.windows(7).any(|part| part == b"at home"), "{size}: what the camera wrote is still there");
        let frame = file.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
        assert_eq!(u16::from_be_bytes([file[frame + 7], file[frame + 8]]), width);
    }
    assert_eq!(upload(&shop, "host", photo(900, 600)).await, (200, made.clone()), "the same file is the same picture");
    let (_, seen_through) = upload(&shop, "admin", glass()).await;
    let answer = open(&shop, seen_through["address"].as_str().unwrap(), "").await;
    assert_eq!(header(&answer, "content-type"), "image/png");

    let lamp =
        |image: &str| json!({"title": "Lamp", "image": image, "variants": [{"name": "A", "price": 1, "stock": 1}]});
    let focused = format!("{address}#focus=10,900");
    let product = shop.host.post("/v1/products", lamp(&focused)).await.expect(201);
    assert_eq!(product["image"], json!(focused));
    let unknown = format!("/pictures/{}/800", "0".repeat(64));
    let refused = shop.host.post("/v1/products", lamp(&unknown)).await.expect_problem(422, "invalid_value");
    assert_eq!(refused["field"], "image");
}

#[tokio::test]
async fn gallery_keeps_order_description_and_focus_and_its_first_picture_is_shown() {
    let database = Database::migrated().await;
    let folder = tempfile::tempdir().unwrap();
    let pictures = folder.path().display().to_string();
    let shop = Shop::serve_with(&database.url(), &database.url(), &["--pictures-dir", &pictures]).await;
    let (_, made) = upload(&shop, "host", photo(50, 50)).await;
    let lamp = json!({"title": "Lamp", "image": "/old.png", "variants": [{"name": "A", "price": 1, "stock": 1}]});
    let product = shop.host.post("/v1/products", lamp).await.expect(201);
    let path = format!("/v1/products/{}/pictures", product["id"].as_str().unwrap());
    let gallery = async || shop.server.rest().get(&path).await.expect(200)["pictures"].clone();
    let set = async |pictures: Value| {
        let version = shop.host.get(&path).await.expect(200)["version"].clone();
        shop.host.put(&path, json!({"version": version, "pictures": pictures})).await
    };
    assert_eq!(gallery().await, json!([{"address": "/old.png", "alt": null, "focus": null}]));
    let wanted = json!([
        {"address": made["address"], "alt": "From the side", "focus": {"x": 0, "y": 1000}},
        {"address": "https://cdn.example/b.jpg", "alt": null, "focus": null},
    ]);
    assert_eq!(set(wanted.clone()).await.expect(200)["pictures"], wanted);
    let version = shop.host.get(&path).await.expect(200)["version"].clone();
    assert_eq!(set(wanted.clone()).await.expect(200)["version"], version, "the same gallery changes nothing");
    let older = json!({"version": 1, "pictures": []});
    let refused = shop.host.put(&path, older).await.expect_problem(409, "outdated");
    assert_eq!(refused["current"]["pictures"], wanted);
    assert_eq!(gallery().await, wanted);
    let listed = shop.server.rest().get("/v1/products").await.expect(200);
    assert_eq!(listed["items"][0]["image"], json!(format!("{}#focus=0,1000", made["address"].as_str().unwrap())));
    for (bad, field) in [
        (json!([{"address": "ftp://a"}]), "pictures[0].address"),
        (json!([{"address": "http://cdn.example/a.jpg"}]), "pictures[0].address"),
        (json!([{"address": "/a.png", "focus": {"x": 1001, "y": 0}}]), "pictures[0].focus"),
        (json!([{"address": "/a.png", "alt": "x".repeat(201)}]), "pictures[0].alt"),
    ] {
        let refused = set(bad).await.expect_problem(400, "bad_request");
        assert_eq!(refused["field"], field);
    }
    let unknown = json!([{"address": format!("/pictures/{}/800", "0".repeat(64))}]);
    set(unknown).await.expect_problem(422, "invalid_value");
    assert_eq!(gallery().await, wanted, "a refused change changes nothing");
    // A change of the product itself changes the first place only.
    let product = format!("/v1/products/{}", product["id"].as_str().unwrap());
    let version = shop.host.get(&product).await.expect(200)["version"].clone();
    let change = json!({"version": version, "image": "/c.png#focus=1,2"});
    shop.host.send(reqwest::Method::PATCH, &product, &[], Some(change)).await.expect(200);
    let first = json!({"address": "/c.png", "alt": null, "focus": {"x": 1, "y": 2}});
    assert_eq!(gallery().await, json!([first, wanted[1]]));
    set(json!([])).await.expect(200);
    assert_eq!(gallery().await, json!([]));
    // Only those who sell see the pictures of an archived product.
    shop.host.post(&format!("{product}/archive"), json!({})).await.expect(200);
    shop.server.rest().get(&path).await.expect_problem(404, "no_such_product");
    shop.host.get(&path).await.expect(200);
    // Nobody would ever see a picture over plain HTTP.
    let plain = json!({"title": "Pot", "image": "http://cdn.example/a.jpg", "variants": [{"name": "A", "price": 1, "stock": 1}]});
    assert_eq!(shop.host.post("/v1/products", plain).await.expect_problem(400, "bad_request")["field"], "image");
    let plain = json!({"title": "Show", "poster": "http://cdn.example/a.jpg"});
    assert_eq!(shop.host.post("/v1/streams", plain).await.expect_problem(400, "bad_request")["field"], "poster");
}

#[tokio::test]
async fn file_that_cannot_be_shown_is_refused_by_name_and_nobody_else_may_upload() {
    let shop = Shop::demo(&[]).await;
    let ftyp = |brand: &str| [b"\0\0\0\x18ftyp", brand.as_bytes(), &[0; 40]].concat();
    let mut bomb = glass();
    bomb[16..20].copy_from_slice(&[0, 1, 0, 0]);
    for (name, file, status, code, kind) in [
        ("GIF", b"GIF89a\x01\0\x01\0".to_vec(), 415, "picture_kind", json!("GIF")),
        (
            "SVG",
            b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>".to_vec(),
            415,
            "picture_kind",
            json!("SVG"),
        ),
        ("HEIC", ftyp("heic"), 415, "picture_kind", json!("HEIC")),
        ("AVIF", ftyp("avif"), 415, "picture_kind", json!("AVIF")),
        ("text", b"hello".to_vec(), 415, "picture_kind", Value::Null),
        ("nothing", Vec::new(), 415, "picture_kind", Value::Null),
        ("cut", photo(300, 300)[..200].to_vec(), 422, "picture_damaged", Value::Null),
        ("bomb", bomb, 422, "picture_damaged", Value::Null),
    ] {
        let (found, problem) = upload(&shop, "host", file).await;
        assert_eq!(
            (found, &problem["code"], &problem["file_kind"]),
            (status, &json!(code), &kind),
            "{name}: {problem}"
        );
    }
    for (role, status, code) in [
        ("", 401, "sign_in"),
        ("viewer", 403, "forbidden"),
        ("moderator", 403, "forbidden"),
        ("analyst", 403, "forbidden"),
    ] {
        let (found, problem) = upload(&shop, role, photo(20, 20)).await;
        assert_eq!((found, &problem["code"]), (status, &json!(code)), "{role}");
    }
    assert_eq!(shop.number("select count(*) from pictures").await, 0);
    for path in [
        format!("/pictures/{}/800", "0".repeat(64)),
        format!("/pictures/{}/900", "0".repeat(64)),
        "/pictures/..%2f..%2fauth-key/800".to_owned(),
        "/pictures/x/800".to_owned(),
    ] {
        let problem = shop.server.rest().get(&path).await.expect_problem(404, "no_such_picture");
        assert_eq!(problem["detail"], "There is no such picture.");
    }
}

/// A client that announces too much is told so before it sends it.
#[tokio::test]
async fn announced_size_is_judged_before_the_file_is_sent() {
    let shop = Shop::demo(&[]).await;
    let address = shop.server.url.trim_start_matches("http://").parse().unwrap();
    let mut connection = connect_from(1, address).await.unwrap();
    let request = format!(
        "POST /v1/pictures HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nExpect: 100-continue\r\n{CONTENT_LENGTH}: 15000001\r\n\r\n",
        shop.token("Noura", "host")
    );
    assert_eq!(answer(&mut connection, &request).await, (413, None));
}

#[tokio::test]
async fn nodes_share_a_folder_and_a_node_without_one_refuses_uploads() {
    let (database, folder) = (Database::migrated().await, tempfile::tempdir().unwrap());
    let pictures = folder.path().join("pictures").display().to_string();
    let one = Shop::serve_with(&database.url(), &database.url(), &["--pictures-dir", &pictures]).await;
    let two = one.at_another_node(&["--pictures-dir", &pictures]).await;
    let without = one.at_another_node(&[]).await;
    let (status, made) = upload(&one, "host", photo(50, 50)).await;
    assert_eq!(status, 201, "{made}");
    let path = made["address"].as_str().unwrap();
    assert_eq!(open(&two, path, "").await.status(), StatusCode::OK);
    assert_eq!(upload(&two, "host", photo(50, 50)).await.0, 200);
    let (status, problem) = upload(&without, "host", photo(60, 50)).await;
    assert_eq!((status, &problem["code"]), (409, &json!("pictures_off")));
    assert_eq!(open(&without, path, "").await.status(), StatusCode::NOT_FOUND);
}

/// The job runs at the start of a node, too.
#[tokio::test]
async fn picture_that_nothing_names_for_a_day_is_deleted_with_its_files() {
    let shop = Shop::demo(&[]).await;
    let folder = shop.server.data().join("pictures");
    let (_, kept) = upload(&shop, "host", photo(50, 50)).await;
    let (_, orphan) = upload(&shop, "host", photo(60, 50)).await;
    let lamp = json!({"title": "Lamp", "image": kept["address"], "variants": [{"name": "A", "price": 1, "stock": 1}]});
    shop.host.post("/v1/products", lamp).await.expect(201);
    shop.change("update pictures set unnamed_since = 1, looked_at = 1").await;
    let data = shop.server.folder();
    drop(shop);
    let shop = Shop::demo_in(data, &[]).await;
    let gone = async || (open(&shop, orphan["address"].as_str().unwrap(), "").await.status() == 404).then_some(());
    crate::support::until_some("deleted picture", crate::support::SOON, gone).await;
    assert_eq!(open(&shop, kept["address"].as_str().unwrap(), "").await.status(), StatusCode::OK);
    let count = async || (shop.number("select count(*) from pictures").await == 1).then_some(());
    crate::support::until_some("one row", crate::support::SOON, count).await;
    let files = std::fs::read_dir(folder).unwrap().flat_map(|part| std::fs::read_dir(part.unwrap().path()).unwrap());
    assert_eq!(files.count(), 1);
}
