//! Pictures for the tests, built by the encoders or byte by byte.

use image::codecs::gif::GifEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::{DynamicImage, Frame, Rgb, RgbImage, Rgba, RgbaImage};

use super::super::Picture;

pub(super) const SECRET: &[u8] = b"GPS 37.5665 126.9780";

/// A gradient, so that no two corners are alike.
pub(super) fn rgb(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([(x * 7) as u8, (y * 11) as u8, (x + y) as u8]))
}

pub(super) fn rgba(width: u32, height: u32) -> RgbaImage {
    RgbaImage::from_fn(width, height, |x, y| Rgba([(x * 7) as u8, (y * 11) as u8, 90, (x * 5 + y * 3) as u8]))
}

pub(super) fn encoded(image: impl Into<DynamicImage>, encoder: fn(&mut Vec<u8>, &DynamicImage)) -> Vec<u8> {
    let mut bytes = Vec::new();
    encoder(&mut bytes, &image.into());
    bytes
}

pub(super) fn jpeg(image: impl Into<DynamicImage>) -> Vec<u8> {
    encoded(image, |out, image| {
        let encoder = JpegEncoder::new_with_quality(out, 95);
        image.write_with_encoder(encoder).unwrap();
    })
}

pub(super) fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
    encoded(image, |out, image| {
        image.write_with_encoder(PngEncoder::new(out)).unwrap();
    })
}

pub(super) fn lossless_webp(image: impl Into<DynamicImage>) -> Vec<u8> {
    encoded(image, |out, image| {
        let encoder = WebPEncoder::new_lossless(out);
        image.write_with_encoder(encoder).unwrap();
    })
}

pub(super) fn lossy_webp(image: impl Into<DynamicImage>) -> Vec<u8> {
    let image = image.into();
    let encoder = webp::Encoder::new(
        image.as_bytes(),
        match image.color().has_alpha() {
            true => webp::PixelLayout::Rgba,
            false => webp::PixelLayout::Rgb,
        },
        image.width(),
        image.height(),
    );
    encoder.encode(90.0).to_vec()
}

pub(super) fn gif(frames: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    for frame in 0..frames {
        let color = if frame == 0 { [255, 0, 0, 255] } else { [0, 0, 255, 255] };
        let image = RgbaImage::from_pixel(5, 4, Rgba(color));
        encoder.encode_frame(Frame::new(image)).unwrap();
    }
    drop(encoder);
    bytes
}

pub(super) fn all_kinds() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("jpeg", jpeg(rgb(90, 60))),
        ("png", png(rgb(90, 60))),
        ("gif", gif(3)),
        ("lossy webp", lossy_webp(rgb(90, 60))),
        ("lossy webp with alpha", lossy_webp(rgba(90, 60))),
        ("lossless webp", lossless_webp(rgba(90, 60))),
        ("animated webp", animated_webp(3, &lossless_webp(rgb(90, 60)))),
        ("animated png", animated_png(3)),
    ]
}

/// Decodes what we stored, by its own type.
pub(super) fn stored(picture: &Picture) -> DynamicImage {
    let image = image::load_from_memory(&picture.bytes).unwrap();
    assert_eq!((image.width(), image.height()), (picture.width, picture.height));
    let format = image::guess_format(&picture.bytes).unwrap();
    assert_eq!(format.to_mime_type(), picture.format.content_type());
    image
}

pub(super) fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

pub(super) fn png_chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let named = [name, data].concat();
    let length = (data.len() as u32).to_be_bytes();
    [&length[..], &named, &crc32(&named).to_be_bytes()].concat()
}

pub(super) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 })
    })
}

/// Puts a chunk right behind the header.
pub(super) fn png_with(mut png: Vec<u8>, name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    png.splice(33..33, png_chunk(name, data));
    png
}

pub(super) fn png_header(width: u32, height: u32) -> Vec<u8> {
    let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
    let header = [&size[..], &[8, 2, 0, 0, 0]].concat();
    [b"\x89PNG\r\n\x1a\n", &png_chunk(b"IHDR", &header)[..]].concat()
}

/// The first frame is a picture, and the others would fail to decode.
pub(super) fn animated_png(frames: u32) -> Vec<u8> {
    let still = png(rgb(90, 60));
    let control = |sequence: u32| {
        let fields = [sequence, 90, 60, 0, 0].map(u32::to_be_bytes).concat();
        png_chunk(b"fcTL", &[&fields[..], &[0, 1, 0, 10, 0, 0]].concat())
    };
    let animation = [frames.to_be_bytes(), [0; 4]].concat();
    let mut bytes = still[..33].to_vec();
    bytes.extend(png_chunk(b"acTL", &animation));
    bytes.extend(control(0));
    bytes.extend_from_slice(&still[33..still.len() - 12]);
    for frame in 1..frames {
        bytes.extend(control(frame * 2 - 1));
        let sequence = (frame * 2).to_be_bytes();
        bytes.extend(png_chunk(b"fdAT", &[&sequence[..], b"junk"].concat()));
    }
    bytes.extend_from_slice(&still[still.len() - 12..]);
    bytes
}

pub(super) fn jpeg_with(mut jpeg: Vec<u8>, marker: u8, data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u16 + 2).to_be_bytes();
    let segment = [&[0xff, marker], &length[..], data].concat();
    jpeg.splice(2..2, segment);
    jpeg
}

pub(super) fn riff_chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut chunk = [name, &(data.len() as u32).to_le_bytes()[..], data].concat();
    chunk.resize(chunk.len().next_multiple_of(2), 0);
    chunk
}

/// A WebP with a header for extensions: `flags` say which of `chunks` there are.
pub(super) fn extended_webp(flags: u8, (width, height): (u32, u32), chunks: &[u8]) -> Vec<u8> {
    let sides = [&(width - 1).to_le_bytes()[..3], &(height - 1).to_le_bytes()[..3]].concat();
    let header = riff_chunk(b"VP8X", &[&[flags, 0, 0, 0], &sides[..]].concat());
    let body = [b"WEBP", &header[..], chunks].concat();
    riff_chunk(b"RIFF", &body)
}

/// The first frame is that of `still`, 90x60 pixels; the others would fail to decode.
pub(super) fn animated_webp(frames: usize, still: &[u8]) -> Vec<u8> {
    let head = [0, 0, 0, 0, 0, 0, 89, 0, 0, 59, 0, 0, 10, 0, 0, 2];
    let first = riff_chunk(b"ANMF", &[&head[..], &still[12..]].concat());
    let junk = riff_chunk(b"ANMF", &[&head[..], b"VP8L\x04\0\0\0junk"].concat());
    let chunks = [riff_chunk(b"ANIM", &[0; 6]), first, junk.repeat(frames - 1)].concat();
    extended_webp(0b10, (90, 60), &chunks)
}

pub(super) fn exif(orientation: u8) -> Vec<u8> {
    let mut tiff = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    tiff.extend([orientation, 0, 0, 0, 0, 0, 0]);
    tiff.extend(SECRET);
    tiff
}
