//! Rules that hold for the project as a whole: which crate may know which, the size of files, the lints, the compose file.

mod edges;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What `cargo metadata` says of the crates of the workspace.
fn packages() -> Vec<serde_json::Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    match metadata["packages"].take() {
        serde_json::Value::Array(packages) => packages,
        other => panic!("no packages but {other}"),
    }
}

/// Every file with Rust or Python source, by its path from the root, with its text.
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let directories = ["src", "schema", "replay", "tests", "benches", "fuzz/fuzz_targets"];
    let mut waiting: Vec<PathBuf> = directories.iter().map(|directory| root().join(directory)).collect();
    while let Some(directory) = waiting.pop() {
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "py") {
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(found.len() > 10, "the sources were not found");
    found
}

#[test]
fn crates_depend_in_one_direction() {
    let packages = packages();
    let wrong: Vec<_> = packages.iter().flat_map(edges::forbidden_dependencies).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn sources_know_only_what_they_may() {
    let wrong: Vec<_> = sources().iter().flat_map(|(path, text)| edges::forbidden_imports(path, text)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_source_file_has_more_than_400_lines() {
    let long = sources().into_iter().map(|(path, text)| (path, text.lines().count())).filter(|(_, lines)| *lines > 400);
    let long: Vec<_> = long.collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn unsafe_code_is_forbidden_in_every_crate() {
    let read = |path: &Path| fs::read_to_string(path).unwrap().parse::<toml::Table>().unwrap();
    let workspace = read(&root().join("Cargo.toml"));
    assert_eq!(workspace["workspace"]["lints"]["rust"]["unsafe_code"].as_str(), Some("forbid"));
    for package in packages() {
        let manifest = package["manifest_path"].as_str().unwrap();
        let lints = read(Path::new(manifest))["lints"]["workspace"].as_bool();
        assert_eq!(lints, Some(true), "{manifest} does not take the lints of the workspace");
    }
}

/// The names of the tests of a source: of functions behind `#[test]`.
fn tests_in(text: &str) -> Vec<&str> {
    let behind = text.split("#[test]").skip(1);
    behind.filter_map(|text| text.split_once("fn ")?.1.split('(').next()).map(str::trim).collect()
}

#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let model = fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let rows = model.lines().filter_map(|line| line.strip_prefix('|')?.strip_suffix('|')?.rsplit('|').next());
    let named: Vec<_> = rows.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    assert!(named.len() > 50, "the threat model names {named:?}");
    let sources = sources();
    let missing: Vec<_> = named
        .into_iter()
        .filter(|name| {
            let (file, test) = name.split_once("::").unwrap_or((name, ""));
            let is_it = |path: &str| Path::new(path).file_stem().is_some_and(|stem| stem == file);
            !sources.iter().any(|(path, text)| is_it(path) && tests_in(text).contains(&test))
        })
        .collect();
    assert!(missing.is_empty(), "SECURITY.md names tests that are not there: {missing:#?}");
}

#[test]
fn docker_compose_accepts_the_compose_file() {
    let output = match Command::new("docker-compose")
        .args(["-f", "docker-compose.yml", "config"])
        .current_dir(root())
        .output()
    {
        Ok(output) => output,
        Err(error) if std::env::var("CI").as_deref() == Ok("true") => panic!("CI needs docker-compose: {error}"),
        Err(error) => {
            return eprintln!("skipped: docker-compose cannot be run ({error}); `apt-get install docker-compose`");
        }
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("127.0.0.1:5000:5000/tcp"), "the port must be published on this machine only:\n{text}");
}
