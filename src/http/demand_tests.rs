//! The table of `docs/access.md` is the table of the program.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

const METHODS: [Method; 8] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
    Method::TRACE,
];

struct Row {
    label: String,
    path: String,
    methods: String,
    demands: String,
}

fn rows() -> Vec<Row> {
    let document = include_str!("../../docs/access.md");
    let table = document.split("| route | path | methods | demands |").nth(1).unwrap();
    let lines = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let row = |line: &str| {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(|cell| cell.trim().replace('`', "")).collect();
        let [label, path, methods, demands] = cells.try_into().unwrap();
        Row { label, path, methods, demands }
    };
    lines.map(row).collect()
}

/// A path of the table with something in its places.
fn filled(path: &str) -> String {
    [
        ("<scope>", "organization/acme"),
        ("<name>", "acme/app"),
        ("<namespace>", "acme"),
        ("<reference>", "v1"),
        ("<tag>", "v1"),
        ("<digest>", "sha256:x"),
        ("<id>", "1"),
        ("<type>", "not_found"),
    ]
    .iter()
    .fold(path.to_owned(), |path, (place, with)| path.replace(place, with))
}

fn word(demand: Demand<'_>) -> &'static str {
    match demand {
        Demand::Nothing => "nothing",
        Demand::Entry => "entry",
        Demand::Pull(name) => {
            assert_eq!(name, "acme/app");
            "pull"
        }
        Demand::Push("acme/app") => "push",
        Demand::Delete("acme/app") => "delete",
        Demand::Push(name) | Demand::Delete(name) => panic!("{name} is another repository"),
        Demand::User => "user",
        Demand::Administrator => "administrator",
    }
}

#[test]
fn the_documented_matrix_is_the_one_in_force() {
    let rows = rows();
    let mut named: BTreeMap<(&str, &str), Vec<&Row>> = BTreeMap::new();
    rows.iter().for_each(|row| named.entry((&row.label, &row.path)).or_default().push(row));
    for ((label, path), rows) in &named {
        let path = filled(path);
        let route = Route::of(&path);
        assert_eq!(Route::LABELS[route.index()], *label, "{path}");
        let listed =
            |method: &Method| rows.iter().find(|row| row.methods.split(", ").any(|one| one == method.as_str()));
        let rest = rows.iter().find(|row| ["any", "others"].contains(&row.methods.as_str()));
        for method in METHODS {
            let row = listed(&method).or(rest).unwrap_or_else(|| panic!("{method} {path} is not in the matrix"));
            assert_eq!(word(Demand::of(route, &method)), row.demands, "{method} {path}");
        }
    }
    let documented: BTreeSet<_> = rows.iter().map(|row| row.label.as_str()).collect();
    let missing: Vec<_> = Route::LABELS.iter().filter(|label| !documented.contains(**label)).collect();
    assert!(missing.is_empty(), "docs/access.md does not say what these demand: {missing:?}");
}

#[test]
fn policies_of_every_scope_are_for_administrators() {
    for scope in ["registry", "organization/acme", "repository/acme/app"] {
        for rest in [
            "immutabilitypolicy/",
            "immutabilitypolicy/1",
            "immutabilitypolicy/1/activate",
            "immutabilitypolicy/preview",
        ] {
            let path = format!("/api/v1/{scope}/{rest}");
            assert_eq!(Demand::of(Route::of(&path), &Method::GET), Demand::Administrator, "{path}");
        }
    }
}

#[test]
fn the_past_is_for_whoever_may_pull() {
    for row in rows().iter().filter(|row| row.path.contains("<name>")) {
        let path = filled(&row.path.replace("<name>", "as-of/seq-1/acme/app"));
        for method in METHODS {
            let word = word(Demand::of(Route::of(&path), &method));
            let expected = if row.demands == "administrator" { "administrator" } else { "pull" };
            assert_eq!(word, expected, "{method} {path}");
        }
    }
}
