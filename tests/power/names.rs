//! Names and bytes on their way to the disk, as the system is asked for them.
//!
//! ext4 commits every older name with the sync of any file, so losing power on it cannot show a missing sync of a
//! directory. Other file systems do not; for them this looks at the calls themselves.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use tagstone_replay::content::Layout;
use tagstone_replay::log::anchor;

use crate::disk::skip;
use crate::pushes::{Content, push_until_the_end};
use crate::server::Server;

#[test]
fn every_name_is_synced_before_anything_is_acknowledged() {
    if can_trace() {
        trace_a_new_data_directory(Content::Small);
        trace_a_new_data_directory(Content::Large);
    }
}

/// An anchor names records as durable, also the one that an operator has asked for.
#[test]
fn a_recovered_log_is_synced_before_its_new_anchor_is_there() {
    if !can_trace() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let layout = Layout::new(directory.path().canonicalize().unwrap().join("data"));
    Server::start(layout.root()).kill();
    let head = anchor::read(&layout.anchor()).unwrap();
    std::fs::remove_file(layout.anchor()).unwrap();
    let trace = directory.path().join("trace");
    let recovered = Command::new("strace")
        .args(["-f", "-qq", "-y", "-e", "trace=fsync,fdatasync,rename", "-o"])
        .arg(&trace)
        .args([env!("CARGO_BIN_EXE_tagstone"), "recover", "--head", &head.to_string(), "--data"])
        .arg(layout.root())
        .output()
        .unwrap();
    assert!(recovered.status.success(), "{recovered:?}");
    let trace = std::fs::read_to_string(trace).unwrap();
    let (before, _) = trace.split_once("anchor.new\", \"").expect("the anchor is renamed");
    // sled makes a sync of its data file by itself, which is before what it then writes.
    for file in ["conf", "db"] {
        let file = format!("<{}>", layout.log().join(file).display());
        assert!(before.lines().any(|line| line.contains("fsync(") && line.contains(&file)), "{file}: {trace}");
    }
}

/// Whether this machine lets system calls be traced; says so if not.
pub(crate) fn can_trace() -> bool {
    let traced = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status();
    let can = traced.is_ok_and(|status| status.success());
    if !can {
        skip("strace is not installed, or may not trace");
    }
    can
}

fn trace_a_new_data_directory(content: Content) {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    let (data, trace) = (root.join("new/data"), root.join("trace"));
    let server = Server::start_traced(&data, &trace);
    let (told, hear) = std::sync::mpsc::channel();
    let address = server.address();
    let client = std::thread::spawn(move || push_until_the_end(address, "r1-c0", content, &told));
    let heard = hear.iter().take(6).count();
    server.kill();
    drop(hear);
    // The client ends with an answer that never comes, or because nobody hears it any more.
    let _ = client.join();

    let layout = Layout::new(&data);
    let mut watch =
        Watch { root, lock: layout.lock(), uploads: layout.uploads(), index: layout.index(), ..Watch::default() };
    for line in std::fs::read_to_string(trace).unwrap().lines() {
        watch.line(line);
    }
    assert!(watch.acknowledged >= heard, "{} answers in the trace, {heard} heard", watch.acknowledged);
}

/// What was asked of the system so far.
#[derive(Default)]
struct Watch {
    root: PathBuf,
    /// These need not be durable: the lock, what is in the directory of the unfinished uploads, and the index.
    lock: PathBuf,
    uploads: PathBuf,
    index: PathBuf,
    /// The line that is being read.
    now: usize,
    /// Names that no sync of their directory has covered, with the line of their making.
    names: HashMap<PathBuf, usize>,
    /// Files with bytes that no sync has covered, with the line of the last write.
    bytes: HashMap<PathBuf, usize>,
    /// By process: the beginning of a call that has not returned, and its line.
    begun: HashMap<String, (String, usize)>,
    acknowledged: usize,
}

impl Watch {
    fn line(&mut self, line: &str) {
        self.now += 1;
        let Some((process, call)) = line.split_once(' ') else { return };
        let call = call.trim_start();
        if let Some(beginning) = call.strip_suffix("<unfinished ...>") {
            self.begun.insert(process.to_owned(), (beginning.to_owned(), self.now));
        } else if let Some((_, end)) = call.strip_prefix("<... ").and_then(|rest| rest.split_once("resumed>")) {
            if let Some((beginning, since)) = self.begun.remove(process) {
                self.call(&format!("{beginning}{end}"), since);
            }
        } else {
            self.call(call, self.now);
        }
    }

    /// A call that has returned, and the line on which it began.
    fn call(&mut self, call: &str, since: usize) {
        let Some((name, arguments)) = call.split_once('(') else { return };
        let failed = arguments.rsplit_once(" = ").is_none_or(|(_, result)| result.starts_with('-'));
        let quoted = |index: usize| arguments.split('"').nth(2 * index + 1).map(PathBuf::from);
        let opened = || arguments.split_once('<')?.1.split_once('>').map(|(path, _)| PathBuf::from(path));
        match (name, failed) {
            // Whatever an answer says, the call that sends it need not succeed.
            ("write" | "writev" | "sendto", _) if arguments.contains("\"HTTP/1.1 201") => self.acknowledge(),
            (_, true) => {}
            ("mkdir", _) => self.named(quoted(0)),
            ("openat", _) if arguments.contains("O_CREAT") => self.named(quoted(0)),
            ("rename", _) => self.renamed(quoted(0), quoted(1)),
            ("write" | "pwrite64", _) => self.written(opened()),
            ("fsync" | "fdatasync", _) => self.synced(opened(), since),
            _ => {}
        }
    }

    fn named(&mut self, path: Option<PathBuf>) {
        self.names.extend(path.filter(|path| self.counts(path)).map(|path| (path, self.now)));
    }

    fn written(&mut self, path: Option<PathBuf>) {
        self.bytes.extend(path.filter(|path| path.starts_with(&self.root)).map(|path| (path, self.now)));
    }

    fn renamed(&mut self, from: Option<PathBuf>, to: Option<PathBuf>) {
        if let Some(from) = from {
            assert!(!self.bytes.contains_key(&from), "{} is renamed before it is synced", from.display());
            self.names.remove(&from);
        }
        self.named(to);
    }

    fn synced(&mut self, path: Option<PathBuf>, since: usize) {
        let Some(path) = path else { return };
        // Only what was there when the sync began is sure to be covered.
        self.names.retain(|name, made| name.parent() != Some(&path) || *made >= since);
        self.bytes.retain(|file, made| *file != path || *made >= since);
    }

    fn acknowledge(&mut self) {
        self.acknowledged += 1;
        assert!(self.names.is_empty(), "an answer is sent, but these names are not synced: {:?}", self.names.keys());
        // The log's own file has other writers too (sled's threads); losing power shows what it lacks.
        let is_ours =
            |file: &Path| file.extension().is_some_and(|extension| extension == "seg") || file.ends_with("anchor");
        let missing = self.bytes.keys().find(|file| is_ours(file));
        assert!(missing.is_none(), "an answer is sent, but the bytes of {missing:?} are not synced");
    }

    fn counts(&self, path: &Path) -> bool {
        path.starts_with(&self.root)
            && !path.starts_with(&self.index)
            && *path != self.lock
            && path.parent() != Some(&self.uploads)
    }
}
