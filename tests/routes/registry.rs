//! A whole registry in this process: the real store in a directory of its own, the real writer, and every request
//! through the service that the server runs.

use std::cell::RefCell;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::dev::{Service, ServiceResponse};
use actix_web::test::TestRequest;
use actix_web::web::Data;
use actix_web::{App, Error};
use tagstone::content::ContentStore;
use tagstone::history::Follower;
use tagstone::http::{self, Parts, ROUTE_LABELS, TrustedProxies};
use tagstone::metrics::{Metrics, WriterMetrics};
use tagstone::registry::{
    Clock, Collector, Command, Committed, Pruner, Published, Submission, WriteError, Writer, WriterHandle,
};
use tagstone::serve::{self, ContentBytes, Guards, Opened};
use tagstone::settings::{Settings, Sources};
use tagstone_replay::content::Layout;
use tagstone_replay::fold::{Fingerprint, State};
use tagstone_replay::log::{EmbeddedLog, Log, Options};
use tagstone_schema::{Actor, Event, Origin, Record, Seq, Timestamp};
use tempfile::TempDir;

#[path = "stand_ins.rs"]
mod stand_ins;

use crate::reply::Reply;
use crate::request::Request;
use stand_ins::{FailingLog, MovableClock};

type Answering = Pin<Box<dyn Future<Output = Result<ServiceResponse, Error>>>>;

/// The address that every request comes from.
pub(crate) const PEER: &str = "192.0.2.7";

/// A registry that serves.
pub(crate) struct Registry {
    directory: TempDir,
    settings: Settings,
    published: Published,
    clock: Arc<MovableClock>,
    content: Arc<ContentStore>,
    service: Box<dyn Fn(TestRequest, Option<actix_web::dev::Payload>) -> Answering>,
    writer: WriterHandle,
    writing: JoinHandle<Box<dyn Log>>,
    following: JoinHandle<()>,
    failing: Arc<AtomicBool>,
    held: Arc<AtomicBool>,
    collector: Arc<Collector>,
    /// What requests say in `Authorization` that say nothing there themselves.
    authorization: RefCell<Option<String>>,
}

/// Opens a log that was open before in this process: threads of sled may hold its lock for a moment after it was dropped.
/// A process that starts anew never meets that.
fn opened<T, E: std::fmt::Display>(open: impl Fn() -> Result<T, E>) -> T {
    for _ in 0..500 {
        match open() {
            Ok(opened) => return opened,
            Err(error) if error.to_string().contains("could not acquire lock") => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the lock of the log is held for ever");
}

/// What a refused request must leave as it was.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) seq: Seq,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) open_uploads: usize,
}

/// Runs a test that talks to a registry.
pub(crate) fn run(test: impl Future<Output = ()>) {
    actix_web::rt::System::new().block_on(Box::pin(test));
}

impl Registry {
    /// An empty registry with the default settings.
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// An empty registry with other settings.
    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::default();
        change(&mut settings);
        Self::open(tempfile::tempdir().unwrap(), settings).await
    }

    /// A registry over a data directory.
    pub(crate) async fn open(directory: TempDir, settings: Settings) -> Self {
        Self::open_at(directory, settings, 0).await
    }

    async fn open_at(directory: TempDir, mut settings: Settings, forward: i64) -> Self {
        settings.data = directory.path().to_owned();
        let opened = opened(|| Opened::open(&Layout::new(directory.path()), &settings));
        let metrics = Metrics::new(&ROUTE_LABELS).unwrap();
        metrics.observe_head(opened.log.head());
        let content = Arc::new(opened.content);
        let (published, newer) = Published::followed(opened.snapshot);
        let records = opened.history.records.clone();
        let (follower, history) = Follower::new(opened.history, newer);
        let (failing, held) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let clock = Arc::new(MovableClock::default());
        clock.forward.store(forward, Ordering::SeqCst);
        let (writer, handle) = Writer::new(
            Box::new(FailingLog { log: opened.log, failing: failing.clone(), held: held.clone() }),
            Box::new(ContentBytes(content.clone())),
            clock.clone(),
            Box::new(WriterMetrics(metrics.clone())),
            published.clone(),
            serve::writer_settings(&settings),
        );
        let writing = std::thread::spawn(move || writer.run());
        let following = std::thread::spawn(move || drop(follower.run()));
        let pruner = Arc::new(Pruner::new(published.clone(), clock.clone(), handle.clone()));
        let timing: Arc<dyn Clock> = clock.clone();
        let removal =
            serve::removal(&Layout::new(directory.path()), &settings, &published, &timing, &handle, &content, &history);
        let collector = removal.collector.clone();
        let parts = Parts {
            gate: Guards::read(&settings, Sources::default()).unwrap().gate(),
            proxies: TrustedProxies::new(&settings.http.trusted_proxies),
            published: published.clone(),
            clock: clock.clone(),
            writer: handle.clone(),
            content: content.clone(),
            history,
            records,
            metrics,
            pruner,
            removal,
        };
        let site = Data::new(http::Entrance::from(serve::site(&settings, parts)));
        let service = actix_web::test::init_service(App::new().configure(http::configure(site))).await;
        let service = Box::new(move |request: TestRequest, payload: Option<actix_web::dev::Payload>| {
            let mut request = request.to_request();
            if let Some(payload) = payload {
                request = request.replace_payload(payload).0;
            }
            Box::pin(service.call(request)) as Answering
        });
        let authorization = RefCell::default();
        Self {
            directory,
            settings,
            published,
            clock,
            content,
            service,
            writer: handle,
            writing,
            following,
            failing,
            held,
            collector,
            authorization,
        }
    }

    /// Stops as the server does, and opens the same directory again.
    pub(crate) async fn restarted(self) -> Self {
        let (directory, settings) = self.stop();
        Self::open(directory, settings).await
    }

    /// [`Registry::restarted`] with other settings.
    pub(crate) async fn reopened_with(self, change: impl FnOnce(&mut Settings)) -> Self {
        let (directory, mut settings) = self.stop();
        change(&mut settings);
        Self::open(directory, settings).await
    }

    /// [`Registry::restarted`], with the clock as far forward as it was.
    pub(crate) async fn restarted_at_its_time(self) -> Self {
        let forward = self.clock.forward.load(Ordering::SeqCst);
        let (directory, settings) = self.stop();
        Self::open_at(directory, settings, forward).await
    }

    /// [`Registry::restarted`] after all small content was lost, as by a restore of the log alone.
    pub(crate) async fn without_segments(self) -> Self {
        let (directory, settings) = self.stop();
        std::fs::remove_dir_all(Layout::new(directory.path()).segments()).unwrap();
        Self::open(directory, settings).await
    }

    /// [`Registry::restarted`] after something was done to the data directory.
    pub(crate) async fn restarted_after(self, act: impl FnOnce(&Layout)) -> Self {
        let (directory, settings) = self.stop();
        act(&Layout::new(directory.path()));
        Self::open(directory, settings).await
    }

    /// From now on requests say this in `Authorization`, unless they say something there themselves.
    pub(crate) fn authorize(&self, authorization: Option<String>) {
        *self.authorization.borrow_mut() = authorization;
    }

    /// The fold of what was committed.
    pub(crate) fn state(&self) -> State {
        self.published.snapshot().state.clone()
    }

    /// Stops, and reads the log as an investigator does. The fold of the records is the state that was served.
    pub(crate) fn records(self) -> Vec<Record> {
        let (mut records, served) = self.all_records();
        // A stop writes down what was refused last.
        if records.len() as Seq > served.seq
            && matches!(records.last().map(|last| &*last.events), Some([Event::AttemptsRefused { .. }]))
        {
            records.pop();
        }
        assert_eq!(records.len() as Seq, served.seq);
        records
    }

    /// All records, also the one that a stop writes, and where the registry stood before the stop.
    pub(crate) fn all_records(self) -> (Vec<Record>, Standing) {
        let served = self.standing();
        let (directory, _) = self.stop();
        let (records, state) = opened(|| {
            let (mut records, mut state) = (Vec::new(), State::default());
            let read = EmbeddedLog::open(&Layout::new(directory.path()), Options::default(), &mut |record: &Record| {
                records.push(record.clone());
                state.apply(record)
            });
            read.map(|_| (records, state))
        });
        assert_eq!(state.fingerprint(), served.fingerprint);
        (records, served)
    }

    /// Stops as the server does.
    pub(crate) fn stop(self) -> (TempDir, Settings) {
        let Self { directory, settings, published, content, service, writer, writing, following, collector, .. } = self;
        drop((service, writer, published, content, collector));
        drop(writing.join().unwrap());
        following.join().unwrap();
        (directory, settings)
    }

    /// The time by which tags expire.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Puts the clock forward.
    pub(crate) fn let_pass(&self, time: Duration) {
        self.clock.forward.fetch_add(i64::try_from(time.as_micros()).unwrap(), Ordering::SeqCst);
    }

    /// From now on the clock stands still, until it is set again.
    pub(crate) fn set_clock(&self, now: Timestamp) {
        self.clock.set.store(now.0, Ordering::SeqCst);
    }

    /// The way to the writer.
    pub(crate) fn writer(&self) -> WriterHandle {
        self.writer.clone()
    }

    /// Something that runs prune policies here.
    pub(crate) fn pruner(&self) -> Pruner {
        Pruner::new(self.published.clone(), self.clock.clone(), self.writer.clone())
    }

    /// What removes what nothing refers to.
    pub(crate) fn collector(&self) -> Arc<Collector> {
        self.collector.clone()
    }

    /// Asks the writer to end what has expired, as the server does in the background.
    pub(crate) fn expire(&self) {
        self.writer.wake();
    }

    /// Waits until something was committed since then.
    pub(crate) async fn changed_since(&self, before: &Standing) {
        for _ in 0..10_000 {
            if self.standing() != *before {
                return;
            }
            actix_web::rt::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("nothing was committed");
    }

    /// Commits a command without a request.
    pub(crate) async fn commit(&self, command: Command) -> Committed {
        self.submit(command).await.unwrap()
    }

    /// What comes of a command without a request.
    pub(crate) async fn submit(&self, command: Command) -> Result<Committed, WriteError> {
        self.writer.submit(Submission::new(Actor::system("test"), Origin::default(), command)).await
    }

    /// The data directory.
    pub(crate) fn data(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// The directory of upload sessions.
    pub(crate) fn uploads(&self) -> std::path::PathBuf {
        Layout::new(self.directory.path()).uploads()
    }

    /// Where the registry stands.
    pub(crate) fn standing(&self) -> Standing {
        let snapshot = self.published.snapshot();
        Standing {
            seq: snapshot.head.seq,
            fingerprint: snapshot.state.fingerprint(),
            open_uploads: self.content.uploads.open_count(),
        }
    }

    /// Gives up the upload sessions that nobody has touched for so long.
    pub(crate) fn give_up_uploads(&self, untouched_for: Duration) -> usize {
        self.content.uploads.expire(untouched_for).unwrap().removed.len()
    }

    /// From now on no write of the log comes to its end.
    pub(crate) fn hold_writes(&self) {
        self.held.store(true, Ordering::SeqCst);
    }

    pub(crate) fn let_writes_go_on(&self) {
        self.held.store(false, Ordering::SeqCst);
    }

    /// From now on every write of the log fails.
    pub(crate) fn fail_writes(&self) {
        self.failing.store(true, Ordering::SeqCst);
    }

    /// Begins to answer a request. The body is not read.
    pub(crate) async fn answer(&self, request: TestRequest) -> ServiceResponse {
        (self.service)(request, None).await.unwrap()
    }

    /// Answers a probe, whose refusals are texts for whoever operates the registry.
    pub(crate) async fn probe(&self, path: &str) -> Reply {
        Reply::of((self.service)(TestRequest::with_uri(path), None).await.unwrap()).await
    }

    /// Answers a request. What holds for every answer is checked here, so it holds for every line of every table: a
    /// request id, and for a refusal its form and that nothing has changed.
    pub(crate) async fn send(&self, request: Request) -> Reply {
        let before = self.standing();
        let shown = request.to_string();
        let reply = self.send_beside_others(request).await;
        if reply.status >= 400 {
            assert_eq!(self.standing(), before, "{shown}: answered {} and changed something", reply.status);
        }
        reply
    }

    fn authorized(&self, request: Request) -> Request {
        let login = self.authorization.borrow().clone().filter(|_| !request.says("authorization"));
        login.into_iter().fold(request, |request, login| request.with("authorization", login))
    }

    /// [`Registry::send`] where other requests may change something meanwhile.
    pub(crate) async fn send_beside_others(&self, request: Request) -> Reply {
        let shown = request.to_string();
        let (method, path) = (request.method().clone(), request.path().to_owned());
        let peer = SocketAddr::new(PEER.parse().unwrap(), 40_000);
        let (request, payload) = self.authorized(request).into_parts();
        let answered = (self.service)(request.peer_addr(peer), payload).await;
        let reply = Reply::of(answered.unwrap_or_else(|error| panic!("{shown}: {error}"))).await;
        let id = reply.header("x-request-id").unwrap_or_else(|| panic!("{shown}: without a request id"));
        assert!(id.len() == 16 && id.bytes().all(|digit| digit.is_ascii_hexdigit()), "{shown}: request id {id}");
        if reply.status >= 400 {
            reply.check_refusal(&method, &path, &shown);
        }
        reply
    }
}
