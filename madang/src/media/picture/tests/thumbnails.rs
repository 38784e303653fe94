//! Thumbnails of what is stored.

use image::{GrayImage, Luma, Rgba, RgbaImage};

use super::*;

fn thumbnail_of(file: &[u8]) -> (Picture, DynamicImage) {
    let stored = reencode(file).unwrap();
    let small = thumbnail(&stored.bytes).unwrap();
    assert_eq!(small.format, stored.format);
    let decoded = super::stored(&small);
    (small, decoded)
}

#[test]
fn every_format_stays_what_it_is_and_webp_becomes_lossy() {
    let files = [
        (Format::Jpeg, jpeg(rgb(1_600, 900))),
        (Format::Png, png(rgb(1_600, 900))),
        (Format::Webp, lossy_webp(rgb(1_600, 900))),
        (Format::Webp, lossless_webp(rgb(1_600, 900))),
    ];
    for (format, file) in files {
        let (small, _) = thumbnail_of(&file);
        assert_eq!((small.format, small.width, small.height), (format, 640, 360));
        if format == Format::Webp {
            assert_eq!(&small.bytes[12..16], b"VP8 ");
        }
    }
}

#[test]
fn proportions_are_kept_down_to_one_pixel() {
    for (size, expected) in [
        ((1_280, 720), (640, 360)),
        ((641, 641), (640, 640)),
        ((700, 7_000), (640, 6_400)),
        ((9_999, 3), (640, 1)),
        ((65_535, 1), (640, 1)),
        ((640, 480), (640, 480)),
        ((3, 9_999), (3, 9_999)),
    ] {
        let (small, _) = thumbnail_of(&png(GrayImage::from_pixel(size.0, size.1, Luma([77]))));
        assert_eq!((small.width, small.height), expected);
    }
}

#[test]
fn colours_and_transparency_stay_what_they_are() {
    let gray = thumbnail_of(&png(GrayImage::from_pixel(1_000, 10, Luma([77])))).1;
    assert_eq!(gray, GrayImage::from_pixel(640, 6, Luma([77])).into());
    let plain = thumbnail_of(&png(RgbImage::from_pixel(1_000, 10, Rgb([200, 30, 90])))).1;
    assert_eq!(plain, RgbImage::from_pixel(640, 6, Rgb([200, 30, 90])).into());

    // What is invisible does not shine through at the edge of what is visible.
    let half =
        RgbaImage::from_fn(1_280, 20, |x, _| if x < 640 { Rgba([255, 0, 0, 255]) } else { Rgba([0, 255, 0, 0]) });
    for file in [png(half.clone()), lossless_webp(half)] {
        let small = thumbnail_of(&file).1.into_rgba8();
        assert_eq!((small.get_pixel(5, 5).0[3], small.get_pixel(630, 5).0[3]), (255, 0));
        let green = small.pixels().filter(|pixel| pixel.0[3] > 0).map(|pixel| pixel.0[1]).max().unwrap();
        assert!(green < 60, "{green}");
    }
}

#[tokio::test]
async fn what_encoding_made_longer_than_an_upload_has_a_thumbnail_too() {
    let mut state = 1_u32;
    let noise = RgbImage::from_fn(2_000, 1_800, |_, _| {
        state = state.wrapping_mul(0x9e37_79b1).wrapping_add(0x7f4a_7c15);
        Rgb([(state >> 8) as u8, (state >> 16) as u8, (state >> 24) as u8])
    });
    let file = png(noise);
    assert!(file.len() > MAX_BYTES);
    assert_eq!(reencode(&file), Err(Refused::TooLarge));
    let small = DecodeBudget::new().thumbnail(file).await.unwrap();
    assert_eq!((small.width, small.height), (640, 576));
}

#[test]
fn damage_is_refused() {
    for damaged in [&b""[..], b"no picture", &png(rgb(700, 20))[..500]] {
        assert!(thumbnail(damaged).is_err());
    }
}
