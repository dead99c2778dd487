//! The certificate of the server, read from files and replaced while it serves.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig};

use super::clients::Clients;
use super::provider;
use super::validity::Validity;

/// What the server shows and asks for. Clones are the same certificates.
#[derive(Clone, Debug)]
pub struct Certificates {
    cert: PathBuf,
    key: PathBuf,
    client_ca: Option<PathBuf>,
    shown: Arc<Shown>,
    clients: Option<Arc<Clients>>,
}

/// The certificate that new connections are shown.
#[derive(Debug)]
struct Shown(ArcSwap<Certified>);

#[derive(Debug)]
struct Certified {
    key: Arc<CertifiedKey>,
    validity: Option<Validity>,
}

/// Why certificates cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {why}", path.display())]
pub struct TlsError {
    /// The file.
    path: PathBuf,
    /// What is wrong with it. No part of a key is repeated.
    why: String,
}

impl Certificates {
    /// Reads the files.
    pub fn read(cert: &Path, key: &Path, client_ca: Option<&Path>) -> Result<Self, TlsError> {
        let shown = Arc::new(Shown(ArcSwap::from_pointee(certified(cert, key)?)));
        let clients = client_ca.map(authorities).transpose()?.map(|judge| Arc::new(Clients::new(judge)));
        let client_ca = client_ca.map(Path::to_owned);
        Ok(Self { cert: cert.to_owned(), key: key.to_owned(), client_ca, shown, clients })
    }

    /// Reads the same files again. Connections that are open go on with what they began with; if a file is wrong, nothing changes.
    pub fn reload(&self) -> Result<(), TlsError> {
        let shown = certified(&self.cert, &self.key)?;
        let judge = self.client_ca.as_deref().map(authorities).transpose()?;
        self.shown.0.store(Arc::new(shown));
        if let (Some(clients), Some(judge)) = (&self.clients, judge) {
            clients.replace(judge);
        }
        Ok(())
    }

    /// When the certificate that is shown expires, in seconds since 1970, where that can be told.
    pub fn not_after(&self) -> Option<i64> {
        self.shown.0.load().validity.map(|validity| validity.until)
    }

    /// What should be looked at about the certificate that is shown, `now` being in seconds since 1970: that it is not valid, or will
    /// soon not be.
    pub fn worry(&self, now: i64) -> Option<String> {
        let worry = self.shown.0.load().validity?.worry(now)?;
        Some(format!("the certificate in {}: {worry}", self.cert.display()))
    }

    /// How a server speaks TLS with them.
    pub fn server(&self) -> Result<ServerConfig, TlsError> {
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| wrong(&self.cert, &error))?;
        let builder = match &self.clients {
            Some(clients) => builder.with_client_cert_verifier(clients.clone()),
            None => builder.with_no_client_auth(),
        };
        Ok(builder.with_cert_resolver(self.shown.clone()))
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load().key.clone())
    }
}

fn certified(cert: &Path, key: &Path) -> Result<Certified, TlsError> {
    let chain = chain(cert)?;
    let validity = chain.first().and_then(Validity::of);
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, &error))?;
    // This compares the two as well.
    let made = CertifiedKey::from_der(chain, private, &provider()).map_err(|error| match error {
        rustls::Error::InvalidCertificate(_) if validity.is_some_and(|validity| validity.is_ancient) => wrong(
            cert,
            &"it is an X.509 certificate of version 1, which TLS does not take; have one of version 3 issued",
        ),
        rustls::Error::InvalidCertificate(why) => wrong(cert, &format!("it cannot be used as a certificate: {why}")),
        error => wrong(key, &format!("it does not go with {}: {error}", cert.display())),
    })?;
    Ok(Certified { key: Arc::new(made), validity })
}

fn authorities(path: &Path) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for authority in chain(path)? {
        roots.add(authority).map_err(|error| wrong(path, &error))?;
    }
    Clients::judged_by(roots).map_err(|error| wrong(path, &error))
}

/// Every certificate of a file; there is at least one.
fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| wrong(path, &error))?;
    let chain: Vec<_> = certificates.collect::<Result<_, _>>().map_err(|error| wrong(path, &error))?;
    if chain.is_empty() {
        return Err(wrong(path, &"it holds no certificate in PEM"));
    }
    Ok(chain)
}

fn wrong(path: &Path, why: &impl ToString) -> TlsError {
    TlsError { path: path.to_owned(), why: why.to_string() }
}

#[cfg(test)]
#[path = "certificates_tests.rs"]
mod tests;
