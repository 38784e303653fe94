//! What people ask of a board.

use std::cell::Cell;

use image::{ImageBuffer, Rgb, codecs::jpeg::JpegEncoder};

const BOUNDARY: &str = "----overload-5d1c";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    List,
    Read,
    Comments,
    Post,
    Comment,
    Photo,
}

pub const KINDS: [Kind; 6] = [Kind::List, Kind::Read, Kind::Comments, Kind::Post, Kind::Comment, Kind::Photo];

/// Of a hundred requests, by [`KINDS`].
pub type Shares = [u32; 6];
/// A fifth are writes, a tenth of those with a photo.
pub const MIX: Shares = [50, 20, 10, 12, 6, 2];
/// The same without photos, each of which costs as much as hundreds of reads.
pub const TEXTS: Shares = [50, 20, 10, 13, 7, 0];
pub const LISTS: Shares = [100, 0, 0, 0, 0, 0];

/// Makes requests, the same ones in each run.
pub struct Work {
    shares: Shares,
    feeds: usize,
    tokens: Vec<String>,
    photos: Vec<Vec<u8>>,
    state: Cell<u64>,
}

impl Work {
    pub fn new(shares: Shares, feeds: usize, tokens: Vec<String>) -> Work {
        Work { shares, feeds, tokens, photos: (1..=4).map(photo).collect(), state: Cell::new(1) }
    }

    /// splitmix64.
    fn below(&self, bound: usize) -> usize {
        self.state.set(self.state.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        (mix(self.state.get()) % bound as u64) as usize
    }

    pub fn next(&self) -> (Kind, Vec<u8>) {
        let mut at = self.below(100) as u32;
        let chosen = KINDS.iter().zip(self.shares).find(|(_, share)| match at.checked_sub(*share) {
            Some(rest) => {
                at = rest;
                false
            }
            None => true,
        });
        let kind = *chosen.expect("shares of a hundred").0;
        let (feed, token) = (1 + self.below(self.feeds), &self.tokens[self.below(self.tokens.len())]);
        let request = match kind {
            Kind::List => get("/api/feed/list?limit=10"),
            Kind::Read => get(&format!("/api/feed/read/{feed}")),
            Kind::Comments => get(&format!("/api/comment/feed/{feed}")),
            Kind::Post => create(token, feed, None),
            Kind::Comment => {
                let body = format!("{{\"feed_id\":{feed},\"content\":\"댓글 {feed}\"}}");
                post("/api/comment/create", Some(token), "application/json", body.as_bytes())
            }
            Kind::Photo => create(token, feed, Some(&self.photos[self.below(self.photos.len())])),
        };
        (kind, request)
    }

    /// The size of a photo in bytes.
    pub fn photo_bytes(&self) -> usize {
        self.photos[0].len()
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: board.test\r\n\r\n").into_bytes()
}

pub fn post(path: &str, token: Option<&str>, content_type: &str, body: &[u8]) -> Vec<u8> {
    let token = token.map_or(String::new(), |token| format!("Authorization: Bearer {token}\r\n"));
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: board.test\r\n{token}Content-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// A feed, with a photo perhaps.
pub fn create(token: &str, number: usize, photo: Option<&[u8]>) -> Vec<u8> {
    let text = "오늘 마당에서 이야기를 나눴다. ".repeat(6);
    let part = |head: &str, bytes: &[u8]| {
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n");
        [head.as_bytes(), bytes, b"\r\n"].concat()
    };
    let mut body = part("name=\"title\"", format!("제목 {number}").as_bytes());
    body.extend(part("name=\"content\"", text.as_bytes()));
    if let Some(photo) = photo {
        body.extend(part("name=\"images\"; filename=\"photo.jpg\"", photo));
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    post("/api/feed/create", Some(token), &format!("multipart/form-data; boundary={BOUNDARY}"), &body)
}

/// A JPEG of 100 KB, as a phone makes them small to send them: waves, and the noise of a sensor.
fn photo(seed: u32) -> Vec<u8> {
    let wave = |x: u32, long: f32| ((x as f32 / long + seed as f32).sin() * 90.0 + 128.0) as u8;
    let picture = ImageBuffer::from_fn(960, 720, |x, y| {
        let noise = (mix(u64::from(seed) << 40 | u64::from(y) << 20 | u64::from(x)) % 14) as u8;
        Rgb([wave(x, 90.0), wave(y, 70.0), wave(x + y, 120.0)].map(|value| value.saturating_add(noise)))
    });
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 80).encode_image(&picture).expect("a JPEG");
    bytes
}
