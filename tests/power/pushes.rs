//! Clients that push until the registry is gone, and tell what was acknowledged.

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::Sender;

use tagstone_replay::content::hash_of;
use tagstone_schema::{Algorithm, Digest};

use crate::client::send;

pub(crate) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

/// What the clients do.
#[derive(Clone, Copy)]
pub(crate) struct Workload {
    pub(crate) clients: usize,
    pub(crate) content: Content,
}

/// How large layers are.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Content {
    /// They travel with the batch.
    Small,
    /// They are files of their own.
    Large,
}

/// Something that the registry has confirmed.
#[derive(Clone)]
pub(crate) enum Acknowledged {
    Blob {
        repository: String,
        digest: Digest,
        bytes: Vec<u8>,
    },
    Tag {
        repository: String,
        tag: String,
        digest: Digest,
        manifest: Vec<u8>,
    },
    /// A request to delete the tag was sent: it may be there or not, until that is acknowledged too.
    Deleting {
        tag: String,
    },
    Deleted {
        repository: String,
        tag: String,
    },
}

pub(crate) fn digest_of(bytes: &[u8]) -> Digest {
    hash_of(Algorithm::Sha256, bytes)
}

/// Pushes images, each under a tag of its own, and deletes every fourth tag again, until an answer is missing or is no
/// success.
pub(crate) fn push_until_the_end(
    address: SocketAddr,
    name: &str,
    content: Content,
    told: &Sender<Acknowledged>,
) -> io::Result<()> {
    let repository = format!("acme/{}", name.split('-').next().unwrap_or(name));
    for push in 0.. {
        let tag = format!("{name}-{push}");
        let config = format!("{{\"push\":\"{tag}\"}}").into_bytes();
        let size = if content == Content::Large { 150 * 1024 + push } else { 700 };
        let layer: Vec<u8> = tag.bytes().cycle().take(size).collect();
        for bytes in [&config, &layer] {
            if !push_blob(address, &repository, bytes)? {
                return Ok(());
            }
            let (repository, digest) = (repository.clone(), digest_of(bytes));
            tell(told, Acknowledged::Blob { repository, digest, bytes: bytes.clone() });
        }
        let manifest = manifest(&config, &layer);
        let path = format!("/v2/{repository}/manifests/{tag}");
        if send(address, "PUT", &path, Some(IMAGE), &manifest)?.status != 201 {
            return Ok(());
        }
        let digest = digest_of(&manifest);
        tell(told, Acknowledged::Tag { repository: repository.clone(), tag: tag.clone(), digest, manifest });
        if push % 4 == 3 {
            tell(told, Acknowledged::Deleting { tag: tag.clone() });
            if send(address, "DELETE", &path, None, b"")?.status != 202 {
                return Ok(());
            }
            tell(told, Acknowledged::Deleted { repository: repository.clone(), tag });
        }
    }
    Ok(())
}

/// Pushes a blob in one request. Whether it was acknowledged.
pub(crate) fn push_blob(address: SocketAddr, repository: &str, bytes: &[u8]) -> io::Result<bool> {
    let path = format!("/v2/{repository}/blobs/uploads/?digest={}", digest_of(bytes));
    Ok(send(address, "POST", &path, Some("application/octet-stream"), bytes)?.status == 201)
}

fn tell(told: &Sender<Acknowledged>, what: Acknowledged) {
    // Where nobody listens any more, the next request will fail.
    let _ = told.send(what);
}

pub(crate) fn manifest(config: &[u8], layer: &[u8]) -> Vec<u8> {
    let descriptor = |media_type: &str, bytes: &[u8]| {
        let (digest, size) = (digest_of(bytes), bytes.len());
        format!("{{\"mediaType\":\"{media_type}\",\"digest\":\"{digest}\",\"size\":{size}}}")
    };
    let config = descriptor("application/vnd.oci.image.config.v1+json", config);
    let layer = descriptor("application/vnd.oci.image.layer.v1.tar", layer);
    format!("{{\"schemaVersion\":2,\"mediaType\":\"{IMAGE}\",\"config\":{config},\"layers\":[{layer}]}}").into_bytes()
}
