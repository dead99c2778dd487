//! A state as tables for people.

use std::io::{self, Write};

use super::output::table;
use super::state_view::{PolicyView, RepositoryView, SpentView, StateView, TokenView};
use super::wording;

/// Writes the whole state; what is empty is left out.
pub(super) fn write(out: &mut dyn Write, view: &StateView<'_>) -> io::Result<()> {
    let point = &view.point;
    writeln!(out, "head         {}", point.head)?;
    writeln!(out, "time         {}", point.time.as_deref().unwrap_or("before the first record"))?;
    writeln!(out, "fingerprint  {}", point.fingerprint)?;
    view.repositories.iter().try_for_each(|repository| write_repository(out, repository))?;
    if !view.spent.is_empty() {
        writeln!(out, "\nspent names\n{}", spent(&view.spent))?;
    }
    if !view.policies.is_empty() {
        writeln!(out, "\npolicies\n{}", policies(&view.policies))?;
    }
    if !view.tokens.is_empty() {
        writeln!(out, "\naccess tokens\n{}", tokens(&view.tokens))?;
    }
    Ok(())
}

fn write_repository(out: &mut dyn Write, repository: &RepositoryView<'_>) -> io::Result<()> {
    writeln!(out, "\nrepository {}", repository.name)?;
    if !repository.tags.is_empty() {
        let mut tags = table(&["tag", "digest", "since", "seq", "immutable", "locked", "expires"]);
        for tag in &repository.tags {
            tags.add_row([
                tag.name.to_string(),
                tag.digest.to_string(),
                tag.since.clone(),
                tag.seq.to_string(),
                if tag.immutable { "yes" } else { "-" }.to_owned(),
                or_dash(tag.locked.as_deref()),
                or_dash(tag.expires.as_deref()),
            ]);
        }
        writeln!(out, "{tags}")?;
    }
    if !repository.manifests.is_empty() {
        let mut manifests = table(&["manifest", "bytes", "media type", "references", "subject", "pushed", "seq"]);
        for manifest in &repository.manifests {
            manifests.add_row([
                manifest.digest.to_string(),
                manifest.size.to_string(),
                manifest.media_type.to_string(),
                manifest.references.len().to_string(),
                or_dash(manifest.subject),
                manifest.pushed.clone(),
                manifest.seq.to_string(),
            ]);
        }
        writeln!(out, "{manifests}")?;
    }
    if !repository.blobs.is_empty() {
        let mut blobs = table(&["blob", "bytes"]);
        for blob in &repository.blobs {
            blobs.add_row([blob.digest.to_string(), blob.size.to_string()]);
        }
        writeln!(out, "{blobs}")?;
    }
    Ok(())
}

fn spent(spent: &[SpentView<'_>]) -> comfy_table::Table {
    let mut table = table(&["repository", "tag", "can only return as", "removed", "seq"]);
    for name in spent {
        let (repository, tag, only) = (name.repository.to_string(), name.tag.to_string(), name.only_digest.to_string());
        table.add_row([repository, tag, only, name.removed.clone(), name.seq.to_string()]);
    }
    table
}

fn policies(policies: &[PolicyView<'_>]) -> comfy_table::Table {
    let mut table = table(&["policy", "status", "scope", "rule", "created", "activated", "retired"]);
    for policy in policies {
        table.add_row([
            policy.id.to_string(),
            policy.status.to_owned(),
            json(policy.scope),
            json(policy.rule),
            policy.created.clone(),
            or_dash(policy.activated.as_deref()),
            or_dash(policy.retired.as_deref()),
        ]);
    }
    table
}

fn tokens(tokens: &[TokenView<'_>]) -> comfy_table::Table {
    let mut table = table(&["token", "subject", "label", "scopes", "issued", "expires", "revoked"]);
    for token in tokens {
        table.add_row([
            token.id.to_string(),
            wording::printable(token.subject),
            wording::printable(token.label),
            json(&token.scopes),
            token.issued.clone(),
            or_dash(token.expires.as_deref()),
            or_dash(token.revoked.as_deref()),
        ]);
    }
    table
}

fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// The values here hold nothing that JSON cannot express.
fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
