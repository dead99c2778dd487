//! Deleting manifests, tags and blobs (distribution-spec, "Content management").

use actix_web::HttpResponse;

use super::conditions;
use super::exchange::{Answer, Exchange, writable};
use super::manifests::Reference;
use crate::registry::Command;

/// DELETE `/v2/<name>/manifests/<reference>`: by digest the manifest with every tag on it, by tag the tag alone.
pub(super) async fn manifest(exchange: &Exchange<'_>, name: &str, reference: &str) -> Answer {
    let repository = writable(name)?;
    let reference = Reference::of(reference)?;
    let condition = conditions::of_write(exchange.request)?;
    let command = match reference {
        Reference::Digest(digest) => Command::DeleteManifest { repository, digest, condition },
        Reference::Tag(tag) => Command::DeleteTag { repository, tag, condition },
    };
    exchange.commit(command).await?;
    Ok(HttpResponse::Accepted().finish())
}

/// DELETE `/v2/<name>/blobs/<digest>`
pub(super) async fn blob(exchange: &Exchange<'_>, name: &str, digest: &str) -> Answer {
    let repository = writable(name)?;
    exchange.commit(Command::DeleteBlob { repository, digest: digest.parse()? }).await?;
    Ok(HttpResponse::Accepted().finish())
}
