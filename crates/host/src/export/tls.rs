//! TLS of a door: a folder with the file names that QEMU gives them.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};

use super::limits::PEM_MAX;
use crate::error::HostError;

/// The server's certificate, and those that lead from it to its authority.
const CERTIFICATE: &str = "server-cert.pem";
/// Its key.
const KEY: &str = "server-key.pem";
/// The authority of clients. Where it stands, a client without a certificate of it is refused.
const AUTHORITY: &str = "ca-cert.pem";
/// Certificates of clients that are not valid any more.
const REVOKED: &str = "ca-crl.pem";

/// What a door needs to speak TLS.
#[derive(Clone, Debug)]
pub struct Tls {
    pub(crate) config: Arc<ServerConfig>,
}

impl Tls {
    /// Reads `server-cert.pem` and `server-key.pem` of a folder. Where `ca-cert.pem` stands beside them, clients must show a
    /// certificate of that authority; `ca-crl.pem` says which of them are revoked.
    ///
    /// # Errors
    /// [`HostError::Tls`] names the file.
    pub fn read(folder: &Path) -> Result<Tls, HostError> {
        let certificates = all::<CertificateDer<'static>>(folder, CERTIFICATE)?;
        let key = PrivateKeyDer::from_pem_slice(&bytes(folder, KEY)?)
            .map_err(|error| fault(folder, KEY, &error))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| fault(folder, CERTIFICATE, &error))?;
        let builder = match folder.join(AUTHORITY).exists() {
            true => builder.with_client_cert_verifier(verifier(folder, provider)?),
            false => builder.with_no_client_auth(),
        };
        let config = builder
            .with_single_cert(certificates, key)
            .map_err(|error| fault(folder, CERTIFICATE, &error))?;
        Ok(Tls { config: Arc::new(config) })
    }
}

fn verifier(
    folder: &Path,
    provider: Arc<rustls::crypto::CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, HostError> {
    let mut roots = RootCertStore::empty();
    for certificate in all::<CertificateDer<'static>>(folder, AUTHORITY)? {
        roots.add(certificate).map_err(|error| fault(folder, AUTHORITY, &error))?;
    }
    let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    if folder.join(REVOKED).exists() {
        builder = builder.with_crls(all::<CertificateRevocationListDer<'static>>(folder, REVOKED)?);
    }
    builder.build().map_err(|error| fault(folder, AUTHORITY, &error))
}

/// All objects of one kind in a file; one at least.
fn all<T: PemObject>(folder: &Path, name: &'static str) -> Result<Vec<T>, HostError> {
    let found: Vec<T> = T::pem_slice_iter(&bytes(folder, name)?)
        .collect::<Result<_, _>>()
        .map_err(|error| fault(folder, name, &error))?;
    match found.is_empty() {
        true => Err(HostError::Tls { path: folder.join(name), reason: "it holds none".to_owned() }),
        false => Ok(found),
    }
}

fn bytes(folder: &Path, name: &'static str) -> Result<Vec<u8>, HostError> {
    let mut bytes = Vec::new();
    let file = File::open(folder.join(name)).map_err(|error| fault(folder, name, &error))?;
    file.take(PEM_MAX).read_to_end(&mut bytes).map_err(|error| fault(folder, name, &error))?;
    Ok(bytes)
}

fn fault(folder: &Path, name: &'static str, error: &dyn std::fmt::Display) -> HostError {
    HostError::Tls { path: folder.join(name), reason: error.to_string() }
}
