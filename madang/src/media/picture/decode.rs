//! Decodes the first frame of a picture to 8 bits a channel, in sRGB and upright.

use std::io::Cursor;

use image::codecs::gif::GifDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer, ImageDecoder};
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::probe::{Container, MAX_SCANS, Probe};
use super::{MAX_SIDE, Refused};

/// The most bytes that the chunks of a PNG may inflate to, beside the pixels. Profiles of printing
/// presses have about 3 MB; one that is larger is ignored.
const MAX_PNG_CHUNKS: usize = 8 * 1024 * 1024;

/// Pixels and the metadata that says how to show them.
struct Decoded {
    image: DynamicImage,
    icc: Option<Vec<u8>>,
    exif: Option<Vec<u8>>,
}

/// Decodes a picture, converts it to sRGB and turns it upright.
pub(super) fn decode(probe: &Probe<'_>) -> Result<DynamicImage, Refused> {
    let decoded = match probe.container {
        Container::Jpeg => jpeg(probe),
        Container::Png => png(probe),
        Container::Gif => gif(probe),
        Container::WebpLossy | Container::WebpLossless => webp(probe),
    }?;
    let mut image = decoded.image;
    if let Some(icc) = decoded.icc {
        convert_to_srgb(&mut image, &icc);
    }
    if let Some(orientation) = decoded.exif.as_deref().and_then(orientation) {
        image.apply_orientation(orientation);
    }
    Ok(image)
}

/// Decodes with zune-jpeg itself, as `image` sets it to fill what is missing with grey.
fn jpeg(probe: &Probe<'_>) -> Result<Decoded, Refused> {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(MAX_SIDE as usize)
        .set_max_height(MAX_SIDE as usize)
        .jpeg_set_max_scans(MAX_SCANS);
    let mut decoder = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(probe.bytes), options);
    decoder.decode_headers().map_err(broken)?;
    let (width, height) = (probe.width as usize, probe.height as usize);
    if decoder.dimensions() != Some((width, height)) {
        return Err(Refused::Broken);
    }
    let gray = decoder.input_colorspace() == Some(ColorSpace::Luma);
    let (output, channels) = match gray {
        true => (ColorSpace::Luma, 1),
        false => (ColorSpace::RGB, 3), // from CMYK by the plain formula
    };
    decoder.set_options(options.jpeg_set_out_colorspace(output));
    let icc = decoder.icc_profile();
    let exif = decoder.exif().cloned();
    let mut pixels = vec![0; width * height * channels];
    decoder.decode_into(&mut pixels).map_err(broken)?;
    let image = match gray {
        true => from_pixels(probe, pixels, DynamicImage::ImageLuma8),
        false => from_pixels(probe, pixels, DynamicImage::ImageRgb8),
    }?;
    Ok(Decoded { image, icc, exif })
}

/// Decodes with the png crate itself, as `image` accepts damage behind the pixels and has no 8-bit
/// output of 16-bit files.
fn png(probe: &Probe<'_>) -> Result<Decoded, Refused> {
    let mut options = png::DecodeOptions::default();
    options.set_ignore_checksums(false);
    options.set_skip_ancillary_crc_failures(false);
    options.set_ignore_text_chunk(true);
    let mut decoder = png::Decoder::new_with_options(Cursor::new(probe.bytes), options);
    decoder.set_limits(png::Limits { bytes: MAX_PNG_CHUNKS });
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(broken)?;
    let mut pixels = vec![0; reader.output_buffer_size().ok_or(Refused::TooLarge)?];
    let color = reader.next_frame(&mut pixels).map_err(broken)?.color_type;
    reader.finish().map_err(broken)?;
    let image = match color {
        png::ColorType::Grayscale => from_pixels(probe, pixels, DynamicImage::ImageLuma8),
        png::ColorType::GrayscaleAlpha => from_pixels(probe, pixels, DynamicImage::ImageLumaA8),
        png::ColorType::Rgb => from_pixels(probe, pixels, DynamicImage::ImageRgb8),
        png::ColorType::Rgba => from_pixels(probe, pixels, DynamicImage::ImageRgba8),
        png::ColorType::Indexed => Err(Refused::Broken),
    }?;
    let info = reader.info();
    Ok(Decoded {
        image,
        icc: info.icc_profile.as_deref().map(<[u8]>::to_vec),
        exif: info.exif_metadata.as_deref().map(<[u8]>::to_vec),
    })
}

fn gif(probe: &Probe<'_>) -> Result<Decoded, Refused> {
    let decoder = GifDecoder::new(Cursor::new(probe.bytes)).map_err(broken)?;
    Ok(Decoded { image: DynamicImage::from_decoder(decoder).map_err(broken)?, icc: None, exif: None })
}

fn webp(probe: &Probe<'_>) -> Result<Decoded, Refused> {
    let mut decoder = WebPDecoder::new(Cursor::new(probe.bytes)).map_err(broken)?;
    if decoder.dimensions() != (probe.width, probe.height) {
        return Err(Refused::Broken);
    }
    let icc = decoder.icc_profile().map_err(broken)?;
    let exif = decoder.exif_metadata().map_err(broken)?;
    let image = DynamicImage::from_decoder(decoder).map_err(broken)?;
    Ok(Decoded { image, icc, exif })
}

fn broken<E>(_: E) -> Refused {
    Refused::Broken
}

fn from_pixels<P: image::Pixel<Subpixel = u8>>(
    probe: &Probe<'_>,
    pixels: Vec<u8>,
    variant: fn(ImageBuffer<P, Vec<u8>>) -> DynamicImage,
) -> Result<DynamicImage, Refused> {
    ImageBuffer::from_raw(probe.width, probe.height, pixels).map(variant).ok_or(Refused::Broken)
}

/// The orientation that a block of EXIF names. Some programs put the prefix that only JPEG has into
/// WebP and PNG too.
fn orientation(exif: &[u8]) -> Option<Orientation> {
    let tiff = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
    Orientation::from_exif_chunk(tiff)
}

/// Converts the colours from an embedded profile. A profile that cannot be read, or that is not for
/// the picture's kind of colours, is treated as if it were sRGB, as browsers do.
fn convert_to_srgb(image: &mut DynamicImage, icc: &[u8]) {
    let Ok(profile) = ColorProfile::new_from_slice(icc) else {
        return;
    };
    let (layout, pixels): (_, &mut [u8]) = match image {
        DynamicImage::ImageLuma8(image) => (Layout::Gray, image),
        DynamicImage::ImageLumaA8(image) => (Layout::GrayAlpha, image),
        DynamicImage::ImageRgb8(image) => (Layout::Rgb, image),
        DynamicImage::ImageRgba8(image) => (Layout::Rgba, image),
        _ => return,
    };
    let mut target = ColorProfile::new_srgb();
    if profile.color_space == DataColorSpace::Gray {
        target.color_space = DataColorSpace::Gray;
        target.gray_trc = target.red_trc.clone();
    }
    let options = TransformOptions::default();
    let Ok(transform) = profile.create_transform_8bit(layout, &target, layout, options) else {
        return;
    };
    // The transform needs a second buffer, so it goes piece by piece.
    let piece = layout.channels() * 16 * 1024;
    let mut source = Vec::with_capacity(piece);
    for target in pixels.chunks_mut(piece) {
        source.clear();
        source.extend_from_slice(target);
        if transform.transform(&source, target).is_err() {
            return; // lengths that do not match, which fails for the first piece already
        }
    }
}
