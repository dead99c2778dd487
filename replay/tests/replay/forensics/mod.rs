//! docs/forensics.md: every command in it is run on the registry of its story, and prints what stands there.

mod scene;

use crate::transcript::prints_what_it_shows;

#[test]
fn the_investigation_prints_what_the_document_shows() {
    let directory = tempfile::tempdir().unwrap();
    scene::play(&directory.path().join("tagstone-data"));
    let commands = prints_what_it_shows("forensics.md", directory.path());
    assert!(commands > 10, "the document has only {commands} commands");
}
