//! Measures Tagstone beside other registries, nginx and a bare HTTP server: the same load on the same machine in the
//! same run, and one table of figures, ratios and aims. `benches/README.md` says what each row means.

mod bare;
mod contest;
mod load;
mod peers;
mod population;
mod rows;
mod server;
mod table;
mod workload;
mod wrk;

use anyhow::{Context, Result, bail, ensure};
use clap::{Parser, Subcommand};
use contest::Results;
use server::{Kind, Server};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};
use tagstone_compare::{answer, connection, ending, image, machine, number, process, request, upload};
use workload::{Scale, Workload};

#[derive(Parser)]
#[command(about, long_about = None, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Role>,
    /// The program to measure; without it only the others are measured.
    #[arg(long, value_name = "PROGRAM")]
    tagstone: Option<PathBuf>,
    /// Another registry that runs already, without TLS and without access control (repeatable).
    #[arg(long, value_name = "NAME=URL")]
    registry: Vec<String>,
    /// Only workloads whose key begins with this (repeatable).
    #[arg(long, value_name = "ROW")]
    only: Vec<String>,
    /// One short round of each and small sizes: shows that everything works, not how fast it is.
    #[arg(long)]
    quick: bool,
    /// Fill other registries as full as Tagstone, which takes minutes.
    #[arg(long)]
    full: bool,
    /// Also write everything, with every round, to a file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where the servers keep their data; must be a real disk.
    #[arg(long, default_value = "target/bench")]
    dir: PathBuf,
}

#[derive(Subcommand)]
enum Role {
    /// Serves one fixed answer (the floor for reads) until it is told to stop.
    #[command(hide = true)]
    Bare,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        Some(Role::Bare) => bare::serve().map(|()| true),
        None => compare(&arguments),
    };
    ending::exit_code(done)
}

/// Runs the comparison; `false` if any workload failed on any server.
fn compare(arguments: &Arguments) -> Result<bool> {
    process::stop_on_signals()?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let scale = Scale::new(arguments.quick, arguments.full, format!("compare-{since}"));
    let mut workloads = selected(rows::all(&scale), &arguments.only)?;
    let dir = machine::disk(&arguments.dir)?;
    let machine = machine::machine();
    eprintln!("{machine}");
    let servers = start(arguments, dir.path(), &scale, &workloads)?;
    let mut results = Results {
        kinds: servers.iter().map(Server::kind).collect(),
        names: servers.iter().map(|server| server.name().to_owned()).collect(),
        ..Results::default()
    };
    for workload in &mut workloads {
        results.measure(&servers, workload.as_mut(), &scale)?;
    }
    drop(servers);
    println!("{machine}\n{}", table::text(&results));
    if arguments.quick {
        println!("A quick run: these figures show that everything works, not how fast it is.");
    }
    if let Some(file) = &arguments.json {
        ending::write_json(file, &table::json(&results, &machine))?;
    }
    Ok(results.failures.is_empty())
}

fn selected(workloads: Vec<Box<dyn Workload>>, only: &[String]) -> Result<Vec<Box<dyn Workload>>> {
    let keys: Vec<&str> = workloads.iter().map(|workload| workload.key()).collect();
    for wanted in only {
        if !keys.iter().any(|key| key.starts_with(wanted)) {
            bail!("no row {wanted:?}; there are: {}", keys.join(", "));
        }
    }
    let is_wanted = |key: &str| only.is_empty() || only.iter().any(|wanted| key.starts_with(wanted));
    Ok(workloads.into_iter().filter(|workload| is_wanted(workload.key())).collect())
}

/// Starts what the selected workloads need, Tagstone last, so that its column is.
fn start(arguments: &Arguments, dir: &Path, scale: &Scale, workloads: &[Box<dyn Workload>]) -> Result<Vec<Server>> {
    let needed = |kind| workloads.iter().any(|workload| workload.runs_on(kind));
    let mut servers = Vec::new();
    if needed(Kind::Peer) {
        servers.push(peers::docker_registry(dir)?);
    }
    for registry in &arguments.registry {
        servers.push(peers::by_url(registry)?);
    }
    if needed(Kind::Static) {
        servers.push(peers::nginx(dir, scale.large)?);
    }
    if needed(Kind::Bare) {
        servers.push(peers::bare(dir)?);
    }
    if let Some(program) = &arguments.tagstone {
        let program = program.canonicalize().with_context(|| format!("no program {}", program.display()))?;
        servers.push(peers::tagstone(&program, dir)?);
    }
    let mut names: Vec<&str> = servers.iter().map(Server::name).collect();
    names.sort_unstable();
    names.dedup();
    ensure!(names.len() == servers.len(), "two servers have the same name");
    Ok(servers)
}
