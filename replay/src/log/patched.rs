//! The records of a log from its file, where that lies as a stopped registry leaves it; as sled reads them elsewhere, and past it
//! where it does not.

use tagstone_schema::{Head, Seq};

use super::copied::CopiedLog;
use super::pages::STRAY_PART;
use super::salvage::Missing;
use super::{RecordBytes, StoreError, StoredRecord};

/// Records in order. Whoever reads them verifies the chain, whichever way they came.
pub(super) struct Patched<'a> {
    log: &'a CopiedLog,
    way: Way<'a>,
    /// The record that comes next.
    next: Seq,
}

enum Way<'a> {
    InFile(RecordBytes<'a>),
    InSled(RecordBytes<'a>),
    PastSled {
        head: Head,
        /// Why sled does not show what follows.
        why: String,
    },
    Ended,
}

impl<'a> Patched<'a> {
    pub(super) fn new(log: &'a CopiedLog, from: Seq) -> Self {
        let way = match log.in_file() {
            Some(records) if from == 1 => Way::InFile(records),
            _ => Way::in_sled(log, from),
        };
        Self { log, way, next: from }
    }

    /// The next record in the file. Where anything is odd, it is sled's turn.
    fn next_in_file(&mut self, mut records: RecordBytes<'a>) -> Option<Result<StoredRecord, StoreError>> {
        match records.next() {
            Some(Ok(record)) if record.seq == self.next => {
                (self.way, self.next) = (Way::InFile(records), self.next + 1);
                Some(Ok(record))
            }
            Some(Err(error)) if error.doing == STRAY_PART => Some(Err(error)),
            None if !self.log.reached_to(self.next) => None,
            Some(_) | None => {
                self.way = Way::in_sled_behind(self.log, self.next - 1);
                self.next()
            }
        }
    }

    /// Goes on past sled, if that finds the next record.
    fn leave_sled(&mut self, why: &str) -> Result<StoredRecord, Missing> {
        let head = self.log.head_at(self.next - 1)?;
        let (record, head) = self.log.past_sled(&head)?;
        self.way = Way::PastSled { head, why: why.to_owned() };
        self.found(&record, why);
        Ok(record)
    }

    fn found(&mut self, record: &StoredRecord, why: &str) {
        self.next = record.seq + 1;
        self.log.note_past_sled(record.seq, why);
    }
}

impl<'a> Way<'a> {
    /// As sled reads on behind a record that was read without it: with whatever may stand between that one and the next.
    fn in_sled_behind(log: &'a CopiedLog, last: Seq) -> Self {
        let mut records = match log.in_sled(last.max(1)) {
            Ok(records) => records,
            Err(_) => return Self::in_sled(log, last + 1),
        };
        match if last > 0 { records.next() } else { None } {
            Some(Ok(record)) if record.seq == last => Self::InSled(records),
            other => Self::InSled(Box::new(other.into_iter().chain(records))),
        }
    }

    fn in_sled(log: &'a CopiedLog, from: Seq) -> Self {
        match log.in_sled(from) {
            Ok(records) => Way::InSled(records),
            Err(why) => match log.head_at(from - 1) {
                Ok(head) => Way::PastSled { head, why: why.to_owned() },
                Err(_) => Way::InSled(Box::new(std::iter::once(Err(StoreError::new("opening the log", why))))),
            },
        }
    }
}

/// Why a record is read neither way.
fn not_past_sled(why: &str, missing: Missing) -> StoreError {
    StoreError::new("reading the log", format!("{why}; past sled, {missing}"))
}

impl Iterator for Patched<'_> {
    type Item = Result<StoredRecord, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        match std::mem::replace(&mut self.way, Way::Ended) {
            Way::Ended => None,
            Way::InFile(records) => self.next_in_file(records),
            Way::PastSled { head, why } => match self.log.past_sled(&head) {
                Ok((record, head)) => {
                    self.found(&record, &why);
                    self.way = Way::PastSled { head, why };
                    Some(Ok(record))
                }
                Err(missing) => Some(Err(not_past_sled(&why, missing))),
            },
            Way::InSled(mut records) => match records.next() {
                Some(Ok(record)) if record.seq == self.next => {
                    (self.way, self.next) = (Way::InSled(records), self.next + 1);
                    Some(Ok(record))
                }
                Some(Ok(other)) => {
                    let found = self.leave_sled("a record is missing in its table");
                    Some(Ok(found.unwrap_or_else(|missing| {
                        if other.seq > self.next {
                            self.log.note_lost(self.next, missing);
                        }
                        (self.way, self.next) = (Way::InSled(records), other.seq.saturating_add(1));
                        other
                    })))
                }
                Some(Err(error)) if error.doing == STRAY_PART => Some(Err(error)),
                Some(Err(error)) => {
                    Some(self.leave_sled(&error.why).map_err(|missing| not_past_sled(&error.why, missing)))
                }
                None if self.log.reached_to(self.next) => match self.leave_sled("its table ends too early") {
                    Ok(record) => Some(Ok(record)),
                    Err(missing) => {
                        self.log.note_lost(self.next, missing);
                        None
                    }
                },
                None => None,
            },
        }
    }
}
