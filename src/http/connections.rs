//! Connections in which nothing happens, and how they are cut.
//!
//! actix bounds the time of the first request's head only: a client that sends half a head on a connection which has
//! carried a request before, or never reads its answer, would hold it for ever. So every connection notes when
//! something last happened in it, and a watch shuts down those that are silent for too long.

use std::any::Any;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::Poll;
use std::time::{Duration, Instant};

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::HttpRequest;
use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use rustix::net::Shutdown;

/// How long an answer may wait for its client to read on. It is the longest that a stalled body may be set to.
const STALLED_ANSWER: Duration = Duration::from_secs(180);

/// How long a client may go on to send a body after it was refused. The HTTP library gives those of known length as long.
const UNWANTED_BODY: Duration = Duration::from_secs(5);

/// How long a stream may take for its end when the server stops. One whose client reads on needs none of it.
const ENDING_STREAM: Duration = Duration::from_secs(1);

/// All open connections.
#[derive(Clone, Debug)]
pub(super) struct Connections(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    began: Instant,
    open: Mutex<Vec<Weak<Connection>>>,
    /// Whether the server stops.
    stopping: AtomicBool,
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
    /// Whether the answer is a stream, which is not waited for when the server stops.
    streams: AtomicBool,
}

/// A request that is being answered on a connection; it is over when this is dropped.
#[derive(Debug)]
pub(super) struct Busy(Arc<Connection>);

impl Connections {
    pub(super) fn new() -> Self {
        Self(Arc::new(Inner { began: Instant::now(), open: Mutex::default(), stopping: AtomicBool::new(false) }))
    }

    /// Notes a new connection.
    pub(super) fn opened(&self, stream: &dyn Any, data: &mut Extensions) {
        let encrypted = || stream.downcast_ref::<TlsStream<TcpStream>>().map(|stream| stream.get_ref().0);
        let Some(stream) = stream.downcast_ref::<TcpStream>().or_else(encrypted) else { return };
        // Without a second handle, which only a lack of file descriptors denies, the connection is not watched.
        let Ok(socket) = stream.as_fd().try_clone_to_owned() else { return };
        let connection = Arc::new(Connection {
            socket,
            began: self.0.began,
            last: AtomicU64::new(0),
            busy: AtomicUsize::new(0),
            streams: AtomicBool::new(false),
        });
        connection.touch();
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&connection));
        data.insert(connection);
    }

    /// From now on streams end: those whose clients read nothing, so that they cannot be told, are shut down.
    pub(super) fn stop(&self) {
        self.0.stopping.store(true, Ordering::Relaxed);
    }

    /// Shuts down what is silent: for longer than `head` between requests, and longer than [`STALLED_ANSWER`] in one.
    pub(super) fn cut_silent(&self, head: Duration) {
        let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|connection| {
            let Some(connection) = connection.upgrade() else { return false };
            let is_busy = connection.busy.load(Ordering::Relaxed) > 0;
            let is_ending = connection.streams.load(Ordering::Relaxed) && self.0.stopping.load(Ordering::Relaxed);
            let patience = match (is_busy, is_ending) {
                (true, true) => ENDING_STREAM,
                (true, false) => STALLED_ANSWER,
                (false, _) => head,
            };
            if connection.silence() > patience {
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

    /// [`Connection::busy`] with an answer that goes on for as long as the client wants.
    pub(super) fn busy_with_stream(self: &Arc<Self>) -> Busy {
        // No other answer follows on the same connection.
        self.streams.store(true, Ordering::Relaxed);
        self.busy()
    }

    /// Is cut off in a while, unless it ends before.
    pub(super) fn ends_soon(self: &Arc<Self>) {
        let connection = Arc::downgrade(self);
        actix_web::rt::spawn(async move {
            tokio::time::sleep(UNWANTED_BODY).await;
            if let Some(connection) = connection.upgrade() {
                // Whatever this answers, the peer has gone or will be told.
                let _ = rustix::net::shutdown(&connection.socket, Shutdown::Both);
            }
        });
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

/// Lets the connection of this request go on reading once it is answered. The HTTP library forgets to, where it had stopped
/// because a body without a length was not taken fast enough: the client would wait for ever to send the rest.
pub(super) async fn read_on_after_the_answer() {
    let connection = std::future::poll_fn(|context| Poll::Ready(context.waker().clone())).await;
    actix_web::rt::spawn(async move { connection.wake() });
}
