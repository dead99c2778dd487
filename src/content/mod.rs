//! The bytes of blobs and manifests on disk: written durably, read by digest, verified both ways.
