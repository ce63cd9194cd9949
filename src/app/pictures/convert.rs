//! Makes the files of a picture: upright, in three sizes, without anything that a camera wrote beside the pixels.

use png::{BitDepth, ColorType, Compression};
use resize::Pixel::{RGB8, RGBA8P};
use rgb::FromSlice;

use super::decode::{Bitmap, decode};
use crate::domain::Refusal;
use crate::domain::picture::{PictureSize, fit};

/// Where more quality shows no difference on a screen, and less does.
const JPEG_QUALITY: u8 = 82;

/// The files of one picture.
pub struct ConvertedPicture {
    /// Of the largest file, in pixels.
    pub width: u32,
    pub height: u32,
    /// One file for each size: JPEG, or PNG if the picture is transparent somewhere.
    pub files: Vec<(PictureSize, Vec<u8>)>,
}

/// Converts an uploaded file. This takes up to some hundred milliseconds of a processor.
pub fn convert(file: &[u8]) -> Result<ConvertedPicture, Refusal> {
    let decoded = decode(file)?;
    // Turned when it is small already: every size is made from the one before it.
    let first = scaled(without_empty_alpha(decoded.bitmap), PictureSize::Large.edge())?;
    let mut bitmap = decoded.orientation.apply(first);
    let (width, height) = (bitmap.width, bitmap.height);
    let mut files = Vec::with_capacity(PictureSize::ALL.len());
    for size in PictureSize::ALL {
        bitmap = scaled(bitmap, size.edge())?;
        files.push((size, encode(&bitmap, decoded.profile.as_deref())?));
    }
    Ok(ConvertedPicture { width, height, files })
}

/// A picture that is opaque everywhere needs no alpha: as a JPEG it has a tenth of the bytes.
fn without_empty_alpha(bitmap: Bitmap) -> Bitmap {
    if bitmap.channels != 4 || bitmap.data.chunks_exact(4).any(|pixel| pixel[3] != u8::MAX) {
        return bitmap;
    }
    let data = bitmap.data.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    Bitmap { channels: 3, data, ..bitmap }
}

fn scaled(from: Bitmap, edge: u32) -> Result<Bitmap, Refusal> {
    let (width, height) = fit(from.width, from.height, edge);
    if (width, height) == (from.width, from.height) {
        return Ok(from);
    }
    let [w1, h1, w2, h2] = [from.width, from.height, width, height].map(|side| side as usize);
    let mut data = vec![0; w2 * h2 * from.channels];
    // A filter that is as sharp as Lanczos, in less time and without its rings at hard edges.
    let filter = resize::Type::Mitchell;
    let done = match from.channels {
        4 => resize::new(w1, h1, w2, h2, RGBA8P, filter)
            .and_then(|mut resizer| resizer.resize(from.data.as_rgba(), data.as_rgba_mut())),
        _ => resize::new(w1, h1, w2, h2, RGB8, filter)
            .and_then(|mut resizer| resizer.resize(from.data.as_rgb(), data.as_rgb_mut())),
    };
    done.map_err(|error| cannot_write(&error))?;
    Ok(Bitmap { width, height, channels: from.channels, data })
}

fn encode(bitmap: &Bitmap, profile: Option<&[u8]>) -> Result<Vec<u8>, Refusal> {
    if bitmap.channels == 4 { encode_png(bitmap, profile) } else { encode_jpeg(bitmap, profile) }
}

fn encode_jpeg(bitmap: &Bitmap, profile: Option<&[u8]>) -> Result<Vec<u8>, Refusal> {
    let mut file = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut file, JPEG_QUALITY);
    encoder.set_optimized_huffman_tables(true);
    if let Some(profile) = profile {
        encoder.add_icc_profile(profile).map_err(|error| cannot_write(&error))?;
    }
    // No side is longer than that of the largest size.
    let [width, height] = [bitmap.width, bitmap.height].map(|side| u16::try_from(side).unwrap_or(u16::MAX));
    let encoded = encoder.encode(&bitmap.data, width, height, jpeg_encoder::ColorType::Rgb);
    encoded.map_err(|error| cannot_write(&error))?;
    Ok(file)
}

fn encode_png(bitmap: &Bitmap, profile: Option<&[u8]>) -> Result<Vec<u8>, Refusal> {
    let mut file = Vec::new();
    let mut info = png::Info::with_size(bitmap.width, bitmap.height);
    (info.color_type, info.bit_depth) = (ColorType::Rgba, BitDepth::Eight);
    info.icc_profile = profile.map(Into::into);
    let written = png::Encoder::with_info(&mut file, info).and_then(|mut encoder| {
        encoder.set_compression(Compression::Balanced);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&bitmap.data)?;
        writer.finish()
    });
    written.map_err(|error| cannot_write(&error))?;
    Ok(file)
}

/// The pixels are sound, so this is our mistake and not that of the sender.
fn cannot_write(error: &dyn std::fmt::Display) -> Refusal {
    tracing::error!(%error, "the files of a picture could not be made");
    Refusal::PictureDamaged
}

#[cfg(test)]
#[path = "convert_test.rs"]
mod tests;
