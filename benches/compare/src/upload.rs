//! Blobs that go in by an upload.

use crate::connection::Connection;
use crate::image::{CONFIG, LAYER, digest};
use crate::request::finish;
use anyhow::{Context, Result};

/// Opens an upload in `repository` and returns its location.
pub fn open_upload(connection: &mut Connection, repository: &str) -> Result<String> {
    let answer = connection.ask(202, "POST", &format!("/v2/{repository}/blobs/uploads/"), "", b"")?;
    answer.head.location.context("an upload without a Location")
}

/// Puts the config and the layer that every manifest names into `repository`.
pub fn blobs(connection: &mut Connection, repository: &str) -> Result<()> {
    for bytes in [CONFIG, LAYER] {
        let location = open_upload(connection, repository)?;
        connection.ask(201, "PUT", &finish(&location, &digest(bytes)), "application/octet-stream", bytes)?;
    }
    Ok(())
}
