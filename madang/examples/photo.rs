//! Writes a JPEG of this size to standard output, with the detail of a photo: `photo 4000 3000 > photo.jpg`.

use std::io::{Cursor, Write};

use image::{Rgb, RgbImage, codecs::jpeg::JpegEncoder};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut sizes = std::env::args().skip(1).map(|side| side.parse::<u32>());
    let (Some(width), Some(height)) = (sizes.next().transpose()?, sizes.next().transpose()?) else {
        return Err("usage: photo WIDTH HEIGHT".into());
    };
    let mut state = 0x9e37_79b9_u32;
    let image = RgbImage::from_fn(width, height, |x, y| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // Slow gradients, and a little of the noise that every sensor has.
        let noise = (state >> 29) as u8;
        let wave = |scale: f32| (127.0 + 100.0 * ((x as f32 / scale).sin() * (y as f32 / scale).cos())) as u8;
        Rgb([wave(97.0), wave(61.0), wave(31.0)].map(|c| c.saturating_add(noise)))
    });
    let mut bytes = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut bytes, 90).encode_image(&image)?;
    std::io::stdout().write_all(bytes.get_ref())?;
    Ok(())
}
