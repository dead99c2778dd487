//! Targets (see [`crate::outside`]) for what stands in requests to the REST API.

use actix_web::http::header::HeaderMap;
use serde::de::DeserializeOwned;

use super::collection::CollectionOrder;
use super::erase::Erasure;
use super::page::{ApiPage, key, token};
use super::prune_run::PruneRunOrder;
use super::purge::PurgeOrder;
use super::restore::Restore;
use super::tag::TagChange;
use super::tags_deletion::TagsToDelete;
use super::tokens::Wanted;
use super::{accept as accepted, events, json, policies, tag_list_query};
use crate::http::query::Query;

/// The parameters of lists, and their cursors.
pub(in crate::http) fn query(query: &Query<'_>) {
    if let Ok(page) = ApiPage::of(query, 1000) {
        assert!((1..=1000).contains(&page.size()));
        if let Some(after) = page.after() {
            assert_eq!(key(&token(after)).ok().as_deref(), Some(after));
        }
    }
    if let Ok(listed) = tag_list_query::ListQuery::of(query) {
        let (skip, take) = listed.part();
        assert!(skip.checked_add(take).is_some());
    }
    events::read_query(query);
}

/// `Accept`.
pub(in crate::http) fn accept(headers: &HeaderMap) {
    assert!((0.0..=1.0).contains(&accepted::quality(headers, "application/x-ndjson")));
}

/// Every body, read as each of what bodies can be.
pub(in crate::http) fn bodies(bytes: &[u8]) {
    read::<TagsToDelete>(bytes);
    read::<PurgeOrder>(bytes);
    read::<CollectionOrder>(bytes);
    read::<Restore>(bytes);
    read::<TagChange>(bytes);
    read::<PruneRunOrder>(bytes);
    read::<Erasure>(bytes);
    read::<Wanted>(bytes);
    policies::read_bodies(bytes);
}

/// What is refused says why.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) {
    if let Err(refusal) = json::parse::<T>(bytes) {
        let refused = crate::http::refused::Refused::from(refusal);
        assert!(refused.status.is_client_error() && !refused.message.is_empty());
    }
}
