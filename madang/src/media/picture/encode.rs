//! Encodes decoded pictures for the store. The encoders are given pixels only, so that no metadata
//! can come along.

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::codecs::webp::WebPEncoder;
use image::{DynamicImage, ExtendedColorType, ImageResult, RgbImage};

use super::probe::Container;
use super::{Picture, Refused};

/// Encodes an 8-bit picture in the format that its container is stored as. The quality, of 100, is that of JPEG and lossy
/// WebP.
pub(super) fn encode(image: DynamicImage, container: Container, quality: u8) -> Result<Picture, Refused> {
    let (width, height) = (image.width(), image.height());
    let bytes = match container {
        Container::Jpeg => jpeg(&image, quality),
        Container::Png | Container::Gif => png(&image),
        Container::WebpLossy => lossy_webp(image, quality),
        Container::WebpLossless => lossless_webp(&image),
    }?;
    Ok(Picture { bytes, format: container.stored_as(), width, height })
}

fn jpeg(image: &DynamicImage, quality: u8) -> Result<Vec<u8>, Refused> {
    collect(|out| image.write_with_encoder(JpegEncoder::new_with_quality(out, quality)))
}

/// Level 4 makes screenshots a fifth of what the fastest setting makes of them; the default level
/// saves some more, at four times the time for photographs.
fn png(image: &DynamicImage) -> Result<Vec<u8>, Refused> {
    let (compression, filter) = (CompressionType::Level(4), FilterType::Adaptive);
    collect(|out| image.write_with_encoder(PngEncoder::new_with_quality(out, compression, filter)))
}

/// By the encoder of `image`: libwebp makes smaller files, but needs 20 bytes a pixel for it.
fn lossless_webp(image: &DynamicImage) -> Result<Vec<u8>, Refused> {
    collect(|out| image.write_with_encoder(WebPEncoder::new_lossless(out)))
}

/// Colours are encoded by libwebp. The alpha channel, which is lossless in any case, is encoded as
/// in [`lossless_webp`]: libwebp needs 30 bytes a pixel and 10 s at 40 megapixels for it.
fn lossy_webp(image: DynamicImage, quality: u8) -> Result<Vec<u8>, Refused> {
    let alpha: Option<Vec<u8>> = image.as_rgba8().map(|rgba| rgba.pixels().map(|pixel| pixel.0[3]).collect());
    let rgb = image.into_rgb8();
    let (width, height) = rgb.dimensions();
    let colour = lossy_colour(&rgb, quality)?;
    drop(rgb);
    let Some(alpha) = alpha.filter(|alpha| alpha.iter().any(|value| *value != u8::MAX)) else {
        return Ok(colour);
    };
    let alpha = collect(|out| WebPEncoder::new_lossless(out).encode(&alpha, width, height, ExtendedColorType::L8))?;
    with_alpha(width, height, &colour, &alpha).ok_or(Refused::Broken)
}

fn lossy_colour(rgb: &RgbImage, quality: u8) -> Result<Vec<u8>, Refused> {
    let mut config = webp::WebPConfig::new().map_err(|()| Refused::Broken)?;
    config.quality = f32::from(quality);
    config.method = 2; // half the time of the default, for files that are 4 % larger
    let encoded = webp::Encoder::from_rgb(rgb, rgb.width(), rgb.height()).encode_advanced(&config);
    Ok(encoded.map_err(|_| Refused::Broken)?.to_vec())
}

/// Joins a lossy file and a lossless one, whose green is the alpha channel. Both consist of the RIFF
/// header of 12 bytes and one chunk. `None` if they do not.
fn with_alpha(width: u32, height: u32, colour: &[u8], alpha: &[u8]) -> Option<Vec<u8>> {
    let colour = colour.get(12..).filter(|chunk| chunk.starts_with(b"VP8 "))?;
    let alpha = alpha.get(12..)?.strip_prefix(b"VP8L")?;
    let (length, data) = alpha.split_first_chunk()?;
    // In an alpha chunk the bitstream goes without its header of 5 bytes, and 1 means lossless.
    let stream = data.get(5..u32::from_le_bytes(*length) as usize)?;
    let stream = [&[1], stream].concat();

    let mut header = [0; 10];
    header[0] = 0x10; // has an alpha channel
    header[4..7].copy_from_slice(&(width - 1).to_le_bytes()[..3]);
    header[7..10].copy_from_slice(&(height - 1).to_le_bytes()[..3]);

    let mut file = b"RIFF\0\0\0\0WEBP".to_vec();
    for (name, data) in [(b"VP8X", &header[..]), (b"ALPH", &stream)] {
        file.extend_from_slice(name);
        file.extend_from_slice(&(data.len() as u32).to_le_bytes());
        file.extend_from_slice(data);
        file.resize(file.len().next_multiple_of(2), 0);
    }
    file.extend_from_slice(colour);
    let length = file.len() as u32 - 8;
    file[4..8].copy_from_slice(&length.to_le_bytes());
    Some(file)
}

fn collect(write: impl FnOnce(&mut Vec<u8>) -> ImageResult<()>) -> Result<Vec<u8>, Refused> {
    let mut bytes = Vec::new();
    write(&mut bytes).map_err(|_| Refused::Broken)?;
    Ok(bytes)
}
