//! The audit as a page for people.

use std::collections::BTreeSet;
use std::io::{self, Write};

use tagstone_replay::audit::{Deed, Found};
use tagstone_replay::question::{BrokenSeal, SpentName};
use tagstone_schema::Digest;

use super::audit::AuditView;
use super::output::table;
use super::{why, wording};

pub(super) fn write(out: &mut dyn Write, view: &AuditView<'_>) -> io::Result<()> {
    let report = view.report;
    writeln!(out, "AUDIT OF A TAGSTONE LOG\n")?;
    writeln!(out, "head         {}", view.log.head)?;
    writeln!(out, "time         {}", view.log.time)?;
    writeln!(out, "fingerprint  {}", view.log.fingerprint)?;
    writeln!(out, "records      {}, with {} events", view.log.records, view.log.events)?;
    if view.log.since.is_some() || view.log.until.is_some() {
        let since = view.log.since.as_deref().unwrap_or("the beginning");
        let until = view.log.until.as_deref().unwrap_or("the end");
        writeln!(out, "bounds       from {since} to {until}")?;
    }
    if !view.problems.is_empty() {
        heading(out, "THE LOG IS DAMAGED", view.problems.len())?;
        writeln!(out, "What follows is what its sound part says.\n")?;
        view.problems.iter().try_for_each(|problem| writeln!(out, "record {}: {}", problem.seq, problem.what))?;
    }
    heading(out, "Seals broken", report.seals_broken.len())?;
    report.seals_broken.iter().try_for_each(|seal| broken(out, seal))?;
    heading(out, "Spent names", report.spent_names.len())?;
    spent(out, &report.spent_names)?;
    events(out, "Erasures", &report.erasures)?;
    events(out, "Purges", &report.purges)?;
    events(out, "Policy changes", &report.policy_changes)?;
    refusals(out, view)?;
    events(out, "Access tokens", &report.tokens)?;
    events(out, "Server starts", &report.server_starts)?;
    actors(out, view)
}

fn heading(out: &mut dyn Write, title: &str, count: usize) -> io::Result<()> {
    let title = if count == 0 { format!("{title}: none") } else { format!("{title}: {count}") };
    writeln!(out, "\n{title}\n{}", "-".repeat(title.len()))
}

fn broken(out: &mut dyn Write, seal: &BrokenSeal) -> io::Result<()> {
    writeln!(out, "{}:{} was protected at {}", seal.repository, seal.tag, seal.digest)?;
    writeln!(out, "  pointed there from {}, record {}", seal.since.time, seal.since.seq)?;
    seal.protected_by.iter().try_for_each(|protected| why::write_protection(out, "  ", protected))?;
    writeln!(out, "  broken {}", wording::by(&seal.broken.deed))?;
    writeln!(out, "    {}", wording::turn(&seal.broken))
}

fn spent(out: &mut dyn Write, names: &[SpentName]) -> io::Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let mut table = table(&["tag", "can only return as", "removed", "how", "there again"]);
    for SpentName { repository, tag, only_digest, removed, returned } in names {
        let when = removed.as_ref().map(|turn| wording::by(&turn.deed)).unwrap_or_default();
        let how = removed.as_ref().map(wording::turn).unwrap_or_default();
        let returned = if *returned { "yes" } else { "-" };
        table.add_row([format!("{repository}:{tag}"), only_digest.to_string(), when, how, returned.to_owned()]);
    }
    writeln!(out, "{table}")
}

fn events(out: &mut dyn Write, title: &str, events: &[Found]) -> io::Result<()> {
    heading(out, title, events.len())?;
    if events.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}", wording::heading())?;
    events
        .iter()
        .filter_map(Found::event)
        .try_for_each(|event| writeln!(out, "{}", wording::row(&Deed::of(&event), &wording::sentence(&event))))
}

fn refusals(out: &mut dyn Write, view: &AuditView<'_>) -> io::Result<()> {
    let (refusals, beyond) = (&view.report.refusals, view.report.refusals_beyond);
    heading(out, "Refused attempts", refusals.len())?;
    if !refusals.is_empty() {
        let mut table = table(&["actor", "tried", "on", "digests", "reason", "count", "first", "last", "from"]);
        for group in refusals {
            let on = match &group.tag {
                Some(tag) => format!("{}:{tag}", group.repository),
                None => group.repository.to_string(),
            };
            table.add_row([
                wording::actor(&group.actor),
                group.tried.map_or_else(|| "-".to_owned(), |tried| tried.to_string()),
                on,
                digests(&group.digests),
                wording::printable(&group.reason),
                group.count.to_string(),
                group.first.to_string(),
                group.last.to_string(),
                addresses(group.addresses.iter()),
            ]);
        }
        writeln!(out, "{table}")?;
    }
    if beyond > 0 {
        writeln!(out, "and {} more, of which only the number is known", beyond)?;
    }
    Ok(())
}

fn actors(out: &mut dyn Write, view: &AuditView<'_>) -> io::Result<()> {
    let (actors, beyond) = (&view.report.actors, view.report.actors_beyond);
    heading(out, "Who did how much", actors.len())?;
    if !actors.is_empty() {
        let mut table = table(&["actor", "records", "events", "refused", "first", "last", "from"]);
        for actor in actors {
            let events: Vec<_> = actor.events.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
            table.add_row([
                wording::actor(&actor.actor),
                actor.records.to_string(),
                events.join(", "),
                actor.refused.to_string(),
                actor.first.to_string(),
                actor.last.to_string(),
                addresses(actor.addresses.iter()),
            ]);
        }
        writeln!(out, "{table}")?;
    }
    if beyond > 0 {
        writeln!(out, "and {} records and attempts of more actors than are shown", beyond)?;
    }
    Ok(())
}

/// The first one in full, and how many there are besides.
fn digests(all: &BTreeSet<Digest>) -> String {
    match (all.first(), all.len()) {
        (None, _) => "-".to_owned(),
        (Some(only), 1) => only.to_string(),
        (Some(first), many) => format!("{first} and {} more", many - 1),
    }
}

fn addresses<'a>(addresses: impl Iterator<Item = &'a String>) -> String {
    let all: Vec<_> = addresses.map(|address| wording::printable(address)).collect();
    if all.is_empty() { "-".to_owned() } else { all.join(", ") }
}
