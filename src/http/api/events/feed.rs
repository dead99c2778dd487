//! What one stream sends: the events behind a place, in order, and then whatever happens.
//!
//! A feed holds a place and nothing else of the log. It is asked for more when the connection can take more, and reads on from
//! there; a reader that is slow, or has stopped, costs what was read for it last. The writer knows of no feed.
//!
//! **Invariant**: what is sent is what a list would show in ascending order, so nothing is lost or sent twice, wherever a
//! reader breaks off and goes on with the id that it saw last.

use std::fmt::Write;
use std::time::Duration;

use bytes::Bytes;
use tagstone_replay::audit::{Archive, Filter, Order, Place, Query};
use tagstone_schema::Seq;
use tokio::time::Instant;

use super::gathered::{Enough, Gathered, gather};
use super::open_streams::Opened;
use super::visible::Viewer;
use crate::history::{History, HistoryError};
use crate::http::api::archive::{ArchiveQuestions, Unanswered};
use crate::http::connections::Busy;

/// How long a stream says nothing at most. Proxies commonly cut what is silent for a minute.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Read at a time, and held until the connection has taken it.
const ENOUGH: Enough = Enough { events: 500, bytes: 256 * 1024 };

/// Records between a feed and the end of the log up to which it is of the present. Beyond, it catches up, and takes turns.
const RECENT: Seq = 1_000;

/// The events that one stream sends.
pub(super) struct Feed {
    pub(super) source: Source,
    /// Which events.
    pub(super) filter: Filter,
    /// The last place that was sent or passed over.
    position: Place,
    /// What is to be sent before all else.
    greeting: Option<String>,
    viewer: Viewer,
    opened: Opened,
    last_sent: Instant,
    busy: Option<Busy>,
    /// Whether the last words are said.
    is_over: bool,
}

/// Where events come from.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) history: History,
    pub(super) questions: ArchiveQuestions,
}

/// Why a stream ends before it is told to.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    History(#[from] HistoryError),
    #[error(transparent)]
    Unanswered(Unanswered),
}

impl From<Unanswered> for Broken {
    fn from(error: Unanswered) -> Self {
        match error {
            Unanswered::Archive(error) => Self::History(error.into()),
            error => Self::Unanswered(error),
        }
    }
}

/// What comes next.
enum Next {
    /// This text.
    Text(String),
    /// Nothing for now; look again.
    More,
    /// The end.
    End,
}

impl Feed {
    /// A feed of what stands behind a place.
    pub(super) fn new(source: Source, filter: Filter, position: Place, viewer: Viewer, opened: Opened) -> Self {
        let (greeting, last_sent, busy, is_over) = (None, Instant::now(), None, false);
        Self { source, filter, position, greeting, viewer, opened, last_sent, busy, is_over }
    }

    /// Sends this first.
    pub(super) fn greeting_with(mut self, greeting: String) -> Self {
        self.greeting = Some(greeting);
        self
    }

    /// Keeps a connection busy for as long as the feed lives.
    pub(super) fn on(mut self, busy: Option<Busy>) -> Self {
        self.busy = busy;
        self
    }

    /// Waits for what is to be sent next. None at the end of the stream.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        let text = match self.greeting.take() {
            Some(greeting) => greeting,
            None => self.text().await?,
        };
        self.last_sent = Instant::now();
        // The connection asks only when it has room, so its client reads.
        self.busy.iter().for_each(Busy::touch);
        Some(text.into())
    }

    async fn text(&mut self) -> Option<String> {
        loop {
            if self.is_over || self.opened.is_ending() {
                return None;
            }
            // Who may see what can have changed since the last look; who would not be let in any more sees nothing more.
            self.viewer = self.viewer.renewed()?;
            match self.look().await {
                Ok(Next::Text(text)) => return Some(text),
                Ok(Next::More) => {}
                Ok(Next::End) => return None,
                Err(error) => {
                    tracing::warn!(%error, position = %self.position, "a stream of events broke off");
                    self.is_over = true;
                    return Some(last_words(&error));
                }
            }
        }
    }

    async fn look(&mut self) -> Result<Next, Broken> {
        let archive = self.source.history.archive_so_far()?;
        if self.position < Place::last_of(archive.reached().seq) {
            return self.read(archive).await;
        }
        let heartbeat = self.last_sent + HEARTBEAT;
        tokio::select! {
            () = self.opened.ends() => Ok(Next::End),
            reached = self.source.history.beyond(self.position.seq) => Ok(reached.map(|()| Next::More)?),
            () = tokio::time::sleep_until(heartbeat) => Ok(Next::Text(self.heartbeat().await?)),
        }
    }

    /// Reads on.
    async fn read(&mut self, archive: Archive) -> Result<Next, Broken> {
        let (filter, viewer) = (self.filter.clone(), self.viewer.clone());
        let query = Query { filter, order: Order::Ascending, after: Some(self.position), limit: ENOUGH.events };
        let all = Place::last_of(archive.reached().seq);
        let (questions, heartbeat) = (&self.source.questions, self.last_sent + HEARTBEAT);
        let is_recent = archive.reached().seq.saturating_sub(self.position.seq) <= RECENT;
        let work = move || gather(&archive, query, ENOUGH, &viewer);
        let gathered = if is_recent {
            questions.ask(work).await?
        } else {
            tokio::select! {
                turn = questions.turn() => questions.ask_in_turn(turn?, work).await?,
                () = self.opened.ends() => return Ok(Next::End),
                // The wait goes on behind all others. Who kept his place while his client takes the comment would hold up everybody.
                () = tokio::time::sleep_until(heartbeat) => return Ok(Next::Text(self.heartbeat().await?)),
            }
        };
        self.position = gathered.next.unwrap_or(all);
        Ok(match text(&gathered) {
            text if !text.is_empty() => Next::Text(text),
            _ if self.last_sent.elapsed() >= HEARTBEAT => Next::Text(self.heartbeat().await?),
            _ => Next::More,
        })
    }

    /// A comment, and how far the stream has come: whoever goes on with that id need not pass over the same events again.
    async fn heartbeat(&self) -> Result<String, Broken> {
        let archive = self.source.history.archive_so_far()?;
        let position = self.position;
        let id = self.source.questions.ask(move || id_of(&archive, position)).await?;
        Ok(format!("{}: the stream is alive\n\n", id.map(|id| format!("id: {id}\n")).unwrap_or_default()))
    }
}

/// The place of the last event at or before a place. None before the first of all.
pub(super) fn id_of(archive: &Archive, place: Place) -> Result<Option<Place>, Unanswered> {
    let Some(unfolded) = archive.record(place.seq)? else { return Ok(None) };
    let last = unfolded.events().map(|event| event.place()).take_while(|event| *event <= place).last();
    Ok(last.or(Some(place)))
}

/// A comment that says why the stream ends. A line end in it would end the comment.
fn last_words(why: &Broken) -> String {
    format!(": the stream ends: {}\n\n", why.to_string().replace(char::is_control, " "))
}

/// Server-sent events (WHATWG HTML, section 9.2).
fn text(gathered: &Gathered) -> String {
    let mut text = String::new();
    for event in &gathered.events {
        // Writing to a String cannot fail. JSON on one line has no line end.
        let _ = write!(text, "id: {}\nevent: {}\ndata: {}\n\n", event.place, event.kind, event.json);
    }
    text
}
