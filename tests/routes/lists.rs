//! Lists with pages: tags, the table of tags, the catalog.

use serde_json::{Value, json};
use tagstone_schema::media_type::OCI_IMAGE;

use crate::case::{case, ok, refused};
use crate::registry::{Registry, run};
use crate::request::{delete, get, head};
use crate::samples::{REPO, named_image, push_blob, push_named};

/// In byte order, which is neither the order of pushing nor that of a dictionary.
const TAGS: [&str; 7] = ["0", "1.0-a", "1.0.1", "B", "_x", "a", "b"];
const REPOSITORIES: [&str; 6] = ["0/z", "a", "a-b", "a.b", "a/b", "b"];

/// A list with pages. Every one of them is asked the same questions.
struct Paged {
    path: String,
    /// The entries of a page.
    names: fn(&Value) -> Vec<String>,
    all: Vec<&'static str>,
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

async fn filled(page_entries: u64) -> (Registry, [Paged; 3]) {
    let registry = Registry::with(|settings| settings.limits.page_entries = page_entries).await;
    for repository in REPOSITORIES.iter().rev() {
        push_blob(&registry, repository, "{}").await;
    }
    for tag in TAGS.iter().rev() {
        named_image(tag).push(&registry, "a/b", tag).await;
    }
    let lists = [
        Paged { path: "/v2/a/b/tags/list".to_owned(), names: |page| texts(&page["tags"]), all: TAGS.to_vec() },
        Paged {
            path: "/v2/a/b/_tagstone/tags".to_owned(),
            // An object has no order once it is parsed; the pages have.
            names: |page| page["tags"].as_object().unwrap().keys().cloned().collect(),
            all: TAGS.to_vec(),
        },
        Paged {
            path: "/v2/_catalog".to_owned(),
            names: |page| texts(&page["repositories"]),
            all: REPOSITORIES.to_vec(),
        },
    ];
    (registry, lists)
}

fn next(path: &str, size: usize, last: &str) -> String {
    format!("<{path}?n={size}&last={last}>; rel=\"next\"")
}

#[test]
fn a_page_is_what_was_asked_for() {
    run(async {
        let (registry, lists) = filled(1000).await;
        for Paged { path, names, all } in lists {
            let many = all.len();
            let (third, last) = (all[2].replace('/', "%2F"), all[many - 1].replace('/', "%2F"));
            for (query, expected, link) in [
                (String::new(), &all[..], None),
                ("?n=0".to_owned(), &all[..0], None),
                ("?n=0&last=a".to_owned(), &all[..0], None),
                ("?n=1".to_owned(), &all[..1], Some(next(&path, 1, all[0]))),
                ("?n=00002".to_owned(), &all[..2], Some(next(&path, 2, all[1]))),
                (format!("?n={}", many - 1), &all[..many - 1], Some(next(&path, many - 1, all[many - 2]))),
                (format!("?n={many}"), &all[..], None),
                ("?n=1000".to_owned(), &all[..], None),
                ("?n=1001".to_owned(), &all[..], None),
                ("?n=99999999999999999999999999".to_owned(), &all[..], None),
                (format!("?last={third}"), &all[3..], None),
                (format!("?n=2&last={third}"), &all[3..5], Some(next(&path, 2, all[4]))),
                (format!("?last={last}&n=5"), &all[many..], None),
                // What does not exist has its place in the order all the same.
                ("?last=".to_owned(), &all[..], None),
                ("?last=%21".to_owned(), &all[..], None),
                ("?last=~~~".to_owned(), &all[many..], None),
                (format!("?last={third}!"), &all[3..], None),
                ("?whatever=1".to_owned(), &all[..], None),
            ] {
                let answer = ok(200).header("content-type", "application/json").headers("link", link.clone());
                let reply = registry.check(get(format!("{path}{query}")), answer).await;
                assert_eq!(names(&reply.json()), expected, "{path}{query}");
                let answer = ok(200).header("content-type", "application/json").headers("link", link);
                let reply_to_head = registry.check(head(format!("{path}{query}")), answer).await;
                assert_eq!(reply_to_head.length, reply.length, "{path}{query}");
            }
        }
    });
}

#[test]
fn a_page_that_makes_no_sense() {
    run(async {
        let (registry, lists) = filled(1000).await;
        for path in lists.iter().map(|list| &*list.path) {
            for n in ["", "-1", "%2B1", "+1", "1.0", "x", "0x10", "1%20", "%201", "1e3", "%D9%A3"] {
                for request in [get, head] {
                    let answer = refused(400, "UNSUPPORTED", "an integer from 0").without("link");
                    registry.check(request(format!("{path}?n={n}")), answer).await;
                }
            }
            registry
                .check_all([
                    case(get(format!("{path}?n=1&n=2")), refused(400, "UNSUPPORTED", "`n` stands 2 times")),
                    case(get(format!("{path}?last=a&last=b")), refused(400, "UNSUPPORTED", "`last` stands 2 times")),
                    case(get(format!("{path}?last=%ff")), refused(400, "UNSUPPORTED", "`last` is not UTF-8")),
                ])
                .await;
        }
    });
}

#[test]
fn following_the_links_gives_everything_once() {
    run(async {
        for page_entries in [1, 3, 7] {
            let (registry, lists) = filled(page_entries).await;
            for Paged { path, names, all } in lists {
                for query in ["", "?n=1", "?n=2", "?n=1000", "?n=99999999999999999999999999"] {
                    let (mut seen, mut at) = (Vec::new(), format!("{path}{query}"));
                    loop {
                        let reply = registry.check(get(&*at), ok(200)).await;
                        let page = names(&reply.json());
                        assert!(page.len() as u64 <= page_entries, "{at}: more than the limit");
                        seen.extend(page);
                        let Some(link) = reply.header("link") else { break };
                        let target = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\""));
                        at = target.unwrap_or_else(|| panic!("{link}")).to_owned();
                    }
                    assert_eq!(seen, all, "{path}{query} in pages of at most {page_entries}");
                }
            }
        }
    });
}

#[test]
fn lists_of_what_is_not_there() {
    run(async {
        let registry = Registry::start().await;
        registry.check(get("/v2/_catalog"), ok(200).json(json!({"repositories": []})).without("link")).await;
        for path in ["tags/list", "_tagstone/tags", "tags/list?n=0", "_tagstone/tags?n=5"] {
            for request in [get, head] {
                let answer = refused(404, "NAME_UNKNOWN", "nobody/here").detail(json!({"repository": "nobody/here"}));
                registry.check(request(format!("/v2/nobody/here/{path}")), answer).await;
            }
        }
        // A repository exists as soon as it has a blob, and its lists are empty.
        push_blob(&registry, REPO, "x").await;
        registry
            .check_all([
                case(get(format!("/v2/{REPO}/tags/list")), ok(200).json(json!({"name": REPO, "tags": []}))),
                case(get(format!("/v2/{REPO}/_tagstone/tags")), ok(200).json(json!({"name": REPO, "tags": {}}))),
                case(get("/v2/_catalog"), ok(200).json(json!({"repositories": [REPO]}))),
            ])
            .await;
    });
}

#[test]
fn the_table_says_what_each_tag_points_at_and_since_when() {
    run(async {
        let registry = Registry::start().await;
        let one = push_named(&registry, REPO, "v1", "one").await;
        one.push(&registry, REPO, "v2").await;
        let table = || async {
            let path = format!("/v2/{REPO}/_tagstone/tags");
            registry.check(get(path), ok(200).header("content-type", "application/json")).await.json()
        };
        let entry = |sample: &crate::samples::Sample, since: &Value| {
            json!({
                "mediaType": OCI_IMAGE, "digest": sample.digest, "size": sample.bytes.len(),
                "immutable": false, "locked": false, "since": since,
            })
        };
        let first = table().await;
        let since = |table: &Value, tag: &str| table["tags"][tag]["since"].clone();
        let (v1, v2) = (since(&first, "v1"), since(&first, "v2"));
        assert_eq!(first, json!({"name": REPO, "tags": {"v1": entry(&one, &v1), "v2": entry(&one, &v2)}}));
        assert!(v1.as_str() < v2.as_str() && v1.as_str().unwrap().ends_with('Z'), "{v1} {v2}");
        // The same digest again is no move; another one is.
        one.push(&registry, REPO, "v1").await;
        assert_eq!(table().await, first);
        let two = push_named(&registry, REPO, "v1", "other").await;
        let moved = table().await;
        let again = since(&moved, "v1");
        assert!(again.as_str() > v2.as_str());
        assert_eq!(moved["tags"], json!({"v1": entry(&two, &again), "v2": entry(&one, &v2)}));
        registry.check(delete(format!("/v2/{REPO}/manifests/v1")), ok(202)).await;
        assert_eq!(table().await["tags"], json!({"v2": entry(&one, &v2)}));
    });
}
