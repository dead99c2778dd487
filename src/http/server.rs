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

/// The address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct BindError {
    address: SocketAddr,
    source: io::Error,
}

/// An idle connection is kept this long; clients reuse theirs within a push or pull.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Serves a site until SIGTERM or SIGINT, and finishes what is in flight.
///
/// When it listens, one line on standard output says where; nothing else is ever written there.
pub fn serve(site: Site, listening: Listening) -> Result<(), BindError> {
    let failed = |source| BindError { address: listening.address, source };
    let site = Data::new(site);
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    actix_web::rt::System::new().block_on(async move {
        let signals = Signals::new().map_err(failed)?;
        let connections = Connections::new();
        let opened = connections.clone();
        let server = HttpServer::new(move || App::new().configure(configure(site.clone())))
            .on_connect(move |stream, data| opened.opened(stream, data))
            .workers(workers)
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(listening.head_timeout)
            .max_connections(listening.connections.div_ceil(workers))
            .shutdown_timeout(listening.shutdown_grace.as_secs().max(1))
            .disable_signals()
            .bind(listening.address)
            .map_err(failed)?;
        if let Some(address) = server.addrs().first() {
            announce(*address);
        }
        let server = server.run();
        actix_web::rt::spawn(signals.stop_or_reload(server.handle()));
        actix_web::rt::spawn(watch(connections, listening.head_timeout.max(KEEP_ALIVE)));
        server.await.map_err(failed)
    })
}

/// Looks after silent connections for as long as the server runs.
async fn watch(connections: Connections, head: Duration) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    loop {
        ticks.tick().await;
        connections.cut_silent(head);
    }
}

fn announce(address: SocketAddr) {
    let mut out = io::stdout().lock();
    // Where standard output is closed, nobody waits for the line.
    let _ = writeln!(out, "tagstone listening on http://{address}").and_then(|()| out.flush());
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
