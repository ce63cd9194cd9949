//! The conversion of an uploaded photo of 12 megapixels, on one processor. The photo is made here: noise and gradients, so that it is as
//! hard to read as one of a camera.

use std::time::Instant;

use livesouk::app::convert_picture;

const ROUNDS: usize = 9;
const WIDTH: u16 = 4_000;
const HEIGHT: u16 = 3_000;

/// The most memory that this process had since the last reset, in megabytes; 0 where the system does not say it.
fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|kib| kib.trim().trim_end_matches("kB").trim().parse::<f64>().ok()).unwrap_or_default() * 1_024.0
        / 1e6
}

/// From now on the peak is that of what follows.
fn reset_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// A photo of 12 megapixels.
pub fn photo() -> Vec<u8> {
    let (width, height) = (usize::from(WIDTH), usize::from(HEIGHT));
    let mut noise = 7u32;
    let pixels: Vec<u8> = (0..width * height * 3)
        .map(|at| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (x, y) = (at / 3 % width, at / 3 / width);
            ((x * 180 / width + y * 60 / height) as u8).wrapping_add((noise >> 28) as u8)
        })
        .collect();
    let mut file = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut file, 92);
    encoder.set_progressive(false);
    encoder.encode(&pixels, WIDTH, HEIGHT, jpeg_encoder::ColorType::Rgb).unwrap();
    file
}

/// Converts the photo a few times and prints what it took.
pub fn measure() {
    let file = photo();
    println!("{:<26}{:8.1}", "photo_mb", file.len() as f64 / 1e6);
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        reset_peak();
        let began = Instant::now();
        let picture = convert_picture(&file).unwrap();
        times.push((began.elapsed().as_secs_f64() * 1e3, peak_mb()));
        assert_eq!((picture.width, picture.height), (1_600, 1_200));
    }
    let list =
        |of: &dyn Fn(&(f64, f64)) -> f64| times.iter().map(|round| format!("{:8.1}", of(round))).collect::<String>();
    println!("{:<26}{}", "picture_ms by round", list(&|round| round.0));
    times.sort_by(|one, other| one.0.total_cmp(&other.0));
    let most = times.iter().map(|round| round.1).fold(0.0, f64::max);
    println!("figure picture_mb {most:.0}");
    println!("figure picture_ms {:.0}", times[ROUNDS / 2].0);
}
