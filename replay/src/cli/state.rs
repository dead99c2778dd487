//! `state`: what a registry held at one point of its log.

use clap::Args;
use tagstone_replay::fold::State;
use tagstone_replay::source::{Point, Replay, StateAt, replay};
use tagstone_schema::{Head, RepositoryName, Timestamp};

use super::asking::{at_point, unknown};
use super::invocation::Invocation;
use super::output::{self, Format};
use super::progress::Progress;
use super::state_view::{FingerprintView, StateView, lines};
use super::{Finding, Unable, clock, state_text};

/// Show what a registry held: repositories, tags, manifests, blobs, policies, tokens.
///
/// The whole log is verified, whatever the point: what is wrong with it is said on stderr, and the exit code is then 1.
#[derive(Debug, Args)]
pub(super) struct ShowState {
    /// The data directory of a stopped registry, an exported file, or the URL of a running registry.
    source: String,
    /// The state behind this record (a seq), or behind the last record at or before this instant (RFC 3339).
    #[arg(long, value_name = "POINT")]
    at: Option<Point>,
    /// Only this repository. One that does not exist at the point is an error of usage (exit code 2).
    #[arg(long, value_name = "REPOSITORY")]
    repository: Option<RepositoryName>,
    /// Only the fingerprint of the whole state.
    #[arg(long, conflicts_with = "repository")]
    fingerprint: bool,
}

impl ShowState {
    pub(super) fn run(&self, asked: &Invocation) -> Result<Finding, Unable> {
        let source = asked.open(&self.source)?;
        let mut progress = Progress::over("records");
        let mut at = self.at.map(|at| StateAt::new(at, clock::now()));
        let replayed = replay(&source, &mut |step| {
            progress.step();
            if let Some(at) = &mut at {
                at.look(&step);
            }
        });
        drop(progress);
        let mut replayed = replayed?;
        let finding = said_problems(&replayed);
        // The state of a replay is nobody else's: a clone would copy all of it.
        let at_the_end = (replayed.head, std::mem::take(&mut replayed.state));
        let found = at.map_or_else(|| Ok(at_the_end), |at| at.found(&replayed));
        let Some((head, state)) = at_point(found, finding)? else { return Ok(finding) };
        if let Some(name) = &self.repository
            && state.repository(name.as_str()).is_none()
        {
            return unknown(
                &format!("there is no repository {name} behind record {}", head.seq),
                &replayed.head,
                finding,
            );
        }
        self.report(asked.format, &head, &state)?;
        output::leave(state);
        Ok(finding)
    }

    /// The instant by which tags have expired. Behind a record it is the records that say what has.
    fn now(&self) -> Timestamp {
        match self.at {
            Some(Point::Time(time)) => time,
            Some(Point::Seq(_)) | None => Timestamp(i64::MIN),
        }
    }

    fn report(&self, format: Format, head: &Head, state: &State) -> Result<(), Unable> {
        let fingerprint = state.fingerprint();
        output::write(|out| {
            if self.fingerprint {
                return match format {
                    Format::Text => writeln!(out, "{fingerprint}"),
                    Format::Json | Format::Ndjson => output::json_line(out, &FingerprintView { fingerprint }),
                };
            }
            let view = StateView::new(head, state, fingerprint, self.repository.as_ref(), self.now());
            match format {
                Format::Text => state_text::write(out, &view),
                Format::Json => output::json(out, &view),
                Format::Ndjson => lines(&view).try_for_each(|line| output::json_line(out, &line)),
            }
        })?;
        Ok(())
    }
}

/// Says what is wrong with the log on stderr.
pub(super) fn said_problems(replayed: &Replay) -> Finding {
    for note in &replayed.notes {
        eprintln!("note: {note}");
    }
    for problem in &replayed.problems {
        eprintln!("warning: at record {}: {}", problem.seq, problem.what);
    }
    if replayed.problems.is_empty() { Finding::Holds } else { Finding::Violated }
}
