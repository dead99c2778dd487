//! The tags of a repository: those that are there, and those that ever were.

use serde_json::{Value, json};
use tagstone_schema::Timestamp;

use crate::account::{Account, Standing, Stay};

impl Standing {
    /// Whether a tag is there at an instant: an expired one is gone at once, if nothing protects it.
    pub(crate) fn is_live(&self, repository: &str, tag: &str, now: i64) -> bool {
        let found = self.shelves.get(repository).and_then(|shelf| shelf.tags.get(tag));
        found.is_some_and(|found| found.expires.is_none_or(|at| at > now) || self.protects(repository, tag))
    }

    /// The names of the tags that are there at an instant; none if the repository is not.
    pub(crate) fn live_tags(&self, repository: &str, now: i64) -> Option<Vec<&String>> {
        let names = self.shelves.get(repository)?.tags.keys();
        Some(names.filter(|tag| self.is_live(repository, tag, now)).collect())
    }
}

/// Quay's listing of the tags of a repository, those that are no more too, newest first. None if there never was one.
pub(crate) fn listing(account: &Account, repository: &str) -> Option<Vec<Value>> {
    let of = account.stays.iter().filter(|((of, _), _)| of == repository);
    let mut all: Vec<(&String, &[Stay], &Stay)> =
        of.flat_map(|((_, tag), stays)| (0..stays.len()).map(move |at| (tag, &stays[..at], &stays[at]))).collect();
    all.sort_by_key(|(_, _, stay)| std::cmp::Reverse((stay.since.seq, stay.index)));
    let is_known = !all.is_empty() || account.standing.shelves.contains_key(repository);
    let entry = |(tag, before, stay): (&String, &[Stay], &Stay)| {
        let seconds = |micros: i64| Timestamp(micros).seconds();
        let standing = account.tag(repository, tag).filter(|_| stay.until.is_none());
        let immutable = standing.is_some() && account.standing.protects(repository, tag);
        let expires = standing.and_then(|standing| standing.expires).filter(|_| !immutable);
        json!({
            "name": tag,
            "reversion": before.iter().any(|earlier| earlier.digest == stay.digest),
            "immutable": immutable,
            "start_ts": seconds(stay.since.time),
            "end_ts": stay.until.as_ref().map(|(at, _)| at.time).or(expires).map(seconds),
            "manifest_digest": stay.digest,
        })
    };
    is_known.then(|| all.into_iter().map(entry).collect())
}
