//! Small pictures, made in code.

use std::io::Cursor;

use image::{ImageFormat, RgbImage};

/// A picture of one colour in this format.
pub(crate) fn picture(format: ImageFormat, width: u32, height: u32) -> Vec<u8> {
    let image = RgbImage::from_pixel(width, height, image::Rgb([200, 30, 30]));
    let mut bytes = Vec::new();
    image.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
    bytes
}

pub(crate) fn png() -> Vec<u8> {
    picture(ImageFormat::Png, 8, 6)
}

pub(crate) fn jpeg() -> Vec<u8> {
    picture(ImageFormat::Jpeg, 16, 12)
}
