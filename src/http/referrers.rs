//! Listing referrers (distribution-spec, "Listing referrers").

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use tagstone_replay::audit::past::Question;
use tagstone_replay::fold::Manifest;
use tagstone_schema::Digest;
use tagstone_schema::media_type::OCI_INDEX;

use super::asked::Asked;
use super::error::{Code, Refusal};
use super::exchange::{Answer, Exchange};
use super::manifests;
use super::page::{Page, link_next};
use crate::manifest::Document;

const FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");

/// Annotations may make a descriptor as large as its manifest, so pages are smaller than those of names.
const MOST_ENTRIES: usize = 100;

/// GET `/v2/<name>/referrers/<digest>`: an index of the manifests whose subject is the digest, in order of digests.
/// It is empty, not missing, where nothing refers to the digest, the subject is unknown, or the repository is.
pub(super) async fn list(exchange: &Exchange<'_>, name: &str, digest: &str) -> Answer {
    let asked = Asked::of(exchange, name).await?;
    let subject: Digest = digest.parse()?;
    let query = exchange.query();
    let page = Page::of(&query, MOST_ENTRIES.min(exchange.site.limits.page_entries))?;
    let wanted = query.one("artifactType")?;
    let after = page
        .last
        .as_deref()
        .map(str::parse::<Digest>)
        .transpose()
        .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, Code::DigestInvalid, format!("`last`: {error}")))?;

    let of_type = |manifest: &&Manifest| {
        wanted.as_deref().is_none_or(|wanted| manifest.artifact_type().is_some_and(|own| own.as_str() == wanted))
    };
    let (entries, more) = {
        let state = asked.state(exchange, || Question::Referrers(subject.clone())).await?;
        let all = state.repository(asked.name.as_str()).into_iter();
        let all = all.flat_map(|repository| repository.referrers(&subject, after.as_ref()));
        page.take(all.filter(of_type).cloned())
    };

    // A page also ends where it has grown as large as a manifest may be: annotations can fill one each.
    let most = exchange.site.limits.manifest_bytes;
    let mut index = format!(r#"{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":["#);
    let mut listed = 0;
    for manifest in &entries {
        let descriptor = descriptor(exchange, manifest).await?.to_string();
        if listed > 0 && (index.len() + descriptor.len()) as u64 > most {
            break;
        }
        if listed > 0 {
            index.push(',');
        }
        index.push_str(&descriptor);
        listed += 1;
    }
    index.push_str("]}");
    let more = more || listed < entries.len();
    let mut response = HttpResponse::Ok();
    if wanted.is_some() {
        response.insert_header((FILTERS_APPLIED, HeaderValue::from_static("artifactType")));
    }
    if let (true, Some(last)) = (more, entries[..listed].last()) {
        let path = format!("/v2/{name}/referrers/{subject}");
        let filter = wanted.as_deref().map(|wanted| [("artifactType", wanted)]);
        let also = filter.as_ref().map_or(&[][..], |filter| &filter[..]);
        link_next(&mut response, &path, page.size, &last.digest.to_string(), also);
    }
    response.content_type(OCI_INDEX);
    Ok(manifests::whole(exchange, &mut response, index.into()))
}

/// The descriptor of a referrer. Its annotations are its own; where its bytes are not on this server, it is listed
/// without them.
async fn descriptor(exchange: &Exchange<'_>, manifest: &Manifest) -> Result<Value, Refusal> {
    let mut descriptor = json!({
        "mediaType": manifest.media_type(),
        "digest": manifest.digest,
        "size": manifest.size,
    });
    if let Some(artifact_type) = manifest.artifact_type() {
        descriptor["artifactType"] = json!(artifact_type);
    }
    let bytes = manifests::read(exchange.site, &manifest.digest).await?;
    let document = bytes.and_then(|bytes| Document::parse(&bytes, manifest.media_type()).ok());
    if let Some(annotations) = document.and_then(|document| document.annotations) {
        descriptor["annotations"] = json!(annotations);
    }
    Ok(descriptor)
}
