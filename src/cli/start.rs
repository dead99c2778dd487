//! What `tagstone serve` does before it serves.

use std::io::{self, Write};

use tracing::{Level, enabled, warn};

use super::failure::Failure;
use super::{Serve, logging};
use crate::settings::Settings;

impl Serve {
    /// The settings to serve with. Starts the logging, and refuses to go on if the settings are wrong or would let
    /// everyone in who was not let in on purpose.
    pub fn settings(self) -> Result<Settings, Failure> {
        let settings = Settings::load(self.given.sources())?.settings;
        let exposed = settings.check_exposure().err();
        if let (Some(exposed), false) = (exposed, self.insecure_open) {
            return Err(exposed.into());
        }
        logging::init(&settings.log)?;
        if let Some(exposed) = exposed {
            warn_of_exposure(&format!(
                "INSECURE: listening on {} without authentication (--insecure-open); whoever reaches it can read, \
                 change and delete everything",
                exposed.0
            ));
        }
        Ok(settings)
    }
}

/// A warning that no filter silences.
fn warn_of_exposure(warning: &str) {
    if enabled!(Level::WARN) {
        warn!("{warning}");
    } else {
        // Where stderr is closed, nobody is there to be warned.
        let _ = writeln!(io::stderr(), "{warning}");
    }
}
