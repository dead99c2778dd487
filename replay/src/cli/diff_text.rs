//! A difference as tables for people.

use std::io::{self, Write};

use comfy_table::Table;
use tagstone_replay::question::{Change, FromTo, PolicyChange, PolicyStands, TagChange};

use super::diff::DiffView;
use super::output::table;
use super::wording;

pub(super) fn write(out: &mut dyn Write, view: &DiffView<'_>) -> io::Result<()> {
    let (from, to, difference) = (&view.from, &view.to, view.difference);
    writeln!(out, "from  record {} at {}\nto    record {} at {}", from.seq, from.time, to.seq, to.time)?;
    if !view.changed {
        return writeln!(out, "\nNothing changed.");
    }
    section(out, "repositories", &["change", "repository"], &difference.repositories, |it| {
        vec![word(it.change), it.repository.to_string()]
    })?;
    section(out, "tags", &["change", "tag", "from", "to", "what else"], &difference.tags, |it| {
        let name = format!("{}:{}", it.repository, it.tag);
        vec![word(it.change), name, or_dash(it.from), or_dash(it.to), else_changed(it)]
    })?;
    section(out, "manifests", &["change", "repository", "manifest", "bytes"], &difference.manifests, |it| {
        vec![word(it.change), it.repository.to_string(), it.digest.to_string(), it.size.to_string()]
    })?;
    section(out, "blobs", &["change", "repository", "blob", "bytes"], &difference.blobs, |it| {
        vec![word(it.change), it.repository.to_string(), it.digest.to_string(), it.size.to_string()]
    })?;
    section(out, "policies", &["change", "policy", "scope", "from", "to"], &difference.policies, |it| {
        let PolicyChange { change, policy, scope, from, to } = it;
        vec![word(*change), policy.to_string(), wording::scope(scope), stands(from.as_ref()), stands(to.as_ref())]
    })?;
    section(out, "access tokens", &["change", "token", "user", "label", "revoked"], &difference.tokens, |it| {
        let (user, label) = (wording::printable(it.user), wording::printable(it.label));
        vec![word(it.change), it.token.to_string(), user, label, or_dash(it.revoked.as_ref().map(|at| &at.time))]
    })?;
    section(out, "spent names", &["change", "tag", "can only return as", "removed", "seq"], &difference.spent, |it| {
        let name = format!("{}:{}", it.repository, it.tag);
        vec![word(it.change), name, it.only_digest.to_string(), it.removed.time.clone(), it.removed.seq.to_string()]
    })
}

fn section<T>(
    out: &mut dyn Write,
    title: &str,
    header: &[&str],
    rows: &[T],
    row: impl Fn(&T) -> Vec<String>,
) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut shown: Table = table(header);
    for one in rows {
        shown.add_row(row(one));
    }
    writeln!(out, "\n{title}\n{shown}")
}

fn word(change: Change) -> String {
    match change {
        Change::Created => "created",
        Change::Deleted => "deleted",
        Change::Moved => "moved",
        Change::Returned => "returned",
        Change::Changed => "changed",
    }
    .to_owned()
}

fn else_changed(change: &TagChange<'_>) -> String {
    let mut all = Vec::new();
    all.extend(change.locked.as_ref().map(|locked| match locked {
        FromTo { to: Some(at), .. } => format!("locked {at}"),
        FromTo { to: None, .. } => "no lock".to_owned(),
    }));
    all.extend(change.expires.as_ref().map(|expires| match expires {
        FromTo { to: Some(at), .. } => format!("expires {at}"),
        FromTo { to: None, .. } => "no expiry".to_owned(),
    }));
    all.extend(
        change.protected_before.as_ref().and_then(|before| before.to).map(|at| format!("was protected at {at}")),
    );
    if all.is_empty() { "-".to_owned() } else { all.join(", ") }
}

fn stands(policy: Option<&PolicyStands<'_>>) -> String {
    policy.map_or_else(|| "-".to_owned(), |policy| format!("{}: {}", policy.status, wording::rule(policy.rule)))
}

fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}
