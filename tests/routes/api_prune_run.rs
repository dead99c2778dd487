//! Running prune policies through the REST API.

use serde_json::{Value, json};
use tagstone::registry::{Command, CreatePolicy, Lock, SetTag};
use tagstone_schema::event::DeletionCause;
use tagstone_schema::policy::{Age, AgeUnit, Pattern, PruneMethod, Rule, Scope};
use tagstone_schema::{Event, Id, Seq};

use crate::case::{case, ok, refused};
use crate::registry::{Registry, run};
use crate::request::{Request, get, post};
use crate::samples::{REPO, Sample, named_image, push_blob, push_named};

const POLICY: Id = Id([7; 16]);

fn of_repository(name: &str) -> Scope {
    Scope::Repository(name.parse().unwrap())
}

fn keep(number: u64, regex: Option<&str>) -> Rule {
    let pattern = regex.map(|regex| Pattern { regex: regex.to_owned(), matches: true });
    Rule::Prune { method: PruneMethod::NumberOfTags(number), pattern }
}

fn immutable(regex: &str) -> Rule {
    let pattern = Pattern { regex: regex.to_owned(), matches: true };
    Rule::Immutability { pattern, include_referrer_tags: false }
}

impl Registry {
    async fn create(&self, policy: Id, scope: Scope, rule: Rule, draft: bool) {
        self.commit(Command::CreatePolicy(Box::new(CreatePolicy { policy, scope, rule, draft }))).await;
    }

    async fn lock(&self, repository: &str, tag: &str) {
        let (repository, tag) = (repository.parse().unwrap(), tag.parse().unwrap());
        let (expiry, manifest, lock) = (tagstone::registry::Expiry::Keep, None, Lock::Lock);
        self.commit(Command::SetTag(Box::new(SetTag { repository, tag, manifest, expiry, lock }))).await;
    }

    async fn tags(&self, repository: &str) -> Vec<String> {
        let list = self.check(get(format!("/v2/{repository}/tags/list")), ok(200)).await.json();
        list["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap().to_owned()).collect()
    }

    /// Runs a policy, and answers its report without what differs from run to run.
    async fn report(&self, request: Request) -> Value {
        let mut report = self.check(request, ok(200).header("content-type", "application/json")).await.json();
        let run = report.as_object_mut().unwrap().remove("run").unwrap();
        run.as_str().unwrap().parse::<Id>().unwrap();
        report
    }
}

fn run_of(scope: &str, policy: Id) -> Request {
    post(format!("/api/v1/{scope}/autoprunepolicy/{policy}/run"))
}

fn dry(request: Request) -> Request {
    request.body(r#"{"dry_run": true}"#)
}

fn repository() -> String {
    format!("repository/{REPO}")
}

async fn push_numbered(registry: &Registry, repository: &str, count: usize) -> Vec<Sample> {
    let mut samples = Vec::new();
    for number in 1..=count {
        samples.push(push_named(registry, repository, &format!("v{number}"), &format!("{repository} {number}")).await);
    }
    samples
}

#[test]
fn immutable_tags_are_skipped_and_not_counted() {
    run(async {
        let registry = Registry::start().await;
        let samples = push_numbered(&registry, REPO, 5).await;
        push_named(&registry, REPO, "other", "other").await;
        registry.lock(REPO, "v1").await;
        registry.create(POLICY, of_repository(REPO), keep(2, Some("v.*")), false).await;
        let before = registry.standing();
        let deleted = json!([{"tag": "v2", "digest": samples[1].digest}, {"tag": "v3", "digest": samples[2].digest}]);
        let skipped = json!([{"tag": "v1", "reason": "immutable"}]);
        let report = registry.report(dry(run_of(&repository(), POLICY))).await;
        assert_eq!(report, json!({"considered": 5, "deleted": deleted, "skipped": skipped, "seq": null}));
        assert_eq!(registry.standing(), before);
        let report = registry.report(run_of(&repository(), POLICY)).await;
        let seq = before.seq + 1;
        assert_eq!(report, json!({"considered": 5, "deleted": deleted, "skipped": skipped, "seq": seq}));
        assert_eq!(registry.tags(REPO).await, ["other", "v1", "v4", "v5"]);
        let report = registry.report(run_of(&repository(), POLICY).body(r#"{"dry_run": false}"#)).await;
        assert_eq!(report, json!({"considered": 3, "deleted": [], "skipped": skipped, "seq": null}));
        assert_eq!(registry.standing().seq, seq);
        let metrics = registry.probe("/metrics").await.body;
        let metrics = std::str::from_utf8(&metrics).unwrap();
        for line in [
            "tagstone_prune_runs_total 2",
            "tagstone_prune_deleted_tags_total 2",
            "tagstone_prune_skipped_tags_total 2",
        ] {
            assert!(metrics.lines().any(|one| one == line), "{line}: {metrics}");
        }
    });
}

#[test]
fn the_run_of_a_namespace_is_one_record() {
    run(async {
        let registry = Registry::start().await;
        for name in ["acme/app", "acme/deep/tool", "acme-x/app", "acme", "zeta/app"] {
            push_numbered(&registry, name, 3).await;
        }
        registry.create(POLICY, Scope::Namespace("acme".parse().unwrap()), keep(2, None), false).await;
        let request = run_of("organization/acme", POLICY);
        let reply = registry.check(request, ok(200)).await.json();
        let names: Vec<_> =
            reply["deleted"].as_array().unwrap().iter().map(|one| (&one["repository"], &one["tag"])).collect();
        assert_eq!(names, [(&json!("acme/app"), &json!("v1")), (&json!("acme/deep/tool"), &json!("v1"))]);
        for name in ["acme-x/app", "acme", "zeta/app"] {
            assert_eq!(registry.tags(name).await.len(), 3, "{name}");
        }
        let records = registry.records();
        let last = records.last().unwrap();
        assert_eq!(json!(last.seq), reply["seq"]);
        assert_eq!((last.actor.name.as_str(), last.origin.address.as_str()), ("anonymous", crate::registry::PEER));
        let run: Id = reply["run"].as_str().unwrap().parse().unwrap();
        for event in &last.events {
            let Event::TagsDeleted { cause, .. } = event else { panic!("{event:?}") };
            assert_eq!(*cause, DeletionCause::Prune { policy: POLICY, run });
        }
        assert_eq!(last.events.len(), 2);
    });
}

#[test]
fn what_does_not_fit_into_one_record_is_several() {
    run(async {
        let registry = Registry::start().await;
        push_blob(&registry, REPO, "{}").await;
        let sample = named_image("one");
        for push in 0..20 {
            let tags: Vec<_> = (0..64).map(|n| format!("tag=v{push}-{n}-{}", "x".repeat(40))).collect();
            sample.push(&registry, REPO, &format!("{}?{}", sample.digest, tags.join("&"))).await;
        }
        registry.create(POLICY, of_repository(REPO), keep(1, None), false).await;
        let before = registry.standing().seq;
        let report = registry.report(run_of(&repository(), POLICY)).await;
        assert_eq!(report["deleted"].as_array().unwrap().len(), 20 * 64 - 1);
        assert_eq!(
            registry.tags(REPO).await,
            ["v19-9-".to_owned() + &"x".repeat(40)],
            "of several in one record the greatest name is the newest"
        );
        let records = registry.records();
        let runs = records.iter().filter(|record| record.seq > before);
        let deleted: Vec<_> = runs
            .map(|record| match &*record.events {
                [Event::TagsDeleted { tags, .. }] => (record.seq, tags.len()),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(deleted.len(), 2, "{deleted:?}");
        assert_eq!(deleted.iter().map(|(_, tags)| tags).sum::<usize>(), 20 * 64 - 1);
        assert_eq!(deleted.last().map(|(seq, _)| json!(seq)), Some(report["seq"].clone()));
    });
}

#[test]
fn tags_for_referrers_go_with_their_subject() {
    run(async {
        let registry = Registry::start().await;
        let samples = push_numbered(&registry, REPO, 3).await;
        let tag_of = |sample: &Sample, ending: &str| sample.digest.replacen(':', "-", 1) + ending;
        let (gone, kept) = (tag_of(&samples[0], ".sig"), tag_of(&samples[2], ".sig"));
        let signature = push_named(&registry, REPO, &gone, "signature").await;
        push_named(&registry, REPO, &kept, "another signature").await;
        let also = tag_of(&samples[1], "");
        push_named(&registry, REPO, &also, "fallback").await;
        registry.lock(REPO, &also).await;
        registry.create(POLICY, of_repository(REPO), keep(1, None), false).await;
        let report = registry.report(run_of(&repository(), POLICY)).await;
        assert_eq!(report["considered"], 3);
        let deleted = json!([
            {"tag": "v1", "digest": samples[0].digest},
            {"tag": "v2", "digest": samples[1].digest},
            {"tag": gone, "digest": signature.digest},
        ]);
        assert_eq!(report["deleted"], deleted);
        assert_eq!(report["skipped"], json!([{"tag": also, "reason": "immutable"}]));
        let mut left = vec!["v3".to_owned(), kept, also];
        left.sort();
        assert_eq!(registry.tags(REPO).await, left);
    });
}

#[test]
fn what_cannot_be_run() {
    run(async {
        let registry = Registry::start().await;
        push_numbered(&registry, REPO, 2).await;
        let (draft, retired, other) = (Id([1; 16]), Id([2; 16]), Id([3; 16]));
        registry.create(POLICY, of_repository(REPO), keep(1, None), false).await;
        registry.create(draft, of_repository(REPO), keep(1, Some("v.*")), true).await;
        registry.create(retired, of_repository(REPO), keep(5, None), false).await;
        registry.commit(Command::RemovePolicy { policy: retired }).await;
        registry.create(other, of_repository(REPO), immutable("release-.*"), false).await;
        let unknown = Id([9; 16]);
        registry
            .check_all([
                case(run_of(&repository(), draft), refused(409, "policy_not_active", "is a draft")),
                case(run_of(&repository(), retired), refused(404, "not_found", "was retired at")),
                case(dry(run_of(&repository(), retired)), refused(404, "not_found", "was retired at")),
                case(run_of(&repository(), other), refused(404, "not_found", "no policy")),
                case(run_of(&repository(), unknown), refused(404, "not_found", "no prune policy")),
                case(run_of("repository/acme/other", POLICY), refused(404, "not_found", "no prune policy")),
                case(run_of("organization/acme", POLICY), refused(404, "not_found", "no prune policy")),
                case(
                    post(format!("/api/v1/{}/autoprunepolicy/x/run", repository())),
                    refused(404, "not_found", "no such policy"),
                ),
                case(run_of(&repository(), POLICY).body("{\"dry\": 1}"), refused(400, "invalid_request", "`dry`")),
                case(run_of(&repository(), POLICY).body("[]"), refused(400, "invalid_request", "JSON object")),
                case(
                    run_of("repository/as-of/seq-1/acme/app", POLICY),
                    refused(405, "method_not_allowed", "shows the past").header("allow", "GET, HEAD"),
                ),
            ])
            .await;
        let report = registry.report(dry(run_of(&repository(), draft))).await;
        assert_eq!(report["deleted"].as_array().unwrap().len(), 1, "a dry run shows what a draft would do");
        registry.fail_writes();
        for _ in 0..2 {
            registry.check(run_of(&repository(), POLICY), refused(503, "read_only", "restart")).await;
        }
    });
}

#[test]
fn tags_of_an_age_are_pruned() {
    run(async {
        let registry = Registry::start().await;
        push_numbered(&registry, REPO, 2).await;
        for (id, count, unit, deleted) in [(1, 1, AgeUnit::Hours, 0), (2, u32::MAX, AgeUnit::Years, 0)] {
            let rule = Rule::Prune { method: PruneMethod::CreationDate(Age { count, unit }), pattern: None };
            registry.create(Id([id; 16]), of_repository(REPO), rule, false).await;
            let report = registry.report(run_of(&repository(), Id([id; 16]))).await;
            assert_eq!(report["deleted"].as_array().unwrap().len(), deleted, "{count} {unit:?}");
        }
    });
}

#[test]
fn a_number_that_is_not_reached_prunes_nothing() {
    run(async {
        let registry = Registry::start().await;
        push_numbered(&registry, REPO, 2).await;
        registry.create(POLICY, of_repository(REPO), keep(u64::MAX, None), false).await;
        let before: Seq = registry.standing().seq;
        let report = registry.report(run_of(&repository(), POLICY)).await;
        assert_eq!(report, json!({"considered": 2, "deleted": [], "skipped": [], "seq": null}));
        assert_eq!(registry.standing().seq, before);
    });
}
