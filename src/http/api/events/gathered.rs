//! Events gathered from the archive, until there are enough.

use tagstone_replay::audit::{Archive, ArchiveError, Place, Query};

use super::visible::Viewer;
use crate::http::api::archive::Unanswered;

/// Events that the archive is asked for at a time. Each holds its record in memory until it is written down.
const ASKED_FOR: usize = 100;

/// Questions of one request that may end without as many events as they asked for. Each of them has looked at as many
/// candidates as the archive looks at (20,000).
const FRUITLESS: usize = 5;

/// How much is gathered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Enough {
    /// Events.
    pub(super) events: usize,
    /// Bytes of their texts. The event that goes beyond is the last.
    pub(super) bytes: usize,
}

/// An event, written down.
pub(super) struct Written {
    pub(super) place: Place,
    pub(super) kind: &'static str,
    /// JSON on one line.
    pub(super) json: String,
}

/// Events in order.
pub(super) struct Gathered {
    pub(super) events: Vec<Written>,
    /// Where to go on; none where there is nothing more.
    pub(super) next: Option<Place>,
}

/// Gathers events. The limit of the question does not matter.
pub(super) fn gather(
    archive: &Archive,
    mut query: Query,
    enough: Enough,
    viewer: &Viewer,
) -> Result<Gathered, Unanswered> {
    let (mut events, mut bytes, mut fruitless) = (Vec::new(), 0, 0);
    loop {
        query.limit = ASKED_FOR.min(enough.events.saturating_sub(events.len()));
        let page = match archive.events(&query) {
            // What is sound is told. Whoever goes on from there is told the rest.
            Err(ArchiveError::Record { .. }) if !events.is_empty() => {
                return Ok(Gathered { events, next: query.after });
            }
            page => page?,
        };
        let found = page.events.len();
        fruitless += usize::from(found < query.limit);
        for (at, found_event) in page.events.iter().enumerate() {
            let Some(event) = found_event.event() else { continue };
            let Some(form) = viewer.form(&event) else { continue };
            let json = serde_json::to_string(&form)?;
            bytes += json.len();
            events.push(Written { place: event.place(), kind: form.kind, json });
            if bytes >= enough.bytes {
                let is_last = at + 1 == found && page.next.is_none();
                return Ok(Gathered { events, next: (!is_last).then(|| event.place()) });
            }
        }
        if page.next.is_none() || events.len() >= enough.events || fruitless >= FRUITLESS {
            return Ok(Gathered { events, next: page.next });
        }
        query.after = page.next;
    }
}
