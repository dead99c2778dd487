//! Where the bytes of blobs and manifests lie in a data directory, and how they are read and checked.
