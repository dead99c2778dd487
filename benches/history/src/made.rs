//! The data directory with the history, made once.

use crate::{Bench, REPOSITORIES};
use anyhow::Result;
use std::time::Instant;
use tagstone_compare::number::grouped;
use tagstone_compare::process::check_interrupted;
use tagstone_core_benches::Busy;
use tagstone_replay::content::Layout;
use tagstone_replay::log::{EmbeddedLog, Log, Options};
use tagstone_schema::{EncodedRecord, Event, Record};

/// A log without snapshot, index or content, and some of what happened in it.
pub(crate) struct Made {
    pub(crate) layout: Layout,
    pub(crate) events: u64,
    pub(crate) samples: Vec<Sample>,
}

/// A move of a tag, one of those that are spread over the whole history.
pub(crate) struct Sample {
    pub(crate) repository: String,
    pub(crate) tag: String,
    pub(crate) digest: String,
}

/// About so many moves are remembered.
const SAMPLES: u64 = 5_000;

impl Made {
    pub(crate) fn make(bench: &Bench<'_>) -> Result<Self> {
        let began = Instant::now();
        let layout = Layout::new(bench.dir.join("data"));
        std::fs::create_dir(layout.root())?;
        let mut log = EmbeddedLog::open(&layout, Options::default(), &mut |_| Ok(()))?.log;
        let (mut events, mut moves, mut samples) = (0, 0_u64, Vec::new());
        let every = (bench.scale.events / SAMPLES).max(1);
        for portion in Busy::portions(REPOSITORIES, bench.scale.events) {
            check_interrupted()?;
            let (records, encoded): (Vec<Record>, Vec<EncodedRecord>) = portion.into_iter().unzip();
            log.append(&log.head(), &encoded)?;
            for event in records.iter().flat_map(|record| &record.events) {
                events += 1;
                if let Event::TagMoved { repository, tag, to, .. } = event {
                    moves += 1;
                    // More than a third of all events are moves.
                    if moves.is_multiple_of(every.div_ceil(3)) {
                        let (repository, tag) = (repository.to_string(), tag.to_string());
                        samples.push(Sample { repository, tag, digest: to.to_string() });
                    }
                }
            }
        }
        drop(log);
        eprintln!("  a log of {} events made in {:.1} s", grouped(events), began.elapsed().as_secs_f64());
        Ok(Self { layout, events, samples })
    }

    /// Some of the moves, again and again where there are fewer; each time others than the time before.
    pub(crate) fn some(&self, time: usize, count: usize) -> impl Iterator<Item = &Sample> {
        let step = (self.samples.len() / count).max(1);
        self.samples.iter().skip(time).step_by(step).cycle().take(count)
    }
}

impl Bench<'_> {
    /// The data directory, made by whoever needs it first.
    pub(crate) fn made(&mut self) -> Result<&Made> {
        let made = match self.made.take() {
            Some(made) => made,
            None => Made::make(self)?,
        };
        Ok(self.made.insert(made))
    }
}
