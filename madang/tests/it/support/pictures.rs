//! Small pictures, made in code, by the encoders or byte by byte.

use std::io::Cursor;

use image::{
    Frame, ImageFormat, Rgb, RgbImage, RgbaImage,
    codecs::gif::{GifEncoder, Repeat},
};

/// A picture of one colour in this format.
pub(crate) fn picture(format: ImageFormat, width: u32, height: u32) -> Vec<u8> {
    let image = RgbImage::from_pixel(width, height, Rgb([200, 30, 30]));
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

pub(crate) fn webp() -> Vec<u8> {
    picture(ImageFormat::WebP, 12, 9)
}

/// A picture that cannot be compressed, so that its file is about three bytes a pixel.
pub(crate) fn noise(width: u32, height: u32) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let image = RgbImage::from_fn(width, height, |_, _| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        Rgb([state as u8, (state >> 8) as u8, (state >> 16) as u8])
    });
    let mut bytes = Vec::new();
    image.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
    bytes
}

/// An animation.
pub(crate) fn gif(frames: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    encoder.set_repeat(Repeat::Infinite).unwrap();
    for _ in 0..frames {
        encoder.encode_frame(Frame::new(RgbaImage::from_pixel(2, 2, image::Rgba([9, 9, 9, 255])))).unwrap();
    }
    drop(encoder);
    bytes
}

/// Puts a segment right behind a JPEG's first marker.
pub(crate) fn jpeg_with(mut jpeg: Vec<u8>, marker: u8, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len() + 2).unwrap().to_be_bytes();
    jpeg.splice(2..2, [&[0xff, marker], &length[..], data].concat());
    jpeg
}

/// Puts a chunk right behind a PNG's header.
pub(crate) fn png_with(mut png: Vec<u8>, name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    png.splice(33..33, png_chunk(name, data));
    png
}

/// The beginning of a PNG of this size; nothing follows.
pub(crate) fn png_header(width: u32, height: u32) -> Vec<u8> {
    let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
    let header = [&size[..], &[8, 2, 0, 0, 0]].concat();
    [b"\x89PNG\r\n\x1a\n", &png_chunk(b"IHDR", &header)[..]].concat()
}

fn png_chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let named = [name, data].concat();
    let length = u32::try_from(data.len()).unwrap().to_be_bytes();
    [&length[..], &named, &crc32(&named).to_be_bytes()].concat()
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 })
    })
}

/// The header of a JPEG of this size, without data.
pub(crate) fn jpeg_header(width: u16, height: u16) -> Vec<u8> {
    let (height, width) = (height.to_be_bytes(), width.to_be_bytes());
    let frame = [&[8], &height[..], &width, &[1, 1, 0x11, 0]].concat();
    jpeg_with(b"\xff\xd8\xff\xd9".to_vec(), 0xc0, &frame)
}

/// A progressive JPEG that repeats its scan so often.
pub(crate) fn jpeg_of_scans(count: usize) -> Vec<u8> {
    let mut bytes = jpeg();
    let frame = bytes.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    bytes[frame + 1] = 0xc2;
    let scan = bytes.windows(2).position(|pair| pair == [0xff, 0xda]).unwrap();
    [&bytes[..scan], &bytes[scan..bytes.len() - 2].repeat(count), &[0xff, 0xd9]].concat()
}

/// EXIF data with this orientation, and `secret` behind it.
pub(crate) fn exif(orientation: u8, secret: &[u8]) -> Vec<u8> {
    let mut tiff = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    tiff.extend([orientation, 0, 0, 0, 0, 0, 0]);
    tiff.extend(secret);
    tiff
}
