//! The listening server.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Data;
use actix_web::{App, HttpServer};
use rustls::ServerConfig;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::configure;
use super::connections::Connections;
use super::descriptors;
use super::entrance::Entrance;
use super::site::Site;

/// How the server listens.
#[derive(Clone)]
pub struct Listening {
    /// Where.
    pub address: SocketAddr,
    /// How long a client may take for the head of its first request.
    pub head_timeout: Duration,
    /// Connections that may be open.
    pub connections: usize,
    /// How long requests in flight may take when the server is stopped.
    pub shutdown_grace: Duration,
    /// How TLS is spoken; without it, everything is in the clear.
    pub tls: Option<ServerConfig>,
    /// What is done at SIGHUP. It may read files.
    pub hung_up: Arc<dyn Fn() + Send + Sync>,
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ServerError<E> {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// There is no site to serve.
    #[error(transparent)]
    Recovery(E),
    /// The server or the recovery ended by itself; a bug.
    #[error("the server ended by itself: {0}")]
    Ended(String),
}

/// An idle connection is kept this long; clients reuse theirs within a push or pull.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Listens, recovers a site, and serves it until SIGTERM or SIGINT; then finishes what is in flight.
///
/// What `recover` returns beside the site is given back at the end, if it came to that: a signal during the recovery
/// ends it at once, as it can be begun again at any time. When the site is served, one line on standard output says
/// where; nothing else is ever written there.
pub fn serve<T, E>(
    listening: Listening,
    recover: impl FnOnce() -> Result<(Site, T), E> + Send + 'static,
) -> Result<Option<T>, ServerError<E>>
where
    T: Send + 'static,
    E: Send + 'static,
{
    let address = listening.address;
    let failed = |source| ServerError::Listen { address, source };
    let entrance = Data::new(Entrance::closed());
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    actix_web::rt::System::new().block_on(async move {
        let mut signals = Signals::new(listening.hung_up).map_err(failed)?;
        let connections = Connections::new();
        let opened = connections.clone();
        let (inside, stopping) = (entrance.clone(), connections.clone());
        let server = HttpServer::new(move || App::new().configure(configure(inside.clone())))
            .on_connect(move |stream, data| opened.opened(stream, data))
            .workers(workers)
            .keep_alive(KEEP_ALIVE)
            // Else the end of a large answer waits until the client has acknowledged what came before, often 40 ms.
            .tcp_nodelay(true)
            .client_request_timeout(listening.head_timeout)
            .max_connections(descriptors::affordable(listening.connections).div_ceil(workers))
            .shutdown_timeout(listening.shutdown_grace.as_secs().max(1))
            .disable_signals();
        let scheme = if listening.tls.is_some() { "https" } else { "http" };
        let server = match listening.tls {
            Some(tls) => server.bind_rustls_0_23(address, tls),
            None => server.bind(address),
        };
        let server = server.map_err(failed)?;
        let addresses = server.addrs();
        let server = server.run();
        let handle = server.handle();
        actix_web::rt::spawn(watch(connections, listening.head_timeout.max(KEEP_ALIVE)));
        let serving = actix_web::rt::spawn(server);
        let rest = tokio::select! {
            recovered = in_a_thread(recover) => match recovered? {
                Ok((site, rest)) => {
                    entrance.open(site);
                    rest
                }
                Err(error) => {
                    handle.stop(false).await;
                    return Err(ServerError::Recovery(error));
                }
            },
            () = signals.asked_to_stop() => {
                handle.stop(false).await;
                return Ok(None);
            }
        };
        if let Some(address) = addresses.first() {
            announce(scheme, *address);
        }
        actix_web::rt::spawn(async move {
            signals.asked_to_stop().await;
            tracing::info!("stopping: requests in flight are finished first");
            entrance.end_streams();
            stopping.stop();
            handle.stop(true).await;
        });
        serving.await.map_err(io::Error::other).flatten().map_err(|error| ServerError::Ended(error.to_string()))?;
        Ok(Some(rest))
    })
}

/// Runs the recovery in a thread of its own, which does not keep the process from ending.
async fn in_a_thread<T: Send + 'static, E>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ServerError<E>> {
    let (done, result) = tokio::sync::oneshot::channel();
    let started = std::thread::Builder::new().name("recovery".to_owned()).spawn(move || {
        // Nobody waits any more where a signal came first.
        let _ = done.send(work());
    });
    started.map_err(|error| ServerError::Ended(error.to_string()))?;
    result.await.map_err(|_| ServerError::Ended("the recovery panicked".to_owned()))
}

fn announce(scheme: &str, address: SocketAddr) {
    let mut out = io::stdout().lock();
    // Where standard output is closed, nobody waits for the line.
    let _ = writeln!(out, "tagstone listening on {scheme}://{address}").and_then(|()| out.flush());
}

/// Looks after silent connections for as long as the server runs.
async fn watch(connections: Connections, head: Duration) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    loop {
        ticks.tick().await;
        connections.cut_silent(head);
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    hung_up: Arc<dyn Fn() + Send + Sync>,
}

impl Signals {
    fn new(hung_up: Arc<dyn Fn() + Send + Sync>) -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            hung_up,
        })
    }

    /// Returns at the first signal that says to stop.
    async fn asked_to_stop(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => {
                    let hung_up = self.hung_up.clone();
                    // Files are read beside the requests; a failure is told in the log.
                    drop(tokio::task::spawn_blocking(move || hung_up()));
                }
            }
        }
    }
}
