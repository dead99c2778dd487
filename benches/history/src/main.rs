//! Measures what a long history costs: how fast it is replayed and verified, how long a start over it takes, what a question to
//! it costs, and what its state takes in memory. `benches/README.md` says what each row means.

mod apart;
mod figure;
mod folding;
mod indexing;
mod latency;
mod made;
mod questions;
mod registry;
mod starts;
mod state_cost;
mod table;
mod thread_time;
mod verification;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use figure::Row;
use made::Made;
use registry::FirstStart;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tagstone_compare::number::rounded;
use tagstone_compare::{ending, machine, process};

/// The same as in `tagstone-replay`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Repositories of the history.
const REPOSITORIES: u64 = 1_000;

#[derive(Parser)]
#[command(about, long_about = None, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Role>,
    /// The directory of the programs to measure: `tagstone` and `tagstone-replay`.
    #[arg(long, value_name = "DIR", default_value = "target/release")]
    programs: PathBuf,
    /// Events of the history.
    #[arg(long, default_value_t = 10_000_000)]
    events: u64,
    /// Only rows whose key begins with this (repeatable).
    #[arg(long, value_name = "ROW")]
    only: Vec<String>,
    /// 100,000 events and one round of each: shows that everything works, not how fast it is.
    #[arg(long)]
    quick: bool,
    /// Also write everything, with every round, to a file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where the history is kept meanwhile; must be a real disk.
    #[arg(long, default_value = "target/bench")]
    dir: PathBuf,
}

#[derive(Subcommand)]
enum Role {
    /// Tells what a state of so many tags on so many manifests costs. A process of its own, since memory that was used before
    /// would be used again.
    #[command(hide = true)]
    State { tags: u64, manifests: u64, rounds: usize, dir: PathBuf },
    /// Tells how fast the records in a file are replayed.
    #[command(hide = true)]
    Replay { records: PathBuf },
}

/// How large everything is.
#[derive(Clone, Copy)]
struct Scale {
    events: u64,
    /// Live tags of the state whose memory is looked at.
    tags: u64,
    rounds: usize,
    /// Rounds of the replay: they differ by a third from one to the next where a machine is shared.
    replays: usize,
    /// Questions of each kind.
    questions: usize,
    /// Pushes that a killed registry has made since its last snapshot.
    pushes: u64,
}

impl Scale {
    fn new(arguments: &Arguments) -> Self {
        match arguments.quick {
            true => Self { events: 100_000, tags: 10_000, rounds: 1, replays: 1, questions: 100, pushes: 100 },
            false => {
                let events = arguments.events;
                Self { events, tags: 1_000_000, rounds: 3, replays: 5, questions: 1_000, pushes: 2_000 }
            }
        }
    }
}

/// One run, and what its parts leave to one another.
struct Bench<'a> {
    scale: Scale,
    dir: &'a Path,
    programs: PathBuf,
    made: Option<Made>,
    first_start: Option<FirstStart>,
}

/// What is measured at once: the keys of its rows, and how.
type Part = (&'static [&'static str], fn(&mut Bench<'_>) -> Result<Vec<Row>>);

/// In the order of the table.
const PARTS: &[Part] = &[
    (&["replay"], folding::replay),
    (&["memory-tag", "snapshot"], state_cost::rows),
    (&["index"], indexing::rows),
    (&["verify-dir", "export", "verify-export"], verification::rows),
    (&["first-start"], starts::first),
    (&["verify-snapshot"], verification::with_snapshot),
    (&["start", "memory-server"], starts::after_a_stop),
    (&["start-killed"], starts::after_a_kill),
    (&["start-cold"], starts::cold),
    (&["tag-history-cold"], questions::cold),
    (&["tag-history", "tag-list", "events", "log-head"], questions::rows),
];

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.command {
        Some(Role::State { tags, manifests, rounds, dir }) => {
            state_cost::tell(*tags, *manifests, *rounds, dir).map(|()| true)
        }
        Some(Role::Replay { records }) => folding::tell_replay(records).map(|()| true),
        None => measure(&arguments),
    };
    ending::exit_code(done)
}

/// Measures everything that was asked for; `false` if any of it failed.
fn measure(arguments: &Arguments) -> Result<bool> {
    process::stop_on_signals()?;
    let is_wanted = |key: &str| arguments.only.is_empty() || arguments.only.iter().any(|only| key.starts_with(&**only));
    let keys: Vec<&str> = PARTS.iter().flat_map(|(keys, _)| *keys).copied().collect();
    if let Some(unknown) = arguments.only.iter().find(|only| !keys.iter().any(|key| key.starts_with(&***only))) {
        bail!("no row {unknown:?}; there are: {}", keys.join(", "));
    }
    let dir = machine::disk(&arguments.dir)?;
    let programs = arguments.programs.canonicalize();
    let programs = programs.with_context(|| format!("no directory {}", arguments.programs.display()))?;
    let (machine, scale) = (machine::machine(), Scale::new(arguments));
    eprintln!("{machine}");
    let mut bench = Bench { scale, dir: dir.path(), programs, made: None, first_start: None };
    let (mut rows, mut failures) = (Vec::new(), Vec::new());
    for (keys, part) in PARTS.iter().filter(|(keys, _)| keys.iter().any(|key| is_wanted(key))) {
        process::check_interrupted()?;
        eprintln!("{}", keys.join(", "));
        match part(&mut bench) {
            Ok(measured) => {
                for row in measured.into_iter().filter(|row| is_wanted(row.key)) {
                    eprintln!("  {}: {} {}", row.title, rounded(row.median()), row.unit);
                    rows.push(row);
                }
            }
            Err(error) => {
                process::check_interrupted()?;
                let failure = format!("{}: {error:#}", keys.join(", "));
                eprintln!("  FAILED {failure}");
                failures.push(failure);
            }
        }
    }
    println!("{machine}\n{}", table::text(&rows, &failures));
    if arguments.quick {
        println!("A quick run: these figures show that everything works, not how fast it is.");
    }
    if let Some(file) = &arguments.json {
        ending::write_json(file, &table::json(&rows, &failures, &machine))?;
    }
    Ok(failures.is_empty())
}
