//! Why a tag is protected or its name spent.

use actix_web::HttpResponse;
use tagstone_replay::audit::TagHistory;
use tagstone_schema::{RepositoryName, Seq, Tag};
use utoipa::ToSchema;

use super::ApiAnswer;
use super::error::ApiRefusal;
use crate::http::exchange::{Exchange, readable};
use crate::registry::Rejection;

/// What is to be said of a name.
#[derive(ToSchema)]
#[schema(as = Why)]
#[expect(dead_code, reason = "the fold writes the answer; this is its form, and a test below compares the two")]
struct WhyForm {
    /// Whether the tag is locked by hand, or a policy protects tags of this name, be there one or not.
    protected: bool,
    /// Whether the name can only come back as one digest.
    spent: bool,
    /// Digest that the tag points at; absent where there is no tag.
    digest: Option<String>,
    /// Policies, those of the widest scope first; the lock; the end of an earlier tag.
    reasons: Vec<ReasonForm>,
    /// The only digest that a spent name can point at.
    only_digest: Option<String>,
}

/// Why a name is protected or spent.
#[derive(ToSchema)]
#[schema(as = WhyReason)]
#[expect(dead_code, reason = "as above")]
struct ReasonForm {
    kind: ReasonKind,
    /// Id of the policy.
    policy: Option<String>,
    /// Where the policy holds: `"registry"`, `{"namespace": …}` or `{"repository": …}`.
    #[schema(value_type = Option<Object>)]
    scope: Option<()>,
    /// Pattern of the policy.
    pattern: Option<String>,
    /// Whether the policy protects the names that match, or those that do not.
    matches: Option<bool>,
    /// When the rule came into force, the tag was locked, or was removed (RFC 3339).
    #[schema(format = DateTime)]
    since: String,
    /// The record that says so. Absent for a tag that has just expired, whose end is not recorded yet.
    seq: Option<u64>,
}

#[derive(ToSchema)]
#[schema(as = WhyReasonKind, rename_all = "snake_case")]
#[expect(dead_code, reason = "as above")]
enum ReasonKind {
    Policy,
    Lock,
    Spent,
}

/// GET `/api/v1/repository/<name>/tag/<tag>/why`
#[utoipa::path(
    get,
    path = "/api/v1/repository/{repository}/tag/{tag}/why",
    operation_id = "get_tag_why",
    tag = "tags",
    summary = "Why a tag is immutable, or its name spent",
    description = "Also for tags that are gone, be it with their repository, and for names that nobody has pushed: there \
                   `protected` says that the first push would be protected from then on.",
    responses(
        (status = 200, description = "What is to be said of the name", body = WhyForm),
        (status = 404, description = "`not_found`: there is no such repository, and there never was such a tag in it"),
        (status = 503, description = "`unavailable`: there is no such repository, and the index of the history, which knows \
                                      whether there was, is behind or has failed"),
    ),
)]
pub(super) async fn get(exchange: &Exchange<'_>, name: &str, tag: &str) -> ApiAnswer {
    let (repository, tag): (_, Tag) = (readable(name)?, tag.parse().map_err(ApiRefusal::from)?);
    let snapshot = exchange.site.published.snapshot();
    let now = exchange.now();
    let why = match snapshot.state.why(&repository, &tag, now) {
        Some(why) => why,
        None if was_there(exchange, &repository, &tag, snapshot.head.seq).await? => {
            snapshot.state.why_of_any(&repository, &tag, now)
        }
        None => return Err(Rejection::RepositoryUnknown { repository }.into()),
    };
    Ok(HttpResponse::Ok().json(why))
}

/// Whether there ever was such a tag: its repository is gone.
async fn was_there(
    exchange: &Exchange<'_>,
    repository: &RepositoryName,
    tag: &Tag,
    up_to: Seq,
) -> Result<bool, ApiRefusal> {
    let (repository, tag) = (repository.clone(), tag.clone());
    let wanted = TagHistory { repository, tag, up_to, before: None, since: None, digest: None, limit: 1 };
    Ok(!exchange.site.history.of_tag(wanted).await?.entries.is_empty())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};
    use tagstone_replay::fold::{Moment, Reason, Why, WhyReason};
    use tagstone_schema::policy::{Pattern, Scope};
    use tagstone_schema::{Digest, Id, Timestamp};
    use utoipa::PartialSchema;

    use super::*;

    fn keys(value: &Value) -> BTreeSet<&str> {
        value.as_object().unwrap().keys().map(String::as_str).collect()
    }

    #[test]
    fn the_documented_form_is_the_one_that_is_written() {
        let since = Moment { seq: 3, time: Timestamp(0) };
        let pattern = Pattern { regex: "v.*".to_owned(), matches: true };
        let policy = Reason::Policy { policy: Id([1; 16]), scope: Scope::Registry, pattern, since };
        let why = json!(Why {
            protected: true,
            spent: true,
            digest: Some(Digest::sha256([1; 32])),
            reasons: vec![WhyReason::Protected(policy), WhyReason::Spent { since: since.time, seq: Some(3) }],
            only_digest: Some(Digest::sha256([1; 32])),
        });
        for (documented, written) in [(WhyForm::schema(), &why), (ReasonForm::schema(), &why["reasons"][0])] {
            assert_eq!(keys(&json!(documented)["properties"]), keys(written));
        }
        let spent = json!({"kind": "spent", "since": "1970-01-01T00:00:00.000000Z", "seq": 3});
        assert_eq!(why["reasons"][1], spent);
        assert_eq!(json!(ReasonForm::schema())["required"], json!(["kind", "since"]));
    }
}
