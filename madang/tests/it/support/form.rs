//! Multipart forms, as browsers write them and as they do not.

/// A form under construction.
pub(crate) struct FormData {
    body: Vec<u8>,
}

impl FormData {
    pub(crate) const BOUNDARY: &'static str = "----test-boundary-7f3a";

    pub(crate) fn new() -> FormData {
        FormData { body: Vec::new() }
    }

    pub(crate) fn text(self, name: &str, value: &str) -> FormData {
        self.part(&format!("Content-Disposition: form-data; name=\"{name}\""), value.as_bytes())
    }

    pub(crate) fn file(self, name: &str, filename: &str, bytes: &[u8]) -> FormData {
        let disposition = format!("Content-Disposition: form-data; name=\"{name}\"; filename=\"{filename}\"");
        self.part(&format!("{disposition}\r\nContent-Type: application/octet-stream"), bytes)
    }

    pub(crate) fn files(self, name: &str, files: &[Vec<u8>]) -> FormData {
        files.iter().fold(self, |form, bytes| form.file(name, "picture", bytes))
    }

    /// A part with these header lines.
    pub(crate) fn part(mut self, head: &str, bytes: &[u8]) -> FormData {
        self.body.extend_from_slice(format!("--{}\r\n{head}\r\n\r\n", Self::BOUNDARY).as_bytes());
        self.body.extend_from_slice(bytes);
        self.body.extend_from_slice(b"\r\n");
        self
    }

    pub(crate) fn content_type(&self) -> String {
        format!("multipart/form-data; boundary={}", Self::BOUNDARY)
    }

    pub(crate) fn into_bytes(mut self) -> Vec<u8> {
        self.body.extend_from_slice(format!("--{}--\r\n", Self::BOUNDARY).as_bytes());
        self.body
    }
}
