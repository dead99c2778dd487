//! `[tls]` and `[http]`: how clients and proxies reach the server.

use std::path::PathBuf;

use ipnet::IpNet;

use super::form::OptionalFile;
use super::lists::{HostName, ListOf, Network};
use super::reader::Section;

/// The files of TLS, all in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The certificate of the server, and behind it those that lead to its authority.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authorities by which certificates of clients are judged; without them, none is asked for.
    pub client_ca: Option<PathBuf>,
}

impl Tls {
    pub(super) fn gather(section: &mut Section<'_>) -> Option<Self> {
        let cert = section.take_path("cert", &OptionalFile);
        let key = section.take_path("key", &OptionalFile);
        let client_ca = section.take_path("client_ca", &OptionalFile);
        if let (Some(cert), Some(key)) = (&cert, &key) {
            return Some(Self { cert: cert.clone(), key: key.clone(), client_ca });
        }
        // A server that spoke in the clear because a line is missing would be less safe than its file looks.
        if cert.is_some() {
            section.refuse("cert", "tls.cert needs tls.key, the private key of the certificate");
        } else if key.is_some() {
            section.refuse("key", "tls.key needs tls.cert, the certificate that the key belongs to");
        } else if client_ca.is_some() {
            section.refuse("client_ca", "tls.client_ca means nothing without tls.cert and tls.key");
        } else if let Some(place) = section.without("cert") {
            section.note(place, "[tls] has no `cert` and no `key`; name the files of both");
        }
        None
    }
}

/// What is between the server and its clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// Proxies that are believed when they say for whom they ask.
    pub trusted_proxies: Vec<IpNet>,
    /// What browsers may call a registry that lets everybody in, beside `localhost` and addresses.
    pub hosts: Vec<String>,
}

impl Http {
    pub(super) fn gather(section: &mut Section<'_>) -> Self {
        let networks = ListOf(Network, "networks such as 10.0.0.0/8");
        let names = ListOf(HostName, "names such as registry.example");
        Self {
            trusted_proxies: section.take("trusted_proxies", Vec::new(), &networks),
            hosts: section.take("hosts", Vec::new(), &names),
        }
    }
}
