//! What happened: audit queries, and the live stream.
//!
//! Both are answered by the archive (`tagstone_replay::audit`), a part at a time: [`gathered`] asks until a page is full, and
//! [`visible`] alone decides what of it a client may see.

mod feed;
mod form;
mod gathered;
pub(super) mod list;
mod open_streams;
mod parameters;
pub(super) mod stream;
pub(super) mod visible;

pub(in crate::http) use open_streams::OpenStreams;

/// Reads the parameters of an audit query, for [`super::outside`].
pub(super) fn read_query(query: &crate::http::query::Query<'_>) {
    if let Ok(listed) = parameters::ListQuery::of(query, 1000, 1000) {
        assert!(listed.size <= 1000 && listed.after.is_none_or(|place| place.seq <= 1000));
    }
}
