//! Random histories: whatever the registry answered while it stood behind a record, it answers for that record ever after.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;
use tagstone::registry::{Because, Command, Expiry, Lock, SetTag};
use tagstone_schema::media_type::OCI_IMAGE;
use tagstone_schema::policy::Scope;
use tagstone_schema::{Id, Timestamp};

use crate::as_of::comparable;
use crate::policy::{protecting, retire};
use crate::registry::{Registry, run};
use crate::reply::Reply;
use crate::request::{delete, get, put};
use crate::samples::{Sample, descriptor, image, index, named_image, push_blob, sha256};

const REPOSITORIES: [&str; 2] = ["team/a", "team/b"];
const TAGS: [&str; 4] = ["v1", "v2", "latest", "z"];

/// What is pushed: images, one that refers to each, and an index of some.
fn samples() -> Vec<Sample> {
    let mut samples: Vec<_> = ["one", "two", "three"].map(named_image).into();
    for subject in samples.clone() {
        let mut document = image(&[]);
        document["subject"] = descriptor(subject.media_type, &subject.bytes);
        document["artifactType"] = json!(if subject.digest < samples[0].digest { "a/sig" } else { "a/sbom" });
        samples.push(Sample::new(OCI_IMAGE, &document));
    }
    samples.push(index(&[&samples[0], &samples[1]]));
    samples
}

/// Does what a choice stands for. What is refused does nothing, which is as good.
async fn act(registry: &Registry, samples: &[Sample], [what, first, second, third]: [u8; 4]) {
    let pick = |choice: u8, of: usize| usize::from(choice) % of;
    let (name, tag) = (REPOSITORIES[pick(first, 2)], TAGS[pick(second, 4)]);
    let sample = &samples[pick(third, samples.len())];
    let (repository, parsed) = (name.parse().unwrap(), tag.parse().unwrap());
    let set =
        |expiry, lock| Command::SetTag(Box::new(SetTag { repository, tag: parsed, manifest: None, expiry, lock }));
    match what % 16 {
        0..=5 => {
            push_blob(registry, name, "{}").await;
            let reference = if first < 128 { tag } else { &sample.digest };
            let path = format!("/v2/{name}/manifests/{reference}");
            registry.send(put(path).with("content-type", sample.media_type).body(sample.bytes.clone())).await;
        }
        6 => drop(registry.send(delete(format!("/v2/{name}/manifests/{tag}"))).await),
        7 => drop(registry.send(delete(format!("/v2/{name}/manifests/{}", sample.digest))).await),
        8 => drop(registry.submit(set(Expiry::Keep, Lock::Lock)).await),
        9 => drop(registry.submit(set(Expiry::Keep, Lock::Unlock)).await),
        10 => {
            let at = Timestamp(registry.now().0 + 60_000_000 * (1 + i64::from(third)));
            drop(registry.submit(set(Expiry::At(at), Lock::Keep)).await);
        }
        11 => {
            let because: Because = "a test".parse().unwrap();
            let (repository, tag) = (name.parse().unwrap(), tag.parse().unwrap());
            drop(registry.submit(Command::EraseTag { repository, tag, because }).await);
        }
        12 => {
            let policy = Id::from_random(u128::from(registry.standing().seq).to_be_bytes());
            let scope = [
                Scope::Registry,
                Scope::Namespace("team".parse().unwrap()),
                Scope::Namespace("elsewhere".parse().unwrap()),
                Scope::Repository(name.parse().unwrap()),
            ];
            let (scope, rule) = (scope[pick(second, 4)].clone(), protecting(["v1", "v.*", "z"][pick(third, 3)]));
            let create = tagstone::registry::CreatePolicy { policy, scope, rule, draft: false };
            drop(registry.submit(Command::CreatePolicy(Box::new(create))).await);
        }
        13 => {
            let active = registry.state().policies().find(|(_, policy)| policy.retired.is_none()).map(|(id, _)| *id);
            if let Some(policy) = active {
                retire(registry, policy).await;
            }
        }
        14 => {
            registry.let_pass(Duration::from_secs(60 * u64::from(third) + 30));
            registry.expire();
        }
        _ if third % 2 == 0 => drop(registry.send(delete(format!("/api/v1/repository/{name}"))).await),
        _ => drop(registry.send(delete(format!("/v2/{name}/blobs/{}", sha256("{}")))).await),
    }
}

/// What is asked behind every record, below each repository.
fn questions(samples: &[Sample]) -> Vec<String> {
    let mut all = ["tags/list", "tags/list?n=1", "tags/list?n=2&last=v1", "_tagstone/tags", "_oci/ext/discover"]
        .map(str::to_owned)
        .to_vec();
    for tag in TAGS {
        all.extend([format!("manifests/{tag}"), format!("_oci/tag-history/{tag}?n=2")]);
    }
    for sample in samples {
        all.push(format!("manifests/{}", sample.digest));
    }
    for subject in &samples[..3] {
        all.push(format!("referrers/{}", subject.digest));
        all.push(format!("referrers/{}?artifactType=a/sig", subject.digest));
    }
    all.push(format!("blobs/{}", sha256("{}")));
    all
}

/// What an answer is compared by. A refusal from the past says more, and does not speak of spent names.
fn told(reply: &Reply, point: &str) -> (u16, Vec<(String, String)>, Vec<u8>) {
    if reply.status >= 400 { (reply.status, Vec::new(), Vec::new()) } else { comparable(reply, point) }
}

/// Does what the choices stand for and asks all questions in between; then asks them of the past.
async fn compare(choices: &[[u8; 4]]) {
    let registry = Registry::start().await;
    let samples = samples();
    let questions = questions(&samples);
    let mut answers = BTreeMap::new();
    for (number, choice) in choices.iter().enumerate() {
        act(&registry, &samples, *choice).await;
        // A record of this moment: what has expired until now has ended.
        push_blob(&registry, "elsewhere", number.to_string()).await;
        let mut all = Vec::new();
        for name in REPOSITORIES {
            for question in &questions {
                all.push(told(&registry.send(get(format!("/v2/{name}/{question}"))).await, ""));
            }
        }
        answers.insert(registry.standing().seq, all);
    }
    for (seq, answers) in answers {
        let point = format!("seq-{seq}");
        let mut expected = answers.into_iter();
        for name in REPOSITORIES {
            for question in &questions {
                let reply = registry.send(get(format!("/v2/as-of/{point}/{name}/{question}"))).await;
                assert_eq!(Some(told(&reply, &point)), expected.next(), "{point} {name} {question}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn the_past_answers_as_it_did(choices in proptest::collection::vec(proptest::array::uniform4(0u8..), 16..36)) {
        run(async move { compare(&choices).await });
    }
}
