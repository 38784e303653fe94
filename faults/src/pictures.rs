//! Pictures that are known by their number, each unlike all others.

use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage};
use madang::media::picture::reencode;

use crate::Failure;

/// Every fourth is wide enough for a thumbnail.
pub fn is_wide(number: u32) -> bool {
    number.is_multiple_of(4)
}

/// The file that a client uploads.
///
/// # Errors
/// It cannot be encoded.
pub fn file(number: u32) -> Result<Vec<u8>, Failure> {
    let (width, height) = if is_wide(number) { (700, 4) } else { (8, 6) };
    let [_, red, green, blue] = number.to_be_bytes();
    let mut bytes = Vec::new();
    RgbImage::from_pixel(width, height, Rgb([red, green, blue]))
        .write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)?;
    Ok(bytes)
}

/// The bytes that the board serves of it.
///
/// # Errors
/// It cannot be encoded.
pub fn served(number: u32) -> Result<Vec<u8>, Failure> {
    Ok(reencode(&file(number)?)?.bytes)
}
