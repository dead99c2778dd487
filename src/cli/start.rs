//! What `tagstone serve` does before it serves.

use std::io::{self, Write};

use tracing::{Level, enabled, warn};

use super::failure::Failure;
use super::{Serve, logging};
use crate::serve::Guards;
use crate::settings::Settings;

impl Serve {
    /// The settings to serve with, and the users and certificates that they name. Starts the logging, and refuses to go on if the settings are wrong or would let
    /// everyone in who was not let in on purpose.
    pub fn settings(self) -> Result<(Settings, Guards), Failure> {
        let sources = self.given.sources();
        let settings = Settings::load(sources.clone())?.settings;
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
        let guards = Guards::read(&settings, sources).map_err(Failure::usage)?;
        let is_local = settings.listen.ip().to_canonical().is_loopback();
        if settings.auth.is_on() && settings.tls.is_none() && !is_local {
            warn!(
                "passwords are sent in the clear to {}, unless a proxy in front of it speaks TLS; see [tls]",
                settings.listen
            );
        }
        Ok((settings, guards))
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
