//! Walks the containers of pictures without decoding: type, dimensions and completeness.
//!
//! A decoder that reads on after damage would store half a picture in grey, and some allocate by
//! a header before comparing it with another. What they leave unchecked is checked here.

use super::{Format, MAX_PIXELS, MAX_SIDE, Refused};

/// The most scans that a progressive JPEG may have. Encoders write about ten; every scan is a pass
/// over all pixels that can cost a few bytes only.
pub(super) const MAX_SCANS: usize = 64;

/// The most scans that another JPEG may have: one a component.
const MAX_BASELINE_SCANS: usize = 4;

/// The length of the longest signature: what is shorter cannot be told apart.
const LONGEST_SIGNATURE: usize = 12;

/// The container a picture arrived in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    Jpeg,
    Png,
    Gif,
    WebpLossy,
    WebpLossless,
}

impl Container {
    pub(super) fn stored_as(self) -> Format {
        match self {
            Self::Jpeg => Format::Jpeg,
            Self::Png | Self::Gif => Format::Png,
            Self::WebpLossy | Self::WebpLossless => Format::Webp,
        }
    }
}

/// A picture whose structure was found complete and whose dimensions are within the limits.
#[derive(Debug)]
pub(super) struct Probe<'a> {
    pub(super) container: Container,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) bytes: &'a [u8],
}

/// Recognises a picture by its signature and walks it.
pub(super) fn probe(bytes: &[u8]) -> Result<Probe<'_>, Refused> {
    if bytes.len() < LONGEST_SIGNATURE {
        return Err(Refused::Broken);
    }
    let (container, (width, height)) = if bytes.starts_with(b"\xff\xd8\xff") {
        (Container::Jpeg, jpeg(bytes)?)
    } else if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        (Container::Png, png(bytes)?)
    } else if bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a") {
        (Container::Gif, gif(bytes)?)
    } else if bytes.starts_with(b"RIFF") && bytes[8..].starts_with(b"WEBP") {
        webp(bytes)?
    } else {
        return Err(Refused::UnsupportedType);
    };
    Ok(Probe { container, width, height, bytes })
}

type Size = (u32, u32);

/// Checks dimensions as soon as they are read, so that a bomb is told from a broken file.
fn size(width: u32, height: u32) -> Result<Size, Refused> {
    if width == 0 || height == 0 {
        return Err(Refused::Broken);
    }
    let pixels = u64::from(width) * u64::from(height);
    if pixels > MAX_PIXELS || width.max(height) > MAX_SIDE {
        return Err(Refused::TooLarge);
    }
    Ok((width, height))
}

/// Every marker up to the end of the image, with one frame header before the first scan.
fn jpeg(bytes: &[u8]) -> Result<Size, Refused> {
    let mut input = Input(bytes);
    input.take(2)?; // start of image
    let mut frame = None;
    let mut scans = 0;
    let mut most_scans = 0; // until there is a frame
    loop {
        match input.jpeg_marker()? {
            0xd9 => break,
            0x01 | 0xd0..=0xd7 => {} // these have no segment
            0x00 | 0xd8 => return Err(Refused::Broken),
            marker => {
                let length = input.be16()?.checked_sub(2).ok_or(Refused::Broken)?;
                let mut segment = Input(input.take(length)?);
                match marker {
                    0xc0..=0xc2 => {
                        let precision = segment.u8()?;
                        let (height, width) = (segment.be16()?, segment.be16()?);
                        let size = size(width as u32, height as u32)?;
                        if precision != 8 {
                            return Err(Refused::UnsupportedType);
                        }
                        if frame.replace(size).is_some() {
                            return Err(Refused::Broken);
                        }
                        most_scans = match marker {
                            0xc2 => MAX_SCANS,
                            _ => MAX_BASELINE_SCANS,
                        };
                    }
                    // 0xc4 are Huffman tables; the others are lossless, hierarchical or arithmetic.
                    0xc3 | 0xc5..=0xcf => return Err(Refused::UnsupportedType),
                    0xda => {
                        scans += 1;
                        if scans > most_scans {
                            return Err(Refused::Broken);
                        }
                        input.skip_entropy_coded();
                    }
                    _ => {}
                }
            }
        }
    }
    match frame {
        Some(size) if scans > 0 => Ok(size),
        _ => Err(Refused::Broken),
    }
}

/// The header only: the decoder itself insists on every chunk, its checksum and the end.
fn png(bytes: &[u8]) -> Result<Size, Refused> {
    let mut input = Input(bytes);
    input.take(8)?; // signature
    if input.take(8)? != b"\0\0\0\x0dIHDR" {
        return Err(Refused::Broken);
    }
    let (width, height) = (input.be32()?, input.be32()?);
    size(width, height)
}

/// Every block up to the trailer; the size is that of the screen, which has to hold the first frame.
fn gif(bytes: &[u8]) -> Result<Size, Refused> {
    let mut input = Input(bytes);
    input.take(6)?; // signature
    let screen = size(input.le16()?, input.le16()?)?;
    let flags = input.u8()?;
    input.take(2)?; // background colour and aspect ratio
    input.skip_gif_palette(flags)?;
    let mut frames = 0_usize;
    loop {
        match input.u8()? {
            0x21 => {
                input.u8()?; // label
                input.skip_gif_blocks()?;
            }
            0x2c => {
                let (left, top) = (input.le16()?, input.le16()?);
                let (width, height) = (input.le16()?, input.le16()?);
                let first = frames == 0;
                if first && (left + width > screen.0 || top + height > screen.1) {
                    return Err(Refused::Broken);
                }
                frames += 1;
                let flags = input.u8()?;
                input.skip_gif_palette(flags)?;
                input.u8()?; // code size
                input.skip_gif_blocks()?;
            }
            0x3b => break,
            _ => return Err(Refused::Broken),
        }
    }
    if frames == 0 {
        return Err(Refused::Broken);
    }
    Ok(screen)
}

/// Every chunk; the bitstream that will be decoded has to have the size that its container says,
/// as the decoder allocates by the former before it compares.
fn webp(bytes: &[u8]) -> Result<(Container, Size), Refused> {
    let mut input = Input(bytes);
    input.take(4)?; // "RIFF"
    let length = input.le32()? as usize;
    let mut chunks = Input(input.take(length)?);
    chunks.take(4)?; // "WEBP"
    let (name, data) = chunks.riff_chunk()?;
    if name != b"VP8X" {
        return webp_bitstream(name, data)?.ok_or(Refused::Broken);
    }
    let mut header = Input(data);
    let animated = header.u8()? & 0b10 != 0;
    header.take(3)?; // reserved
    let canvas = size(header.le24()? + 1, header.le24()? + 1)?;

    let mut picture = None;
    while !chunks.is_empty() {
        let (name, data) = chunks.riff_chunk()?;
        let found = match (name == b"ANMF", animated) {
            (true, true) if picture.is_none() => Some(webp_frame(data, canvas)?),
            (true, false) => return Err(Refused::Broken),
            (false, false) => webp_bitstream(name, data)?,
            _ => None,
        };
        if !animated && found.is_some_and(|(_, size)| size != canvas) {
            return Err(Refused::Broken);
        }
        picture = picture.or(found);
    }
    let (container, _) = picture.ok_or(Refused::Broken)?;
    Ok((container, canvas))
}

/// A frame of an animated WebP.
fn webp_frame(data: &[u8], canvas: Size) -> Result<(Container, Size), Refused> {
    let mut input = Input(data);
    let (left, top) = (input.le24()? * 2, input.le24()? * 2);
    let frame = (input.le24()? + 1, input.le24()? + 1);
    if left + frame.0 > canvas.0 || top + frame.1 > canvas.1 {
        return Err(Refused::Broken);
    }
    input.take(4)?; // duration and flags
    while !input.is_empty() {
        let (name, data) = input.riff_chunk()?;
        if let Some((container, size)) = webp_bitstream(name, data)? {
            if size != frame {
                return Err(Refused::Broken);
            }
            return Ok((container, size));
        }
    }
    Err(Refused::Broken)
}

/// The size of a lossy or lossless bitstream, `None` for another chunk.
fn webp_bitstream(name: &[u8], data: &[u8]) -> Result<Option<(Container, Size)>, Refused> {
    let mut input = Input(data);
    match name {
        b"VP8 " => {
            let tag = input.le24()?;
            if tag & 1 != 0 || input.take(3)? != b"\x9d\x01\x2a" {
                return Err(Refused::Broken);
            }
            let size = size(input.le16()? & 0x3fff, input.le16()? & 0x3fff)?;
            input.take(tag as usize >> 5)?; // the first partition
            Ok(Some((Container::WebpLossy, size)))
        }
        b"VP8L" => {
            if input.u8()? != 0x2f {
                return Err(Refused::Broken);
            }
            let header = input.le32()?;
            let size = size((header & 0x3fff) + 1, (header >> 14 & 0x3fff) + 1)?;
            Ok(Some((Container::WebpLossless, size)))
        }
        _ => Ok(None),
    }
}

/// Bytes that are not read yet; running out of them means a truncated file.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Refused> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Refused::Broken)?;
        self.0 = rest;
        Ok(taken)
    }

    fn u8(&mut self) -> Result<u8, Refused> {
        Ok(self.take(1)?[0])
    }

    fn little_endian(&mut self, count: usize) -> Result<u32, Refused> {
        let bytes = self.take(count)?.iter().rev();
        Ok(bytes.fold(0, |value, byte| value << 8 | u32::from(*byte)))
    }

    fn le16(&mut self) -> Result<u32, Refused> {
        self.little_endian(2)
    }

    fn le24(&mut self) -> Result<u32, Refused> {
        self.little_endian(3)
    }

    fn le32(&mut self) -> Result<u32, Refused> {
        self.little_endian(4)
    }

    fn be16(&mut self) -> Result<usize, Refused> {
        let bytes = self.take(2)?;
        Ok(usize::from(bytes[0]) << 8 | usize::from(bytes[1]))
    }

    fn be32(&mut self) -> Result<u32, Refused> {
        Ok((self.be16()? << 16 | self.be16()?) as u32)
    }

    /// The next marker's code. Some cameras pad between segments; how much of that is acceptable is
    /// the decoder's business.
    fn jpeg_marker(&mut self) -> Result<u8, Refused> {
        while self.u8()? != 0xff {}
        loop {
            match self.u8()? {
                0xff => {} // fill byte
                code => return Ok(code),
            }
        }
    }

    /// Goes to the next marker that is neither an escaped 0xff nor a restart.
    fn skip_entropy_coded(&mut self) {
        let end = self
            .0
            .windows(2)
            .position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 0xd0..=0xd7))
            .unwrap_or(self.0.len());
        self.0 = &self.0[end..];
    }

    fn skip_gif_palette(&mut self, flags: u8) -> Result<(), Refused> {
        if flags & 0x80 != 0 {
            self.take(3 << ((flags & 7) + 1))?;
        }
        Ok(())
    }

    fn skip_gif_blocks(&mut self) -> Result<(), Refused> {
        loop {
            match self.u8()? {
                0 => return Ok(()),
                length => self.take(usize::from(length))?,
            };
        }
    }

    /// A chunk's name and data; the last one may lack its padding.
    fn riff_chunk(&mut self) -> Result<(&'a [u8], &'a [u8]), Refused> {
        let name = self.take(4)?;
        let length = self.le32()? as usize;
        let data = self.take(length)?;
        if length % 2 == 1 && !self.is_empty() {
            self.take(1)?;
        }
        Ok((name, data))
    }
}
