//! Which crate may depend on which, and which source may name which library.

use serde_json::Value;

/// Crates that a package must not depend on, not even in its tests. A name ending in `*` stands for all that begin so.
const DEPENDENCIES: &[(&str, &[&str])] = &[
    ("tagstone-schema", &["tagstone", "tagstone-replay", "actix*", "tokio", "hyper", "reqwest", "sled"]),
    ("tagstone-replay", &["tagstone", "actix*", "tokio", "hyper", "reqwest"]),
    ("tagstone", &["sled", "tagstone-compare"]),
    ("tagstone-core-benches", &["sled", "tagstone", "actix*", "hyper", "reqwest"]),
    ("tagstone-compare", &["sled", "tagstone", "tagstone-replay", "tagstone-schema"]),
    ("tagstone-history-bench", &["sled", "tagstone", "hyper", "reqwest"]),
    ("tagstone-removal-bench", &["sled", "actix*", "hyper", "reqwest"]),
];

/// Library crates that only the sources under these prefixes may name.
const IMPORTS: &[(&str, &[&str])] = &[
    // The tests of the forensic tool write damaged logs behind the registry's back.
    ("sled", &["replay/src/log/", "replay/tests/"]),
    ("twox_hash", &["replay/src/audit/"]),
    ("actix_web", &["src/http/", "src/http.rs", "src/main.rs"]),
    ("actix_http", &["src/http/", "src/http.rs", "src/main.rs"]),
    ("actix_tls", &["src/http/"]),
    ("rustls", &["src/http/", "src/tls/", "tests/"]),
    ("bcrypt", &["src/access/", "tests/"]),
    ("jsonwebtoken", &["src/access/"]),
    ("mimalloc", &["replay/src/main.rs", "benches/"]),
    ("ring", &["src/access/", "src/tls/", "tests/"]),
    ("x509_parser", &["src/tls/"]),
    ("tokio", &["src/", "tests/", "benches/"]),
    ("tagstone", &["src/", "tests/", "benches/", "fuzz/"]),
    ("tagstone_replay", &["src/", "tests/", "benches/", "replay/"]),
];

/// The dependencies of a package, as `cargo metadata` shows it, that are forbidden.
pub(crate) fn forbidden_dependencies(package: &Value) -> Vec<String> {
    let name = package["name"].as_str().unwrap();
    let Some((_, forbidden)) = DEPENDENCIES.iter().find(|(package, _)| *package == name) else {
        return vec![format!("{name} has no place in the direction of imports yet")];
    };
    let is_forbidden = |dependency: &str| {
        forbidden.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => dependency.starts_with(prefix),
            None => dependency == *pattern,
        })
    };
    let dependencies = package["dependencies"].as_array().unwrap().iter().map(|found| found["name"].as_str().unwrap());
    dependencies.filter(|found| is_forbidden(found)).map(|found| format!("{name} depends on {found}")).collect()
}

/// The uses of libraries that a source may not name, by line. Comments and the texts of this test do not count. The
/// tests and benches may serve HTTP to themselves, so actix is free there.
pub(crate) fn forbidden_imports(path: &str, text: &str) -> Vec<String> {
    if !path.ends_with(".rs") || path.starts_with("tests/project/") {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    for (library, allowed) in IMPORTS {
        let is_test = path.starts_with("tests/") || path.starts_with("benches/");
        let is_free = is_test && library.starts_with("actix");
        if is_free || allowed.iter().any(|prefix| path.starts_with(prefix)) {
            continue;
        }
        for (number, line) in (1..).zip(text.lines()) {
            if names(line, library) {
                wrong.push(format!("{path}:{number} names {library}"));
            }
        }
    }
    wrong
}

/// Whether a line of code names the crate: `library::…`, or `use library` and `extern crate library` in any form.
fn names(line: &str, library: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    code.match_indices(library).any(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + library.len()..]);
        let whole = !before.ends_with(is_word) && !after.starts_with(is_word);
        let inner_path = before.trim_end().ends_with("::") && !before.trim_end().ends_with(" ::");
        let before = before.trim_end().trim_end_matches("::").trim_end();
        let imported = before.ends_with("use") || before.ends_with("extern crate");
        whole && !inner_path && (after.trim_start().starts_with("::") || imported)
    })
}

#[test]
fn a_forbidden_dependency_is_found() {
    let package = |name: &str, dependencies: &[&str]| {
        let dependencies: Vec<Value> = dependencies.iter().map(|name| serde_json::json!({ "name": name })).collect();
        serde_json::json!({ "name": name, "dependencies": dependencies })
    };
    let cases = [
        (package("tagstone-schema", &["serde", "tagstone-replay"]), 1),
        (package("tagstone-schema", &["serde", "tagstone"]), 1),
        (package("tagstone-replay", &["tagstone-schema", "sled"]), 0),
        (package("tagstone-replay", &["tagstone", "actix-web", "tokio", "hyper", "reqwest"]), 5),
        (package("tagstone", &["tagstone-replay", "tagstone-schema", "actix-web"]), 0),
        (package("tagstone", &["sled"]), 1),
        (package("tagstone-new", &[]), 1),
    ];
    for (package, wrong) in cases {
        assert_eq!(forbidden_dependencies(&package).len(), wrong, "{package}");
    }
}

#[test]
fn a_forbidden_import_is_found() {
    let cases = [
        ("replay/src/log/store.rs", "let db = sled::open(path)?;", 0),
        ("replay/src/audit/index/run.rs", "let db = sled::open(path)?;", 1),
        ("replay/src/audit/index/run.rs", "twox_hash::XxHash3_64::oneshot(b\"\");", 0),
        ("replay/src/log/chain.rs", "use twox_hash::XxHash3_64;", 1),
        ("replay/tests/replay/directory.rs", "use sled::Db;", 0),
        ("replay/src/state.rs", "let db = sled::open(path)?;", 1),
        ("replay/src/state.rs", "use {std::fs, sled::Db};\nuse sled as store;\nuse ::sled::Tree;", 3),
        ("replay/src/state.rs", "// sled::open panics\nlet unsled::x = enslaved::y;\nlet sled_file = 1;", 0),
        ("src/writer.rs", "fn tree() -> sled::Tree {}", 1),
        ("src/http/tags.rs", "use actix_web::web;", 0),
        ("src/main.rs", "use actix_web::rt;", 0),
        ("src/decide.rs", "use actix_web::web;", 1),
        ("replay/src/main.rs", "actix_web::main(); tokio::spawn(x);", 2),
        ("schema/src/event.rs", "use tagstone_replay::State;\nuse tagstone::writer;\nuse tagstone_schema::Tag;", 2),
        ("replay/src/lib.rs", "use tagstone::writer;\nuse tagstone_schema::Tag;\nself::tagstone::x();", 1),
        ("tests/http/main.rs", "use actix_web::test;\nuse tagstone::http;", 0),
    ];
    for (path, text, wrong) in cases {
        let found = forbidden_imports(path, text);
        assert_eq!(found.len(), wrong, "{path}: {text}: {found:?}");
    }
}
