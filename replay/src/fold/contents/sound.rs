//! The invariants of the contents, asserted over all there is, for tests.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::content::{Content, Naming, Parents};
use super::known::Known;
use super::{Contents, Place, placed};
use crate::fold::repository::RepositoryNumber;
use crate::fold::state::State;

impl Contents {
    /// Asserts that every entry, member, place and count is where it should be.
    pub(in crate::fold) fn assert_sound(&self, state: &State) {
        let (mut vacant, mut loose, mut known, mut contents) = (BTreeSet::new(), 0, 0, 0);
        let mut manifests = BTreeSet::new();
        for (place, entry) in self.entries.iter().enumerate() {
            if entry.known.is_vacant() {
                vacant.insert(place);
                continue;
            }
            known += 1;
            assert_eq!(self.find(self.hash(&entry.digest), &entry.digest), Some(place));
            assert_eq!(self.place(&entry.digest), Some(place));
            assert!(!(entry.known.loose().is_some() && entry.known.is_held()));
            loose += usize::from(entry.known.loose().is_some());
            for content in entry.known.contents() {
                assert!(!content.is_empty());
                let name = self::name(state, content.number);
                assert!(entry.known.content(content.number).is_some_and(|found| std::ptr::eq(found, content)));
                let members = &state.repository(name).unwrap().kept.members;
                let member = usize::try_from(content.member).unwrap();
                assert_eq!(members.get(member).map(|place| usize::try_from(*place).unwrap()), Some(place));
                contents += 1;
                if let Some(number) = content.manifest {
                    assert!(manifests.insert(number));
                    let manifest = &self.manifests[number].manifest;
                    assert_eq!(manifest.digest, entry.digest);
                    // A snapshot tells which types they are by where they are.
                    assert!(state.types.get(&manifest.types).is_some_and(|types| Arc::ptr_eq(types, &manifest.types)));
                }
                self.assert_named(placed(place), content);
            }
            if let Known::More(_) = entry.known {
                assert!(entry.known.contents().count() + usize::from(entry.known.loose().is_some()) > 1);
            }
        }
        let listed: BTreeSet<_> = self.vacant.iter().map(|place| usize::try_from(*place).unwrap()).collect();
        assert_eq!((listed.len(), listed), (self.vacant.len(), vacant));
        assert_eq!((self.loose, self.len()), (loose, known));
        let numbers = self.manifests.vacant().iter().copied().collect::<BTreeSet<_>>();
        assert_eq!(manifests.len() + numbers.len(), self.manifests.numbers());
        assert_eq!((self.manifests.vacant().len(), manifests), (numbers.len(), self.manifests.given().collect()));
        assert_eq!(state.repositories().map(|(_, asked)| asked.kept.members.len()).sum::<usize>(), contents);
        assert_eq!(state.numbers.given(), state.repository_count());
        self.assert_tagged(state);
    }

    /// Asserts that every tag names a manifest of its repository, and that just these tags are on it.
    fn assert_tagged(&self, state: &State) {
        for (_, asked) in state.repositories() {
            for (tag, standing) in asked.tags_after(None) {
                let held = &self.manifests[standing.kept.manifest];
                assert_eq!(asked.number(&held.manifest.digest), Some(standing.kept.manifest));
                assert!(held.tags.iter().any(|on_it| on_it == tag));
            }
            let on_manifests =
                asked.manifests().map(|manifest| asked.tags_on(&manifest.digest).unwrap().iter().count());
            assert_eq!(on_manifests.sum::<usize>(), asked.tag_count());
        }
    }

    /// Asserts that a manifest is among the parents of all that it names, and that the parents of what is named name it.
    fn assert_named(&self, place: Place, content: &Content) {
        let number = content.number;
        let references = |content: &Content| {
            let manifest = content.manifest.map(|number| &self.manifests[number].manifest);
            manifest.into_iter().flat_map(|manifest| manifest.references.iter()).collect::<Vec<_>>()
        };
        let named = references(content);
        assert!(named.is_sorted_by_key(|reference| self.digest_at(*reference).unwrap()));
        for reference in named {
            let parents = &self.at(reference, number).unwrap().1.parents;
            let is_counted = matches!(parents, Parents::Counted(1..));
            assert!(is_counted || parents.iter().any(|parent| parent == place));
        }
        for parent in content.parents.iter() {
            let (_, parent) = self.at(parent, number).unwrap();
            assert!(references(parent).contains(&place));
        }
        let parents: BTreeSet<_> = content.parents.iter().collect();
        let is_counted = matches!(content.parents, Parents::Counted(1..));
        assert!(is_counted || parents.len() == content.parents.count());
        assert!(!(is_counted && self.naming == Naming::ByName));
    }

    /// Asserts that clones share all of it, and that it is known by name what names a digest.
    pub(in crate::fold) fn assert_shared(&self, state: &State) {
        assert!(self.entries.is_shared() && self.index.is_shared() && self.naming == Naming::ByName);
        assert!(self.manifests.is_shared());
        assert!(state.repositories().all(|(_, asked)| asked.kept.members.is_shared()));
    }
}

fn name(state: &State, number: RepositoryNumber) -> &str {
    let name = state.numbers.name(number).unwrap();
    assert_eq!(state.repository(name.as_str()).unwrap().kept.number, number);
    name.as_str()
}
