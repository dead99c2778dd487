//! TLS: the certificates that the server shows, those that it asks of clients, and a client that only asks whether a server is well.
//!
//! **Invariant**: there is one crypto provider, ring; nothing negotiates below TLS 1.2.

mod certificates;
mod clients;
mod probe;
mod validity;

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};

pub use certificates::{Certificates, TlsError};
pub use probe::probe;

/// Makes the crypto provider the one of the process, for libraries that ask for a default.
pub fn install_provider() {
    // The one that is installed already is the same.
    let _ = ring::default_provider().install_default();
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
