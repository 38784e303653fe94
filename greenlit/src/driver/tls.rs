//! TLS to a server, by rustls: what the URL's parameters ask for.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use percent_encoding::percent_decode_str;
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor,
    },
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
    server::ParsedCertificate,
};

use crate::{Error, Result};

/// How a connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Not at all.
    Disabled,
    /// Encrypted if the server offers it. Nobody is kept from standing in between.
    Preferred,
    /// Encrypted, with whoever answers.
    Required,
    /// Encrypted, with a server whose certificate a known authority signed.
    Authority,
    /// Encrypted, with a server whose certificate a known authority signed for the name that was called.
    Identity,
}

/// Takes parameters out of a URL; what is left of it is for the driver.
pub(super) fn take(url: &str, names: [&str; 2]) -> Result<(String, [Option<String>; 2])> {
    let Some((head, query)) = url.split_once('?') else { return Ok((url.to_owned(), [None, None])) };
    let (mut left, mut taken) = (Vec::new(), [None, None]);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match names.iter().position(|wanted| *wanted == name) {
            Some(at) => {
                let value = percent_decode_str(value).decode_utf8();
                let value = value.map_err(|_| Error::Config(format!("{name} in the database's URL is no text")))?;
                taken[at] = Some(value.into_owned());
            }
            None => left.push(pair),
        }
    }
    let url = if left.is_empty() { head.to_owned() } else { format!("{head}?{}", left.join("&")) };
    Ok((url, taken))
}

/// The mode that a parameter names, and the file of the authorities to trust.
pub(super) fn mode(
    modes: &[(&str, Mode)],
    (parameter, value): (&str, Option<&str>),
    (file_parameter, file): (&str, Option<&str>),
) -> Result<(Mode, Option<PathBuf>)> {
    let names = || modes.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let mode = match value {
        None => Mode::Preferred,
        Some(value) => {
            let known = modes.iter().find(|(name, _)| name.eq_ignore_ascii_case(value)).map(|(_, mode)| *mode);
            known.ok_or_else(|| Error::Config(format!("{parameter}={value}: it is one of {}", names())))?
        }
    };
    // Whoever names an authority wants it to be asked.
    if file.is_some() && matches!(mode, Mode::Disabled | Mode::Preferred) {
        return Err(Error::Config(format!("{file_parameter} is not looked at without a {parameter} that verifies")));
    }
    Ok((mode, file.map(PathBuf::from)))
}

/// The certificates in a file of PEM.
pub(super) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let refused = |e: &dyn std::fmt::Display| Error::Config(format!("no certificates in {}: {e}", file.display()));
    let certificates = CertificateDer::pem_file_iter(file).map_err(|e| refused(&e))?;
    let certificates = certificates.collect::<Result<Vec<_>, _>>().map_err(|e| refused(&e))?;
    if certificates.is_empty() { Err(refused(&"it is no PEM")) } else { Ok(certificates) }
}

/// rustls' configuration of a client. Without a file, the authorities are those that browsers trust.
pub(super) fn client(mode: Mode, authorities: Option<&Path>) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    match authorities {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(file) => {
            for certificate in certificates(file)? {
                let added = roots.add(certificate);
                added.map_err(|e| Error::Config(format!("no authority in {}: {e}", file.display())))?;
            }
        }
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let config = config.map_err(|e| Error::Config(format!("TLS cannot be set up: {e}")))?;
    if mode == Mode::Identity {
        return Ok(config.with_root_certificates(roots).with_no_client_auth());
    }
    let roots = (mode == Mode::Authority).then_some(roots);
    let lenient = Arc::new(Lenient { roots, provider });
    Ok(config.dangerous().with_custom_certificate_verifier(lenient).with_no_client_auth())
}

/// Whether the server was refused, or refused us, over TLS: it will not be different the next time.
pub(super) fn refused(e: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(e);
    while let Some(e) = next {
        let inner = e.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if e.is::<rustls::Error>() || inner.is_some_and(|inner| inner.is::<rustls::Error>()) {
            return true;
        }
        next = e.source();
    }
    false
}

/// Does not compare names; without authorities, it takes any certificate.
#[derive(Debug)]
struct Lenient {
    roots: Option<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(roots) = &self.roots {
            let certificate = ParsedCertificate::try_from(certificate)?;
            let algorithms = self.provider.signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&certificate, roots, intermediates, now, algorithms)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_taken_out_of_a_url() {
        let names = ["sslmode", "sslrootcert"];
        let cases = [
            ("a://b/c", "a://b/c", None, None),
            ("a://b/c?", "a://b/c", None, None),
            ("a://b/c?sslmode=require", "a://b/c", Some("require"), None),
            ("a://b/c?x=1&sslrootcert=%2Ftmp%2Fa%20b&y", "a://b/c?x=1&y", None, Some("/tmp/a b")),
        ];
        for (url, left, mode, file) in cases {
            let (rest, taken) = take(url, names).unwrap();
            assert_eq!((rest.as_str(), taken[0].as_deref(), taken[1].as_deref()), (left, mode, file));
        }
        assert!(take("a://b/c?sslmode=%ff", names).is_err());
    }
}
