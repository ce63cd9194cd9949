//! Reads an uploaded file into pixels: JPEG, PNG or WebP, by libraries that are safe Rust.
//!
//! The size that the head of a file claims is judged before anything is decoded, because a file of a few kilobytes can claim more
//! than any memory holds. Nothing but the pixels, the orientation and a small colour profile is taken from a file: no EXIF, no place
//! where a photo was taken.

use std::io::Cursor;

use image_webp::WebPDecoder;
use jpeg_decoder::PixelFormat;

use super::orientation::Orientation;
use crate::domain::picture::{PictureKind, PictureSize, check_pixels, fit};
use crate::domain::{PictureHash, Refusal};

/// Photos have about ten scans; thousands of them over a large picture would take minutes.
const JPEG_SCANS_MAX: usize = 64;
/// What a JPEG may need while it is decoded: all coefficients of a progressive one, with 16 bits each.
const JPEG_BYTES_MAX: usize = 320 * 1024 * 1024;
/// What another decoder may allocate beside the pixels.
const DECODER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The profiles of cameras and programs for the screen are smaller; those for printing presses are larger, and not needed.
const PROFILE_BYTES_MAX: usize = 4_096;

/// Pixels in rows from the top, with 8 bits for each channel.
pub struct Bitmap {
    pub width: u32,
    pub height: u32,
    /// 3: red, green, blue. 4: and alpha.
    pub channels: usize,
    pub data: Vec<u8>,
}

/// What is taken from a file.
pub struct Decoded {
    pub bitmap: Bitmap,
    pub orientation: Orientation,
    /// The colour profile (ICC) of a picture whose colours are not those of every screen.
    pub profile: Option<Vec<u8>>,
}

type Result<T> = std::result::Result<T, Refusal>;

/// Decodes a whole file. This takes up to some hundred milliseconds of a processor.
pub fn decode(file: &[u8]) -> Result<Decoded> {
    let mut decoded = match PictureKind::of(file)? {
        PictureKind::Jpeg => decode_jpeg(file),
        PictureKind::Png => decode_png(file),
        PictureKind::Webp => decode_webp(file),
    }?;
    decoded.profile = decoded.profile.filter(|profile| is_profile_of_rgb(profile));
    Ok(decoded)
}

/// Why a decoder stopped goes to the log; the reader of a refusal cannot do anything with it.
fn damaged(file: &[u8], error: &dyn std::fmt::Display) -> Refusal {
    tracing::debug!(picture = %PictureHash::of(file), %error, "an uploaded picture could not be read");
    Refusal::PictureDamaged
}

/// A photo is decoded to the smallest size that is enough, which its form allows: a large one needs less memory so.
fn decode_jpeg(file: &[u8]) -> Result<Decoded> {
    // The marker that begins a scan never stands within one.
    if file.windows(2).filter(|pair| *pair == [0xff, 0xda]).count() > JPEG_SCANS_MAX {
        return Err(Refusal::PictureDamaged);
    }
    let fault = |error: jpeg_decoder::Error| damaged(file, &error);
    let mut decoder = jpeg_decoder::Decoder::new(file);
    decoder.set_max_decoding_buffer_size(JPEG_BYTES_MAX);
    decoder.read_info().map_err(fault)?;
    let info = decoder.info().ok_or(Refusal::PictureDamaged)?;
    check_pixels(info.width.into(), info.height.into())?;
    let (width, height) = fit(info.width.into(), info.height.into(), PictureSize::Large.edge());
    let side = |side: u32| u16::try_from(side).unwrap_or(u16::MAX);
    let (width, height) = decoder.scale(side(width), side(height)).map_err(fault)?;
    let data = decoder.decode().map_err(fault)?;
    let data: Vec<u8> = match info.pixel_format {
        PixelFormat::RGB24 => data,
        PixelFormat::L8 => data.iter().flat_map(|&gray| [gray; 3]).collect(),
        PixelFormat::L16 => {
            data.chunks_exact(2).flat_map(|of| [u16::from_ne_bytes([of[0], of[1]]).to_be_bytes()[0]; 3]).collect()
        }
        PixelFormat::CMYK32 => data.chunks_exact(4).flat_map(rgb_of_cmyk).collect(),
    };
    let orientation = decoder.exif_data().map_or(Orientation::UPRIGHT, Orientation::of_exif);
    let profile = decoder.icc_profile().filter(|_| info.pixel_format == PixelFormat::RGB24);
    bitmap(width.into(), height.into(), 3, data).map(|bitmap| Decoded { bitmap, orientation, profile })
}

/// The colours of a printing press as a screen shows them, without the profile of the press.
fn rgb_of_cmyk(ink: &[u8]) -> [u8; 3] {
    let light = |ink: u8| 255 - u16::from(ink);
    [ink[0], ink[1], ink[2]].map(|color| (light(color) * light(ink[3]) / 255) as u8)
}

fn decode_png(file: &[u8]) -> Result<Decoded> {
    let limits = png::Limits { bytes: DECODER_BYTES_MAX };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(file), limits);
    decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
    decoder.set_ignore_text_chunk(true);
    let fault = |error: png::DecodingError| damaged(file, &error);
    let head = decoder.read_header_info().map_err(fault)?;
    check_pixels(head.width.into(), head.height.into())?;
    let mut reader = decoder.read_info().map_err(fault)?;
    let mut data = vec![0; reader.output_buffer_size().ok_or(Refusal::PictureDamaged)?];
    let frame = reader.next_frame(&mut data).map_err(fault)?;
    data.truncate(frame.buffer_size());
    let (channels, data) = match frame.color_type {
        png::ColorType::Grayscale => (3, data.iter().flat_map(|&gray| [gray; 3]).collect()),
        png::ColorType::GrayscaleAlpha => {
            (4, data.chunks_exact(2).flat_map(|of| [of[0], of[0], of[0], of[1]]).collect())
        }
        png::ColorType::Rgb => (3, data),
        png::ColorType::Rgba => (4, data),
        // `EXPAND` has replaced the palette.
        png::ColorType::Indexed => return Err(Refusal::PictureDamaged),
    };
    let info = reader.info();
    let orientation = info.exif_metadata.as_deref().map_or(Orientation::UPRIGHT, Orientation::of_exif);
    let profile = info.icc_profile.as_deref().map(<[u8]>::to_vec);
    bitmap(frame.width, frame.height, channels, data).map(|bitmap| Decoded { bitmap, orientation, profile })
}

fn decode_webp(file: &[u8]) -> Result<Decoded> {
    let fault = |error: image_webp::DecodingError| damaged(file, &error);
    check_webp_frame(file)?;
    let mut decoder = WebPDecoder::new(Cursor::new(file)).map_err(fault)?;
    decoder.set_memory_limit(DECODER_BYTES_MAX);
    if decoder.is_animated() {
        return Err(Refusal::PictureKind { found: Some("Animated WebP") });
    }
    let (width, height) = decoder.dimensions();
    check_pixels(width.into(), height.into())?;
    let orientation = match decoder.exif_metadata() {
        Ok(Some(exif)) => Orientation::of_exif(&exif),
        _ => Orientation::UPRIGHT,
    };
    let profile = decoder.icc_profile().ok().flatten();
    let mut data = vec![0; decoder.output_buffer_size().ok_or(Refusal::PictureDamaged)?];
    decoder.read_image(&mut data).map_err(fault)?;
    let channels = if decoder.has_alpha() { 4 } else { 3 };
    bitmap(width, height, channels, data).map(|bitmap| Decoded { bitmap, orientation, profile })
}

/// Judges the size in the head of the frame itself (RFC 9649, 2.5 and 3.4). The head of the file may claim another one, and the
/// decoder takes memory for that of the frame before it compares them.
fn check_webp_frame(file: &[u8]) -> Result<()> {
    let mut rest = file.get(12..).unwrap_or_default();
    while let [a, b, c, d, size @ ..] = rest {
        let Some((size, content)) = size.split_first_chunk::<4>() else { break };
        let size = u32::from_le_bytes(*size) as usize;
        match ([a, b, c, d].map(|byte| *byte), content) {
            ([b'V', b'P', b'8', b' '], [_, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..]) => {
                let side = |low, high| u64::from(u16::from_le_bytes([low, high]) & 0x3fff);
                check_pixels(side(*w0, *w1), side(*h0, *h1))?;
            }
            ([b'V', b'P', b'8', b'L'], [0x2f, bits @ ..]) if bits.len() >= 4 => {
                let bits = u64::from(u32::from_le_bytes([bits[0], bits[1], bits[2], bits[3]]));
                check_pixels((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1)?;
            }
            _ => {}
        }
        rest = content.get(size.saturating_add(size % 2)..).unwrap_or_default();
    }
    Ok(())
}

fn bitmap(width: u32, height: u32, channels: usize, data: Vec<u8>) -> Result<Bitmap> {
    match data.len() == width as usize * height as usize * channels {
        true => Ok(Bitmap { width, height, channels, data }),
        false => Err(Refusal::PictureDamaged),
    }
}

/// Whether a profile is for colours of red, green and blue (ICC.1, 7.2.6), and short.
fn is_profile_of_rgb(profile: &[u8]) -> bool {
    profile.len() <= PROFILE_BYTES_MAX && profile.get(16..20) == Some(b"RGB ") && profile.get(36..40) == Some(b"acsp")
}
