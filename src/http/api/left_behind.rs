//! Content that was deleted everywhere, and whose bytes wait for collection: what of it can be purged at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use tagstone_schema::event::{ContentKind, RemovedContent};
use tagstone_schema::media_type::{OCI_IMAGE, OCI_INDEX};
use tagstone_schema::{Digest, MediaType, RepositoryName};

use super::error::{ApiRefusal, ErrorType};
use crate::content::ContentStore;
use crate::http::exchange::Exchange;
use crate::registry::{LeftBehind, Snapshot};

/// Contents that are looked at: an image has a thousand layers at most, and an index some dozens of images.
const SEARCHED: usize = 10_000;

/// What is left of content that no repository has any more: its own bytes, and those of what it names, as far as nothing else
/// holds that but links of this repository. Nothing where it is still somewhere, or the caller is no administrator: what nobody
/// has any more belongs to nobody else.
pub(super) async fn of(
    exchange: &Exchange<'_>,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<Vec<LeftBehind>, ApiRefusal> {
    let snapshot = exchange.site.published.snapshot();
    if !exchange.caller.is_administrator() || snapshot.state.loose(digest).is_none() {
        return Ok(Vec::new());
    }
    let (content, repository, digest) = (exchange.site.content.clone(), repository.clone(), digest.clone());
    let search = move || Search { snapshot, content, repository }.run(digest);
    tokio::task::spawn_blocking(search).await.map_err(|error| {
        tracing::error!(%error, "a search for what was left behind ended by a panic");
        ApiRefusal::new(ErrorType::InternalError, "what was left behind cannot be looked for; nothing was purged")
    })
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
            let Some(content) = self.left(&next) else { continue };
            let document = self.document(&content);
            let media_type = document.as_ref().and_then(media_type);
            let named = document.iter().flat_map(named_by);
            waiting.extend(named.filter(|digest| seen.len() < SEARCHED && seen.insert(digest.clone())));
            found.push(LeftBehind { content, media_type });
        }
        found
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
    let lists = ["layers", "manifests", "blobs"].iter().filter_map(|list| document[*list].as_array()).flatten();
    let named = lists.chain([&document["config"]]);
    named.filter_map(|descriptor| descriptor["digest"].as_str()?.parse().ok()).collect()
}

/// The log knows it, but the state does not any more; the document mostly says it itself.
fn media_type(document: &Value) -> Option<MediaType> {
    let shape = if document["manifests"].is_array() { OCI_INDEX } else { OCI_IMAGE };
    document["mediaType"].as_str().unwrap_or(shape).parse().ok()
}
