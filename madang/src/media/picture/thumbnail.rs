//! Shrinks pictures.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{PixelType, Resizer};
use image::{DynamicImage, ImageBuffer};

use super::Refused;

/// The picture at this width, in its proportions and with the same kind of pixels; one that is no wider stays as it is.
pub(super) fn shrink(image: DynamicImage, width: u32) -> Result<DynamicImage, Refused> {
    if image.width() <= width {
        return Ok(image);
    }
    match image {
        DynamicImage::ImageLuma8(image) => resize(&image, width, PixelType::U8).map(DynamicImage::ImageLuma8),
        DynamicImage::ImageLumaA8(image) => resize(&image, width, PixelType::U8x2).map(DynamicImage::ImageLumaA8),
        DynamicImage::ImageRgb8(image) => resize(&image, width, PixelType::U8x3).map(DynamicImage::ImageRgb8),
        DynamicImage::ImageRgba8(image) => resize(&image, width, PixelType::U8x4).map(DynamicImage::ImageRgba8),
        _ => Err(Refused::UnsupportedType), // decoding makes no other kind
    }
}

fn resize<P: image::Pixel<Subpixel = u8>>(
    image: &ImageBuffer<P, Vec<u8>>,
    width: u32,
    pixels: PixelType,
) -> Result<ImageBuffer<P, Vec<u8>>, Refused> {
    let scaled =
        (u64::from(image.height()) * u64::from(width) + u64::from(image.width()) / 2) / u64::from(image.width());
    let height = u32::try_from(scaled).unwrap_or(u32::MAX).max(1);
    let source = ImageRef::new(image.width(), image.height(), image, pixels).map_err(|_| Refused::Broken)?;
    let mut target = Image::new(width, height, pixels);
    Resizer::new().resize(&source, &mut target, None).map_err(|_| Refused::Broken)?;
    ImageBuffer::from_raw(width, height, target.into_vec()).ok_or(Refused::Broken)
}
