//! The table of `docs/access.md` is the table of the program.

use std::collections::{BTreeMap, BTreeSet};

use super::super::api::ScopePath;
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

/// The scopes that policies can have at a path of the table; one that stands for nothing where it has none.
fn scopes(path: &str) -> &'static [&'static str] {
    match path {
        _ if !path.contains("<scope>") => &[""],
        // None of them prunes the whole registry.
        _ if path.contains("autoprunepolicy") => &["organization/<namespace>", "repository/<name>"],
        _ => &["registry", "organization/<namespace>", "repository/<name>"],
    }
}

/// A path of the table with something in its places: as many as it has scopes.
fn all_filled(path: &str) -> impl Iterator<Item = String> {
    scopes(path).iter().map(move |scope| filled(&path.replace("<scope>", scope)))
}

/// A path without a scope, with something in its places.
fn filled(path: &str) -> String {
    [
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
        Demand::PullAndPush("acme/app") => "pull and push",
        Demand::PullAndDelete("acme/app") => "pull and delete",
        Demand::Push(name) | Demand::PullAndPush(name) | Demand::PullAndDelete(name) => {
            panic!("{name} is another repository")
        }
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
        let listed =
            |method: &Method| rows.iter().find(|row| row.methods.split(", ").any(|one| one == method.as_str()));
        let rest = rows.iter().find(|row| ["any", "others"].contains(&row.methods.as_str()));
        for path in all_filled(path) {
            let route = Route::of(&path);
            assert_eq!(Route::LABELS[route.index()], *label, "{path}");
            for method in METHODS {
                let row = listed(&method).or(rest).unwrap_or_else(|| panic!("{method} {path} is not in the matrix"));
                assert_eq!(word(Demand::of(route, &method)), row.demands, "{method} {path}");
            }
        }
    }
    let documented: BTreeSet<_> = rows.iter().map(|row| row.label.as_str()).collect();
    let missing: Vec<_> = Route::LABELS.iter().filter(|label| !documented.contains(**label)).collect();
    assert!(missing.is_empty(), "docs/access.md does not say what these demand: {missing:?}");
}

/// Every shape of a kind of route, with the parts that [`filled`] puts into paths. The match has no arm for the rest, so a variant that
/// is not listed does not compile.
macro_rules! shapes {
    ($of:ident: $($variant:ident { $($parts:tt)* })*) => {{
        #[expect(dead_code, reason = "it is there to be compiled")]
        fn each_is_listed(route: $of<'_>) {
            match route { $($of::$variant { .. } => {})* }
        }
        vec![$($of::$variant { $($parts)* }),*]
    }};
}

fn api_shapes(scope: ScopePath<'static>) -> Vec<ApiRoute<'static>> {
    let (name, tag, id) = ("acme/app", "v1", "1");
    shapes! { ApiRoute:
        ImmutabilityPolicies { scope }
        ImmutabilityPreview { scope }
        ImmutabilityPolicy { scope, id }
        ImmutabilityActivation { scope, id }
        PrunePolicies { scope }
        PrunePolicy { scope, id }
        PruneActivation { scope, id }
        PruneRun { scope, id }
        Tags { name }
        TagsDeletion { name }
        Tag { name, tag }
        TagWhy { name, tag }
        TagErasure { name, tag }
        Purge { name }
        TagRestore { name, tag }
        TagExpiry { name, tag }
        Repository { name }
        Collection {}
        Events {}
        EventStream {}
        RepositoryLogs { name }
        OrganizationLogs { namespace: "acme" }
        Refusals {}
        Tokens {}
        Token { id }
        LogHead {}
        LogRecords {}
        WhoAmI {}
        OpenApi {}
        ErrorType { name: "not_found" }
        Unknown {}
    }
}

fn all_shapes() -> Vec<Route<'static>> {
    let (name, digest, id) = ("acme/app", "sha256:x", "1");
    let scopes = [ScopePath::Registry, ScopePath::Organization("acme"), ScopePath::Repository(name)];
    let prunes_everything = |route: &ApiRoute<'_>| {
        use ApiRoute::{PruneActivation, PrunePolicies, PrunePolicy, PruneRun};
        let (PrunePolicies { scope }
        | PrunePolicy { scope, .. }
        | PruneActivation { scope, .. }
        | PruneRun { scope, .. }) = route
        else {
            return false;
        };
        *scope == ScopePath::Registry
    };
    let api = scopes.into_iter().flat_map(api_shapes).filter(|route| !prunes_everything(route));
    let mut shapes: Vec<_> = api.map(Route::Api).collect();
    shapes.push(Route::Discover { name: None });
    shapes.extend(shapes! { Route:
        Base {}
        LoginToken {}
        Catalog {}
        ExtensionList {}
        Discover { name: Some(name) }
        Blob { name, digest }
        Uploads { name }
        Upload { name, id }
        Manifest { name, reference: "v1" }
        TagList { name }
        TagTable { name }
        TagHistory { name, tag: "v1" }
        Referrers { name, digest }
        Health {}
        Ready {}
        Metrics {}
        Api { 0: ApiRoute::Unknown }
        Unknown {}
    });
    shapes
}

#[test]
fn every_shape_of_a_path_is_documented() {
    let paths: Vec<_> = rows().iter().flat_map(|row| all_filled(&row.path).collect::<Vec<_>>()).collect();
    let documented: Vec<_> = paths.iter().map(|path| Route::of(path)).collect();
    for shape in all_shapes() {
        assert!(documented.contains(&shape), "docs/access.md does not say what {shape:?} demands");
    }
}

#[test]
fn the_past_is_for_whoever_may_pull() {
    let paths = rows().into_iter().map(|row| (row.path.replace("<scope>", "repository/<name>"), row));
    for (path, row) in paths.filter(|(path, _)| path.contains("<name>")) {
        let path = filled(&path.replace("<name>", "as-of/seq-1/acme/app"));
        for method in METHODS {
            let word = word(Demand::of(Route::of(&path), &method));
            let expected = if row.demands == "administrator" { "administrator" } else { "pull" };
            assert_eq!(word, expected, "{method} {path}");
        }
    }
}
