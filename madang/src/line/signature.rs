//! Whether LINE sent it.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};

/// Bytes of an HMAC-SHA256.
const LENGTH: usize = 32;

/// Whether a header `x-line-signature` is that of these very bytes: base64 of their HMAC-SHA256 by the channel secret.
/// Compares in constant time.
pub(super) fn verify(secret: &str, body: &[u8], header: &[u8]) -> bool {
    let Some(tag) = STANDARD.decode(header).ok().filter(|tag| tag.len() == LENGTH) else { return false };
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), body, &tag).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::secret::hex;

    const SECRET: &str = "8c570fa6dd201bb328f1c1eac23a96d8";
    const BODY: &[u8] = br#"{"destination":"U8e742f61d673b39c7fff3cecb7536ef0","events":[]}"#;
    /// By the example of LINE's documentation.
    const SIGNATURE: &str = "GhRKmvmHys4Pi8DxkF4+EayaH0OqtJtaZxgTD9fMDLs=";

    fn sign(secret: &str, body: &[u8]) -> Vec<u8> {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), body).as_ref().to_vec()
    }

    #[test]
    fn l01_only_the_signature_of_these_bytes_is_good() {
        assert!(verify(SECRET, BODY, SIGNATURE.as_bytes()));
        let tag = sign(SECRET, BODY);
        let good = STANDARD.encode(&tag);
        let unpadded = good.trim_end_matches('=');
        let bad = [
            String::new(),
            hex(&tag),
            unpadded.to_owned(),
            format!("{good} "),
            format!(" {good}"),
            format!("{good}\n"),
            format!("{good}="),
            format!("{good}{good}"),
            STANDARD.encode(&tag[..31]),
            STANDARD.encode([&tag[..], &[0]].concat()),
            STANDARD.encode(hex(&tag)),
            STANDARD.encode([0; 32]),
            STANDARD.encode(sign("another", BODY)),
            STANDARD.encode(sign(SECRET, &[BODY, b" "].concat())),
            "\u{feff}".to_owned(),
        ];
        for bad in bad {
            assert!(!verify(SECRET, BODY, bad.as_bytes()), "{bad:?}");
        }
        for changed in [&b""[..], b"{}", &[BODY, b"\n"].concat()] {
            assert!(!verify(SECRET, changed, good.as_bytes()));
        }
        // No Unicode escape, no re-serialised JSON stands for the bytes.
        let escaped = br#"{"text":"\uc548\ub155"}"#;
        let signed = STANDARD.encode(sign(SECRET, escaped));
        assert!(verify(SECRET, escaped, signed.as_bytes()));
        assert!(!verify(SECRET, r#"{"text":"안녕"}"#.as_bytes(), signed.as_bytes()));
    }

    proptest! {
        #[test]
        fn any_header_is_refused(body in any::<Vec<u8>>(), header in any::<Vec<u8>>()) {
            prop_assert!(!verify(SECRET, &body, &header));
            prop_assert!(verify(SECRET, &body, STANDARD.encode(sign(SECRET, &body)).as_bytes()));
        }
    }
}
