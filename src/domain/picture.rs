//! Pictures that the team uploads: what is accepted, in which sizes they are kept, and where pages find them.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Refusal, text};

/// The most bytes of an uploaded file: what the camera of a phone makes, and more.
pub const PICTURE_BYTES_MAX: usize = 15_000_000;
/// The most pixels of an uploaded picture. A small file can claim more than any memory holds.
pub const PICTURE_PIXELS_MAX: u64 = 50_000_000;
/// The longest side of an uploaded picture, in pixels.
pub const PICTURE_SIDE_MAX: u64 = 30_000;
/// The most pictures of one product.
pub const GALLERY_MAX: usize = 12;
/// The most characters of the description of a picture.
pub const ALT_LENGTH_MAX: usize = 200;
/// Pictures that nothing names yet: a mistake of a script must not fill the disk.
pub const UNNAMED_PICTURES_MAX: i64 = 2_000;

/// The path below which this server serves pictures.
const PATH: &str = "/pictures/";

/// What identifies an uploaded picture: the SHA-256 of the file as it was sent. So the same file is stored once, and an address
/// never changes its content.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PictureHash([u8; 32]);

impl PictureHash {
    pub fn of(file: &[u8]) -> Self {
        Self(Sha256::digest(file).into())
    }

    /// 64 hexadecimal digits in lower case: another spelling would be another address of the same picture.
    pub fn parse(digits: &str) -> Option<Self> {
        let is_plain = digits.len() == 64 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let bytes = if is_plain { hex::decode(digits).ok()? } else { return None };
        bytes.try_into().ok().map(Self)
    }
}

impl std::fmt::Display for PictureHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// The sizes in which a picture is kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PictureSize {
    /// For a whole screen.
    Large,
    /// For a card or a sheet.
    Medium,
    /// For a row of a list.
    Small,
}

impl PictureSize {
    pub const ALL: [PictureSize; 3] = [PictureSize::Large, PictureSize::Medium, PictureSize::Small];

    /// The longer side in pixels. A picture that is smaller keeps its own size.
    pub fn edge(self) -> u32 {
        match self {
            PictureSize::Large => 1_600,
            PictureSize::Medium => 800,
            PictureSize::Small => 200,
        }
    }

    /// The last part of the address.
    pub fn name(self) -> &'static str {
        match self {
            PictureSize::Large => "1600",
            PictureSize::Medium => "800",
            PictureSize::Small => "200",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|size| size.name() == name)
    }
}

/// The address of a picture on this server, without the path of the shop.
pub fn picture_address(hash: PictureHash, size: PictureSize) -> String {
    format!("{PATH}{hash}/{}", size.name())
}

/// The uploaded picture that an address names; `None`: it names something else.
pub fn uploaded_picture(address: &str) -> Option<PictureHash> {
    let (hash, rest) = address.strip_prefix(PATH)?.split_once('/')?;
    let size = rest.split(['#', '?']).next().unwrap_or_default();
    PictureSize::parse(size).and_then(|_| PictureHash::parse(hash))
}

/// The kinds of files that are accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PictureKind {
    Jpeg,
    Png,
    Webp,
}

impl PictureKind {
    /// Recognises a file by its first bytes. A name or a media type can be wrong.
    pub fn of(file: &[u8]) -> Result<Self, Refusal> {
        match file {
            [0xff, 0xd8, 0xff, ..] => Ok(PictureKind::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Ok(PictureKind::Png),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Ok(PictureKind::Webp),
            other => Err(Refusal::PictureKind { found: other_kind(other) }),
        }
    }
}

/// The name of a kind that is not accepted; `None`: it is no picture that we know.
fn other_kind(file: &[u8]) -> Option<&'static str> {
    let brand = file.get(8..12).filter(|_| file.get(4..8) == Some(b"ftyp"));
    match (file, brand) {
        (_, Some(b"avif" | b"avis")) => Some("AVIF"),
        (_, Some(b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"mif1" | b"msf1")) => Some("HEIC"),
        (_, Some(_)) => Some("MP4"),
        ([b'G', b'I', b'F', b'8', ..], _) => Some("GIF"),
        ([b'B', b'M', ..], _) => Some("BMP"),
        ([b'I', b'I', b'*', 0, ..] | [b'M', b'M', 0, b'*', ..], _) => Some("TIFF"),
        ([0xff, 0x0a, ..] | [0, 0, 0, 0x0c, b'J', b'X', b'L', b' ', ..], _) => Some("JPEG XL"),
        ([b'%', b'P', b'D', b'F', ..], _) => Some("PDF"),
        _ => is_svg(file).then_some("SVG"),
    }
}

/// How far an SVG may begin with comments and declarations.
const SVG_START_BYTES: usize = 4_096;

fn is_svg(file: &[u8]) -> bool {
    let start = String::from_utf8_lossy(&file[..file.len().min(SVG_START_BYTES)]);
    let start = start.trim_start_matches('\u{feff}').trim_start();
    start.starts_with('<') && start.to_ascii_lowercase().contains("<svg")
}

/// Judges the size that the head of a file claims, before anything is decoded.
pub fn check_pixels(width: u64, height: u64) -> Result<(), Refusal> {
    let fits = width.max(height) <= PICTURE_SIDE_MAX && width.saturating_mul(height) <= PICTURE_PIXELS_MAX;
    match (width.min(height), fits) {
        (0, _) => Err(Refusal::PictureDamaged),
        (_, true) => Ok(()),
        (_, false) => Err(Refusal::PicturePixels),
    }
}

/// The size of a picture whose longer side is at most `edge`; never larger than it was, never without a pixel.
pub fn fit(width: u32, height: u32, edge: u32) -> (u32, u32) {
    let longer = width.max(height);
    if longer <= edge {
        return (width, height);
    }
    let scale = |side: u32| {
        let scaled = (u64::from(side) * u64::from(edge) + u64::from(longer) / 2) / u64::from(longer.max(1));
        u32::try_from(scaled).unwrap_or(edge).clamp(1, edge)
    };
    (scale(width), scale(height))
}

/// The point that stays in sight when a picture is cropped to another shape, in thousandths of its width and height.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PictureFocus {
    pub x: i64,
    pub y: i64,
}

/// A picture of a product, in the order of its gallery.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ProductPicture {
    /// An uploaded picture, or another address.
    pub address: String,
    /// What the picture shows, for those who cannot see it.
    pub alt: Option<String>,
    /// `None`: the middle.
    pub focus: Option<PictureFocus>,
    /// The address from which an uploaded picture was fetched by an import.
    pub source: Option<String>,
}

/// Checks the address of a picture that somebody gives instead of `before`. What is there already stays.
pub fn check_new_picture(given: Option<&str>, before: Option<&str>, field: &'static str) -> Result<(), Refusal> {
    match given {
        Some(given) if Some(given) != before => {
            text::picture_url(given).map(drop).map_err(|refusal| refusal.in_field(field))
        }
        _ => Ok(()),
    }
}

/// The range of a [`PictureFocus`].
pub const FOCUS: super::limits::Limit = (0, 1_000);

impl ProductPicture {
    fn validated(mut self, at: usize) -> Result<Self, Refusal> {
        let field = |name: &str| format!("pictures[{at}].{name}");
        // A focus in the address would be a second one beside that of the picture.
        let address = self.address.split('#').next().unwrap_or_default();
        self.address = text::picture_url(address).map_err(|refusal| refusal.in_field(field("address")))?;
        self.alt = self.alt.filter(|alt| !alt.trim().is_empty());
        self.alt = self
            .alt
            .map(|alt| text::line(&alt, "alt", ALT_LENGTH_MAX))
            .transpose()
            .map_err(|refusal| refusal.in_field(field("alt")))?;
        let (low, high) = FOCUS;
        let is_inside = |focus: &PictureFocus| (low..=high).contains(&focus.x) && (low..=high).contains(&focus.y);
        match self.focus.is_none_or(|focus| is_inside(&focus)) {
            true => Ok(self),
            false => Err(Refusal::bad_field(field("focus"), format!("must be two numbers from {low} to {high}."))),
        }
    }

    /// The picture of an address as products and offers have it.
    pub fn of_address(shown: String) -> Self {
        let (address, focus) = match shown.split_once("#focus=") {
            Some((address, focus)) => (address.to_owned(), focus.split_once(',')),
            None => (shown, None),
        };
        let focus = focus.and_then(|(x, y)| Some(PictureFocus { x: x.parse().ok()?, y: y.parse().ok()? }));
        Self { address, alt: None, focus, source: None }
    }

    /// The address as products and offers have it: with the focus behind it, which pages read and servers ignore.
    pub fn shown_address(&self) -> String {
        self.with_focus(&self.address)
    }

    /// The address as files have it: that from which an import fetched the picture.
    pub fn source_address(&self) -> String {
        self.with_focus(self.source.as_ref().unwrap_or(&self.address))
    }

    fn with_focus(&self, address: &str) -> String {
        match self.focus {
            Some(PictureFocus { x, y }) => format!("{address}#focus={x},{y}"),
            None => address.to_owned(),
        }
    }
}

/// Checks the gallery of a product.
pub fn validated_gallery(pictures: Vec<ProductPicture>) -> Result<Vec<ProductPicture>, Refusal> {
    if pictures.len() > GALLERY_MAX {
        return Err(Refusal::bad_field("pictures", format!("must be at most {GALLERY_MAX} pictures.")));
    }
    pictures.into_iter().enumerate().map(|(at, picture)| picture.validated(at)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kind_is_told_by_the_first_bytes() {
        let ftyp = |brand: &str| [b"\0\0\0\x18ftyp".as_slice(), brand.as_bytes(), b"\0\0\0\0"].concat();
        for (file, expected) in [
            (b"\xff\xd8\xff\xe0\0\x10JFIF".to_vec(), Ok(PictureKind::Jpeg)),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(), Ok(PictureKind::Png)),
            (b"RIFF\x10\0\0\0WEBPVP8 ".to_vec(), Ok(PictureKind::Webp)),
            (b"GIF89a".to_vec(), Err(Some("GIF"))),
            (ftyp("heic"), Err(Some("HEIC"))),
            (ftyp("avif"), Err(Some("AVIF"))),
            (ftyp("isom"), Err(Some("MP4"))),
            (b"BM....".to_vec(), Err(Some("BMP"))),
            (b"II*\0....".to_vec(), Err(Some("TIFF"))),
            (b"%PDF-1.7".to_vec(), Err(Some("PDF"))),
            (b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec(), Err(Some("SVG"))),
            ("\u{feff}\n<?xml version='1.0'?><!-- a --><SVG>".as_bytes().to_vec(), Err(Some("SVG"))),
            (b"<html><p>hello".to_vec(), Err(None)),
            (b"RIFF\x10\0\0\0WAVE".to_vec(), Err(None)),
            (Vec::new(), Err(None)),
        ] {
            let found = PictureKind::of(&file).map_err(|refusal| match refusal {
                Refusal::PictureKind { found } => found,
                other => panic!("{other:?}"),
            });
            assert_eq!(found, expected, "{}", String::from_utf8_lossy(&file));
        }
    }

    #[test]
    fn limit_of_pixels_is_judged_by_side_and_area() {
        for (width, height, expected) in [
            (8_000, 6_250, Ok(())),
            (8_000, 6_251, Err(Refusal::PicturePixels)),
            (30_000, 1_000, Ok(())),
            (30_001, 1, Err(Refusal::PicturePixels)),
            (1, 1, Ok(())),
            (0, 5, Err(Refusal::PictureDamaged)),
            (u64::MAX, u64::MAX, Err(Refusal::PicturePixels)),
        ] {
            assert_eq!(check_pixels(width, height), expected, "{width} × {height}");
        }
    }

    #[test]
    fn sizes_keep_the_shape_and_never_grow() {
        for (given, edge, expected) in [
            ((4_000, 3_000), 1_600, (1_600, 1_200)),
            ((3_000, 4_000), 800, (600, 800)),
            ((100, 50), 200, (100, 50)),
            ((30_000, 10), 200, (200, 1)),
            ((201, 199), 200, (200, 198)),
        ] {
            assert_eq!(fit(given.0, given.1, edge), expected, "{given:?}");
        }
    }

    #[test]
    fn address_names_an_uploaded_picture_or_something_else() {
        let hash = PictureHash::of(b"a picture");
        let own = picture_address(hash, PictureSize::Medium);
        assert_eq!(uploaded_picture(&own), Some(hash));
        assert_eq!(uploaded_picture(&format!("{own}#focus=10,20")), Some(hash));
        let upper = own.to_ascii_uppercase().replace("/PICTURES", "/pictures");
        for other in [
            "/assets/demo/mug.svg".to_owned(),
            format!("https://shop.example{own}"),
            own.replace("/800", "/900"),
            own.replace("/800", ""),
            upper,
            format!("/pictures/../{hash}/800"),
        ] {
            assert_eq!(uploaded_picture(&other), None, "{other}");
        }
    }

    #[test]
    fn gallery_keeps_focus_and_description_and_refuses_what_is_outside() {
        let picture = |address: &str, x: i64| ProductPicture {
            address: address.to_owned(),
            alt: Some("  A  lamp ".to_owned()),
            focus: Some(PictureFocus { x, y: 1_000 }),
            source: None,
        };
        let checked = validated_gallery(vec![picture("/a.png#focus=1,1", 0)]).unwrap();
        assert_eq!((checked[0].alt.as_deref(), checked[0].address.as_str()), (Some("A lamp"), "/a.png"));
        assert_eq!(checked[0].shown_address(), "/a.png#focus=0,1000");
        let again = ProductPicture::of_address(checked[0].shown_address());
        assert_eq!((again.address.as_str(), again.focus), ("/a.png", checked[0].focus));
        for (bad, field) in [
            (vec![picture("/a.png", 0), picture("/a.png", 1_001)], "pictures[1].focus"),
            (vec![picture("ftp://a", 0)], "pictures[0].address"),
            (vec![picture("http://cdn.example/a.png", 0)], "pictures[0].address"),
            (vec![picture("/a.png", 0); GALLERY_MAX + 1], "pictures"),
        ] {
            match validated_gallery(bad) {
                Err(Refusal::BadField { field: found, .. }) => assert_eq!(found, field),
                other => panic!("{field}: {other:?}"),
            }
        }
    }
}
