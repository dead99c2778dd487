//! The examples of docs/replay.md are what the program says.

use std::fs;
use std::path::Path;

use tagstone_replay::content::Layout;

use crate::directory::append;
use crate::incident::records;
use crate::transcript::prints_what_it_shows;

/// The data directory of the incident, and one of the same log with a record that somebody has changed.
fn directories(place: &Path) {
    for name in ["incident", "damaged"] {
        fs::create_dir(place.join(name)).unwrap();
        append(&place.join(name), &records());
        fs::write(Layout::new(place.join(name)).lock(), "process 1").unwrap();
    }
    change(&place.join("damaged"), 16);
}

/// Flips a bit in every copy of a record that lies in the data file, whatever sled has kept there.
fn change(data: &Path, seq: usize) {
    let file = Layout::new(data).log().join("db");
    let (mut bytes, record) = (fs::read(&file).unwrap(), &records()[seq - 1]);
    let whole = record.bytes();
    let copies: Vec<_> = (0..=bytes.len() - whole.len()).filter(|at| bytes[*at..].starts_with(whole)).collect();
    assert!(!copies.is_empty());
    copies.iter().for_each(|at| bytes[at + 100] ^= 1);
    fs::write(&file, &bytes).unwrap();
}

#[test]
fn every_example_is_what_the_program_says() {
    let place = tempfile::tempdir().unwrap();
    directories(place.path());
    let commands = prints_what_it_shows("replay.md", place.path());
    assert!(commands > 15, "the document has only {commands} commands");
}
