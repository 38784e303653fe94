//! Where images are kept, as the operator names it: `file:FOLDER` or `s3://BUCKET/PREFIX?...`.

use std::{fmt, path::PathBuf};

use url::Url;

/// A place for images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// A folder of this machine.
    Folder(PathBuf),
    /// A bucket.
    S3(S3Url),
}

/// A bucket that speaks S3. It holds no credentials: they come from the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Url {
    /// The bucket.
    pub bucket: String,
    /// What the names of all objects begin with, without slashes around it; may be empty.
    pub prefix: String,
    /// The server, unless it is Amazon's.
    pub endpoint: Option<String>,
    /// The region; by default the environment's.
    pub region: Option<String>,
    /// Where clients read the bucket without us, without a slash at the end.
    pub public_url: Option<String>,
}

impl StoreUrl {
    /// Reads the URL of a store.
    ///
    /// # Errors
    /// A sentence for the operator, which does not repeat the URL: somebody may have written a password into it.
    pub fn parse(text: &str) -> Result<StoreUrl, String> {
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => {
                Ok(StoreUrl::Folder(PathBuf::from(path.strip_prefix("//").unwrap_or(path))))
            }
            Some(("s3", _)) => S3Url::parse(text).map(StoreUrl::S3),
            _ => Err("must be like file:/var/lib/madang/images or s3://bucket/prefix".to_owned()),
        }
    }
}

impl S3Url {
    fn parse(text: &str) -> Result<S3Url, String> {
        let url = Url::parse(text).map_err(|e| format!("is no URL: {e}"))?;
        if has_credentials(&url) {
            return Err("must hold no credentials: give them by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned());
        }
        let bucket = url.host_str().unwrap_or_default();
        let prefix = url.path().trim_matches('/');
        if !is_bucket(bucket) || url.port().is_some() || url.fragment().is_some() {
            return Err("must name a bucket, as in s3://bucket/prefix".to_owned());
        }
        if !prefix.is_empty() && !prefix.split('/').all(is_segment) {
            return Err("may have letters, digits, dots, hyphens and underscores in its prefix".to_owned());
        }
        let (bucket, prefix) = (bucket.to_owned(), prefix.to_owned());
        let mut store = S3Url { bucket, prefix, endpoint: None, region: None, public_url: None };
        for (name, value) in url.query_pairs() {
            let (parameter, value) = match &*name {
                "endpoint" => (&mut store.endpoint, server("endpoint", &value)?),
                "public_url" => (&mut store.public_url, server("public_url", &value)?),
                "region" if is_segment(&value) => (&mut store.region, value.into_owned()),
                "region" => return Err("has a region that is none".to_owned()),
                _ => return Err("knows the parameters endpoint, region and public_url".to_owned()),
            };
            if parameter.replace(value).is_some() {
                return Err("has a parameter twice".to_owned());
            }
        }
        Ok(store)
    }

    /// The path of an object in the bucket.
    pub fn path_of(&self, object: impl fmt::Display) -> String {
        match self.prefix.as_str() {
            "" => object.to_string(),
            prefix => format!("{prefix}/{object}"),
        }
    }
}

impl fmt::Display for S3Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.path_from_bucket())?;
        self.endpoint.as_ref().map_or(Ok(()), |endpoint| write!(f, " at {endpoint}"))
    }
}

impl S3Url {
    /// The bucket and the prefix in it.
    pub fn path_from_bucket(&self) -> String {
        format!("{}/{}", self.bucket, self.prefix)
    }
}

/// The address of a server, without a slash at the end.
fn server(parameter: &str, text: &str) -> Result<String, String> {
    let wrong = || format!("has a parameter {parameter} that is not like https://storage.example.org");
    let url = Url::parse(text).map_err(|_| wrong())?;
    let plain = url.has_host() && url.query().is_none() && url.fragment().is_none() && !has_credentials(&url);
    if !plain || !matches!(url.scheme(), "http" | "https") {
        return Err(wrong());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn has_credentials(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

fn is_bucket(name: &str) -> bool {
    (3..=63).contains(&name.len())
        && name.bytes().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.'))
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
}

fn is_segment(segment: &str) -> bool {
    !matches!(segment, "" | "." | "..")
        && segment.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s3(text: &str) -> S3Url {
        match StoreUrl::parse(text) {
            Ok(StoreUrl::S3(url)) => url,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn folders() {
        let folder = |text: &str| StoreUrl::parse(text).unwrap();
        assert_eq!(folder("file:images"), StoreUrl::Folder("images".into()));
        assert_eq!(folder("file:///var/images"), StoreUrl::Folder("/var/images".into()));
    }

    #[test]
    fn buckets() {
        let plain = s3("s3://pictures");
        assert_eq!((plain.bucket.as_str(), plain.prefix.as_str(), &plain.endpoint), ("pictures", "", &None));
        assert_eq!(plain.path_of("a.png"), "a.png");
        let full = s3(
            "s3://pictures/a/b/?endpoint=http://127.0.0.1:9000/&region=eu-west-1&public_url=https%3A%2F%2Fcdn.example",
        );
        assert_eq!(full.path_of("a.png"), "a/b/a.png");
        assert_eq!(full.endpoint.as_deref(), Some("http://127.0.0.1:9000"));
        assert_eq!(full.region.as_deref(), Some("eu-west-1"));
        assert_eq!(full.public_url.as_deref(), Some("https://cdn.example"));
        assert_eq!(full.to_string(), "s3://pictures/a/b at http://127.0.0.1:9000");
    }

    #[test]
    fn s01_what_is_wrong_is_told_without_repeating_it() {
        for bad in [
            "",
            "images",
            "file:",
            "ftp://canary",
            "s3:",
            "s3://",
            "s3:///canary",
            "s3://ab",
            "s3://Canary",
            "s3://canary:9000/x",
            "s3://key:canary@bucket/x",
            "s3://bucket/a//b",
            "s3://bucket/a b",
            "s3://bucket#canary",
            "s3://bucket?endpoint=canary",
            "s3://bucket?endpoint=ftp://canary",
            "s3://bucket?endpoint=http://key:canary@host",
            "s3://bucket?endpoint=http://host/?key=canary",
            "s3://bucket?public_url=javascript:canary",
            "s3://bucket?region=a/canary",
            "s3://bucket?region=a&region=canary",
            "s3://bucket?secret=canary",
        ] {
            let told = StoreUrl::parse(bad).unwrap_err();
            assert!(!told.contains("canary"), "{bad}: {told}");
        }
    }
}
