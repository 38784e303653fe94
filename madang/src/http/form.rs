//! Forms: `application/x-www-form-urlencoded` and `multipart/form-data`, read as a stream.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use serde_json::{Map, Value};

use super::body::{Reservation, admit, read_all};
use super::input::{Document, Source};
use super::multipart::{Multipart, Part, boundary, header_value};
use super::query::urlencoded;
use crate::error::{Code, Error, Problem, Result, Step};

/// What a form may hold.
#[derive(Debug, Clone)]
pub struct FormLimits {
    /// Bytes of the whole body; a `Content-Length` beyond it is refused before reading.
    pub body: u64,
    /// Parts or fields.
    pub parts: usize,
    /// Bytes of all texts together, names included.
    pub text: usize,
    /// Bytes of each file.
    pub file: u64,
    /// Files.
    pub files: usize,
}

impl Default for FormLimits {
    /// 105 MB, 32 parts, 1 MB of text, ten files of 10 MB.
    fn default() -> Self {
        const MB: u64 = 1024 * 1024;
        Self { body: 105 * MB, parts: 32, text: MB as usize, file: 10 * MB, files: 10 }
    }
}

/// Where the bytes of a file go while they arrive, such as a spool on disk.
pub trait FileSink: Send {
    /// Takes the next bytes. An error ends the request.
    fn write(&mut self, piece: &[u8]) -> impl Future<Output = Result<()>> + Send;
}

/// Extracts a page's form without files, of 1 MB at most.
///
/// # Rejections
/// Those of [`read_form`].
#[derive(Debug, Clone)]
pub struct TextForm(pub Document);

impl<S: Sync> FromRequest<S> for TextForm {
    type Rejection = Error;

    async fn from_request(request: Request, _state: &S) -> Result<Self> {
        let (parts, body) = request.into_parts();
        let limits = FormLimits { body: 1024 * 1024, ..FormLimits::default() };
        read_form(&parts.headers, body, &[], &limits, || Nowhere)
            .await
            .map(|form| TextForm(form.document.with_plain_newlines()))
    }
}

/// Where files go that nobody asked for.
struct Nowhere;

impl FileSink for Nowhere {
    async fn write(&mut self, _piece: &[u8]) -> Result<()> {
        Ok(())
    }
}

/// A form that was read to its end.
#[derive(Debug)]
pub struct Form<S> {
    /// The texts, and what is wrong about files.
    pub document: Document,
    /// The files, in the order sent.
    pub files: Vec<FormFile<S>>,
}

/// One file of a form. Its name and content type are the client's claims and were dropped.
#[derive(Debug)]
pub struct FormFile<S> {
    /// The field it was sent under.
    pub field: &'static str,
    /// Its bytes.
    pub sink: S,
}

/// Reads a form. `file_fields` names the fields that hold files; each file gets a sink of its own from `new_sink`.
///
/// An empty file input of a browser (no name, no bytes) and an empty text in a file field mean "no file"; another text
/// there is a `value_error`. A file under another name is read and dropped; a text getter for that name finds a
/// `string_type` problem. A body of another content type is not read and has no fields.
///
/// Nothing is remembered when the future is dropped or fails: the sinks are dropped with it.
///
/// # Errors
/// 400 for a body that is not a form or not UTF-8; 408; 413 past a limit; 415 for a compressed body; 503; 422
/// `TooManyImages` as soon as there is one file too many; and those of the sink.
pub async fn read_form<S: FileSink>(
    headers: &HeaderMap,
    body: Body,
    file_fields: &[&'static str],
    limits: &FormLimits,
    new_sink: impl FnMut() -> S + Send,
) -> Result<Form<S>> {
    read_form_keeping(headers, body, file_fields, limits, new_sink, &mut None).await
}

/// The same, and when it fails, the texts that had come until then: for a form that is shown again.
///
/// # Errors
/// Those of [`read_form`].
pub async fn read_form_keeping<S: FileSink>(
    headers: &HeaderMap,
    body: Body,
    file_fields: &[&'static str],
    limits: &FormLimits,
    new_sink: impl FnMut() -> S + Send,
    kept: &mut Option<Document>,
) -> Result<Form<S>> {
    admit(headers, limits.body)?;
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = header_value(content_type).map(|(kind, _)| kind).unwrap_or_default();
    let mut reader = Reader {
        file_fields,
        limits,
        new_sink,
        entries: Vec::new(),
        problems: Vec::new(),
        files: Vec::new(),
        reservation: Reservation::default(),
    };
    match kind.as_str() {
        "application/x-www-form-urlencoded" => {
            let text = read_all(headers, body, limits.text, &mut reader.reservation).await?;
            for pair in urlencoded(&text) {
                let (name, value) = pair.ok_or(Code::BrokenBody)?;
                reader.admit_pair()?;
                reader.take_text(name, value);
            }
        }
        "multipart/form-data" => {
            let boundary = boundary(content_type).ok_or(Code::BrokenBody)?;
            if let Err(e) = reader.read_parts(Multipart::new(body, &boundary, limits.body)).await {
                *kept = Some(Document::new(Source::Form, reader.entries));
                return Err(e);
            }
        }
        _ if content_type.starts_with("multipart/") => return Err(Code::BrokenBody.into()),
        _ => {}
    }
    Ok(reader.into_form())
}

struct Reader<'l, S, N> {
    file_fields: &'l [&'static str],
    limits: &'l FormLimits,
    new_sink: N,
    entries: Vec<(String, Value)>,
    problems: Vec<Problem>,
    files: Vec<FormFile<S>>,
    reservation: Reservation,
}

impl<S: FileSink, N: FnMut() -> S + Send> Reader<'_, S, N> {
    async fn read_parts(&mut self, mut multipart: Multipart) -> Result<()> {
        let mut text_left = self.limits.text;
        let mut parts = 0;
        while let Some(Part { name, filename }) = multipart.next_part().await? {
            parts += 1;
            if parts > self.limits.parts {
                return Err(Code::TooManyFields.into());
            }
            self.reserve(name.len(), &mut text_left)?;
            match filename {
                None => {
                    let text = self.read_text(&mut multipart, &mut text_left).await?;
                    self.take_text(name, Value::String(text));
                }
                Some(filename) => self.take_file(&mut multipart, name, &filename).await?,
            }
        }
        Ok(())
    }

    fn reserve(&mut self, bytes: usize, left: &mut usize) -> Result<()> {
        *left = left.checked_sub(bytes).ok_or(Code::BodyTooLarge)?;
        self.reservation.grow(bytes)
    }

    async fn read_text(&mut self, multipart: &mut Multipart, left: &mut usize) -> Result<String> {
        let mut text = Vec::new();
        while let Some(piece) = multipart.next_data().await? {
            self.reserve(piece.len(), left)?;
            text.extend_from_slice(&piece);
        }
        String::from_utf8(text).map_err(|_| Code::BrokenBody.into())
    }

    fn admit_pair(&self) -> Result<()> {
        if self.entries.len() + self.problems.len() >= self.limits.parts {
            Err(Code::TooManyFields.into())
        } else {
            Ok(())
        }
    }

    fn take_text(&mut self, name: String, value: Value) {
        match self.file_field(&name) {
            Some(field) if value.as_str() != Some("") => self.problems.push(Problem {
                kind: "value_error",
                loc: vec![Step::Name("body"), Step::Name(field), Step::Index(self.files.len())],
                msg: "Value error, Expected a file".to_owned(),
                input: Value::Null,
            }),
            _ => self.entries.push((name, value)),
        }
    }

    async fn take_file(&mut self, multipart: &mut Multipart, name: String, filename: &str) -> Result<()> {
        let Some(field) = self.file_field(&name) else {
            // Not a string, so a getter that expects a text of this name reports it; else it is ignored.
            self.entries.push((name, Value::Object(Map::new())));
            let mut left = self.limits.file;
            while let Some(piece) = multipart.next_data().await? {
                spend(&mut left, &piece)?;
            }
            return Ok(());
        };
        let first = multipart.next_data().await?;
        if first.is_none() && filename.is_empty() {
            return Ok(());
        }
        if self.files.len() >= self.limits.files {
            return Err(Code::TooManyImages.into());
        }
        let mut sink = (self.new_sink)();
        let mut left = self.limits.file;
        let mut next = first;
        while let Some(piece) = next {
            spend(&mut left, &piece)?;
            sink.write(&piece).await?;
            next = multipart.next_data().await?;
        }
        self.files.push(FormFile { field, sink });
        Ok(())
    }

    fn file_field(&self, name: &str) -> Option<&'static str> {
        self.file_fields.iter().copied().find(|field| *field == name)
    }

    fn into_form(self) -> Form<S> {
        let mut document = Document::new(Source::Form, self.entries);
        self.problems.into_iter().for_each(|problem| document.report(problem));
        Form { document, files: self.files }
    }
}

fn spend(left: &mut u64, piece: &Bytes) -> Result<()> {
    *left = left.checked_sub(piece.len() as u64).ok_or(Code::ImageTooLarge)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use axum::http::HeaderValue;

    impl FileSink for Vec<u8> {
        async fn write(&mut self, piece: &[u8]) -> Result<()> {
            self.extend_from_slice(piece);
            Ok(())
        }
    }

    fn small() -> FormLimits {
        FormLimits { body: 50_000, parts: 32, text: 1_000, file: 10_000, files: 2 }
    }

    async fn form(kind: &'static str, body: impl Into<Body>) -> Result<Form<Vec<u8>>> {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(kind))]);
        read_form(&headers, body.into(), &["images"], &small(), Vec::new).await
    }

    async fn multipart(parts: &[(&str, &str)]) -> Result<Form<Vec<u8>>> {
        let mut body = String::new();
        for (disposition, data) in parts {
            body += &format!("--XX\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{data}\r\n");
        }
        form("multipart/form-data; boundary=XX", body + "--XX--\r\n").await
    }

    fn code<T>(result: Result<T>) -> Code {
        result.err().map(|error: Error| error.code()).unwrap()
    }

    #[tokio::test]
    async fn texts_and_files() {
        let form = multipart(&[
            ("name=title", "제목"),
            ("name=images; filename=\"\"", ""),
            ("name=images; filename=\"a.png\"", "AAA"),
            ("name=images; filename=\"empty.png\"", ""),
            ("name=other; filename=b", "ignored"),
            ("name=images", ""),
        ])
        .await
        .unwrap();
        assert_eq!(form.document.fields().text("title", 1..=2), "제목");
        let files: Vec<_> = form.files.iter().map(|file| (file.field, file.sink.as_slice())).collect();
        assert_eq!(files, [("images", b"AAA".as_slice()), ("images", b"")]);
        let fields = form.document.fields();
        fields.finish(()).unwrap();
    }

    #[tokio::test]
    async fn a_text_is_no_file_and_a_file_is_no_text() {
        let form = multipart(&[("name=images", "x"), ("name=title; filename=t", "x")]).await.unwrap();
        let mut fields = form.document.fields();
        fields.text("title", 1..=2);
        let error = fields.finish(()).unwrap_err();
        let kinds: Vec<_> = error.problems().iter().map(|problem| problem.kind).collect();
        assert_eq!(kinds, ["value_error", "string_type"]);
    }

    #[tokio::test]
    async fn urlencoded_and_other_types() {
        let kind = "application/x-www-form-urlencoded; charset=utf-8";
        let good = form(kind, "title=a+b&content=%ED%95%9C").await.unwrap();
        assert_eq!(good.document.fields().text("content", 1..=9), "한");
        assert_eq!(code(form(kind, "a=%ff").await), Code::BrokenBody);
        assert_eq!(code(form(kind, "a&".repeat(33)).await), Code::TooManyFields);
        assert_eq!(code(form(kind, "images=x&".repeat(33)).await), Code::TooManyFields);
        assert_eq!(code(form(kind, "a".repeat(1_001)).await), Code::BodyTooLarge);
        assert!(form("application/json", "{}").await.unwrap().document.entries().is_empty());
        for kind in ["multipart/form-data", "multipart/mixed; boundary=XX"] {
            assert_eq!(code(form(kind, "--XX--").await), Code::BrokenBody);
        }
    }

    #[tokio::test]
    async fn u09_u10_limits() {
        let long = "x".repeat(10_001);
        let file = ("name=images; filename=a", "A");
        assert_eq!(code(multipart(&[("name=a", ""); 33]).await), Code::TooManyFields);
        assert!(multipart(&[("name=a", ""); 32]).await.is_ok());
        assert_eq!(code(multipart(&[file; 3]).await), Code::TooManyImages);
        assert_eq!(code(multipart(&[("name=images; filename=a", long.as_str())]).await), Code::ImageTooLarge);
        assert_eq!(code(multipart(&[("name=x; filename=a", long.as_str())]).await), Code::ImageTooLarge);
        assert_eq!(code(multipart(&[("name=a", &long[..600]), ("name=b", &long[..600])]).await), Code::BodyTooLarge);
        assert_eq!(code(form("multipart/form-data; boundary=XX", "x".repeat(40_000)).await), Code::BrokenBody);
    }

    #[tokio::test]
    async fn i04_text_that_is_not_utf8_is_broken() {
        let body = b"--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n\xff\r\n--XX--\r\n";
        assert_eq!(code(form("multipart/form-data; boundary=XX", body.as_slice()).await), Code::BrokenBody);
    }

    #[tokio::test]
    async fn h05_refused_before_reading() {
        for (name, value, expected) in [
            (header::CONTENT_LENGTH, "50001", Code::BodyTooLarge),
            (header::CONTENT_ENCODING, "gzip", Code::UnsupportedEncoding),
        ] {
            let headers = HeaderMap::from_iter([(name, HeaderValue::from_static(value))]);
            let body = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
            assert_eq!(code(read_form(&headers, body, &[], &small(), Vec::new).await), expected);
        }
    }
}
