//! What the checks let through, and what becomes of it.

mod samples;
mod thumbnails;

use image::{
    DynamicImage, ImageEncoder, Rgb, RgbImage,
    codecs::{jpeg::JpegEncoder, png::PngEncoder},
};
use moxcms::ColorProfile;

use super::*;
use samples::*;

#[test]
fn every_format_is_stored_as_promised() {
    for (name, bytes) in all_kinds() {
        let header = inspect(&bytes).unwrap();
        let picture = reencode(&bytes).unwrap();
        let (expected, size) = match name {
            "jpeg" => (Format::Jpeg, (90, 60)),
            "png" | "animated png" => (Format::Png, (90, 60)),
            "gif" => (Format::Png, (5, 4)),
            _ => (Format::Webp, (90, 60)),
        };
        assert_eq!(picture.format, expected, "{name}");
        assert_eq!((picture.width, picture.height), size, "{name}");
        assert_eq!((header.width, header.height), size, "{name}");
        assert_eq!(header.format, expected, "{name}");
        assert_eq!(inspect(&picture.bytes), Ok(header), "{name}");
        stored(&picture);
    }
}

#[test]
fn lossless_formats_keep_every_pixel_and_gray_stays_gray() {
    let images: [DynamicImage; 4] = [
        rgb(33, 21).into(),
        rgba(33, 21).into(),
        DynamicImage::from(rgb(33, 21)).to_luma8().into(),
        DynamicImage::from(rgba(33, 21)).to_luma_alpha8().into(),
    ];
    for image in images {
        assert_eq!(stored(&reencode(&png(image.clone())).unwrap()), image);
        if image.color().has_color() {
            let picture = reencode(&lossless_webp(image.clone())).unwrap();
            assert_eq!(stored(&picture), image);
            assert_eq!(&picture.bytes[12..16], b"VP8L");
        }
    }
    let deep = DynamicImage::from(rgb(33, 21)).to_rgb16();
    assert_eq!(stored(&reencode(&png(deep)).unwrap()), rgb(33, 21).into());
    let gray = DynamicImage::from(rgb(33, 21)).to_luma8();
    let gray = stored(&reencode(&jpeg(gray)).unwrap());
    assert_eq!(gray.color(), image::ColorType::L8);
}

#[test]
fn lossy_webp_stays_lossy_and_keeps_its_alpha_channel() {
    let opaque = reencode(&lossy_webp(rgb(64, 48))).unwrap();
    assert_eq!(&opaque.bytes[12..16], b"VP8 ");
    let picture = reencode(&lossy_webp(rgba(64, 48))).unwrap();
    assert!(contains(&picture.bytes, b"VP8 ") && !contains(&picture.bytes, b"VP8L"));
    // libwebp reads it too.
    let decoded = webp::Decoder::new(&picture.bytes).decode().unwrap();
    let decoded = decoded.to_vec();
    for (pixel, original) in decoded.chunks(4).zip(rgba(64, 48).pixels()) {
        assert_eq!(pixel[3], original.0[3]);
    }
    assert_eq!(
        stored(&picture).to_rgba8().pixels().map(|p| p.0[3]).collect::<Vec<_>>(),
        decoded.chunks(4).map(|p| p[3]).collect::<Vec<_>>()
    );
}

#[test]
fn u01_polyglots_lose_their_tail() {
    let tail = b"PK\x03\x04<script>alert(1)</script><?php evil(); ?>";
    for (name, bytes) in all_kinds() {
        let clean = reencode(&bytes).unwrap();
        let picture = reencode(&[&bytes[..], tail].concat()).unwrap();
        assert_eq!(picture, clean, "{name}");
    }
    let script = jpeg_with(jpeg(rgb(8, 8)), 0xfe, b"<?php evil(); ?>");
    assert!(!contains(&reencode(&script).unwrap().bytes, b"php"));
    let mut script = gif(1);
    let end = script.len() - 1;
    script.splice(end..end, *b"\x21\xfe\x0c*/alert(1)//\0");
    assert!(!contains(&reencode(&script).unwrap().bytes, b"alert"));
}

#[test]
fn u02_other_types_are_refused_by_their_bytes() {
    let others: [&[u8]; 16] = [
        b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>",
        b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>",
        b"<!doctype html><html></html>",
        b"%PDF-1.7 1 0 obj",
        b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0",
        b"\0\0\0\x1cftypavif\0\0\0\0avifmif1",
        b"II\x2a\0\x08\0\0\0\0\0\0\0\0\0",
        b"BM\x3a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0",
        b"\0\0\x01\0\x01\0\x10\x10\0\0\x01\0\x20\0",
        b"v/1\x01\x02\0\0\0channels\0",
        b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n",
        b"\0\0\x02\0\0\0\0\0\0\0\0\0\x01\0\x01\0\x18\0",
        b"P6\n1 1\n255\n\0\0\0\0\0",
        b"\xff\x0a\xfa\x1f\x01\x91\x08\x06\x01\0\0\0",
        b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0",
        b"just some text that is long enough",
    ];
    for bytes in others {
        assert_eq!(reencode(bytes), Err(Refused::UnsupportedType), "{bytes:?}");
    }
    let arithmetic = jpeg_with(jpeg(rgb(8, 8)), 0xc9, b"\x08\0\x08\0\x08\x01\x01\x11\0");
    assert_eq!(reencode(&arithmetic), Err(Refused::UnsupportedType));
}

#[test]
fn u03_decompression_bombs_are_refused_from_the_header() {
    // Nothing follows these headers, so nothing can have been decoded.
    let sof = |height: u16, width: u16| {
        let (height, width) = (height.to_be_bytes(), width.to_be_bytes());
        let frame = [&[8], &height[..], &width, &[1, 1, 0x11, 0]].concat();
        jpeg_with(b"\xff\xd8\xff\xd9".to_vec(), 0xc0, &frame)
    };
    let screen = *b"GIF89a\xff\xff\xff\x7f\0\0\0\x21\xf9\x04\0\0\0\0\0\x2c\0\0\0\0\xff\xff\xff\x7f\0\0";
    let vp8 = b"\x10\0\0\x9d\x01\x2a\xff\x3f\xff\x3f";
    let bombs = [
        png_header(30_000, 30_000),
        png_header(u32::MAX, u32::MAX),
        png_header(MAX_SIDE + 1, 1),
        sof(65_500, 65_500),
        screen.to_vec(),
        extended_webp(0, (1 << 24, 1 << 24), &[]),
        riff_chunk(b"RIFF", &[b"WEBP", &riff_chunk(b"VP8 ", vp8)[..]].concat()),
        riff_chunk(b"RIFF", &[b"WEBP", &riff_chunk(b"VP8L", b"\x2f\xff\xff\xff\x0f")[..]].concat()),
    ];
    for bomb in bombs {
        assert_eq!(inspect(&bomb), Err(Refused::TooLarge), "{:?}", &bomb[..16.min(bomb.len())]);
        assert_eq!(reencode(&bomb), Err(Refused::TooLarge));
    }
    assert_eq!(inspect(&vec![0; MAX_BYTES + 1]), Err(Refused::TooLarge));
}

#[test]
fn u03_a_second_size_inside_the_file_is_refused() {
    let frame = b"\x08\xff\xff\xff\xff\x03\x01\x11\0\x02\x11\0\x03\x11\0";
    for marker in [0xc0, 0xc1, 0xc2] {
        assert!(reencode(&jpeg_with(jpeg(rgb(8, 8)), marker, frame)).is_err());
    }
    let small = b"\x08\0\x08\0\x08\x03\x01\x11\0\x02\x11\0\x03\x11\0";
    let twice = jpeg_with(jpeg(rgb(8, 8)), 0xc0, small);
    assert_eq!(reencode(&twice), Err(Refused::Broken));

    // A bitstream of 16383x16383 pixels in a canvas and in a frame of 90x60.
    let vp8 = riff_chunk(b"VP8 ", b"\x10\0\0\x9d\x01\x2a\xff\x3f\xff\x3f");
    let still = extended_webp(0, (90, 60), &vp8);
    assert_eq!(inspect(&still), Err(Refused::TooLarge));
    let animated = animated_webp(1, &[&[0; 12], &vp8[..]].concat());
    assert_eq!(inspect(&animated), Err(Refused::TooLarge));
    let other = extended_webp(0, (90, 61), &lossless_webp(rgb(90, 60))[12..]);
    assert_eq!(inspect(&other), Err(Refused::Broken));

    let mut frame = gif(1);
    let descriptor = frame.windows(10).position(|w| w == [0x2c, 0, 0, 0, 0, 5, 0, 4, 0, w[9]]);
    let descriptor = descriptor.unwrap();
    frame[descriptor + 5..descriptor + 9].fill(0xff);
    assert_eq!(inspect(&frame), Err(Refused::Broken));
}

#[test]
fn u03_text_and_profiles_that_inflate_are_not_inflated() {
    let bomb = {
        // A stored row of zeros compresses to almost nothing: the pixels of a large black PNG.
        let black = png(image::GrayImage::new(8_000, 4_000));
        let data = black.windows(4).position(|window| window == b"IDAT").unwrap();
        let length = u32::from_be_bytes(black[data - 4..data].try_into().unwrap());
        black[data + 4..][..length as usize].to_vec()
    };
    let plain = reencode(&png(rgb(90, 60))).unwrap();
    for name in [b"iCCP", b"zTXt"] {
        let data = [b"name\0\0", &bomb[..]].concat();
        let bytes = png_with(png(rgb(90, 60)), name, &data);
        assert_eq!(reencode(&bytes).unwrap(), plain);
    }
}

#[test]
fn u04_of_ten_thousand_frames_only_the_first_is_decoded() {
    let first = |bytes: &[u8]| stored(&reencode(bytes).unwrap()).to_rgba8();
    let still = DynamicImage::from(rgb(90, 60)).to_rgba8();
    assert_eq!(first(&animated_png(10_000)), still);
    assert_eq!(first(&animated_webp(10_000, &lossless_webp(rgb(90, 60)))), still);
    let red = first(&gif(10_000));
    assert!(red.pixels().all(|pixel| pixel.0 == [255, 0, 0, 255]));
}

#[test]
fn u05_too_many_scans_are_refused() {
    let bytes = jpeg(rgb(90, 60));
    let scan = bytes.windows(2).position(|pair| pair == [0xff, 0xda]).unwrap();
    let (head, scan) = (&bytes[..scan], &bytes[scan..bytes.len() - 2]);
    let with_scans = |count| [head, &scan.repeat(count), &[0xff, 0xd9]].concat();
    assert!(inspect(&with_scans(4)).is_ok());
    assert_eq!(inspect(&with_scans(5)), Err(Refused::Broken));
    let progressive = |count| {
        let mut bytes = with_scans(count);
        let frame = bytes.windows(2).position(|pair| pair == [0xff, 0xc0]);
        bytes[frame.unwrap() + 1] = 0xc2;
        bytes
    };
    assert!(inspect(&progressive(probe::MAX_SCANS)).is_ok());
    assert_eq!(inspect(&progressive(probe::MAX_SCANS + 1)), Err(Refused::Broken));
    assert_eq!(reencode(&progressive(1_000)), Err(Refused::Broken));
}

#[test]
fn u06_what_is_cut_is_broken() {
    for (name, bytes) in all_kinds() {
        for length in (0..10).map(|tenth| bytes.len() * tenth / 10) {
            let cut = reencode(&bytes[..length]);
            assert_eq!(cut, Err(Refused::Broken), "{name} cut at {length} of {}", bytes.len());
        }
        let last = reencode(&bytes[..bytes.len() - 1]);
        assert_eq!(last, Err(Refused::Broken), "{name} without its last byte");
    }
    for bytes in [&b""[..], b"\xff", b"G", b"x"] {
        assert_eq!(reencode(bytes), Err(Refused::Broken));
    }
}

#[test]
fn u06_every_checksum_of_a_png_counts() {
    let bytes = png_with(png(rgb(90, 60)), b"tEXt", b"a\0b");
    let mut at = 8;
    while at < bytes.len() {
        let length = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let checksum = at + 8 + length;
        let mut damaged = bytes.clone();
        damaged[checksum] ^= 1;
        assert_eq!(reencode(&damaged), Err(Refused::Broken), "chunk at {at}");
        at = checksum + 4;
    }
}

#[test]
fn u06_noise_behind_a_good_header_is_broken() {
    let seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut state = seed;
    let mut noise = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    for (name, bytes) in all_kinds() {
        for round in 0..20 {
            let mut damaged = bytes.clone();
            // Before the pixels in every format, and behind the dimensions.
            let from = if name == "jpeg" { 200 } else { 33 };
            damaged[from..].fill_with(&mut noise);
            let result = reencode(&damaged);
            if name.starts_with("loss") {
                continue; // WebP has no checksums: noise is a picture of noise, or broken
            }
            assert_eq!(result, Err(Refused::Broken), "{name}, seed {seed:#x}, round {round}");
        }
    }
}

#[test]
fn u07_no_metadata_is_left() {
    let text = [b"Comment\0", SECRET].concat();
    let exif_segment = [b"Exif\0\0", &exif(1)[..]].concat();
    let xmp = [b"http://ns.adobe.com/xap/1.0/\0", SECRET].concat();
    let iptc = [b"Photoshop 3.0\0", SECRET].concat();
    let mut photo = jpeg(rgb(90, 60));
    for (marker, data) in [(0xe1, exif_segment), (0xe1, xmp), (0xed, iptc), (0xfe, text.clone())] {
        photo = jpeg_with(photo, marker, &data);
    }
    let mut shot = png(rgb(90, 60));
    for (name, data) in [(b"tEXt", text), (b"eXIf", exif(1)), (b"prVt", SECRET.to_vec())] {
        shot = png_with(shot, name, &data);
    }
    let still = &lossless_webp(rgb(90, 60))[12..];
    let chunks = [still, &riff_chunk(b"EXIF", &exif(1)), &riff_chunk(b"XMP ", SECRET)].concat();
    let webp = extended_webp(0b1100, (90, 60), &chunks);
    for bytes in [photo, shot, webp] {
        assert!(contains(&bytes, SECRET));
        let picture = reencode(&bytes).unwrap();
        assert!(!contains(&picture.bytes, SECRET));
        for mark in [&b"Exif"[..], b"eXIf", b"EXIF", b"XMP ", b"tEXt", b"iCCP", b"ICC_PROFILE"] {
            assert!(!contains(&picture.bytes, mark), "{:?}", picture.format);
        }
    }
}

#[test]
fn u07_all_orientations_are_burned_in() {
    let color = |right, bottom| match (right, bottom) {
        (false, false) => [255, 0, 0],
        (true, false) => [0, 255, 0],
        (false, true) => [0, 0, 255],
        (true, true) => [255, 255, 255],
    };
    let image = RgbImage::from_fn(32, 16, |x, y| Rgb(color(x >= 16, y >= 8)));
    // The corners of the file, right and bottom, that EXIF wants to be seen top left and top right.
    let shown = [
        ((false, false), (true, false)),
        ((true, false), (false, false)),
        ((true, true), (false, true)),
        ((false, true), (true, true)),
        ((false, false), (false, true)),
        ((false, true), (false, false)),
        ((true, true), (true, false)),
        ((true, false), (true, true)),
    ];
    for (orientation, (top_left, top_right)) in (1_u8..).zip(shown) {
        let tiff = exif(orientation);
        let segment = [b"Exif\0\0", &tiff[..]].concat();
        let still = &lossless_webp(image.clone())[12..];
        let chunks = [still, &riff_chunk(b"EXIF", &tiff)].concat();
        let files = [
            jpeg_with(jpeg(image.clone()), 0xe1, &segment),
            png_with(png(image.clone()), b"eXIf", &tiff),
            extended_webp(0b1000, (32, 16), &chunks),
        ];
        for file in files {
            let picture = reencode(&file).unwrap();
            let turned = stored(&picture).to_rgb8();
            let expected = if orientation < 5 { (32, 16) } else { (16, 32) };
            assert_eq!(turned.dimensions(), expected, "orientation {orientation}");
            let is_shown_at = |corner, corner_of_file: (bool, bool)| {
                let (right, bottom): (bool, bool) = corner;
                let x = if right { turned.width() - 3 } else { 2 };
                let y = if bottom { turned.height() - 3 } else { 2 };
                let (found, wanted) = (turned[(x, y)].0, color(corner_of_file.0, corner_of_file.1));
                found.iter().zip(wanted).all(|(a, b)| a.abs_diff(b) < 40)
            };
            assert!(is_shown_at((false, false), top_left), "orientation {orientation}");
            assert!(is_shown_at((true, false), top_right), "orientation {orientation}");
        }
    }
}

#[test]
fn colours_are_converted_from_an_embedded_profile() {
    let image = RgbImage::from_pixel(16, 16, Rgb([200, 60, 40]));
    let profile = ColorProfile::new_display_p3().encode().unwrap();
    let mut bytes = Vec::new();
    let mut encoder = PngEncoder::new(&mut bytes);
    encoder.set_icc_profile(profile.clone()).unwrap();
    DynamicImage::from(image.clone()).write_with_encoder(encoder).unwrap();
    let mut photo = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut photo, 95);
    encoder.set_icc_profile(profile.clone()).unwrap();
    DynamicImage::from(image.clone()).write_with_encoder(encoder).unwrap();
    let chunks = [&riff_chunk(b"ICCP", &profile)[..], &lossless_webp(image)[12..]].concat();
    for bytes in [bytes, photo, extended_webp(0b10_0000, (16, 16), &chunks)] {
        let [red, green, blue] = stored(&reencode(&bytes).unwrap()).to_rgb8()[(8, 8)].0;
        // Display P3 (200, 60, 40) is sRGB (217, 42, 23).
        let near = [(red, 217), (green, 42), (blue, 23)].map(|(is, should)| is.abs_diff(should) < 4);
        assert_eq!(near, [true; 3], "{red} {green} {blue}");
    }
}

#[test]
fn a_profile_that_does_not_fit_is_ignored() {
    let plain = reencode(&png(rgb(16, 16))).unwrap();
    for profile in [b"not a profile".to_vec(), vec![0; 5_000]] {
        let mut bytes = Vec::new();
        let mut encoder = PngEncoder::new(&mut bytes);
        encoder.set_icc_profile(profile).unwrap();
        DynamicImage::from(rgb(16, 16)).write_with_encoder(encoder).unwrap();
        assert_eq!(reencode(&bytes).unwrap(), plain);
    }
}

#[tokio::test]
async fn the_budget_lets_everyone_through() {
    let budget = DecodeBudget::new();
    let small = png(rgb(90, 60));
    let large = png(image::GrayImage::new(6_000, 5_000));
    let mut tasks = tokio::task::JoinSet::new();
    for bytes in [&large, &small, &large, &small] {
        let (budget, bytes) = (budget.clone(), bytes.clone());
        tasks.spawn(async move { budget.reencode(bytes).await });
    }
    while let Some(result) = tasks.join_next().await {
        result.unwrap().unwrap();
    }
    assert_eq!(budget.reencode(Vec::new()).await, Err(Refused::Broken));
}
