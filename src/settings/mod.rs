//! The settings of the server: declared once, read from flags, environment and file, checked before anything starts.
//!
//! A key is declared in one place: the field of its section's struct and the line below it that reads the field
//! (`Limits::gather` and its like). What TOML accepts, the name in the environment, the nearest known key of an error,
//! `config show` and the check of `docs/configuration.md` all follow from that line. To add a section, write such a
//! struct and gather it in `Settings::gather`.

mod auth;
mod bearer;
mod collect;
mod content;
mod duration;
mod environment;
mod exposure;
mod file;
mod form;
mod given;
mod limits;
mod lists;
mod log;
mod nearest;
mod policies;
mod problem;
mod reader;
mod tables;
mod tls;
mod writer;

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use auth::Auth;
pub use bearer::Bearer;
pub use collect::Collect;
pub use content::{Content, Manifests, Uploads};
pub use exposure::Exposed;
pub use limits::Limits;
pub use log::{Log, LogFormat};
pub use policies::{Immutability, Prune};
pub use problem::{Problem, Source};
pub use reader::{Entry, Place};
pub use tls::{Http, Tls};
pub use writer::{Store, Writer};

use environment::Environment;
use file::File;
use form::{Address, Directory, Span};
use reader::Reader;

/// Everything that can be set, effective and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The address and port to listen on; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The data directory.
    pub data: PathBuf,
    /// How long a stop waits for requests in flight.
    pub shutdown_grace: Duration,
    /// `[http]`
    pub http: Http,
    /// `[tls]`; without it, the server speaks in the clear.
    pub tls: Option<Tls>,
    /// `[auth]` and `[[access]]`
    pub auth: Auth,
    /// `[log]`
    pub log: Log,
    /// `[limits]`
    pub limits: Limits,
    /// `[uploads]`
    pub uploads: Uploads,
    /// `[content]`
    pub content: Content,
    /// `[writer]`
    pub writer: Writer,
    /// `[store]`
    pub store: Store,
    /// `[manifests]`
    pub manifests: Manifests,
    /// `[immutability]`
    pub immutability: Immutability,
    /// `[prune]`
    pub prune: Prune,
    /// `[collect]`
    pub collect: Collect,
}

/// Values given on the command line, as they were typed.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--listen ADDR:PORT`
    pub listen: Option<String>,
    /// `--data DIR`
    pub data: Option<String>,
}

/// Where settings come from: flags win over the environment, the environment over the file, the file over defaults.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The TOML file, if one was named.
    pub file: Option<PathBuf>,
    /// The variables of the process; those that are not of Tagstone are skipped.
    pub environment: Vec<(OsString, OsString)>,
    /// The flags.
    pub flags: Flags,
}

impl Sources {
    /// The file, the environment of this process, and the flags.
    pub fn of_process(file: Option<PathBuf>, flags: Flags) -> Self {
        Self { file, environment: std::env::vars_os().collect(), flags }
    }
}

/// Settings together with where each value came from.
#[derive(Clone, Debug)]
pub struct Effective {
    /// The values.
    pub settings: Settings,
    /// One entry for each key, in the order of the declarations.
    pub entries: Vec<Entry>,
}

impl Default for Settings {
    fn default() -> Self {
        Self::gather(&mut Reader::default())
    }
}

impl Settings {
    /// The effective settings, or every problem that was found.
    pub fn load(sources: Sources) -> Result<Effective, Vec<Problem>> {
        let Sources { file, environment, flags } = sources;
        let file = file.map(|path| File::open(&path)).transpose()?;
        let mut reader = Reader::new(flags, Environment::new(environment), file);
        let settings = Self::gather(&mut reader);
        let entries = reader.finish()?;
        Ok(Effective { settings, entries })
    }

    /// Checks a file by itself, without flags or environment.
    pub fn check(file: &Path) -> Result<Self, Vec<Problem>> {
        let sources = Sources { file: Some(file.to_owned()), ..Sources::default() };
        Self::load(sources).map(|effective| effective.settings)
    }

    /// Every declared key with its default.
    pub fn declared() -> Vec<Entry> {
        let mut reader = Reader::default();
        Self::gather(&mut reader);
        reader.into_entries()
    }

    fn gather(reader: &mut Reader) -> Self {
        let mut top = reader.section("");
        Self {
            listen: top.take("listen", SocketAddr::from((Ipv4Addr::LOCALHOST, 5000)), &Address),
            data: top.take("data", PathBuf::from("./tagstone-data"), &Directory),
            shutdown_grace: top.take("shutdown_grace", Duration::from_secs(30), &Span::seconds(0, 3600)),
            http: Http::gather(&mut reader.section("http")),
            tls: Tls::gather(&mut reader.section("tls")),
            auth: Auth::gather(reader),
            log: Log::gather(&mut reader.section("log")),
            limits: Limits::gather(&mut reader.section("limits")),
            uploads: Uploads::gather(&mut reader.section("uploads")),
            content: Content::gather(&mut reader.section("content")),
            writer: Writer::gather(&mut reader.section("writer")),
            store: Store::gather(&mut reader.section("store")),
            manifests: Manifests::gather(&mut reader.section("manifests")),
            immutability: Immutability::gather(&mut reader.section("immutability")),
            prune: Prune::gather(&mut reader.section("prune")),
            collect: Collect::gather(&mut reader.section("collect")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_in_the_environment() {
        let declared = Settings::declared();
        let once = declared.iter().filter(|entry| entry.place == Place::Once);
        let mut names: Vec<_> = once.map(Entry::variable).collect();
        names.sort();
        let before = names.len();
        names.dedup();
        assert_eq!(names.len(), before);
    }
}
