//! Encryption of connections: what `sslmode` and the certificate files mean, by rustls.

use crate::{PostgresConfig, SslMode};
use cacheness_storage::{Error, ErrorKind, Result};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::path::Path;
use std::sync::Arc;
use tokio_postgres_rustls::MakeRustlsConnect;

/// What makes connections encrypted. It reads files, and so it blocks.
pub(crate) fn connector(config: &PostgresConfig) -> Result<MakeRustlsConnect> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|source| Error::new(ErrorKind::Internal, "TLS cannot be set up").source(source))?;
    let verifier = Verifier { trust: trust(config, provider.clone())?, provider };
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    let client = match (&config.sslcert, &config.sslkey) {
        (Some(certificate), Some(key)) => {
            let chain = certificates("sslcert", certificate)?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(|source| unreadable("sslkey", key, source))?;
            builder.with_client_auth_cert(chain, key).map_err(|source| {
                Error::new(ErrorKind::Config, "sslcert and sslkey do not fit together").source(source)
            })?
        }
        _ => builder.with_no_client_auth(),
    };
    Ok(MakeRustlsConnect::new(client))
}

/// What the server must prove.
#[derive(Debug)]
enum Trust {
    Nothing,
    Chain(Arc<WebPkiServerVerifier>),
    ChainAndName(Arc<WebPkiServerVerifier>),
}

fn trust(config: &PostgresConfig, provider: Arc<CryptoProvider>) -> Result<Trust> {
    match (config.sslmode, &config.sslrootcert) {
        (SslMode::Disable | SslMode::Prefer, _) | (SslMode::Require, None) => Ok(Trust::Nothing),
        (SslMode::Require | SslMode::VerifyCa, _) => chain(config, provider).map(Trust::Chain),
        (SslMode::VerifyFull, _) => chain(config, provider).map(Trust::ChainAndName),
    }
}

fn chain(config: &PostgresConfig, provider: Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>> {
    let mut roots = RootCertStore::empty();
    let found = match &config.sslrootcert {
        Some(path) => certificates("sslrootcert", path)?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    roots.add_parsable_certificates(found);
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().map_err(|source| {
        Error::new(ErrorKind::Config, "nobody is trusted to vouch for the server")
            .source(source)
            .advice("name a file with certificates by sslrootcert")
    })
}

fn certificates(option: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match certificates.map_err(|source| unreadable(option, path, source))? {
        none if none.is_empty() => {
            Err(Error::new(ErrorKind::Config, format!("the file {} of {option} holds no certificate", path.display()))
                .advice("it must be in PEM: -----BEGIN CERTIFICATE-----"))
        }
        some => Ok(some),
    }
}

fn unreadable(option: &str, path: &Path, source: rustls::pki_types::pem::Error) -> Error {
    Error::new(ErrorKind::Config, format!("the file {} of {option} cannot be read", path.display()))
        .source(source.to_string())
}

/// Asks of the server's certificate what the mode asks for. That the server has the certificate's key is always checked.
#[derive(Debug)]
struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verify = |verifier: &WebPkiServerVerifier| {
            verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        };
        match &self.trust {
            Trust::Nothing => Ok(ServerCertVerified::assertion()),
            Trust::ChainAndName(verifier) => verify(verifier),
            // The name is what is looked at last.
            Trust::Chain(verifier) => match verify(verifier) {
                Err(rustls::Error::InvalidCertificate(
                    CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
                )) => Ok(ServerCertVerified::assertion()),
                other => other,
            },
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
