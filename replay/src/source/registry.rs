//! A running registry, asked over HTTP.
//!
//! Its head is asked for first, and the records up to that one are read, page by page: a prefix of its log, however
//! much is written meanwhile. What it answers is verified like any other log.
//!
//! That it cannot be asked, or does not answer, says nothing about its log: such a source is unread, and not damaged.

use std::io::{self, Read};
use std::sync::OnceLock;
use std::time::Duration;

use serde::Deserialize;
use tagstone_schema::{Head, Position, Seq, Timestamp};
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body};

use super::address::{Address, Credentials};
use super::registry_error::{RegistryError, printable, said, unreachable};
use super::{Asking, DurableEnd, Source};
use crate::export::{ExportError, Reader};
use crate::log::{RecordBytes, StoreError, StoredRecord};

/// How long a connection may take, and every single wait for bytes of an answer.
const CONNECTING: Duration = Duration::from_secs(10);
const ANSWERING: Duration = Duration::from_secs(60);

/// Bytes of an answer that shows the head: an object of four short fields.
const HEAD_BYTES: u64 = 4096;

/// Where the records are.
const RECORDS: &str = "/api/v1/log/records";

/// Bytes of one page of records: far more than any registry puts into one.
const PAGE_BYTES: u64 = 64 * 1024 * 1024;

/// A registry that runs, as it stood when it was asked for its head.
pub struct RunningRegistry {
    agent: Agent,
    address: Address,
    authorization: Option<String>,
    durable_end: DurableEnd,
    head: Head,
    /// Why no more records could be had.
    unread: OnceLock<RegistryError>,
}

#[derive(Deserialize)]
struct ToldHead {
    seq: Seq,
    hash: String,
    time: String,
}

impl RunningRegistry {
    /// Asks a registry for its head, and whether it shows its records: not everybody who may see the one is shown the
    /// others. Credentials in the URL give way to those that are given beside it.
    pub fn open(url: &str, asking: &Asking) -> Result<Self, RegistryError> {
        let (address, in_url) = Address::parse(url)?;
        let authorization = asking.credentials.as_ref().or(in_url.as_ref()).map(Credentials::authorization);
        let agent = Agent::config_builder()
            .user_agent(concat!("tagstone-replay/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .max_redirects(0)
            .tls_config(asking.trust.tls())
            .timeout_connect(Some(CONNECTING))
            .timeout_recv_response(Some(ANSWERING))
            .timeout_recv_body(Some(ANSWERING * 10))
            .build()
            .new_agent();
        let mut registry = Self {
            agent,
            address,
            authorization,
            durable_end: DurableEnd::Lost(String::new()),
            head: Head::default(),
            unread: OnceLock::new(),
        };
        registry.head = registry.ask_head()?;
        registry.ask_record()?;
        registry.durable_end = DurableEnd::Exact { head: registry.head, said_by: "the registry's own answer" };
        Ok(registry)
    }

    fn ask_head(&self) -> Result<Head, RegistryError> {
        let mut answer = self.get("/api/v1/log/head")?;
        let not_tagstone = |why: String| RegistryError::NotTagstone { address: self.address.to_string(), why };
        let mut text = String::new();
        let read = answer.body_mut().as_reader().take(HEAD_BYTES).read_to_string(&mut text);
        read.map_err(|error| not_tagstone(format!("its head cannot be read: {error}")))?;
        let told: ToldHead = serde_json::from_str(&text)
            .map_err(|error| not_tagstone(format!("what should be the head of its log is none ({error})")))?;
        let position: Result<Position, _> = format!("{}:{}", told.seq, told.hash).parse();
        let time: Result<Timestamp, _> = told.time.parse();
        match (position, time) {
            (Ok(Position { seq, hash }), Ok(time)) => Ok(Head { seq, hash, time }),
            _ => Err(not_tagstone("the head of its log has another form".to_owned())),
        }
    }

    fn ask_record(&self) -> Result<(), RegistryError> {
        let answer = self.get(&format!("{RECORDS}?from=1&n=1"))?;
        match Reader::new(answer.into_body().into_reader().take(PAGE_BYTES)) {
            Err(ExportError::NotExport) => {
                let why = format!("{RECORDS} holds no records");
                Err(RegistryError::NotTagstone { address: self.address.to_string(), why })
            }
            // What else may be wrong with it is found, and told with its place, when the log is read.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn get(&self, resource: &str) -> Result<Response<Body>, RegistryError> {
        let address = || self.address.to_string();
        let mut request = self.agent.get(self.address.of(resource));
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let answer = request.call().map_err(|error| unreachable(address(), &error))?;
        match answer.status() {
            StatusCode::OK => Ok(answer),
            StatusCode::UNAUTHORIZED if self.authorization.is_none() => {
                Err(RegistryError::Unauthorized { address: address() })
            }
            StatusCode::UNAUTHORIZED => Err(RegistryError::NotAccepted { address: address(), said: said(answer) }),
            StatusCode::FORBIDDEN => Err(RegistryError::Forbidden { address: address(), said: said(answer) }),
            StatusCode::NOT_FOUND => {
                let why = format!("there is no {}", resource.split('?').next().unwrap_or_default());
                Err(RegistryError::NotTagstone { address: address(), why })
            }
            status if status.is_redirection() => {
                let to = answer.headers().get("location").and_then(|to| to.to_str().ok()).unwrap_or("elsewhere");
                let why = format!("it redirects to {}; give that address", printable(to));
                Err(RegistryError::NotTagstone { address: address(), why })
            }
            status => {
                let status = status.as_u16();
                Err(RegistryError::Refused { address: address(), status, said: said(answer) })
            }
        }
    }

    fn page(&self, from: Seq) -> Result<Page, StoreError> {
        let answer = self.get(&format!("{RECORDS}?from={from}")).map_err(|error| self.unread(error))?;
        let input: Box<dyn Read + Send> = Box::new(answer.into_body().into_reader().take(PAGE_BYTES));
        let reader = Reader::new(io::BufReader::new(input)).map_err(|error| self.unsound(&error))?;
        if reader.header().before.seq.checked_add(1) != Some(from) {
            return Err(failed(format!("it was asked for record {from}, and answers with others")));
        }
        Ok(reader)
    }

    /// No more can be had from it.
    fn unread(&self, error: RegistryError) -> StoreError {
        let why = error.to_string();
        // The first reason is kept: what follows follows from it.
        let _ = self.unread.set(error);
        failed(why)
    }

    /// A page that is not whole. Where the network or a proxy let go of it, that is no fault of the records.
    fn unsound(&self, error: &ExportError) -> StoreError {
        let why = error.to_string();
        match error {
            ExportError::Io { .. } | ExportError::Cut { .. } => {
                self.unread(RegistryError::Cut { address: self.address.to_string(), why })
            }
            ExportError::NotExport
            | ExportError::UnknownVersion { .. }
            | ExportError::Header
            | ExportError::Damaged { .. } => failed(why),
        }
    }
}

fn failed(why: String) -> StoreError {
    StoreError::new("reading the records of the registry", why)
}

type Page = Reader<io::BufReader<Box<dyn Read + Send>>>;

impl Source for RunningRegistry {
    fn records(&self, from: Seq) -> RecordBytes<'_> {
        Box::new(Pages { registry: self, next: from.max(1), page: None, ended: false })
    }

    fn durable_end(&self) -> &DurableEnd {
        &self.durable_end
    }

    fn unread(&self) -> Option<String> {
        self.unread.get().map(RegistryError::to_string)
    }
}

/// The records up to the head that was told, a page at a time.
struct Pages<'a> {
    registry: &'a RunningRegistry,
    next: Seq,
    page: Option<(Page, Seq)>,
    ended: bool,
}

impl Pages<'_> {
    fn read(&mut self) -> Result<Option<StoredRecord>, StoreError> {
        loop {
            if self.next > self.registry.head.seq {
                return Ok(None);
            }
            let (page, began) = match &mut self.page {
                Some(page) => page,
                empty => empty.insert((self.registry.page(self.next)?, self.next)),
            };
            if let Some(record) = page.next() {
                let record = record.map_err(|error| self.registry.unsound(&error))?;
                self.next = record.seq.saturating_add(1);
                return Ok(Some(record));
            }
            if *began == self.next {
                let why = format!("it answers with no records from {} on, though it has them", self.next);
                return Err(failed(why));
            }
            self.page = None;
        }
    }
}

impl Iterator for Pages<'_> {
    type Item = Result<StoredRecord, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let read = self.read().transpose();
        self.ended = !matches!(read, Some(Ok(_)));
        read
    }
}
