//! Measures what a long log costs.

mod busy;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use busy::{Busy, Shape};
use tagstone_replay::content::Layout;
use tagstone_replay::log::{EmbeddedLog, Log, Options};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let dir = PathBuf::from(arguments.next().context("usage: DIR EVENTS REPOSITORIES KEPT")?);
    let events: u64 = arguments.next().context("events")?.parse()?;
    let shape = Shape {
        repositories: arguments.next().context("repositories")?.parse()?,
        kept: arguments.next().context("kept")?.parse()?,
    };
    let began = Instant::now();
    let mut log = EmbeddedLog::open(&Layout::new(&dir), Options { cache_bytes: 64 << 20 }, &mut |_| Ok(()))?.log;
    let mut busy = Busy::new(shape);
    let (mut made, mut batch) = (0, Vec::new());
    while made < events {
        let (record, count) = busy.record();
        made += count;
        batch.push(record);
        if batch.len() == 2_000 || made >= events {
            let head = log.head();
            log.append(&head, &batch)?;
            batch.clear();
        }
    }
    println!("{made} events in {} records, {} pushes, {:?}", log.head().seq, busy.pushes(), began.elapsed());
    drop(log);
    let began = Instant::now();
    let log = EmbeddedLog::open(&Layout::new(&dir), Options::default(), &mut |_| Ok(()))?.log;
    println!("opened and verified {} in {:?}", log.head().seq, began.elapsed());
    Ok(())
}
