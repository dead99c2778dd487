//! Content that was deleted everywhere, and whose bytes wait for collection: what of it can be purged at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use tagstone_replay::audit::{Filter, Order, Query};
use tagstone_schema::event::{ContentKind, RemovedContent};
use tagstone_schema::media_type::{OCI_IMAGE, OCI_INDEX};
use tagstone_schema::{Digest, MediaType, RepositoryName, Tag};

use super::error::{ApiRefusal, ErrorType};
use crate::content::ContentStore;
use crate::history::HistoryError;
use crate::http::exchange::Exchange;
use crate::registry::{LeftBehind, Purged, Snapshot};

/// Contents that are looked at: an image has a thousand layers at most, and an index some dozens of images.
const SEARCHED: usize = 10_000;

/// What is left of content that no repository has any more and that a purge means: its own bytes, and those of what it names, as far as
/// nothing else holds that but links of this repository; or, below an index that is here, children that were deleted before. Nothing where
/// the caller is no administrator: what nobody has any more belongs to nobody else.
pub(super) async fn of(
    exchange: &Exchange<'_>,
    repository: &RepositoryName,
    what: &Purged,
) -> Result<Vec<LeftBehind>, ApiRefusal> {
    let snapshot = exchange.site.published.snapshot();
    let target = snapshot.state.repository(repository.as_str());
    let tagged = |tag: &Tag| target.and_then(|target| target.tag(tag.as_str())).map(|tag| tag.digest().clone());
    let digest = match what {
        Purged::Digest(digest) => Some(digest.clone()),
        Purged::Tag(tag) | Purged::Erased(tag) => tagged(tag),
    };
    let Some(digest) = digest.filter(|_| exchange.caller.is_administrator()) else { return Ok(Vec::new()) };
    if target.is_none() && !(snapshot.state.loose(&digest).is_some() && was_there(exchange, repository).await?) {
        return Ok(Vec::new());
    }
    let (content, repository) = (exchange.site.content.clone(), repository.clone());
    let search = move || Search { snapshot, content, repository }.run(digest);
    tokio::task::spawn_blocking(search).await.map_err(|error| broke_off(&error))
}

/// Whether there ever was a repository of this name: the record of a purge says where it was.
async fn was_there(exchange: &Exchange<'_>, repository: &RepositoryName) -> Result<bool, ApiRefusal> {
    let archive = exchange.site.history.archive(exchange.site.published.load().head.seq).await?;
    let filter = Filter { repository: Some(repository.clone()), ..Filter::default() };
    let query = Query { filter, order: Order::Descending, after: None, limit: 1 };
    let page = tokio::task::spawn_blocking(move || archive.events(&query)).await.map_err(|error| broke_off(&error))?;
    Ok(!page.map_err(HistoryError::from)?.events.is_empty())
}

fn broke_off(error: &tokio::task::JoinError) -> ApiRefusal {
    tracing::error!(%error, "a search for what was left behind ended by a panic");
    ApiRefusal::new(ErrorType::InternalError, "what was left behind cannot be looked for; nothing was purged")
}

struct Search {
    snapshot: Arc<Snapshot>,
    content: Arc<ContentStore>,
    repository: RepositoryName,
}

impl Search {
    fn run(&self, digest: Digest) -> Vec<LeftBehind> {
        let (mut found, mut seen, mut waiting) = (Vec::new(), BTreeSet::from([digest.clone()]), vec![digest]);
        while let Some(next) = waiting.pop() {
            let mut tied = self.tied_here(&next);
            if let Some(content) = self.left(&next) {
                let document = self.document(&content);
                let media_type = document.as_ref().and_then(media_type);
                let children = document.iter().flat_map(|document| named_in(document, &["manifests"])).collect();
                let names: Vec<_> = document.iter().flat_map(named_by).collect();
                tied.extend_from_slice(&names);
                found.push(LeftBehind { content, media_type, names, children });
            }
            waiting.extend(tied.into_iter().filter(|digest| seen.len() < SEARCHED && seen.insert(digest.clone())));
        }
        found
    }

    /// The children of an index that is here, and what is here and refers to the digest: it may name what was deleted.
    fn tied_here(&self, digest: &Digest) -> Vec<Digest> {
        let Some(own) = self.snapshot.state.repository(self.repository.as_str()) else { return Vec::new() };
        let index = own.manifest(digest).filter(|manifest| manifest.is_index());
        let children = index.into_iter().flat_map(|index| own.references(index));
        children.chain(own.referrers(digest, None).map(|referrer| &referrer.digest)).cloned().collect()
    }

    fn left(&self, digest: &Digest) -> Option<RemovedContent> {
        let state = &self.snapshot.state;
        if let Some(loose) = state.loose(digest) {
            let size = self.content.len_of(digest)?;
            return Some(RemovedContent { digest: digest.clone(), size, content: loose.kind });
        }
        let own = state.repository(self.repository.as_str())?;
        own.unreferenced_since(digest)?;
        Some(RemovedContent { digest: digest.clone(), size: own.blob(digest)?, content: ContentKind::Blob })
    }

    /// A manifest. It was checked when it was pushed; one whose bytes cannot be read names nothing.
    fn document(&self, content: &RemovedContent) -> Option<Value> {
        if content.content != ContentKind::Manifest {
            return None;
        }
        let bytes = self.content.read_manifest(&content.digest).ok().flatten();
        Some(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
    }
}

fn named_by(document: &Value) -> Vec<Digest> {
    let config = document["config"]["digest"].as_str().and_then(|config| config.parse().ok());
    named_in(document, &["layers", "manifests", "blobs"]).into_iter().chain(config).collect()
}

fn named_in(document: &Value, lists: &[&str]) -> Vec<Digest> {
    let named = lists.iter().filter_map(|list| document[*list].as_array()).flatten();
    named.filter_map(|descriptor| descriptor["digest"].as_str()?.parse().ok()).collect()
}

/// The log knows it, but the state does not any more; the document mostly says it itself.
fn media_type(document: &Value) -> Option<MediaType> {
    let shape = if document["manifests"].is_array() { OCI_INDEX } else { OCI_IMAGE };
    document["mediaType"].as_str().unwrap_or(shape).parse().ok()
}
