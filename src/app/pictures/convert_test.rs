//! Pictures that the tests make themselves: each kind, each trap, and files that a seed has broken.

use std::io::Cursor;

use super::*;
use crate::app::pictures::decode::decode;

const RED: [u8; 3] = [220, 30, 30];
const BLUE: [u8; 3] = [30, 30, 220];

/// Left half red, right half blue.
fn halves(width: u32, height: u32) -> Vec<u8> {
    let row: Vec<u8> = (0..width).flat_map(|x| if x < width / 2 { RED } else { BLUE }).collect();
    row.repeat(height as usize)
}

fn jpeg(width: u32, height: u32, exif: Option<&[u8]>, profile: Option<&[u8]>) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut file, 90);
    if let Some(exif) = exif {
        encoder.add_exif_metadata(exif).unwrap();
    }
    if let Some(profile) = profile {
        encoder.add_icc_profile(profile).unwrap();
    }
    let pixels = halves(width, height);
    encoder.encode(&pixels, width as u16, height as u16, jpeg_encoder::ColorType::Rgb).unwrap();
    file
}

fn png(width: u32, height: u32, color: ColorType, depth: BitDepth, data: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    encoder.set_compression(Compression::Fast);
    if color == ColorType::Indexed {
        encoder.set_palette([RED, BLUE].concat());
    }
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(data).unwrap();
    writer.finish().unwrap();
    file
}

fn webp(width: u32, height: u32, color: image_webp::ColorType, data: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    image_webp::WebPEncoder::new(Cursor::new(&mut file)).encode(data, width, height, color).unwrap();
    file
}

/// What a phone writes beside a photo: how it was held, and in a text where it was.
fn exif(orientation: u8) -> Vec<u8> {
    let tag = [0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0];
    [b"II*\0\x08\0\0\0\x01\0".as_slice(), &tag, b"\0\0\0\0GPS of the home of the seller"].concat()
}

fn contains(file: &[u8], part: &[u8]) -> bool {
    file.windows(part.len()).any(|window| window == part)
}

/// The colour at a place that is given in tenths of the sides.
fn color_at(bitmap: &Bitmap, x: u32, y: u32) -> &'static str {
    let at = ((bitmap.height * y / 10) * bitmap.width + bitmap.width * x / 10) as usize * bitmap.channels;
    if bitmap.data[at] > bitmap.data[at + 2] { "red" } else { "blue" }
}

fn file_of(picture: &ConvertedPicture, size: PictureSize) -> &[u8] {
    &picture.files.iter().find(|(known, _)| *known == size).unwrap().1
}

#[test]
fn photo_becomes_three_upright_jpegs_without_exif() {
    let photo = jpeg(2_000, 1_500, Some(&exif(6)), None);
    assert!(contains(&photo, b"GPS of the home"), "the photo says where it was taken");
    let picture = convert(&photo).unwrap();
    assert_eq!((picture.width, picture.height), (1_200, 1_600), "on its side, so the sides are exchanged");
    for (size, width, height) in
        [(PictureSize::Large, 1_200, 1_600), (PictureSize::Medium, 600, 800), (PictureSize::Small, 150, 200)]
    {
        let file = file_of(&picture, size);
        assert!(file.starts_with(b"\xff\xd8\xff") && !contains(file, b"GPS") && !contains(file, b"Exif"), "{size:?}");
        let shown = decode(file).unwrap().bitmap;
        assert_eq!((shown.width, shown.height), (width, height));
        assert_eq!((color_at(&shown, 5, 2), color_at(&shown, 5, 8)), ("red", "blue"), "turned by 90° clockwise");
    }
    assert!(file_of(&picture, PictureSize::Small).len() < 20_000);
}

#[test]
fn transparent_picture_stays_transparent_and_opaque_one_becomes_a_jpeg() {
    let rgba = |alpha: u8| [RED[0], RED[1], RED[2], alpha].repeat(300 * 300);
    let seen_through = convert(&png(300, 300, ColorType::Rgba, BitDepth::Eight, &rgba(100))).unwrap();
    let small = decode(file_of(&seen_through, PictureSize::Small)).unwrap().bitmap;
    assert_eq!((small.channels, small.data[3], small.data[0]), (4, 100, RED[0]), "the colour is not darkened");
    let opaque = convert(&png(300, 300, ColorType::Rgba, BitDepth::Eight, &rgba(255))).unwrap();
    assert!(file_of(&opaque, PictureSize::Small).starts_with(b"\xff\xd8\xff"));
}

#[test]
fn every_form_of_the_accepted_kinds_is_read() {
    let gray16: Vec<u8> = (0..64u16 * 64).flat_map(|n| (n * 16).to_be_bytes()).collect();
    for (name, file) in [
        ("gray of 16 bits", png(64, 64, ColorType::Grayscale, BitDepth::Sixteen, &gray16)),
        ("gray of 1 bit", png(64, 64, ColorType::Grayscale, BitDepth::One, &[0xaa; 8 * 64])),
        ("gray and alpha", png(64, 64, ColorType::GrayscaleAlpha, BitDepth::Eight, &[90; 2 * 64 * 64])),
        ("palette", png(64, 64, ColorType::Indexed, BitDepth::Eight, &[1; 64 * 64])),
        ("WebP", webp(64, 64, image_webp::ColorType::Rgb8, &halves(64, 64))),
        ("WebP with alpha", webp(64, 64, image_webp::ColorType::Rgba8, &[7; 4 * 64 * 64])),
        ("one pixel", png(1, 1, ColorType::Rgb, BitDepth::Eight, &RED)),
        ("JPEG with a side that is no multiple of a block", jpeg(17, 3, None, None)),
    ] {
        let picture = convert(&file).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        assert_eq!(picture.files.len(), 3, "{name}");
        assert!(picture.width <= 64 && decode(file_of(&picture, PictureSize::Small)).is_ok(), "{name}");
    }
}

/// A file that claims more pixels than it may have is refused by its head: decoding it would take memory first.
#[test]
fn bomb_is_refused_before_it_is_decoded() {
    let mut large_png = png(10, 10, ColorType::Rgb, BitDepth::Eight, &[0; 300]);
    large_png[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    let checksum = crc32(&large_png[12..29]);
    large_png[29..33].copy_from_slice(&checksum.to_be_bytes());
    let mut large_jpeg = jpeg(16, 16, None, None);
    let frame = large_jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    large_jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]);
    let mut large_webp = webp(10, 10, image_webp::ColorType::Rgb8, &halves(10, 10));
    // 16,384 × 16,384.
    large_webp[21..25].copy_from_slice(&[0xff, 0xff, 0xff, 0x0f]);
    // The head of the file claims 10 × 10, the head of the frame much more.
    let frame = [b"VP8 \x0a\0\0\0".as_slice(), &[0x10, 0, 0, 0x9d, 0x01, 0x2a, 0xff, 0x3f, 0xff, 0x3f]].concat();
    let head = [b"WEBPVP8X\x0a\0\0\0\0\0\0\0".as_slice(), &[9, 0, 0, 9, 0, 0], &frame].concat();
    let hidden = [b"RIFF".as_slice(), &(head.len() as u32).to_le_bytes(), &head].concat();
    for (name, file) in
        [("PNG", large_png), ("JPEG", large_jpeg), ("WebP", large_webp), ("WebP with two sizes", hidden)]
    {
        let began = std::time::Instant::now();
        assert_eq!(convert(&file).err(), Some(Refusal::PicturePixels), "{name}");
        assert!(began.elapsed().as_millis() < 1_000, "{name} took {:?}", began.elapsed());
    }
}

/// The checksum of a PNG chunk, bit by bit.
fn crc32(data: &[u8]) -> u32 {
    let rest = data.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    });
    !rest
}

#[test]
fn short_profile_of_rgb_is_kept_and_every_other_is_dropped() {
    let profile = |space: &[u8; 4], length: usize| {
        let mut profile = vec![b'p'; length];
        profile[16..20].copy_from_slice(space);
        profile[36..40].copy_from_slice(b"acsp");
        profile
    };
    for (name, profile, is_kept) in [
        ("of a phone", profile(b"RGB ", 548), true),
        ("of a printing press", profile(b"CMYK", 548), false),
        ("long", profile(b"RGB ", 300_000), false),
    ] {
        let picture = convert(&jpeg(400, 300, None, Some(&profile))).unwrap();
        let small = file_of(&picture, PictureSize::Small);
        assert_eq!(contains(small, b"pppppppp"), is_kept, "{name}");
        assert_eq!(decode(small).unwrap().profile.is_some(), is_kept, "{name}");
    }
}

/// Good files, broken by a seed: cut, changed, with parts twice or without them. None may end the process, and each is either a picture
/// or refused with a reason. `LIVESOUK_PICTURE_CASES` runs more.
#[test]
fn broken_file_is_refused_or_shown_and_never_panics() {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    let number = |name: &str, default: u64| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default);
    let (seed, cases) = (number("LIVESOUK_SEED", 7), number("LIVESOUK_PICTURE_CASES", 10_000));
    let good = [
        jpeg(120, 90, Some(&exif(8)), None),
        png(90, 60, ColorType::Rgb, BitDepth::Eight, &halves(90, 60)),
        png(64, 64, ColorType::Indexed, BitDepth::Eight, &[1; 64 * 64]),
        webp(90, 60, image_webp::ColorType::Rgb8, &halves(90, 60)),
        webp(40, 40, image_webp::ColorType::Rgba8, &[7; 4 * 40 * 40]),
    ];
    let (mut shown, mut refused) = (0, 0);
    for case in 0..cases {
        let mut random = StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(case));
        let mut file = good[case as usize % good.len()].clone();
        for _ in 0..random.random_range(1..=8) {
            let at = random.random_range(0..file.len());
            match random.random_range(0..6) {
                0 => file[at] = random.random(),
                1 => file[at] ^= 1 << random.random_range(0..8),
                2 => file.truncate(at.max(12)),
                3 => drop(file.splice(
                    at..at,
                    (0..random.random_range(1..40)).map(|_| random.random::<u8>()).collect::<Vec<_>>(),
                )),
                4 => drop(file.drain(at..(at + random.random_range(1..60)).min(file.len()))),
                _ => {
                    let end = (at + random.random_range(1..200)).min(file.len());
                    let part = file[at..end].to_vec();
                    file.splice(at..at, part);
                }
            }
            if file.len() < 12 {
                break;
            }
        }
        let outcome = std::panic::catch_unwind(|| convert(&file).map(|picture| picture.files.len()));
        match outcome.unwrap_or_else(|_| panic!("seed {seed}, case {case}: the decoder panicked")) {
            Ok(files) => {
                assert_eq!(files, 3);
                shown += 1;
            }
            Err(refusal) => {
                assert!(refusal.code().starts_with("picture_"), "seed {seed}, case {case}: {refusal:?}");
                assert!(refusal.to_string().ends_with('.'), "{refusal}");
                refused += 1;
            }
        }
    }
    assert!(shown > 0 && refused > cases / 10, "{shown} shown, {refused} refused");
}
