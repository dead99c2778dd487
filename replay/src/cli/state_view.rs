//! A state in the form of reports: what JSON shows, and what the tables are made of.

use serde::Serialize;
use tagstone_replay::fold::{
    Fingerprint, Live, Manifest, Moment, Policy, PolicyStatus, Protection, Repository, Spent, State, TagState, Token,
};
use tagstone_schema::event::TokenScope;
use tagstone_schema::policy::{Rule, Scope};
use tagstone_schema::{Digest, Head, Id, MediaType, RepositoryName, Seq, Tag, Timestamp};

use super::verify::HeadView;

#[derive(Serialize)]
pub(super) struct FingerprintView {
    pub(super) fingerprint: Fingerprint,
}

/// A whole state. Times are RFC 3339; a `seq` beside a time is the record that set it.
#[derive(Serialize)]
pub(super) struct StateView<'a> {
    #[serde(flatten)]
    pub(super) point: PointView,
    pub(super) repositories: Vec<RepositoryView<'a>>,
    /// Names that can only come back as one digest; also those of repositories that are gone.
    pub(super) spent: Vec<SpentView<'a>>,
    pub(super) policies: Vec<PolicyView<'a>>,
    pub(super) tokens: Vec<TokenView<'a>>,
}

/// The point of the log that a state stands at. The fingerprint is that of the whole state, also where one
/// repository is shown.
#[derive(Serialize)]
pub(super) struct PointView {
    pub(super) head: HeadView,
    /// Absent before the first record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) log: Option<Id>,
    pub(super) fingerprint: Fingerprint,
}

#[derive(Serialize)]
pub(super) struct RepositoryView<'a> {
    pub(super) name: &'a RepositoryName,
    pub(super) tags: Vec<TagView<'a>>,
    pub(super) manifests: Vec<ManifestView<'a>>,
    pub(super) blobs: Vec<BlobView<'a>>,
}

#[derive(Serialize)]
pub(super) struct TagView<'a> {
    pub(super) name: &'a Tag,
    pub(super) digest: &'a Digest,
    /// When it began to point at the digest.
    pub(super) since: String,
    pub(super) seq: Seq,
    /// Whether a policy or a lock protects it.
    pub(super) immutable: bool,
    /// When it was locked by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) locked: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires: Option<String>,
}

#[derive(Serialize)]
pub(super) struct ManifestView<'a> {
    pub(super) digest: &'a Digest,
    pub(super) size: u64,
    pub(super) media_type: &'a MediaType,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) artifact_type: Option<&'a MediaType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) subject: Option<&'a Digest>,
    pub(super) references: Vec<&'a Digest>,
    pub(super) pushed: String,
    pub(super) seq: Seq,
}

#[derive(Serialize)]
pub(super) struct BlobView<'a> {
    pub(super) digest: &'a Digest,
    pub(super) size: u64,
}

#[derive(Serialize)]
pub(super) struct SpentView<'a> {
    pub(super) repository: &'a RepositoryName,
    pub(super) tag: &'a Tag,
    /// The only digest that a tag of this name can point at.
    pub(super) only_digest: &'a Digest,
    pub(super) removed: String,
    pub(super) seq: Seq,
}

#[derive(Serialize)]
pub(super) struct PolicyView<'a> {
    pub(super) id: &'a Id,
    pub(super) status: &'static str,
    pub(super) scope: &'a Scope,
    pub(super) rule: &'a Rule,
    pub(super) created: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) activated: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retired: Option<String>,
    pub(super) seq: Seq,
}

/// An access token. The hash of its secret is in the log, but is no part of a report that is handed around.
#[derive(Serialize)]
pub(super) struct TokenView<'a> {
    pub(super) id: &'a Id,
    pub(super) subject: &'a str,
    pub(super) label: &'a str,
    pub(super) scopes: &'a [TokenScope],
    pub(super) issued: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) revoked: Option<String>,
    pub(super) seq: Seq,
}

impl<'a> StateView<'a> {
    /// The state behind `head`, or of one repository in it, without the tags that had expired at `now`. A view of one repository
    /// shows no policies and tokens.
    pub(super) fn new(
        head: &Head,
        state: &'a State,
        fingerprint: Fingerprint,
        only: Option<&RepositoryName>,
        now: Timestamp,
    ) -> Self {
        let time = (head.seq > 0).then(|| head.time.to_string());
        let shown = state.repositories().filter(|(name, _)| only.is_none_or(|only| only == *name));
        let (policies, tokens) = match only {
            None => (state.policies().map(policy).collect(), state.tokens().map(token).collect()),
            Some(_) => (Vec::new(), Vec::new()),
        };
        Self {
            point: PointView { head: head.into(), time, log: state.log(), fingerprint },
            repositories: shown.filter_map(|(name, _)| Some(repository(name, &state.live(name, now)?))).collect(),
            spent: state.spent_names().filter(|(name, ..)| only.is_none_or(|only| only == *name)).map(spent).collect(),
            policies,
            tokens,
        }
    }
}

/// A line of JSON for each thing; its `kind` tells what it is.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Line<'a> {
    State(&'a PointView),
    Repository(&'a RepositoryView<'a>),
    Spent(&'a SpentView<'a>),
    Policy(&'a PolicyView<'a>),
    Token(&'a TokenView<'a>),
}

pub(super) fn lines<'a>(view: &'a StateView<'a>) -> impl Iterator<Item = Line<'a>> {
    std::iter::once(Line::State(&view.point))
        .chain(view.repositories.iter().map(Line::Repository))
        .chain(view.spent.iter().map(Line::Spent))
        .chain(view.policies.iter().map(Line::Policy))
        .chain(view.tokens.iter().map(Line::Token))
}

fn time(moment: Moment) -> String {
    moment.time.to_string()
}

fn repository<'a>(name: &'a RepositoryName, live: &Live<'a>) -> RepositoryView<'a> {
    RepositoryView {
        name,
        tags: live.tags_after(None).map(|(name, state)| tag(&live.protection, name, state)).collect(),
        manifests: live.repository.manifests().map(|shared| manifest(live.repository, shared)).collect(),
        blobs: live.repository.blobs().map(|(digest, size)| BlobView { digest, size }).collect(),
    }
}

fn tag<'a>(protection: &Protection<'_>, name: &'a Tag, state: TagState<'a>) -> TagView<'a> {
    TagView {
        name,
        digest: state.digest(),
        since: time(state.since()),
        seq: state.since().seq,
        immutable: protection.protects(name, state),
        locked: state.locked().map(time),
        expires: state.expires().map(|at| at.to_string()),
    }
}

fn spent<'a>((repository, tag, spent): (&'a RepositoryName, &'a Tag, &'a Spent)) -> SpentView<'a> {
    let (removed, seq) = (time(spent.removed), spent.removed.seq);
    SpentView { repository, tag, only_digest: &spent.only, removed, seq }
}

fn manifest<'a>(repository: Repository<'a>, manifest: &'a Manifest) -> ManifestView<'a> {
    ManifestView {
        digest: &manifest.digest,
        size: manifest.size,
        media_type: manifest.media_type(),
        artifact_type: manifest.artifact_type(),
        subject: manifest.subject(),
        references: repository.references(manifest).collect(),
        pushed: time(manifest.pushed),
        seq: manifest.pushed.seq,
    }
}

fn policy<'a>((id, policy): (&'a Id, &'a Policy)) -> PolicyView<'a> {
    let status = match policy.status {
        PolicyStatus::Draft => "draft",
        PolicyStatus::Active => "active",
        PolicyStatus::Retired => "retired",
    };
    PolicyView {
        id,
        status,
        scope: &policy.scope,
        rule: &policy.rule,
        created: time(policy.created),
        activated: policy.activated.map(time),
        retired: policy.retired.map(time),
        seq: policy.created.seq,
    }
}

fn token<'a>((id, token): (&'a Id, &'a Token)) -> TokenView<'a> {
    TokenView {
        id,
        subject: &token.subject,
        label: &token.label,
        scopes: &token.scopes,
        issued: time(token.issued),
        expires: token.expires.map(|at| at.to_string()),
        revoked: token.revoked.map(time),
        seq: token.issued.seq,
    }
}
