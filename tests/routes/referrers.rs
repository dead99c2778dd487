//! Referrers: filter, pages, and what each descriptor says.

use serde_json::{Value, json};
use tagstone_schema::media_type::{OCI_IMAGE, OCI_INDEX};

use crate::case::{Answer, case, ok, refused};
use crate::registry::{Registry, run};
use crate::request::{delete, get, head};
use crate::samples::{REPO, Sample, descriptor, image, named_image, push_blob, push_named, sha512, unknown_digest};

fn referrers(subject: &str) -> String {
    format!("/v2/{REPO}/referrers/{subject}")
}

fn listed(manifests: &[Value]) -> Answer {
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests});
    ok(200).header("content-type", OCI_INDEX).json(index)
}

/// A manifest that refers to a subject, and the descriptor that is to be listed for it.
async fn push_referrer(registry: &Registry, subject: &Sample, mut document: Value, listed: Value) -> Value {
    let media_type = if document["manifests"].is_array() { OCI_INDEX } else { OCI_IMAGE };
    document["subject"] = descriptor(subject.media_type, &subject.bytes);
    let sample = Sample::new(media_type, &document);
    sample.push(registry, REPO, &sample.digest).await;
    let mut descriptor = json!({"mediaType": media_type, "digest": sample.digest, "size": sample.bytes.len()});
    descriptor.as_object_mut().unwrap().extend(listed.as_object().unwrap().clone());
    descriptor
}

fn in_order(descriptors: &mut [Value]) {
    descriptors.sort_by_key(|descriptor| descriptor["digest"].as_str().unwrap().to_owned());
}

#[test]
fn nothing_refers_to_what_is_unknown() {
    run(async {
        let registry = Registry::start().await;
        let subject = push_named(&registry, REPO, "v1", "subject").await;
        let nobody = format!("/v2/nobody/here/referrers/{}", unknown_digest());
        for path in [referrers(&unknown_digest()), referrers(&subject.digest), referrers(&sha512("x")), nobody] {
            registry
                .check_all([
                    case(get(&*path), listed(&[]).without("link").without("oci-filters-applied")),
                    case(get(format!("{path}?n=0")), listed(&[]).without("link")),
                    case(
                        get(format!("{path}?artifactType=a/b")),
                        listed(&[]).header("oci-filters-applied", "artifactType"),
                    ),
                    case(head(&*path), ok(200).header("content-type", OCI_INDEX)),
                ])
                .await;
        }
        for digest in ["v1", "sha256:x", "md5:00", "sha256:", ":", "SHA256:00"] {
            for path in [referrers(digest), format!("/v2/nobody/here/referrers/{digest}")] {
                for request in [get, head] {
                    registry.check(request(&path), refused(400, "DIGEST_INVALID", "sha256")).await;
                }
            }
        }
    });
}

#[test]
fn a_referrer_is_described_as_it_describes_itself() {
    run(async {
        let registry = Registry::start().await;
        push_blob(&registry, REPO, "{}").await;
        let subject = named_image("subject");
        let config_type = "application/vnd.oci.image.config.v1+json";
        let with = |mut document: Value, more: Value| {
            document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            document
        };
        let index = || json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []});
        let annotations = json!({"org.example.key": "välue", "": ""});
        let mut all = Vec::new();
        for (document, expected) in [
            (image(&[]), json!({"artifactType": config_type})),
            (with(image(&[]), json!({"artifactType": "a/art"})), json!({"artifactType": "a/art"})),
            (with(image(&[]), json!({"artifactType": ""})), json!({"artifactType": config_type})),
            (
                with(image(&[]), json!({"annotations": annotations})),
                json!({"artifactType": config_type, "annotations": annotations}),
            ),
            (with(image(&[]), json!({"annotations": {}})), json!({"artifactType": config_type, "annotations": {}})),
            (index(), json!({})),
            (
                with(index(), json!({"artifactType": "a/b+c", "annotations": annotations})),
                json!({"artifactType": "a/b+c", "annotations": annotations}),
            ),
        ] {
            all.push(push_referrer(&registry, &subject, document, expected).await);
        }
        in_order(&mut all);
        let of_type = |wanted: &str| -> Vec<_> {
            all.iter().filter(|descriptor| descriptor["artifactType"] == wanted).cloned().collect()
        };
        let path = referrers(&subject.digest);
        let filter = |wanted: &str| get(format!("{path}?artifactType={wanted}"));
        let filtered = |list: &[Value]| listed(list).header("oci-filters-applied", "artifactType").without("link");
        let plain = listed(&all).without("oci-filters-applied").without("link");
        registry
            .check_all([
                // The subject itself need not be there.
                case(get(&*path), plain),
                case(filter("a/art"), filtered(&of_type("a/art"))),
                case(filter("a%2Fart"), filtered(&of_type("a/art"))),
                case(filter("a/b+c"), filtered(&of_type("a/b+c"))),
                case(filter("a/b%2Bc"), filtered(&of_type("a/b+c"))),
                case(filter(config_type), filtered(&of_type(config_type))),
                case(filter("a/none"), filtered(&[])),
                case(filter(""), filtered(&[])),
                case(
                    get(format!("{path}?artifactType=a/b&artifactType=a/art")),
                    refused(400, "UNSUPPORTED", "2 times"),
                ),
            ])
            .await;
        assert_eq!((of_type("a/art").len(), of_type(config_type).len()), (1, 4));
        // A referrer of another repository is none here, and one that is deleted is none any more.
        registry.check(get(format!("/v2/acme/other/referrers/{}", subject.digest)), listed(&[])).await;
        let first = all.remove(0);
        let first = first["digest"].as_str().unwrap();
        registry.check(delete(format!("/v2/{REPO}/manifests/{first}")), ok(202)).await;
        registry.check(get(&*path), listed(&all)).await;
    });
}

#[test]
fn pages_of_referrers() {
    run(async {
        let registry = Registry::start().await;
        push_blob(&registry, REPO, "{}").await;
        let subject = named_image("subject");
        let mut all = Vec::new();
        for number in 0..105 {
            let wanted = if number % 21 == 0 { "a/rare+one" } else { "a/many" };
            let annotations = json!({"number": number.to_string()});
            let more = json!({"artifactType": wanted, "annotations": annotations});
            let mut document = image(&[]);
            document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            all.push(push_referrer(&registry, &subject, document, more).await);
        }
        in_order(&mut all);
        let rare: Vec<_> = all.iter().filter(|one| one["artifactType"] == "a/rare+one").cloned().collect();
        assert_eq!(rare.len(), 5);
        let path = referrers(&subject.digest);
        for (query, expected, page) in [
            ("", &all, 100),
            ("?n=99999", &all, 100),
            ("?n=7", &all, 7),
            ("?n=2&artifactType=a/rare%2Bone", &rare, 2),
            ("?artifactType=a/rare+one&n=5", &rare, 5),
        ] {
            let (mut seen, mut at, mut pages) = (Vec::new(), format!("{path}{query}"), 0);
            loop {
                let reply = registry.check(get(&*at), ok(200).header("content-type", OCI_INDEX)).await;
                let filtered = query.contains("artifactType").then_some("artifactType");
                assert_eq!(reply.header("oci-filters-applied"), filtered, "{at}");
                let list = reply.json()["manifests"].as_array().unwrap().clone();
                assert!(list.len() <= page, "{at}");
                seen.extend(list);
                pages += 1;
                let Some(link) = reply.header("link") else { break };
                at = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned();
            }
            assert_eq!((&seen, pages), (expected, expected.len().div_ceil(page)), "{query}");
        }
        registry
            .check_all([
                case(get(format!("{path}?n=0")), listed(&[]).without("link")),
                case(get(format!("{path}?n=x")), refused(400, "UNSUPPORTED", "an integer from 0")),
                case(get(format!("{path}?last=x")), refused(400, "DIGEST_INVALID", "`last`")),
            ])
            .await;
    });
}

#[test]
fn a_page_ends_where_it_is_as_large_as_a_manifest_may_be() {
    run(async {
        let registry = Registry::with(|settings| settings.limits.manifest_bytes = 100_000).await;
        push_blob(&registry, REPO, "{}").await;
        let subject = named_image("subject");
        let mut all = Vec::new();
        for number in 0..7 {
            let more =
                json!({"artifactType": "a/b", "annotations": {"n": number.to_string(), "pad": "x".repeat(40_000)}});
            let mut document = image(&[]);
            document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            all.push(push_referrer(&registry, &subject, document, more).await);
        }
        in_order(&mut all);
        let (mut seen, mut at) = (Vec::new(), referrers(&subject.digest));
        loop {
            let reply = registry.check(get(&at), ok(200)).await;
            assert!(reply.json().to_string().len() <= 100_000, "{at}");
            seen.extend(reply.json()["manifests"].as_array().unwrap().clone());
            let Some(link) = reply.header("link") else { break };
            at = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned();
        }
        assert_eq!(seen, all);
    });
}
