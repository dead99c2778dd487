//! The Python client `oras`: a directory of files as an artifact.

use crate::support::client::{Client, digest_of};
use crate::support::registry::Registry;
use crate::support::tool::python_with_oras;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/oras_roundtrip.py");

#[test]
fn an_artifact_comes_back_as_it_was_pushed() {
    let Some(python) = python_with_oras() else { return };
    let registry = Registry::start();
    let target = format!("{}/acme/artifact:v1", registry.host());
    let trip = python.run(&[SCRIPT, registry.host(), &target, &python.at_home("")]).succeeded();
    let served = Client::new(registry.url()).get_manifest("acme/artifact", "v1").expect("an answer").expecting(200);
    assert_eq!(trip.text(), digest_of(&served.body), "the digest that oras was told: {trip}");
}
