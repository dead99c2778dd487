//! Measures what removal of bytes costs: whether those who push and pull feel a collection, and how long a purge takes in a large
//! registry. `benches/README.md` says what each row means.

mod load;
mod registry;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use comfy_table::{CellAlignment, Table, presets};
use load::{Figures, Load};
use registry::Registry;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tagstone_compare::connection::Connection;
use tagstone_compare::image::{CONFIG, LAYER, MANIFEST_TYPE, Manifest, SmallBlob, digest, series};
use tagstone_compare::number::rounded;
use tagstone_compare::{ending, machine, process, upload};

#[derive(Parser)]
#[command(about, long_about = None)]
struct Arguments {
    /// The program to measure.
    #[arg(long, default_value = "target/release/tagstone")]
    tagstone: PathBuf,
    /// Contents that the collection removes.
    #[arg(long, default_value_t = 100_000)]
    contents: u64,
    /// Repositories of the registry in which is purged, with a hundred manifests each.
    #[arg(long, default_value_t = 1_000)]
    repositories: u64,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Where the registry keeps its data; must be a real disk.
    #[arg(long, default_value = "target/bench")]
    dir: PathBuf,
}

/// Clients that prepare and push.
const CLIENTS: u64 = 16;

/// Manifests of each repository.
const MANIFESTS: u64 = 100;

/// Purges that are measured.
const PURGES: usize = 50;

/// One line of the table: a key, what it is, the figure with its unit, and what it should be.
struct Row(&'static str, String, f64, &'static str, Option<f64>);

fn main() -> ExitCode {
    ending::exit_code(measure(&Arguments::parse()).map(|()| true))
}

fn measure(arguments: &Arguments) -> Result<()> {
    process::stop_on_signals()?;
    let dir = machine::disk(&arguments.dir)?;
    let machine = machine::machine();
    eprintln!("{machine}");
    let mut rows = collection(arguments, dir.path())?;
    rows.extend(purge(arguments, dir.path())?);
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["key", "what", "figure", "", "aim", "verdict"]);
    for Row(key, what, figure, unit, least) in rows {
        let aim = least.map(|least| format!(">= {}", rounded(least))).unwrap_or_default();
        let verdict = least.map_or("", |least| if figure >= least { "met" } else { "MISSED" });
        table.add_row([key, &what, &rounded(figure), unit, &aim, verdict]);
    }
    if let Some(figures) = table.column_mut(2) {
        figures.set_cell_alignment(CellAlignment::Right);
    }
    println!("{machine}\n{table}");
    Ok(())
}

/// Pushes and pulls without a collection, and beside one.
fn collection(arguments: &Arguments, dir: &Path) -> Result<Vec<Row>> {
    let registry = Registry::start(&arguments.tagstone, &dir.join("collection"))?;
    let load = Load::prepare(&registry)?;
    eprintln!("{} contents that nothing refers to", arguments.contents);
    parallel(arguments.contents, |client, from, to| {
        let (mut connection, mut blob) = (registry.connect()?, SmallBlob::default());
        let repository = format!("garbage/{client}");
        for number in from..to {
            let bytes = blob.numbered(number);
            let path = format!("/v2/{repository}/blobs/uploads/?digest={}", digest(bytes));
            connection.ask(201, "POST", &path, "application/octet-stream", bytes)?;
        }
        Ok(())
    })?;
    let span = Duration::from_secs(arguments.seconds);
    load.run(&registry, Duration::from_secs(1), &|| false)?;
    let before = load.run(&registry, span, &|| false)?;
    let begun = Instant::now();
    let mut collecting = registry.connect()?;
    let collecting = std::thread::spawn(move || -> Result<(f64, u64)> {
        let answer = collecting.ask(200, "POST", "/api/v1/collect", "", b"")?;
        let report: serde_json::Value = serde_json::from_slice(&answer.body)?;
        let removed = report["removed_count"].as_u64().context("no removed_count")?;
        Ok((begun.elapsed().as_secs_f64(), removed))
    });
    let beside = load.run(&registry, Duration::from_secs(600), &|| collecting.is_finished())?;
    let (took, removed) = collecting.join().map_err(|_| anyhow::anyhow!("the collecting thread panicked"))??;
    ensure!(removed >= arguments.contents, "only {removed} contents were collected");
    let after = load.run(&registry, span, &|| false)?;
    registry.stop()?;
    let without = (before.pushes + after.pushes) / 2.0;
    let row = |key, what: &str, figure, unit| Row(key, what.to_owned(), figure, unit, None);
    let p99 = |figures: &Figures| (figures.push_p99, figures.pull_p99);
    let ((push, pull), (push_beside, pull_beside)) = (p99(&before), p99(&beside));
    Ok(vec![
        row("collect", &format!("collection of {removed} contents beside pushes and pulls"), took, "s"),
        row("collect-put", "pushes without a collection", without, "/s"),
        Row(
            "collect-put-beside",
            "pushes beside it, as a part of those without".to_owned(),
            beside.pushes / without,
            "",
            Some(0.8),
        ),
        row("collect-put-p99", "99th percentile of a push without it", push, "ms"),
        row("collect-put-p99-beside", "and beside it", push_beside, "ms"),
        row("collect-put-worst-beside", "the longest push beside it", beside.push_worst, "ms"),
        row("collect-get-p99", "99th percentile of a pull without it", pull, "ms"),
        row("collect-get-p99-beside", "and beside it", pull_beside, "ms"),
    ])
}

/// Purges in a registry whose manifests all share a layer.
fn purge(arguments: &Arguments, dir: &Path) -> Result<Vec<Row>> {
    let registry = Registry::start(&arguments.tagstone, &dir.join("purge"))?;
    let numbers = series();
    eprintln!("{} manifests in {} repositories", arguments.repositories * MANIFESTS, arguments.repositories);
    parallel(arguments.repositories, |_, from, to| {
        let (mut connection, mut manifest) = (registry.connect()?, Manifest::default());
        for repository in from..to {
            upload::blobs(&mut connection, &format!("many/{repository}"))?;
            for number in 0..MANIFESTS {
                let bytes = manifest.numbered(numbers + repository * MANIFESTS + number);
                let path = format!("/v2/many/{repository}/manifests/tag-{number}");
                connection.ask(201, "PUT", &path, MANIFEST_TYPE, bytes)?;
            }
        }
        Ok(())
    })?;
    let mut times = Vec::new();
    let mut connection = registry.connect()?;
    for number in 0..PURGES {
        let repository = format!("many/{}", number as u64 % arguments.repositories);
        let own = format!("a layer like no other {number}").into_bytes();
        push_leak(&mut connection, &repository, &own)?;
        let begun = Instant::now();
        let order = br#"{"reference":"leak","reason":"measured"}"#;
        let answer = connection.ask(200, "POST", &format!("/api/v1/repository/{repository}/purge"), "", order)?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        let report: serde_json::Value = serde_json::from_slice(&answer.body)?;
        ensure!(report["kept"].as_array().is_some_and(|kept| kept.len() == 2), "{report}");
        ensure!(report["blobs_removed"].as_array().is_some_and(|gone| gone.len() == 1), "{report}");
    }
    registry.stop()?;
    times.sort_unstable_by(f64::total_cmp);
    let manifests = arguments.repositories * MANIFESTS;
    let what = format!("purge of an image that shares a layer and a config with {manifests} others: median");
    Ok(vec![
        Row("purge", what, times[times.len() / 2], "ms", None),
        Row("purge-worst", "the longest".to_owned(), times[times.len() - 1], "ms", None),
    ])
}

fn push_leak(connection: &mut Connection, repository: &str, own: &[u8]) -> Result<()> {
    let path = format!("/v2/{repository}/blobs/uploads/?digest={}", digest(own));
    connection.ask(201, "POST", &path, "application/octet-stream", own)?;
    let layer = |bytes: &[u8]| {
        let media_type = "application/vnd.oci.image.layer.v1.tar";
        serde_json::json!({"mediaType": media_type, "digest": digest(bytes), "size": bytes.len()})
    };
    let mut config = layer(CONFIG);
    config["mediaType"] = "application/vnd.oci.image.config.v1+json".into();
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config, "layers": [layer(LAYER), layer(own)],
    });
    let manifest = serde_json::to_vec(&manifest)?;
    connection.ask(201, "PUT", &format!("/v2/{repository}/manifests/leak"), MANIFEST_TYPE, &manifest)?;
    Ok(())
}

/// Does something for all numbers, in parts beside each other.
fn parallel(count: u64, part: impl Fn(u64, u64, u64) -> Result<()> + Sync) -> Result<()> {
    std::thread::scope(|scope| {
        let share = count.div_ceil(CLIENTS);
        let part = &part;
        let parts: Vec<_> = (0..CLIENTS)
            .map(|client| scope.spawn(move || part(client, client * share, ((client + 1) * share).min(count))))
            .collect();
        parts.into_iter().try_for_each(|part| part.join().map_err(|_| anyhow::anyhow!("a client panicked"))?)
    })
}
