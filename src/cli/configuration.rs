//! `tagstone config`: is a file right, and what is in effect?

use std::fmt::Write;
use std::path::PathBuf;

use clap::Subcommand;

use super::Given;
use super::failure::{Failure, print};
use crate::serve::Guards;
use crate::settings::{Entry, Place, Settings, Sources};

/// `tagstone config …`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check a settings file; exit 2 and name every problem if it has any
    Check {
        /// The settings file (TOML)
        file: PathBuf,
        /// Exit 2 also if a file that it names cannot be used: users, certificates, keys. Without it that is a note
        #[arg(long)]
        files: bool,
    },
    /// Show the settings in effect as TOML, with the source of each value
    Show {
        /// Where the settings come from.
        #[command(flatten)]
        given: Given,
    },
}

impl ConfigCommand {
    /// Runs the command.
    pub fn run(self) -> Result<(), Failure> {
        match self {
            Self::Check { file, files } => {
                let settings = Settings::check(&file)?;
                let mut said = format!("{}: ok\n", file.display());
                if settings.check_exposure().is_err() {
                    let _ = writeln!(
                        said,
                        "note: others can reach {}, so `tagstone serve` starts only with --insecure-open",
                        settings.listen
                    );
                }
                for doubt in Guards::doubts(&settings) {
                    let _ = writeln!(said, "note: {doubt}");
                }
                match Guards::read(&settings, Sources::default()) {
                    Ok(guards) => guards.certificate_worry().into_iter().for_each(|worry| {
                        let _ = writeln!(said, "note: {worry}");
                    }),
                    Err(error) if files => return Err(Failure::usage(error)),
                    Err(error) => {
                        let _ = writeln!(said, "note: `tagstone serve` does not start with this: {error}");
                    }
                }
                print(&said)
            }
            Self::Show { given } => {
                let effective = Settings::load(given.sources())?;
                print(&document(&effective.entries))
            }
        }
    }
}

/// The entries as a file that, read again, gives the same settings.
fn document(entries: &[Entry]) -> String {
    let mut document = String::new();
    let mut above = ("", Place::Once);
    for entry in entries.iter().filter(|entry| entry.place != Place::Pattern) {
        let (section, place) = (entry.section, entry.place);
        if (section, place) != above {
            above = (section, place);
            let list = matches!(place, Place::Table(_));
            document.push_str(&if list { format!("\n[[{section}]]\n") } else { format!("\n[{section}]\n") });
        }
        document.push_str(&format!("{} = {} # {}\n", entry.name, entry.value, entry.source));
    }
    document
}
