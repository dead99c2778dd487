//! Requests as bytes, and the paths of uploads.

use crate::image::MANIFEST_TYPE;

/// Appends a request to `out`.
pub fn request(out: &mut Vec<u8>, method: &str, path: &str, host: &str, media_type: &str, body: &[u8]) {
    head(out, method, path, host, media_type, body.len() as u64);
    out.extend_from_slice(body);
}

/// Appends the head of a request whose body of `length` bytes follows.
pub fn head(out: &mut Vec<u8>, method: &str, path: &str, host: &str, media_type: &str, length: u64) {
    // docker-registry takes `*/*` alone for a client that knows no OCI manifests.
    for part in [method, " ", path, " HTTP/1.1\r\nHost: ", host, "\r\nAccept: ", MANIFEST_TYPE, ", */*\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    if !media_type.is_empty() {
        for part in ["Content-Type: ", media_type, "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }
    if length > 0 || matches!(method, "POST" | "PUT" | "PATCH") {
        out.extend_from_slice(format!("Content-Length: {length}\r\n").as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

/// The path that finishes the upload opened at `location`.
pub fn finish(location: &str, digest: &str) -> String {
    let separator = if location.contains('?') { '&' } else { '?' };
    format!("{location}{separator}digest={digest}")
}
