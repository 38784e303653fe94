//! Files that are not what they say, or more than they seem.

use axum::http::Method;
use image::ImageFormat;

use super::{CREATE, Target};
use crate::support::{form::FormData, on_each_database, pictures};

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

on_each_database! {
    async fn u01_polyglots_are_served_as_pixels_alone(app: TestApp) {
        let target = Target::new(app).await;
        let tail = b"PK\x03\x04<html><script>alert(1)</script><?php evil(); ?>";
        let mut gif = pictures::gif(1);
        let end = gif.len() - 1;
        gif.splice(end..end, *b"\x21\xfe\x0c*/alert(1)//\0");
        for file in [
            [&pictures::png()[..], tail].concat(),
            [&pictures::jpeg()[..], tail].concat(),
            [&pictures::webp()[..], tail].concat(),
            pictures::jpeg_with(pictures::jpeg(), 0xfe, b"<?php evil(); ?>"),
            pictures::png_with(pictures::png(), b"tEXt", b"Comment\0<script>alert(1)</script>"),
            gif,
        ] {
            let served = target.takes(&file).await;
            for trace in [&b"PK\x03\x04"[..], b"script", b"php", b"alert"] {
                assert!(!contains(&served, trace));
            }
        }
        target.unharmed().await;
    }

    async fn u02_other_types_are_refused_whatever_they_are_called(app: TestApp) {
        let target = Target::new(app).await;
        let svg: &[u8] = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script><foreignObject/></svg>";
        let others: [&[u8]; 15] = [
            svg,
            b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><svg>&b;</svg>",
            b"<!doctype html><html><script>alert(1)</script></html>",
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
            b"just some text that is long enough",
        ];
        for file in others {
            target.refuses(file, 415, "unsupported_image_type").await;
        }
        // The client's word for it counts for nothing, in either direction.
        let image = |kind: &str, name: &str, bytes: &[u8]| {
            let head = format!("Content-Disposition: form-data; name=\"images\"; filename=\"{name}\"\r\nContent-Type: {kind}");
            FormData::new().text("title", "t").text("content", "c").part(&head, bytes)
        };
        let refused = target.author.form(Method::POST, CREATE, image("image/png", "a.png", svg)).await;
        refused.refused(415, "unsupported_image_type");
        let taken = target.author.form(Method::POST, CREATE, image("text/html", "a.html", &pictures::png())).await;
        let feed = taken.expect(200);
        assert!(feed["image_urls"][0].as_str().unwrap().ends_with(".png"));
        target.author.delete(&format!("/api/feed/delete/{}", feed["id"])).await.expect(200);
        target.unharmed().await;
    }

    async fn u03_decompression_bombs_are_refused(app: TestApp) {
        let target = Target::new(app).await;
        let gif = b"GIF89a\xff\xff\xff\x7f\0\0\0\x21\xf9\x04\0\0\0\0\0\x2c\0\0\0\0\xff\xff\xff\x7f\0\0";
        for bomb in [
            &pictures::png_header(30_000, 30_000)[..],
            &pictures::png_header(u32::MAX, u32::MAX),
            &pictures::jpeg_header(65_500, 65_500),
            gif,
        ] {
            target.refuses(bomb, 413, "image_too_large").await;
        }
        // Megabytes of the same byte in a profile and in a text: never inflated.
        let large = pictures::picture(ImageFormat::Png, 2_500, 2_500);
        let data = large.windows(4).position(|window| window == b"IDAT").unwrap() + 4;
        let length = u32::from_be_bytes(large[data - 8..data - 4].try_into().unwrap()) as usize;
        for name in [b"iCCP", b"zTXt"] {
            let chunk = [b"name\0\0", &large[data..data + length]].concat();
            let served = target.takes(&pictures::png_with(pictures::png(), name, &chunk)).await;
            assert!(!contains(&served, name));
        }
        target.unharmed().await;
    }

    async fn u04_of_an_animation_the_first_frame_is_kept(app: TestApp) {
        let target = Target::new(app).await;
        let served = target.takes(&pictures::gif(10_000)).await;
        assert!(served.starts_with(b"\x89PNG") && served.len() < 1_000);
        target.unharmed().await;
    }

    async fn u05_slow_pictures_are_refused(app: TestApp) {
        let target = Target::new(app).await;
        target.refuses(&pictures::jpeg_of_scans(1_000), 422, "broken_image").await;
        target.unharmed().await;
    }

    async fn u06_what_is_cut_or_damaged_is_broken(app: TestApp) {
        let target = Target::new(app).await;
        for whole in [pictures::png(), pictures::jpeg(), pictures::webp(), pictures::gif(2)] {
            for tenth in 0..10 {
                target.refuses(&whole[..whole.len() * tenth / 10], 422, "broken_image").await;
            }
        }
        let mut damaged = pictures::png();
        let last = damaged.len() - 1;
        damaged[last] ^= 1;
        target.refuses(&damaged, 422, "broken_image").await;
        target.refuses(b"x", 422, "broken_image").await;
        let mut noise = pictures::png();
        noise[40..].fill(0xa5);
        target.refuses(&noise, 422, "broken_image").await;
        // One bad file among good ones refuses them all.
        let form = FormData::new().text("title", "t").text("content", "c");
        let form = form.files("images", &[pictures::png(), damaged, pictures::png()]);
        target.author.form(Method::POST, CREATE, form).await.refused(422, "broken_image");
        target.unharmed().await;
    }

    async fn u07_what_a_camera_wrote_is_not_served(app: TestApp) {
        let target = Target::new(app).await;
        let secret = b"GPS 37.5665 126.9780";
        let exif = [b"Exif\0\0", &pictures::exif(6, secret)[..]].concat();
        let xmp = [b"http://ns.adobe.com/xap/1.0/\0", &secret[..]].concat();
        let photo = pictures::jpeg_with(pictures::jpeg_with(pictures::jpeg(), 0xe1, &xmp), 0xe1, &exif);
        let text = [b"Comment\0", &secret[..]].concat();
        let shot = pictures::png_with(pictures::png(), b"tEXt", &text);
        let shot = pictures::png_with(shot, b"eXIf", &pictures::exif(6, secret));
        for (file, upright) in [(photo, (12, 16)), (shot, (6, 8))] {
            assert!(contains(&file, secret));
            let served = target.takes(&file).await;
            assert!(!contains(&served, secret));
            let image = image::load_from_memory(&served).unwrap();
            assert_eq!((image.width(), image.height()), upright, "turned as its EXIF data said");
            let [create, update] = target.upload(&file).await;
            let (create, update) = (create.expect(200), update.expect(200));
            assert_eq!((&create["images"][0]["width"], &create["images"][0]["height"]), (&upright.0.into(), &upright.1.into()));
            target.author.delete(&format!("/api/feed/delete/{}", create["id"])).await.expect(200);
            let form = FormData::new().text("title", "t").text("content", "c");
            let form = form.text("target_image_urls", update["image_urls"][1].as_str().unwrap());
            target.author.form(Method::PATCH, &target.update(), form).await.expect(200);
        }
        target.unharmed().await;
    }

    async fn u08_names_of_files_are_used_for_nothing(app: TestApp) {
        let target = Target::new(app).await;
        let long = "x".repeat(5_000);
        for name in [
            "../../../../etc/passwd",
            "..\\\\..\\\\windows\\\\system32",
            "/etc/passwd",
            "C:\\\\fakepath\\\\a.png",
            "a.png\u{202e}gnp.exe",
            "con.png",
            ".htaccess",
            "a.php%00.png",
            "<script>alert(1)</script>.png",
            "'; drop table images; --",
            "가나다.png",
            &long,
        ] {
            let [create, update] = target.upload_as(&pictures::png(), name).await;
            let (create, update) = (create.expect(200), update.expect(200));
            for url in [&create["image_urls"][0], &update["image_urls"][1]] {
                let name = url.as_str().unwrap().strip_prefix("http://board.test/images/").unwrap();
                let key = name.strip_suffix(".png").unwrap();
                assert!(key.len() == 32 && key.bytes().all(|c| c.is_ascii_hexdigit()), "{url}");
            }
            target.author.delete(&format!("/api/feed/delete/{}", create["id"])).await.expect(200);
            let form = FormData::new().text("title", "t").text("content", "c");
            let form = form.text("target_image_urls", update["image_urls"][1].as_str().unwrap());
            target.author.form(Method::PATCH, &target.update(), form).await.expect(200);
        }
        // What is no header is no part.
        let raw = [
            "form-data; name=images; filename=\"a\0.png\"",
            "form-data; name=images; filename=\"a\r\nX-Injected: 1\"",
            "form-data; name=images; filename=\"unfinished",
            "form-data; filename=\"no name\"",
            "attachment; name=images; filename=a",
        ];
        for disposition in raw {
            let form = FormData::new().text("title", "t").text("content", "c");
            let form = form.part(&format!("Content-Disposition: {disposition}"), &pictures::png());
            target.author.form(Method::POST, CREATE, form).await.refused(400, "broken_body");
        }
        let extended = "Content-Disposition: form-data; name=images; filename*=UTF-8''%2e%2e%2fa.png";
        let form = FormData::new().text("title", "t").text("content", "c").part(extended, &pictures::png());
        let feed = target.author.form(Method::POST, CREATE, form).await.expect(200);
        assert_eq!(feed["image_urls"].as_array().unwrap().len(), 1);
        target.author.delete(&format!("/api/feed/delete/{}", feed["id"])).await.expect(200);
        target.unharmed().await;
    }
}
