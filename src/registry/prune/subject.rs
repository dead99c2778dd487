//! Tags that exist for referrers go with their subject: when the last tag that holds it goes, and not before.

use std::collections::BTreeSet;

use tagstone_replay::fold::Repository;
use tagstone_replay::pattern::referrer_tags;
use tagstone_schema::{Digest, Tag};

/// Manifests that are searched for a tag that holds a subject through them. Beyond that the subject counts as held: a
/// signature too many does no harm, and the writer must not be held up.
const SEARCHED: usize = 1_000;

/// Whether a manifest is held by a tag that stays: one on it, or on an index that contains it. Tags for its own
/// referrers do not hold it.
pub(in crate::registry) fn is_held(target: Repository<'_>, subject: &Digest, goes: impl Fn(&Tag) -> bool) -> bool {
    let own = referrer_tags(subject);
    let stays = |tag: &Tag| !goes(tag) && !own.iter().any(|own| own == tag.as_str());
    let mut seen = BTreeSet::from([subject]);
    let mut waiting = vec![subject];
    while let Some(next) = waiting.pop() {
        if target.tags_on(next).is_some_and(|tags| tags.iter().any(&stays)) {
            return true;
        }
        for parent in target.referenced_by(next) {
            if seen.insert(parent) {
                waiting.push(parent);
            }
            if seen.len() > SEARCHED {
                return true;
            }
        }
    }
    false
}
