//! How a camera was held, which it writes into the EXIF data of a photo, and turning the pixels accordingly.
//!
//! This is our own code because it reads one number: a library for EXIF reads a hundred kinds of values that we drop.

use super::decode::Bitmap;

/// The value of the EXIF tag: 1 to 8.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Orientation(u16);

/// The tag in the first directory, and the type of its value.
const ORIENTATION_TAG: u16 = 0x0112;
const TYPE_SHORT: u16 = 3;
/// A directory of a camera has about twenty entries.
const ENTRIES_MAX: usize = 1_000;

impl Orientation {
    pub const UPRIGHT: Orientation = Orientation(1);

    /// Reads EXIF data, which are a TIFF file with or without the name `Exif` before it. What cannot be read is upright.
    pub fn of_exif(exif: &[u8]) -> Self {
        let tiff = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
        match read_tag(tiff) {
            Some(value @ 1..=8) => Orientation(value),
            _ => Orientation::UPRIGHT,
        }
    }

    /// Turns and mirrors a picture as it was seen.
    pub fn apply(self, from: Bitmap) -> Bitmap {
        if self == Orientation::UPRIGHT {
            return from;
        }
        let (width, height) = (from.width as usize, from.height as usize);
        let is_on_its_side = self.0 >= 5;
        let (new_width, new_height) = if is_on_its_side { (height, width) } else { (width, height) };
        let mut data = Vec::with_capacity(from.data.len());
        for y in 0..new_height {
            for x in 0..new_width {
                let (column, row) = match self.0 {
                    2 => (width - 1 - x, y),
                    3 => (width - 1 - x, height - 1 - y),
                    4 => (x, height - 1 - y),
                    5 => (y, x),
                    6 => (y, height - 1 - x),
                    7 => (width - 1 - y, height - 1 - x),
                    8 => (width - 1 - y, x),
                    _ => (x, y),
                };
                let at = (row * width + column) * from.channels;
                data.extend_from_slice(&from.data[at..at + from.channels]);
            }
        }
        Bitmap { width: new_width as u32, height: new_height as u32, channels: from.channels, data }
    }
}

fn read_tag(tiff: &[u8]) -> Option<u16> {
    let is_little = match tiff.get(..4)? {
        [b'I', b'I', b'*', 0] => true,
        [b'M', b'M', 0, b'*'] => false,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes: [u8; 2] = tiff.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if is_little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let first: [u8; 4] = tiff.get(4..8)?.try_into().ok()?;
    let directory = if is_little { u32::from_le_bytes(first) } else { u32::from_be_bytes(first) } as usize;
    let entries = usize::from(short(directory)?).min(ENTRIES_MAX);
    let found = (0..entries).map(|n| directory + 2 + n * 12).find(|at| short(*at) == Some(ORIENTATION_TAG))?;
    (short(found + 2) == Some(TYPE_SHORT)).then(|| short(found + 8)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exif(is_little: bool, value: u16) -> Vec<u8> {
        let short = |of: u16| if is_little { of.to_le_bytes() } else { of.to_be_bytes() };
        let long = |of: u32| if is_little { of.to_le_bytes() } else { of.to_be_bytes() };
        let mut data = if is_little { b"II*\0".to_vec() } else { b"MM\0*".to_vec() };
        data.extend(long(8));
        data.extend(short(2));
        for (tag, of) in [(0x010f, 7), (ORIENTATION_TAG, value)] {
            data.extend(short(tag));
            data.extend(short(TYPE_SHORT));
            data.extend(long(1));
            data.extend(short(of));
            data.extend([0, 0]);
        }
        data
    }

    #[test]
    fn orientation_is_read_in_both_byte_orders() {
        for is_little in [true, false] {
            assert_eq!(Orientation::of_exif(&exif(is_little, 6)), Orientation(6));
            assert_eq!(Orientation::of_exif(&[b"Exif\0\0".to_vec(), exif(is_little, 8)].concat()), Orientation(8));
            assert_eq!(Orientation::of_exif(&exif(is_little, 9)), Orientation::UPRIGHT);
        }
        let whole = exif(true, 6);
        for end in 0..whole.len() - 3 {
            assert_eq!(Orientation::of_exif(&whole[..end]), Orientation::UPRIGHT, "cut after {end} bytes");
        }
        assert_eq!(Orientation::of_exif(b"II*\0\xff\xff\xff\xff"), Orientation::UPRIGHT);
    }

    #[test]
    fn picture_is_turned_as_the_camera_was_held() {
        // Two rows of three pixels: 1 2 3 / 4 5 6.
        let given = || Bitmap { width: 3, height: 2, channels: 3, data: (1..=6).flat_map(|n| [n; 3]).collect() };
        for (value, width, expected) in [
            (1, 3, [1, 2, 3, 4, 5, 6]),
            (2, 3, [3, 2, 1, 6, 5, 4]),
            (3, 3, [6, 5, 4, 3, 2, 1]),
            (4, 3, [4, 5, 6, 1, 2, 3]),
            (5, 2, [1, 4, 2, 5, 3, 6]),
            (6, 2, [4, 1, 5, 2, 6, 3]),
            (7, 2, [6, 3, 5, 2, 4, 1]),
            (8, 2, [3, 6, 2, 5, 1, 4]),
        ] {
            let turned = Orientation(value).apply(given());
            let pixels: Vec<u8> = turned.data.chunks_exact(3).map(|pixel| pixel[0]).collect();
            assert_eq!((turned.width, pixels.as_slice()), (width, expected.as_slice()), "orientation {value}");
        }
    }
}
