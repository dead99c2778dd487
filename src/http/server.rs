//! The listening server.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::configure;
use super::connections::Connections;
use super::entrance::Entrance;
use super::site::Site;

/// How the server listens.
#[derive(Clone, Copy, Debug)]
pub struct Listening {
    /// Where.
    pub address: SocketAddr,
    /// How long a client may take for the head of its first request.
    pub head_timeout: Duration,
    /// Connections that may be open.
    pub connections: usize,
    /// How long requests in flight may take when the server is stopped.
    pub shutdown_grace: Duration,
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
}

/// An idle connection is kept this long; clients reuse theirs within a push or pull.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Listens, recovers a site, and serves it until SIGTERM or SIGINT; then finishes what is in flight.
///
/// What `recover` returns beside the site is given back at the end. When the site is served, one line on standard
/// output says where; nothing else is ever written there.
pub fn serve<T, E>(
    listening: Listening,
    recover: impl FnOnce() -> Result<(Site, T), E> + Send + 'static,
) -> Result<T, ServerError<E>>
where
    T: Send + 'static,
    E: Send + 'static,
{
    let failed = |source| ServerError::Listen { address: listening.address, source };
    let entrance = Data::new(Entrance::closed());
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    actix_web::rt::System::new().block_on(async move {
        let signals = Signals::new().map_err(failed)?;
        let connections = Connections::new();
        let opened = connections.clone();
        let inside = entrance.clone();
        let server = HttpServer::new(move || App::new().configure(configure(inside.clone())))
            .on_connect(move |stream, data| opened.opened(stream, data))
            .workers(workers)
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(listening.head_timeout)
            .max_connections(listening.connections.div_ceil(workers))
            .shutdown_timeout(listening.shutdown_grace.as_secs().max(1))
            .disable_signals()
            .bind(listening.address)
            .map_err(failed)?;
        let addresses = server.addrs();
        let server = server.run();
        let handle = server.handle();
        actix_web::rt::spawn(watch(connections, listening.head_timeout.max(KEEP_ALIVE)));
        let serving = actix_web::rt::spawn(server);
        let recovered = tokio::task::spawn_blocking(recover).await.map_err(io::Error::other).map_err(failed)?;
        let rest = match recovered {
            Ok((site, rest)) => {
                entrance.open(site);
                rest
            }
            Err(error) => {
                handle.stop(false).await;
                return Err(ServerError::Recovery(error));
            }
        };
        if let Some(address) = addresses.first() {
            announce(*address);
        }
        actix_web::rt::spawn(signals.stop_or_reload(handle));
        serving.await.map_err(io::Error::other).flatten().map_err(failed)?;
        Ok(rest)
    })
}

fn announce(address: SocketAddr) {
    let mut out = io::stdout().lock();
    // Where standard output is closed, nobody waits for the line.
    let _ = writeln!(out, "tagstone listening on http://{address}").and_then(|()| out.flush());
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
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn stop_or_reload(mut self, server: ServerHandle) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => break,
                _ = self.interrupt.recv() => break,
                _ = self.hang_up.recv() => {
                    tracing::info!("SIGHUP: this version has no users, access rules or certificates to read again");
                }
            }
        }
        tracing::info!("stopping: requests in flight are finished first");
        server.stop(true).await;
    }
}
