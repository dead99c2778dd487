//! Certificates of clients: none is needed, and one that is shown has to be of an authority that is trusted for it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};

use super::provider;

/// Judges certificates by authorities that can be replaced while connections are open.
#[derive(Debug)]
pub(super) struct Clients(ArcSwap<Arc<dyn ClientCertVerifier>>);

impl Clients {
    pub(super) fn new(authorities: Arc<dyn ClientCertVerifier>) -> Self {
        Self(ArcSwap::from_pointee(authorities))
    }

    pub(super) fn replace(&self, authorities: Arc<dyn ClientCertVerifier>) {
        self.0.store(Arc::new(authorities));
    }

    /// Authorities, ready to judge.
    pub(super) fn judged_by(authorities: RootCertStore) -> Result<Arc<dyn ClientCertVerifier>, String> {
        WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider())
            .allow_unauthenticated()
            .build()
            .map_err(|error| error.to_string())
    }
}

impl ClientCertVerifier for Clients {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// No hints: they would have to outlive a replacement. A client that has several certificates is told to choose by itself.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.0.load().verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.load().verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.load().verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.load().supported_verify_schemes()
    }
}
