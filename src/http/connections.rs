//! Connections in which nothing happens, and how they are cut.
//!
//! actix bounds the time of the first request's head only: a client that sends half a head on a connection which has
//! carried a request before, or never reads its answer, would hold it for ever. So every connection notes when
//! something last happened in it, and a watch shuts down those that are silent for too long.

use std::any::Any;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use rustix::net::Shutdown;

/// How long an answer may wait for its client to read on. It is the longest that a stalled body may be set to.
const STALLED_ANSWER: Duration = Duration::from_secs(180);

/// All open connections.
#[derive(Clone, Debug)]
pub(super) struct Connections(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    began: Instant,
    open: Mutex<Vec<Weak<Connection>>>,
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    /// A second handle of the socket; the first belongs to actix.
    socket: OwnedFd,
    began: Instant,
    /// When something last happened, in milliseconds since `began`.
    last: AtomicU64,
    /// Requests whose handler or answer is under way.
    busy: AtomicUsize,
}

/// A request that is being answered on a connection; it is over when this is dropped.
#[derive(Debug)]
pub(super) struct Busy(Arc<Connection>);

impl Connections {
    pub(super) fn new() -> Self {
        Self(Arc::new(Inner { began: Instant::now(), open: Mutex::default() }))
    }

    /// Notes a new connection.
    pub(super) fn opened(&self, stream: &dyn Any, data: &mut Extensions) {
        let Some(stream) = stream.downcast_ref::<TcpStream>() else { return };
        // Without a second handle, which only a lack of file descriptors denies, the connection is not watched.
        let Ok(socket) = stream.as_fd().try_clone_to_owned() else { return };
        let connection =
            Arc::new(Connection { socket, began: self.0.began, last: AtomicU64::new(0), busy: AtomicUsize::new(0) });
        connection.touch();
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&connection));
        data.insert(connection);
    }

    /// Shuts down what is silent: for longer than `head` between requests, and longer than [`STALLED_ANSWER`] in one.
    pub(super) fn cut_silent(&self, head: Duration) {
        let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|connection| {
            let Some(connection) = connection.upgrade() else { return false };
            let busy = connection.busy.load(Ordering::Relaxed) > 0;
            if connection.silence() > if busy { STALLED_ANSWER } else { head } {
                // Whatever this answers, the peer has gone or will be told.
                let _ = rustix::net::shutdown(&connection.socket, Shutdown::Both);
                return false;
            }
            true
        });
    }
}

impl Connection {
    /// The connection of a request; none in tests that have no socket.
    pub(super) fn of(request: &HttpRequest) -> Option<&Arc<Self>> {
        request.conn_data::<Arc<Self>>()
    }

    /// A request begins.
    pub(super) fn busy(self: &Arc<Self>) -> Busy {
        self.busy.fetch_add(1, Ordering::Relaxed);
        self.touch();
        Busy(self.clone())
    }

    /// Something happened.
    pub(super) fn touch(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
    }

    fn silence(&self) -> Duration {
        self.began.elapsed().saturating_sub(Duration::from_millis(self.last.load(Ordering::Relaxed)))
    }
}

impl Busy {
    /// Something happened.
    pub(super) fn touch(&self) {
        self.0.touch();
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.touch();
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}
