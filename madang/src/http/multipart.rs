//! A streaming reader of `multipart/form-data` whose memory and work are bounded by construction.
//!
//! It holds one frame of the body and at most one header block. The ready-made parsers buffer preambles and part headers
//! without a bound and look through them again from the start with every frame.

use axum::body::{Body, Bytes};
use bytes::{Buf, BytesMut};
use memchr::memmem::{self, Finder};

use super::body::next_piece;
use crate::error::{Code, Error, Result};

/// Bytes that may stand before the first boundary.
const PREAMBLE_LIMIT: usize = 1024;
/// Bytes that may stand after the last boundary; they are read, so that the connection can be used again.
const EPILOGUE_LIMIT: usize = 16 * 1024;
/// Bytes of one part's headers.
const HEADERS_LIMIT: usize = 16 * 1024;
/// Headers of one part.
const HEADER_COUNT: usize = 32;
/// Characters of a boundary (RFC 2046, 5.1.1).
const BOUNDARY_LIMIT: usize = 70;

/// What a part's headers say of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub name: String,
    /// `None` for a text; a file's name is used for nothing but to tell whether one was chosen.
    pub filename: Option<String>,
}

#[derive(PartialEq, Eq)]
enum Stage {
    Preamble,
    Data,
    /// Just behind a boundary.
    Boundary,
}

pub(super) struct Multipart {
    body: Body,
    /// Bytes the body may still deliver.
    allowance: u64,
    buffer: BytesMut,
    /// CRLF, two hyphens, the boundary.
    delimiter: Finder<'static>,
    stage: Stage,
}

impl Multipart {
    pub(super) fn new(body: Body, boundary: &str, limit: u64) -> Self {
        let delimiter = Finder::new(format!("\r\n--{boundary}").as_bytes()).into_owned();
        // With a line end before the body's first byte, the first boundary looks like every other.
        Self { body, allowance: limit, buffer: BytesMut::from("\r\n"), delimiter, stage: Stage::Preamble }
    }

    /// The next part, `None` after the last. What is left of the current one is skipped.
    pub(super) async fn next_part(&mut self) -> Result<Option<Part>> {
        if self.stage == Stage::Preamble {
            self.skip_preamble().await?;
        }
        while self.stage == Stage::Data {
            self.next_data().await?;
        }
        self.need(2).await?;
        if self.buffer.starts_with(b"--") {
            self.skip_epilogue().await?;
            return Ok(None);
        }
        let block = self.header_block().await?;
        self.stage = Stage::Data;
        parse_part(&block).map(Some).ok_or_else(|| Code::BrokenBody.into())
    }

    /// The next bytes of the current part, `None` at its end.
    pub(super) async fn next_data(&mut self) -> Result<Option<Bytes>> {
        while self.stage == Stage::Data {
            if let Some(end) = self.delimiter.find(&self.buffer) {
                let data = self.buffer.split_to(end).freeze();
                self.behind_delimiter();
                return Ok((!data.is_empty()).then_some(data));
            }
            // The tail may be the beginning of a delimiter.
            let safe = self.buffer.len().saturating_sub(self.delimiter.needle().len() - 1);
            if safe > 0 {
                return Ok(Some(self.buffer.split_to(safe).freeze()));
            }
            self.need_more().await?;
        }
        Ok(None)
    }

    async fn skip_preamble(&mut self) -> Result<()> {
        loop {
            let window = self.buffer.len().min(PREAMBLE_LIMIT + self.delimiter.needle().len());
            if let Some(start) = self.delimiter.find(&self.buffer[..window]) {
                self.buffer.advance(start);
                self.behind_delimiter();
                return Ok(());
            }
            if window < self.buffer.len() {
                return Err(Code::BrokenBody.into());
            }
            self.need_more().await?;
        }
    }

    /// The rest of the boundary's line and the headers, from the line's end to the empty line.
    async fn header_block(&mut self) -> Result<Bytes> {
        let mut seen = 0_usize;
        loop {
            // Only what is new is searched, and the three bytes in which a terminator may have begun.
            let from = seen.saturating_sub(3);
            if let Some(end) = memmem::find(&self.buffer[from..], b"\r\n\r\n") {
                let block = self.buffer.split_to(from + end + 4).freeze();
                if block.len() > HEADERS_LIMIT {
                    return Err(Code::BrokenBody.into());
                }
                return Ok(block);
            }
            seen = self.buffer.len();
            if seen > HEADERS_LIMIT {
                return Err(Code::BrokenBody.into());
            }
            self.need_more().await?;
        }
    }

    async fn skip_epilogue(&mut self) -> Result<()> {
        let mut skipped = self.buffer.len();
        self.buffer.clear();
        while skipped <= EPILOGUE_LIMIT {
            if !self.fill().await? {
                return Ok(());
            }
            skipped += self.buffer.len();
            self.buffer.clear();
        }
        Err(Code::BrokenBody.into())
    }

    fn behind_delimiter(&mut self) {
        self.buffer.advance(self.delimiter.needle().len());
        self.stage = Stage::Boundary;
    }

    async fn need(&mut self, bytes: usize) -> Result<()> {
        while self.buffer.len() < bytes {
            self.need_more().await?;
        }
        Ok(())
    }

    async fn need_more(&mut self) -> Result<()> {
        if self.fill().await? { Ok(()) } else { Err(Code::BrokenBody.into()) }
    }

    /// Takes one more frame; false at the end of the body.
    async fn fill(&mut self) -> Result<bool> {
        let Some(piece) = next_piece(&mut self.body).await? else { return Ok(false) };
        self.allowance =
            self.allowance.checked_sub(piece.len() as u64).ok_or_else(|| Error::from(Code::BodyTooLarge))?;
        self.buffer.extend_from_slice(&piece);
        Ok(true)
    }
}

/// The boundary that a `multipart/form-data` content type names.
pub(super) fn boundary(content_type: &str) -> Option<String> {
    let (_, mut parameters) = header_value(content_type)?;
    let at = parameters.iter().position(|(name, _)| name == "boundary")?;
    let boundary = parameters.swap_remove(at).1;
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    let good =
        (1..=BOUNDARY_LIMIT).contains(&boundary.len()) && boundary.bytes().all(legal) && !boundary.ends_with(' ');
    good.then_some(boundary)
}

/// Reads the block that [`Multipart::header_block`] found: padding of the boundary's line, then headers.
fn parse_part(block: &[u8]) -> Option<Part> {
    let headers = block.trim_ascii_start();
    let padding = &block[..block.len() - headers.len()];
    if padding.strip_suffix(b"\r\n")?.iter().any(|byte| !b" \t".contains(byte)) {
        return None;
    }
    let mut slots = [httparse::EMPTY_HEADER; HEADER_COUNT];
    let httparse::Status::Complete((_, headers)) = httparse::parse_headers(headers, &mut slots).ok()? else {
        return None;
    };
    let disposition = headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-disposition"))?;
    let (kind, parameters) = header_value(std::str::from_utf8(disposition.value).ok()?)?;
    if kind != "form-data" {
        return None;
    }
    let (mut part_name, mut filename) = (None, None);
    for (name, value) in parameters {
        match name.as_str() {
            "name" => part_name = Some(value),
            "filename" | "filename*" => filename = Some(value),
            _ => {}
        }
    }
    Some(Part { name: part_name?, filename })
}

/// Splits `main; name=value; name="quoted"` into the lower-cased main value and its parameters.
pub(super) fn header_value(text: &str) -> Option<(String, Vec<(String, String)>)> {
    let (main, mut rest) = text.split_once(';').unwrap_or((text, ""));
    let mut parameters = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ';']);
        if rest.is_empty() {
            return Some((main.trim().to_ascii_lowercase(), parameters));
        }
        let (name, after) = rest.split_once('=')?;
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let (token, after) = after.split_at(after.find(';').unwrap_or(after.len()));
                (token.trim().to_owned(), after)
            }
        };
        parameters.push((name.trim().to_ascii_lowercase(), value));
        rest = after;
    }
}

/// Reads up to the closing quote. Only `\"` and `\\` are escapes: old browsers send Windows paths as they are.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match characters.next_if(|(_, next)| matches!(next, '"' | '\\')) {
                Some((_, escaped)) => value.push(escaped),
                None => value.push('\\'),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;

    type Parts = Vec<(String, Option<String>, Vec<u8>)>;

    async fn read(bytes: &[u8], frame: usize) -> Result<Parts> {
        let frames: Vec<_> = bytes.chunks(frame).map(|f| Ok::<_, std::io::Error>(Bytes::copy_from_slice(f))).collect();
        let mut multipart = Multipart::new(Body::from_stream(stream::iter(frames)), "XX", 10_000_000);
        let mut parts = Vec::new();
        while let Some(part) = multipart.next_part().await? {
            let mut data = Vec::new();
            while let Some(piece) = multipart.next_data().await? {
                data.extend_from_slice(&piece);
            }
            parts.push((part.name, part.filename, data));
        }
        Ok(parts)
    }

    const GOOD: &str = "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--X\r\n--XX \t\r\n\
        content-disposition: form-data; filename=\"x;\\\".png\"; name=b\r\nContent-Type: image/png\r\n\r\n\r\n--XX\r\n\
        Content-Disposition: form-data; name=\"\u{d55c}\"\r\n\r\n\r\n\r\n--XX--\r\nepilogue";

    #[tokio::test]
    async fn parts_are_the_same_however_the_body_is_framed() {
        let expected: Parts = vec![
            ("a".into(), None, b"1\r\n--X".into()),
            ("b".into(), Some("x;\".png".into()), vec![]),
            ("\u{d55c}".into(), None, b"\r\n".into()),
        ];
        for frame in 1..=GOOD.len() {
            assert_eq!(read(GOOD.as_bytes(), frame).await.unwrap(), expected, "frames of {frame}");
        }
    }

    #[tokio::test]
    async fn u12_a_body_cut_short_is_broken() {
        let end = GOOD.find("--XX--").unwrap() + 6;
        for cut in 0..end {
            assert_eq!(read(&GOOD.as_bytes()[..cut], 7).await.unwrap_err().code(), Code::BrokenBody, "cut at {cut}");
        }
        assert!(read(&GOOD.as_bytes()[..end], 7).await.is_ok());
    }

    #[tokio::test]
    async fn u11_u12_hostile_framing_is_broken() {
        let part = "Content-Disposition: form-data; name=\"a\"\r\n";
        let headers = |n: usize| format!("--XX\r\n{part}{}\r\n1\r\n--XX--\r\n", "X-A: b\r\n".repeat(n));
        let bad = [
            format!("{}--XX\r\n{part}\r\n1\r\n--XX--", "\r\n".repeat(600)),
            format!("{}\r\n--XX\r\n{part}\r\n1\r\n--XX--", "x".repeat(100_000)),
            format!("--XX\r\nX: {}\r\n{part}\r\n1\r\n--XX--", "x".repeat(20_000)),
            format!("--XX{}\r\n{part}\r\n1\r\n--XX--", " ".repeat(20_000)),
            format!("--XX\r\n{part}\r\n1\r\n--XX--{}", "x".repeat(20_000)),
            headers(32),
            GOOD.replace("\r\n", "\n"),
            format!("--XXY\r\n{part}\r\n1\r\n--XX--"),
            "--XX\r\n\r\n1\r\n--XX--".to_owned(),
            "--XX\r\nContent-Disposition: attachment; name=a\r\n\r\n1\r\n--XX--".to_owned(),
            "--XX\r\nContent-Disposition: form-data\r\n\r\n1\r\n--XX--".to_owned(),
            "--XX\r\nContent-Disposition: form-data; name=\"a\r\n\r\n1\r\n--XX--".to_owned(),
            String::new(),
        ];
        for (index, body) in bad.iter().enumerate() {
            for frame in [1, 4_096, 1 << 20] {
                let error = read(body.as_bytes(), frame).await.unwrap_err();
                assert_eq!(error.code(), Code::BrokenBody, "body {index}, frames of {frame}");
            }
        }
        assert!(read(headers(31).as_bytes(), 100).await.is_ok());
        assert!(read(b"--XX--", 1).await.unwrap().is_empty());
        assert!(read(format!("{}\r\n{GOOD}", "x".repeat(1_000)).as_bytes(), 3).await.is_ok());
    }

    #[test]
    fn u12_boundaries() {
        let long = format!("multipart/form-data; boundary={}", "b".repeat(71));
        for bad in [
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=\"a",
            &long,
            "multipart/form-data; boundary=a\u{e9}",
            "multipart/form-data; boundary=\"a\\\"b\"",
        ] {
            assert_eq!(boundary(bad), None, "{bad}");
        }
        assert_eq!(boundary("multipart/form-data; charset=x; Boundary=\"a b\""), Some("a b".to_owned()));
        assert_eq!(boundary("multipart/form-data;boundary=----WebKit7"), Some("----WebKit7".to_owned()));
    }

    #[test]
    fn u08_filenames_are_only_looked_at() {
        let part = |value: &str| parse_part(format!("\r\nContent-Disposition: form-data; {value}\r\n\r\n").as_bytes());
        let file = |filename: &str| Some(Part { name: "a".into(), filename: Some(filename.into()) });
        assert_eq!(part(r#"name="a"; filename="C:\x\y.png""#), file(r"C:\x\y.png"));
        assert_eq!(part(r#"name="a"; filename*=UTF-8''x"#), file("UTF-8''x"));
        assert_eq!(part(r#"name="a"; filename="""#), file(""));
        assert_eq!(part(r#"name=a"#), Some(Part { name: "a".into(), filename: None }));
    }
}
