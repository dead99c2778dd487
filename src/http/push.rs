//! Pushing manifests (distribution-spec, "Pushing manifests").

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName};
use actix_web::web::Payload;
use bytes::Bytes;
use serde_json::{Value, json};
use tagstone_replay::content::hash_of;
use tagstone_schema::event::Action;
use tagstone_schema::{Algorithm, Digest, MediaType, RepositoryName, Tag, limits};

use super::body::Body;
use super::conditions;
use super::error::{Code, Refusal};
use super::exchange::{Answer, CONTENT_DIGEST, Exchange, writable};
use super::manifests::{Reference, header_value};
use crate::manifest::Document;
use crate::registry::{Command, PutManifest, Rejection, WriteError};

/// The digest of the manifest that the pushed one refers to: the client need not list referrers in a tag.
const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
/// A tag that was set by a push under several tags.
const OCI_TAG: HeaderName = HeaderName::from_static("oci-tag");

/// PUT `/v2/<name>/manifests/<reference>`
pub(super) async fn put(exchange: &Exchange<'_>, payload: Payload, name: &str, reference: &str) -> Answer {
    let repository = writable(name)?;
    let target = Target::of(exchange, reference)?;
    let condition = conditions::of_write(exchange.request)?;
    let media_type = content_type(exchange)?;
    let most = exchange.site.limits.manifest_bytes;
    let bytes = Body::new(exchange, payload, Some(most), Code::ManifestInvalid)?.whole().await?;
    exchange.site.metrics.bytes_received(bytes.len() as u64);
    let document = Document::parse(&bytes, &media_type)?;
    let digest = target.digest_of(&bytes)?;

    let subject = document.subject.clone();
    let command = Command::PutManifest(Box::new(PutManifest {
        repository: repository.clone(),
        digest: digest.clone(),
        size: bytes.len() as u64,
        media_type,
        kind: document.kind,
        artifact_type: document.artifact_type,
        subject: document.subject,
        references: document.references,
        required: document.required,
        tags: target.tags.clone(),
        condition,
        sparse: exchange.site.sparse,
    }));
    let reservation = exchange.site.promises.reserve(&digest).await;
    let mut submission = exchange.submission(command);
    submission.reserved.push(reservation.clone());
    submission.contents.push((digest.clone(), bytes));
    let committed = exchange.site.writer.submit(submission).await;
    committed.map_err(|error| refusal(exchange, &repository, error))?;
    if is_idle(exchange, &repository, &digest) {
        // An index that names it may follow, or the subject that it refers to. Who has gone is told nothing.
        exchange.tell(&repository, &digest).await;
    }
    drop(reservation);
    Ok(created(&repository, reference, &digest, subject.as_ref(), &target))
}

fn is_idle(exchange: &Exchange<'_>, repository: &RepositoryName, digest: &Digest) -> bool {
    let snapshot = exchange.site.published.load();
    snapshot.state.repository(repository.as_str()).is_some_and(|target| target.idle_since(digest).is_some())
}

/// Why a push was refused. Whoever may push and not pull is told that and the reason, but not what stands there.
fn refusal(exchange: &Exchange<'_>, repository: &RepositoryName, error: WriteError) -> Refusal {
    let why = match &error {
        _ if exchange.caller.may(Action::Pull, repository.as_str()) => None,
        WriteError::Rejected(Rejection::Immutable(_)) => Some("a tag that it names is immutable"),
        WriteError::Rejected(Rejection::Spent { .. }) => Some("a tag that it names is bound to other content"),
        WriteError::Rejected(Rejection::PreconditionFailed { .. }) => Some("its condition does not hold"),
        WriteError::Rejected(Rejection::MediaTypeDiffers { .. }) => Some("its Content-Type is another than before"),
        _ => None,
    };
    let mut refusal = Refusal::from(error);
    if let Some(why) = why {
        refusal.message =
            format!("the push to {repository} was refused: {why}; whoever may pull from {repository} is told more");
        refusal.detail = refusal.detail.get("reason").map_or(Value::Null, |reason| json!({"reason": reason}));
    }
    refusal
}

fn created(
    repository: &RepositoryName,
    reference: &str,
    digest: &Digest,
    subject: Option<&Digest>,
    target: &Target,
) -> HttpResponse {
    let digest = digest.to_string();
    let mut response = HttpResponse::Created();
    response.insert_header((header::LOCATION, header_value(&format!("/v2/{repository}/manifests/{reference}"))));
    response.insert_header((header::ETAG, conditions::etag(&digest)));
    response.insert_header((CONTENT_DIGEST, header_value(&digest)));
    if let Some(subject) = subject {
        response.insert_header((OCI_SUBJECT, header_value(&subject.to_string())));
    }
    if target.by_query {
        for tag in &target.tags {
            response.append_header((OCI_TAG, header_value(tag.as_str())));
        }
    }
    response.finish()
}

/// Where a manifest is pushed to.
struct Target {
    digest: Option<Digest>,
    tags: Vec<Tag>,
    by_query: bool,
}

impl Target {
    fn of(exchange: &Exchange<'_>, reference: &str) -> Result<Self, Refusal> {
        let given = exchange.query().all("tag")?;
        match Reference::of(reference)? {
            Reference::Tag(_) if !given.is_empty() => Err(Refusal::bad_request(
                Code::Unsupported,
                "`?tag=` goes with a push by digest: PUT /v2/<name>/manifests/<digest>?tag=a&tag=b",
            )),
            Reference::Tag(tag) => Ok(Self { digest: None, tags: vec![tag], by_query: false }),
            Reference::Digest(digest) => {
                if given.len() > limits::TAGS_PER_PUSH {
                    let message = format!(
                        "{} tags are too many for one push; {} are allowed",
                        given.len(),
                        limits::TAGS_PER_PUSH
                    );
                    return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, Code::SizeInvalid, message));
                }
                let tags = given.iter().map(|tag| tag.parse::<Tag>()).collect::<Result<Vec<_>, _>>()?;
                Ok(Self { digest: Some(digest), by_query: !tags.is_empty(), tags })
            }
        }
    }

    /// The digest of the bytes, which has to be the one that the client names.
    fn digest_of(&self, bytes: &Bytes) -> Result<Digest, Refusal> {
        let algorithm = self.digest.as_ref().map_or(Algorithm::Sha256, Digest::algorithm);
        let actual = hash_of(algorithm, bytes);
        match &self.digest {
            Some(expected) if *expected != actual => Err(Refusal::bad_request(
                Code::DigestInvalid,
                format!("the body has the digest {actual}, but the request names {expected}"),
            )),
            _ => Ok(actual),
        }
    }
}

/// The media type of the body, without parameters.
fn content_type(exchange: &Exchange<'_>) -> Result<MediaType, Refusal> {
    let Some(text) = exchange.header(header::CONTENT_TYPE) else {
        return Err(Refusal::bad_request(
            Code::ManifestInvalid,
            "the Content-Type is missing; send the media type of the manifest, such as application/vnd.oci.image.manifest.v1+json",
        ));
    };
    let essence = text.split_once(';').map_or(text, |(essence, _)| essence).trim();
    essence.parse().map_err(|error| Refusal::bad_request(Code::ManifestInvalid, format!("Content-Type: {error}")))
}
