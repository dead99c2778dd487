//! Reading blobs (distribution-spec, "Pulling blobs").

use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpResponse, HttpResponseBuilder};
use tagstone_replay::audit::past::Question;
use tagstone_replay::fold::{Repository, State};
use tagstone_schema::Digest;

use super::asked::{Asked, Kind};
use super::conditions::{etag, is_unchanged, range_applies};
use super::connections::Connection;
use super::error::{Code, Refusal};
use super::exchange::{Answer, CONTENT_DIGEST, Exchange};
use super::file_body::FileBody;
use super::manifests::{head, header_value, known};
use super::range::{Wanted, wanted};
use crate::content::Opened;
use crate::registry::Rejection;

/// GET and HEAD `/v2/<name>/blobs/<digest>`
pub(super) async fn get(exchange: &Exchange<'_>, name: &str, digest: &str) -> Answer {
    let asked = Asked::of(exchange, name).await?;
    let digest: Digest = digest.parse()?;
    let size = linked(&*asked.state(exchange, || Question::Digest(digest.clone())).await?, &asked, &digest)?;
    promise(exchange, &asked, &digest).await?;
    asked.refuse_removed(exchange, Kind::Blob, &digest).await?;
    let text = digest.to_string();
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_DIGEST, header_value(&text)));
    response.insert_header((header::ETAG, etag(&text)));
    response.insert_header((header::ACCEPT_RANGES, HeaderValue::from_static("bytes")));
    if is_unchanged(exchange.request, &text) {
        return Ok(response.status(StatusCode::NOT_MODIFIED).finish());
    }
    let opened = open(exchange, &asked, &digest, size).await?;
    response.insert_header((header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")));
    if exchange.request.method() == Method::HEAD {
        return Ok(head(&mut response, size));
    }
    let range = exchange.header(header::RANGE).filter(|_| range_applies(exchange.request, &text));
    let (first, length) = match wanted(range, size) {
        Wanted::Whole => (0, size),
        Wanted::Part { first, last } => {
            response.status(StatusCode::PARTIAL_CONTENT);
            response.insert_header((header::CONTENT_RANGE, header_value(&format!("bytes {first}-{last}/{size}"))));
            (first, last - first + 1)
        }
        Wanted::Unsatisfiable => {
            let message = format!("the range lies outside the blob, which has {size} bytes");
            return Err(Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, Code::SizeInvalid, message)
                .with_header(header::CONTENT_RANGE, header_value(&format!("bytes */{size}"))));
        }
    };
    exchange.site.metrics.bytes_sent(length);
    Ok(send(exchange, &mut response, opened, first, length))
}

fn send(
    exchange: &Exchange<'_>,
    response: &mut HttpResponseBuilder,
    opened: Opened,
    first: u64,
    length: u64,
) -> HttpResponse {
    match opened {
        Opened::Small(bytes) => {
            let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
            response.body(bytes.slice(at(first)..at(first + length)))
        }
        Opened::File(file, _) => {
            let busy = Connection::of(exchange.request).map(Connection::busy);
            response.body(FileBody::new(file, first, length, busy))
        }
    }
}

/// A blob that no manifest names is kept from collection for a while by the client being told of it: it may be about to push one
/// that does.
async fn promise(exchange: &Exchange<'_>, asked: &Asked<'_>, digest: &Digest) -> Result<(), Refusal> {
    let is_unreferenced = |repository: Repository<'_>, digest: &Digest| repository.unreferenced_since(digest).is_some();
    let is_linked = |repository: Repository<'_>, digest: &Digest| repository.blob(digest).is_some();
    if asked.is_there_for_whoever_is_told(exchange, digest, is_unreferenced, is_linked).await {
        return Ok(());
    }
    Err(Rejection::BlobUnknown { repository: asked.name.clone(), digest: digest.clone() }.into())
}

/// The size of a blob that the repository links.
fn linked(state: &State, asked: &Asked<'_>, digest: &Digest) -> Result<u64, Refusal> {
    let unknown = || Rejection::BlobUnknown { repository: asked.name.clone(), digest: digest.clone() };
    known(state, asked)?.blob(digest).ok_or_else(|| asked.refuse(unknown()))
}

/// The bytes of a blob, of the size that the log knows.
async fn open(exchange: &Exchange<'_>, asked: &Asked<'_>, digest: &Digest, size: u64) -> Result<Opened, Refusal> {
    let (content, wanted) = (exchange.site.content.clone(), digest.clone());
    let opened = tokio::task::spawn_blocking(move || content.open_content(&wanted)).await;
    let wrong = |why: String| {
        tracing::error!(%digest, why, "a blob cannot be read");
        let message = format!("blob {digest} is known, but its bytes cannot be read; the operator has to look into it");
        Refusal::internal(Code::BlobUnknown, message)
    };
    let opened = opened.map_err(std::io::Error::other).flatten().map_err(|error| wrong(error.to_string()))?;
    let Some(opened) = opened else { return Err(asked.absent(exchange, Kind::Blob, digest).await) };
    let length = match &opened {
        Opened::Small(bytes) => bytes.len() as u64,
        Opened::File(_, length) => *length,
    };
    if length != size {
        // It may have been removed since the look at the state: its file is cut first.
        let is_gone = !exchange.site.published.load().state.knows(digest);
        if is_gone {
            return Err(asked.absent(exchange, Kind::Blob, digest).await);
        }
        return Err(wrong(format!("it has {length} bytes on disk, and {size} in the log")));
    }
    Ok(opened)
}
