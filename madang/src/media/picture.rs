//! Checks and re-encodes uploaded pictures.
//!
//! JPEG, PNG, GIF and WebP are told apart by their bytes alone. What is stored is always pixels that
//! we decoded and encoded again, so no metadata, no second format and no trailing bytes survive.
//!
//! The order of the checks is the defence: [`inspect`] walks the container without decoding, so the
//! dimensions are known and refused before a single pixel is allocated, and a decoder only ever sees
//! a file that is complete. Everything after it costs at most [`MAX_PIXELS`].

mod budget;
mod decode;
mod encode;
mod probe;
#[cfg(test)]
mod tests;
mod thumbnail;

pub use budget::DecodeBudget;

/// The most bytes an uploaded picture may have.
pub const MAX_BYTES: usize = 10 * 1024 * 1024;

/// The most pixels a picture may have.
pub const MAX_PIXELS: u64 = 40_000_000;

/// The longest side a picture may have, in pixels: what a JPEG can express.
pub const MAX_SIDE: u32 = 65_535;

/// The width of a thumbnail, in pixels; its height keeps the proportions. A picture that is no wider has none.
pub const THUMBNAIL_WIDTH: u32 = 640;

/// The quality of JPEG and lossy WebP, of 100.
const QUALITY: u8 = 85;
/// The same for thumbnails.
const THUMBNAIL_QUALITY: u8 = 80;

/// The formats that pictures are stored in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// JPEG, from JPEG.
    Jpeg,
    /// PNG, from PNG and GIF.
    Png,
    /// WebP, from WebP.
    Webp,
}

impl Format {
    /// The file name extension, without a dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::Webp => "webp",
        }
    }

    /// The media type that a stored picture is served with.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
        }
    }

    /// The format with exactly this extension, as [`Format::extension`] writes it.
    pub fn from_extension(extension: &str) -> Option<Self> {
        [Self::Jpeg, Self::Png, Self::Webp].into_iter().find(|format| format.extension() == extension)
    }
}

/// What a picture's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The format that the picture will be stored in.
    pub format: Format,
    /// Width in pixels, before the EXIF orientation is applied.
    pub width: u32,
    /// Height in pixels, before the EXIF orientation is applied.
    pub height: u32,
}

impl Header {
    /// The number of pixels in millions, rounded up: what decoding costs of a [`DecodeBudget`].
    pub fn megapixels(&self) -> u32 {
        let pixels = u64::from(self.width) * u64::from(self.height);
        u32::try_from(pixels.div_ceil(1_000_000)).unwrap_or(u32::MAX)
    }
}

/// A picture as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// The encoded file.
    pub bytes: Vec<u8>,
    /// The format of `bytes`.
    pub format: Format,
    /// Width in pixels, as displayed.
    pub width: u32,
    /// Height in pixels, as displayed.
    pub height: u32,
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Picture")
            .field("bytes", &self.bytes.len())
            .field("format", &self.format)
            .field("width", &self.width)
            .field("height", &self.height)
            .finish()
    }
}

/// Why a picture is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// More than [`MAX_BYTES`], [`MAX_PIXELS`] or [`MAX_SIDE`].
    #[error("the image is too large")]
    TooLarge,
    /// Neither JPEG, PNG, GIF nor WebP, or a kind of JPEG that browsers do not show either
    /// (arithmetic coding, lossless, 12 bits).
    #[error("the image type is not supported")]
    UnsupportedType,
    /// Truncated, damaged or built to be slow.
    #[error("the image is broken")]
    Broken,
}

/// Tells what `bytes` are without decoding pixels; the cost is one pass over the bytes.
///
/// # Errors
/// [`Refused`], as [`reencode`]; damage inside the compressed data is found by [`reencode`] only.
pub fn inspect(bytes: &[u8]) -> Result<Header, Refused> {
    check_length(bytes)?;
    header(bytes)
}

fn check_length(bytes: &[u8]) -> Result<(), Refused> {
    if bytes.len() > MAX_BYTES { Err(Refused::TooLarge) } else { Ok(()) }
}

fn header(bytes: &[u8]) -> Result<Header, Refused> {
    let probe = probe::probe(bytes)?;
    Ok(Header { format: probe.container.stored_as(), width: probe.width, height: probe.height })
}

/// Decodes a picture and encodes it again: upright, in sRGB at 8 bits a channel, without metadata.
/// Of an animation the first frame is kept. CMYK is converted by the plain formula, not its profile.
///
/// JPEG, GIF and WebP have no checksums, so damage within the compressed data that still decodes is
/// kept as it looks.
///
/// Blocks and is bound by the CPU; [`DecodeBudget::reencode`] is for async callers. Beside input and
/// output it holds 1 to 4 bytes a pixel for PNG, GIF and baseline JPEG, twice that while a picture is
/// turned by a quarter, and up to 12 for progressive JPEG and for WebP.
///
/// # Errors
/// [`Refused`]; a panic of a decoder counts as [`Refused::Broken`].
pub fn reencode(bytes: &[u8]) -> Result<Picture, Refused> {
    std::panic::catch_unwind(|| {
        check_length(bytes)?;
        let probe = probe::probe(bytes)?;
        let picture = decode::decode(&probe)?;
        encode::encode(picture, probe.container, QUALITY)
    })
    .unwrap_or(Err(Refused::Broken))
}

/// Makes the thumbnail of a stored picture, [`THUMBNAIL_WIDTH`] wide at most and in the same format; WebP is lossy.
///
/// Blocks and costs as [`reencode`] does, and with an alpha channel 4 bytes a pixel more.
///
/// # Errors
/// As [`reencode`], except that what was encoded anew may have any length.
pub fn thumbnail(bytes: &[u8]) -> Result<Picture, Refused> {
    std::panic::catch_unwind(|| {
        let probe = probe::probe(bytes)?;
        let picture = thumbnail::shrink(decode::decode(&probe)?, THUMBNAIL_WIDTH)?;
        let container = match probe.container {
            probe::Container::WebpLossless => probe::Container::WebpLossy,
            other => other,
        };
        encode::encode(picture, container, THUMBNAIL_QUALITY)
    })
    .unwrap_or(Err(Refused::Broken))
}
