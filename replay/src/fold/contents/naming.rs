//! Which manifests name what, told of all manifests at once.
//!
//! A layer under many images has a set of them. To add to such a set for one manifest after the other, each of another repository, is to
//! wait for memory each time; so all but the first are gathered, and every set is made at once.

use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::Arc;

use super::content::{Content, Parents};
use super::{Contents, Place};
use crate::fold::repository::RepositoryNumber;
use crate::fold::table::Table;

/// The manifests beyond the first that name something, by the number of their repository.
#[derive(Default)]
pub(super) struct Further {
    by: Vec<OfRepository>,
}

#[derive(Default)]
struct OfRepository {
    number: Option<RepositoryNumber>,
    /// What is named, and by what.
    naming: Vec<(Place, Place)>,
}

/// What is named, where, and by which manifests.
type Named = (Place, RepositoryNumber, Arc<Table<Place, ()>>);

impl Further {
    /// Notes that a manifest names what a repository has at a place; whether none was known to.
    pub(super) fn name(
        &mut self,
        content: &mut Content,
        (named, number): (Place, RepositoryNumber),
        manifest: Place,
    ) -> bool {
        if let Parents::None { .. } | Parents::Counted(_) = content.parents {
            content.parents = Parents::One(manifest);
            return true;
        }
        if self.by.len() <= number.place() {
            self.by.resize_with(number.place() + 1, OfRepository::default);
        }
        let of = &mut self.by[number.place()];
        of.number = Some(number);
        of.naming.push((named, manifest));
        false
    }

    /// All manifests were noted.
    pub(super) fn all_named(mut self, contents: &mut Contents) {
        let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let each = self.by.len().div_ceil(threads).max(1);
        let made: Vec<Named> = std::thread::scope(|scope| {
            let contents = &*contents;
            let makers = self
                .by
                .chunks_mut(each)
                .map(|some| scope.spawn(move || some.iter_mut().flat_map(|of| of.named(contents)).collect::<Vec<_>>()));
            let makers: Vec<_> = makers.collect();
            makers.into_iter().flat_map(|maker| maker.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
        });
        for (named, number, manifests) in made {
            if let Some(content) = contents.at_mut(named, number) {
                content.parents = Parents::Many(manifests);
            }
        }
    }
}

impl OfRepository {
    /// What is named by several manifests.
    fn named(&mut self, contents: &Contents) -> Vec<Named> {
        let Some(number) = self.number else { return Vec::new() };
        self.naming.sort_unstable();
        let all = self.naming.chunk_by(|(one, _), (other, _)| one == other);
        let all = all.filter_map(|all| {
            let (named, _) = *all.first()?;
            let first = contents.at(named, number).into_iter().flat_map(|(_, content)| content.parents.iter());
            let manifests = first.chain(all.iter().map(|(_, manifest)| *manifest)).map(|manifest| (manifest, ()));
            Some((named, number, Arc::new(Table::of(manifests.collect()))))
        });
        all.collect()
    }
}
