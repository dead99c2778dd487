//! Uploading blobs (distribution-spec, "Pushing blobs"): in one request, in chunks, as a stream, by mounting.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName};
use actix_web::web::Payload;
use actix_web::{HttpResponse, HttpResponseBuilder};
use tagstone_schema::event::Action;
use tagstone_schema::{Algorithm, Digest, RepositoryName};

use super::body::Body;
use super::clients::{UPLOADS_RETRY, too_many};
use super::error::{Code, Refusal};
use super::exchange::{Answer, CONTENT_DIGEST, Exchange, readable, writable};
use super::manifests::header_value;
use super::range::{chunk, progress};
use super::receive::{blocking, receive};
use crate::content::{Claim, FinishError, Finished, OpenFor, Session, UploadId, small};
use crate::limit::Limit;
use crate::registry::{Command, WriteError};

const UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");

/// POST `/v2/<name>/blobs/uploads/`
pub(super) async fn start(exchange: &Exchange<'_>, payload: Payload, name: &str) -> Answer {
    let repository = writable(name)?;
    exchange.site.writer.check()?;
    let query = exchange.query();
    if let Some(mount) = query.one("mount")? {
        let digest: Digest = mount.parse()?;
        let from = query.one("from")?;
        if self::mount(exchange, &repository, &digest, from.as_deref()).await? {
            return Ok(created(&repository, &digest));
        }
    } else if let Some(digest) = query.one("digest")? {
        return at_once(exchange, payload, &repository, &digest.parse()?).await;
    }
    let algorithm = match query.one("digest-algorithm")? {
        Some(name) => name.parse::<Algorithm>()?,
        None => Algorithm::Sha256,
    };
    let id = begin(exchange, &repository, algorithm).await?;
    let mut response = HttpResponse::Accepted();
    describe(&mut response, &repository, id, 0);
    Ok(response.finish())
}

/// Links a blob of another repository: of `from`, or of any that has it. Where that cannot be, the client uploads it, and was promised
/// nothing: otherwise anybody could keep any digest from being purged.
async fn mount(
    exchange: &Exchange<'_>,
    repository: &RepositoryName,
    digest: &Digest,
    from: Option<&str>,
) -> Result<bool, Refusal> {
    let Some(from) = source(exchange, digest, from) else { return Ok(false) };
    let reservation = exchange.site.promises.reserve(digest).await;
    let (content, wanted) = (exchange.site.content.clone(), digest.clone());
    if !blocking(move || Ok::<_, std::io::Error>(content.contains(&wanted))).await? {
        return Ok(false);
    }
    let command = Command::MountBlob { repository: repository.clone(), digest: digest.clone(), from };
    let mut submission = exchange.submission(command);
    submission.reserved.push(reservation);
    match exchange.site.writer.submit(submission).await {
        Ok(_) => Ok(true),
        Err(WriteError::Rejected(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The repository that a blob is mounted from, if it has it. What the client may not pull is not there for it, whether it names the
/// repository or not.
fn source(exchange: &Exchange<'_>, digest: &Digest, from: Option<&str>) -> Option<RepositoryName> {
    let snapshot = exchange.site.published.load();
    let visible = |repository: &RepositoryName| exchange.caller.may(Action::Pull, repository.as_str());
    match from {
        Some(from) => {
            let from: RepositoryName = from.parse().ok().filter(visible)?;
            snapshot.state.repository(from.as_str())?.blob(digest).map(|_| from)
        }
        None => snapshot.state.blob_holders(digest).find(|holder| visible(holder)).cloned(),
    }
}

/// A blob that comes whole with the request that opens the session: a small one never touches a session's file.
async fn at_once(exchange: &Exchange<'_>, payload: Payload, repository: &RepositoryName, digest: &Digest) -> Answer {
    if is_small(exchange) {
        return small_blob(exchange, payload, repository, digest).await;
    }
    let place = place(exchange)?;
    let (content, of, algorithm) = (exchange.site.content.clone(), repository.clone(), digest.algorithm());
    // Nobody is told of this session, so it ends with the request, however that ends.
    let claim = blocking(move || content.uploads.begin_transient(&of, algorithm, place)).await?;
    let claim = receive(exchange, payload, claim).await?;
    close(exchange, claim, repository, digest).await
}

/// The place of one more session among those of its client, unless it has as many as it may, or all together have.
fn place(exchange: &Exchange<'_>) -> Result<OpenFor, Refusal> {
    let open = exchange.site.content.uploads.open_count();
    if open < exchange.site.limits.open_uploads {
        return Ok(Box::new(exchange.site.clients.upload(exchange)?));
    }
    let message = format!("{open} uploads are open, which is the most that are allowed; finish or delete some first");
    Err(too_many(message, UPLOADS_RETRY, Limit::OpenUploads))
}

async fn begin(
    exchange: &Exchange<'_>,
    repository: &RepositoryName,
    algorithm: Algorithm,
) -> Result<UploadId, Refusal> {
    let place = place(exchange)?;
    let (content, repository) = (exchange.site.content.clone(), repository.clone());
    blocking(move || content.uploads.begin(&repository, algorithm, place)).await
}

/// GET `<location>`: how far an upload has come.
pub(super) async fn status(exchange: &Exchange<'_>, name: &str, id: &str) -> Answer {
    let repository = readable(name)?;
    let session = find(exchange, &repository, upload_id(id)?).await?;
    let mut response = HttpResponse::NoContent();
    describe(&mut response, &repository, session.id(), session.offset());
    Ok(response.finish())
}

/// PATCH `<location>`: a chunk, or a stream without a range.
pub(super) async fn append(exchange: &Exchange<'_>, payload: Payload, name: &str, id: &str) -> Answer {
    let repository = writable(name)?;
    exchange.site.writer.check()?;
    let (session, claim) = claim(exchange, &repository, upload_id(id)?).await?;
    check_chunk(exchange, &repository, &session)?;
    // The session is free before the answer is sent: clients send the next request at once.
    drop(receive(exchange, payload, claim).await?);
    let mut response = HttpResponse::Accepted();
    describe(&mut response, &repository, session.id(), session.offset());
    Ok(response.finish())
}

/// PUT `<location>?digest=<digest>`: the end of an upload, with or without a last chunk.
pub(super) async fn finish(exchange: &Exchange<'_>, payload: Payload, name: &str, id: &str) -> Answer {
    let repository = writable(name)?;
    let digest = exchange.query().one("digest")?.ok_or_else(|| {
        let message =
            "the parameter `digest` is missing: end an upload with PUT <location>?digest=<digest of the blob>";
        Refusal::bad_request(Code::DigestInvalid, message)
    })?;
    let digest: Digest = digest.parse()?;
    exchange.site.writer.check()?;
    let (session, claim) = claim(exchange, &repository, upload_id(id)?).await?;
    check_chunk(exchange, &repository, &session)?;
    if claim.offset() == 0 && is_small(exchange) {
        let answer = small_blob(exchange, payload, &repository, &digest).await?;
        discard(claim).await;
        return Ok(answer);
    }
    let claim = receive(exchange, payload, claim).await?;
    close(exchange, claim, &repository, &digest).await
}

/// DELETE `<location>`: the upload is given up.
pub(super) async fn cancel(exchange: &Exchange<'_>, name: &str, id: &str) -> Answer {
    let repository = writable(name)?;
    let (_, claim) = claim(exchange, &repository, upload_id(id)?).await?;
    blocking(move || claim.abort()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Whether the body is announced, and small enough to travel in memory.
fn is_small(exchange: &Exchange<'_>) -> bool {
    exchange.content_length().is_some_and(|length| length <= exchange.site.limits.small_blob_bytes as u64)
}

async fn small_blob(exchange: &Exchange<'_>, payload: Payload, repository: &RepositoryName, digest: &Digest) -> Answer {
    let limits = &exchange.site.limits;
    let most = (limits.small_blob_bytes as u64).min(limits.blob_bytes.unwrap_or(u64::MAX));
    let bytes = Body::new(exchange, payload, Some(most), Code::BlobUploadInvalid)?.whole().await?;
    exchange.site.metrics.bytes_received(bytes.len() as u64);
    small::verify(&bytes, digest)?;
    let size = bytes.len() as u64;
    let command = Command::LinkBlob { repository: repository.clone(), digest: digest.clone(), size };
    let reservation = exchange.site.promises.reserve(digest).await;
    let mut submission = exchange.submission(command);
    submission.contents.push((digest.clone(), bytes));
    submission.reserved.push(reservation);
    exchange.site.writer.submit(submission).await?;
    Ok(created(repository, digest))
}

/// Verifies an upload, and commits it as a blob of the repository.
async fn close(exchange: &Exchange<'_>, claim: Claim, repository: &RepositoryName, digest: &Digest) -> Answer {
    // From before the file gets its name until the record is durable.
    let reservation = exchange.site.promises.reserve(digest).await;
    let expected = digest.clone();
    let finished = tokio::task::spawn_blocking(move || claim.finish(&expected)).await;
    let finished = finished.map_err(|error| FinishError::Io(std::io::Error::other(error))).flatten()?;
    let link = |size| Command::LinkBlob { repository: repository.clone(), digest: digest.clone(), size };
    match finished {
        Finished::File { size } => {
            let mut submission = exchange.submission(link(size));
            submission.renamed.push(digest.clone());
            submission.reserved.push(reservation);
            exchange.site.writer.submit(submission).await?;
        }
        Finished::Small { bytes, session } => {
            let mut submission = exchange.submission(link(bytes.len() as u64));
            submission.contents.push((digest.clone(), bytes));
            submission.reserved.push(reservation);
            exchange.site.writer.submit(submission).await?;
            discard(session).await;
        }
    }
    Ok(created(repository, digest))
}

/// Removes a session whose blob is committed. If that fails the session is removed when its lifetime ends.
async fn discard(claim: Claim) {
    if let Err(refusal) = blocking(move || claim.abort()).await {
        tracing::warn!(why = refusal.message, "a finished upload session could not be removed yet");
    }
}

fn upload_id(text: &str) -> Result<UploadId, Refusal> {
    text.parse().map_err(|_| unknown())
}

fn unknown() -> Refusal {
    let message =
        "there is no such upload in this repository: it was finished, cancelled or given up; begin again with POST";
    Refusal::not_found(Code::BlobUploadUnknown, message)
}

async fn find(exchange: &Exchange<'_>, repository: &RepositoryName, id: UploadId) -> Result<Arc<Session>, Refusal> {
    let (content, repository) = (exchange.site.content.clone(), repository.clone());
    blocking(move || content.uploads.find(&repository, id)).await?.ok_or_else(unknown)
}

async fn claim(
    exchange: &Exchange<'_>,
    repository: &RepositoryName,
    id: UploadId,
) -> Result<(Arc<Session>, Claim), Refusal> {
    let session = find(exchange, repository, id).await?;
    let claim = session.try_claim().ok_or_else(|| {
        let message = "another request is writing to this upload; wait for its answer";
        Refusal::new(StatusCode::CONFLICT, Code::BlobUploadInvalid, message)
    })?;
    Ok((session, claim))
}

/// Checks `Content-Range` against what the session holds.
fn check_chunk(exchange: &Exchange<'_>, repository: &RepositoryName, session: &Session) -> Result<(), Refusal> {
    let Some(text) = exchange.header(header::CONTENT_RANGE) else { return Ok(()) };
    let offset = session.offset();
    let Some((first, last)) = chunk(text) else {
        let message =
            format!("`{text}` is not a Content-Range of an upload; write the first and last byte as {offset}-<last>");
        return Err(Refusal::bad_request(Code::BlobUploadInvalid, message));
    };
    if first != offset {
        let message = format!("the upload holds {offset} bytes, so the next chunk begins at {offset}, not at {first}");
        let location = location(repository, session.id());
        return Err(Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, Code::BlobUploadInvalid, message)
            .with_header(header::LOCATION, header_value(&location))
            .with_header(header::RANGE, header_value(&progress(offset))));
    }
    let announced = exchange.content_length();
    if let Some(length) = announced
        && length != last - first + 1
    {
        let message = format!("Content-Range {text} is {} bytes, but Content-Length is {length}", last - first + 1);
        return Err(Refusal::bad_request(Code::SizeInvalid, message));
    }
    Ok(())
}

fn location(repository: &RepositoryName, id: UploadId) -> String {
    format!("/v2/{repository}/blobs/uploads/{id}")
}

fn describe(response: &mut HttpResponseBuilder, repository: &RepositoryName, id: UploadId, offset: u64) {
    response.insert_header((header::LOCATION, header_value(&location(repository, id))));
    response.insert_header((header::RANGE, header_value(&progress(offset))));
    response.insert_header((UPLOAD_UUID, header_value(&id.to_string())));
}

fn created(repository: &RepositoryName, digest: &Digest) -> HttpResponse {
    let mut response = HttpResponse::Created();
    response.insert_header((header::LOCATION, header_value(&format!("/v2/{repository}/blobs/{digest}"))));
    response.insert_header((CONTENT_DIGEST, header_value(&digest.to_string())));
    response.finish()
}
