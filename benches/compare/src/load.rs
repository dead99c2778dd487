//! The load generator: many kept-alive connections in one thread.
//!
//! It shares two cores with the server, so it must cost little: one `write`, one `read` and a share of one `epoll_wait`
//! per request, no allocation that grows with the run but the latencies. One operation may be several requests (an
//! upload is opened, then filled); its latency is that of the whole.

use crate::answer::{self, Answer};
use crate::server::Server;
use anyhow::{Context, Result, bail, ensure};
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

/// A server that says nothing for so long is stuck.
const STALL: Duration = Duration::from_secs(60);

/// What the answer to a request must be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expect {
    pub(crate) status: u16,
    /// The request was `HEAD`: no body follows.
    pub(crate) to_head: bool,
}

impl Expect {
    pub(crate) fn status(status: u16) -> Self {
        Self { status, to_head: false }
    }
}

/// The requests of one operation after another.
pub(crate) trait Script {
    /// Writes the first request of operation number `operation` into `out`.
    fn first(&mut self, operation: u64, out: &mut Vec<u8>) -> Expect;

    /// Writes the request that follows `answer`, or ends the operation with `None`.
    fn next(&mut self, _operation: u64, _answer: &Answer, _out: &mut Vec<u8>) -> Result<Option<Expect>> {
        Ok(None)
    }
}

/// How much load, and for how long: until `operations` are begun or `time` is over, whichever is first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) clients: usize,
    pub(crate) operations: u64,
    pub(crate) time: Duration,
}

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) seconds: f64,
    /// In ascending order, one for each operation; operations are numbered from 0 without gaps.
    latencies: Vec<Duration>,
}

impl Outcome {
    pub(crate) fn operations(&self) -> u64 {
        self.latencies.len() as u64
    }

    pub(crate) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.seconds
    }

    pub(crate) fn median_ms(&self) -> f64 {
        self.latencies[self.latencies.len() / 2].as_secs_f64() * 1e3
    }
}

struct Client {
    stream: TcpStream,
    out: Vec<u8>,
    sent: usize,
    input: Vec<u8>,
    filled: usize,
    operation: u64,
    began: Instant,
    expect: Expect,
}

struct Run<'a> {
    script: &'a mut dyn Script,
    pace: Pace,
    begun: u64,
    active: usize,
    start: Instant,
    latencies: Vec<Duration>,
}

/// Puts the load of `script` on `server` and fails on the first answer that is not the expected one.
pub(crate) fn run(server: &Server, pace: Pace, script: &mut dyn Script) -> Result<Outcome> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(256);
    let mut clients = Vec::new();
    for number in 0..pace.clients {
        let mut client = Client::connect(server)?;
        poll.registry().register(&mut client.stream, Token(number), Interest::READABLE | Interest::WRITABLE)?;
        clients.push(client);
    }
    let mut run = Run { script, pace, begun: 0, active: 0, start: Instant::now(), latencies: Vec::new() };
    for client in &mut clients {
        if run.begin(client) {
            run.active += 1;
            client.write()?;
        }
    }
    while run.active > 0 {
        if let Err(error) = poll.poll(&mut events, Some(STALL)) {
            ensure!(error.kind() == ErrorKind::Interrupted, "waiting for {}: {error}", server.name());
            continue;
        }
        ensure!(!events.is_empty(), "{} has not answered for {STALL:?}", server.name());
        for event in &events {
            run.serve(&mut clients[event.token().0], event).with_context(|| format!("load on {}", server.name()))?;
        }
    }
    let seconds = run.start.elapsed().as_secs_f64();
    let mut latencies = run.latencies;
    ensure!(!latencies.is_empty(), "no operation was completed");
    latencies.sort_unstable();
    Ok(Outcome { seconds, latencies })
}

impl Run<'_> {
    fn begin(&mut self, client: &mut Client) -> bool {
        if self.begun >= self.pace.operations || self.start.elapsed() >= self.pace.time {
            return false;
        }
        client.out.clear();
        client.sent = 0;
        client.operation = self.begun;
        client.expect = self.script.first(self.begun, &mut client.out);
        client.began = Instant::now();
        self.begun += 1;
        true
    }

    fn serve(&mut self, client: &mut Client, event: &Event) -> Result<()> {
        if event.is_writable() {
            client.write()?;
        }
        // Readiness is told once, when bytes arrive; so reading goes on until an answer is whole or nothing is left.
        // After a whole answer nothing can be left: the next request has not been sent.
        while event.is_readable() && client.sent > 0 && client.read()? {
            let (answer, size) = match answer::parse(&client.input[..client.filled], client.expect.to_head)? {
                Some(found) => found,
                None => continue,
            };
            ensure!(size == client.filled, "{} bytes after the end of the answer", client.filled - size);
            client.filled = 0;
            client.check(&answer)?;
            client.out.clear();
            client.sent = 0;
            match self.script.next(client.operation, &answer, &mut client.out)? {
                Some(expect) => client.expect = expect,
                None => {
                    self.latencies.push(client.began.elapsed());
                    if !self.begin(client) {
                        self.active -= 1;
                        return Ok(());
                    }
                }
            }
            return client.write();
        }
        Ok(())
    }
}

impl Client {
    fn connect(server: &Server) -> Result<Self> {
        let stream = std::net::TcpStream::connect(server.address())
            .with_context(|| format!("connecting to {} at {}", server.name(), server.address()))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream: TcpStream::from_std(stream),
            out: Vec::with_capacity(8 << 10),
            sent: 0,
            input: vec![0; 16 << 10],
            filled: 0,
            operation: 0,
            began: Instant::now(),
            expect: Expect::status(200),
        })
    }

    fn write(&mut self) -> Result<()> {
        while self.sent < self.out.len() {
            match self.stream.write(&self.out[self.sent..]) {
                Ok(0) => bail!("the connection takes no more bytes"),
                Ok(size) => self.sent += size,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("sending a request"),
            }
        }
        Ok(())
    }

    /// Reads once; `false` when nothing is there now.
    fn read(&mut self) -> Result<bool> {
        if self.filled == self.input.len() {
            self.input.resize(self.filled * 2, 0);
        }
        loop {
            match self.stream.read(&mut self.input[self.filled..]) {
                Ok(0) => bail!("the server closed a kept-alive connection after {:?}", self.request_line()),
                Ok(size) => {
                    self.filled += size;
                    return Ok(true);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("reading an answer"),
            }
        }
    }

    fn check(&self, answer: &Answer) -> Result<()> {
        if answer.head.status == self.expect.status {
            return Ok(());
        }
        let body = String::from_utf8_lossy(&answer.body[..answer.body.len().min(400)]).into_owned();
        bail!("{} answered {} instead of {}: {body}", self.request_line(), answer.head.status, self.expect.status)
    }

    fn request_line(&self) -> String {
        String::from_utf8_lossy(self.out.split(|byte| *byte == b'\r').next().unwrap_or_default()).into_owned()
    }
}
