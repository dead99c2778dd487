//! Whose certificates a running registry may show.

use std::io;
use std::path::{Path, PathBuf};

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

/// The authorities that are trusted.
#[derive(Clone, Debug, Default)]
pub enum Trust {
    /// Those that browsers trust.
    #[default]
    Public,
    /// These and no others.
    Only(Vec<Certificate<'static>>),
}

/// Why a file of authorities cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// It cannot be read.
    #[error("the authorities in {} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It holds no certificate.
    #[error("{} holds no certificate in PEM", .0.display())]
    Empty(PathBuf),
}

impl Trust {
    /// The authorities in a file, in PEM.
    pub fn only(path: &Path) -> Result<Self, TrustError> {
        let pem = std::fs::read(path).map_err(|source| TrustError::Unreadable { path: path.to_owned(), source })?;
        let certificates = parse_pem(&pem).filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        });
        let certificates: Vec<_> = certificates.collect();
        if certificates.is_empty() { Err(TrustError::Empty(path.to_owned())) } else { Ok(Self::Only(certificates)) }
    }

    pub(super) fn tls(&self) -> TlsConfig {
        let roots = match self {
            Self::Public => RootCerts::WebPki,
            Self::Only(certificates) => RootCerts::new_with_certs(certificates),
        };
        TlsConfig::builder().root_certs(roots).build()
    }
}
