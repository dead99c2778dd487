//! Tags, compared.

use tagstone_schema::{RepositoryName, Tag};

use super::joined::joined;
use super::{Change, Difference, FromTo, TagChange};
use crate::fold::{Repository, TagState};

impl<'a> Difference<'a> {
    pub(super) fn compare_tags(
        &mut self,
        repository: &'a RepositoryName,
        was: Option<Repository<'a>>,
        is: Option<Repository<'a>>,
    ) {
        let of = |side: Option<Repository<'a>>| side.into_iter().flat_map(|repository| repository.tags_after(None));
        for (tag, was, is) in joined(of(was), of(is)) {
            self.tags.extend(compared(repository, tag, was, is));
        }
    }
}

fn compared<'a>(
    repository: &'a RepositoryName,
    tag: &'a Tag,
    was: Option<TagState<'a>>,
    is: Option<TagState<'a>>,
) -> Option<TagChange<'a>> {
    let locked = |state: TagState<'_>| state.locked().map(|at| at.time.to_string());
    let expires = |state: TagState<'_>| state.expires().map(|at| at.to_string());
    let (from, to) = (was.map(TagState::digest), is.map(TagState::digest));
    let locked = FromTo::unless_same(was.and_then(locked), is.and_then(locked));
    let expires = FromTo::unless_same(was.and_then(expires), is.and_then(expires));
    let before = |state: Option<TagState<'a>>| state.and_then(TagState::protected_before);
    let protected_before = FromTo::unless_same(before(was), before(is));
    let change = match (was, is) {
        (None, _) => Change::Created,
        (_, None) => Change::Deleted,
        (Some(was), Some(is)) if was.digest() != is.digest() => Change::Moved,
        (Some(was), Some(is)) if was.since() != is.since() => Change::Returned,
        _ if locked.is_some() || expires.is_some() || protected_before.is_some() => Change::Changed,
        _ => return None,
    };
    let since = is.map(|state| state.since().into());
    Some(TagChange { change, repository, tag, from, to, since, locked, expires, protected_before })
}
