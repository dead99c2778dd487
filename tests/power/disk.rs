//! A disk whose power can be cut: ext4 in a file, on a loop device.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// ext4 stops at once and writes nothing more, its journal neither (`EXT4_IOC_SHUTDOWN` with
/// `EXT4_GOING_FLAGS_NOLOGFLUSH`). The registry is built without `unsafe`, which an ioctl needs, so Python makes it.
const CUT: &str = "import fcntl, os, struct, sys
disk = os.open(sys.argv[1], os.O_RDONLY)
sys.stdout.write('ready\\n')
sys.stdout.flush()
sys.stdin.readline()
fcntl.ioctl(disk, 0x8004587d, struct.pack('I', 2))";

/// ext4 commits its journal now and then by itself; so seldom that no test lives on it.
const MOUNT_OPTIONS: &str = "loop,commit=300";

/// A mounted disk; unmounted when dropped.
pub(crate) struct Disk {
    directory: TempDir,
    is_mounted: bool,
}

impl Disk {
    /// A disk with an empty file system, or nothing where this machine cannot have one.
    pub(crate) fn make() -> Option<Self> {
        Self::of_size(256 << 20)
    }

    /// The same, with so many bytes.
    pub(crate) fn of_size(size: u64) -> Option<Self> {
        if let Some(missing) = missing() {
            skip(&missing);
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let image = directory.path().join("image");
        std::fs::File::create(&image).unwrap().set_len(size).unwrap();
        run("mkfs.ext4", &["-q".as_ref(), "-F".as_ref(), &image]);
        let mut disk = Self { directory, is_mounted: false };
        std::fs::create_dir(disk.mount_point()).unwrap();
        disk.mount();
        Some(disk)
    }

    /// Where a registry keeps its data on this disk.
    pub(crate) fn data(&self) -> PathBuf {
        self.mount_point().join("registry/data")
    }

    /// A place for what is not on this disk.
    pub(crate) fn beside(&self) -> &Path {
        self.directory.path()
    }

    /// What cuts the power, ready to do so at once.
    pub(crate) fn power_switch(&self) -> PowerSwitch {
        let mut process = Command::new("python3")
            .args(["-c", CUT])
            .arg(self.mount_point())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = [0; 6];
        std::io::Read::read_exact(process.stdout.as_mut().unwrap(), &mut ready).unwrap();
        PowerSwitch { process }
    }

    /// Mounts the disk again, as it was when the power went. Nobody may have a file of it open.
    pub(crate) fn power_up(&mut self) {
        run("umount", &[&self.mount_point()]);
        self.is_mounted = false;
        self.mount();
    }

    fn mount(&mut self) {
        let image = self.directory.path().join("image");
        run(
            "mount",
            &["-t".as_ref(), "ext4".as_ref(), "-o".as_ref(), MOUNT_OPTIONS.as_ref(), &image, &self.mount_point()],
        );
        self.is_mounted = true;
    }

    pub(crate) fn mount_point(&self) -> PathBuf {
        self.directory.path().join("disk")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.is_mounted {
            // Lazily, since after a failed test a server may still be there for a moment.
            let _ = Command::new("umount").arg("-l").arg(self.mount_point()).status();
        }
    }
}

/// Cuts the power.
pub(crate) struct PowerSwitch {
    process: Child,
}

impl PowerSwitch {
    pub(crate) fn cut(mut self) {
        self.process.stdin.take().unwrap().write_all(b"\n").unwrap();
        assert!(self.process.wait().unwrap().success(), "the file system did not stop");
    }
}

/// Says why a test is skipped; where it must not be, fails.
pub(crate) fn skip(missing: &str) {
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "CI must be able to run this: {missing}");
    eprintln!("SKIPPED: {missing}");
}

fn run(program: &str, arguments: &[&Path]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// What this machine lacks.
fn missing() -> Option<String> {
    let id = Command::new("id").arg("-u").output().ok();
    if id.is_none_or(|output| output.stdout != b"0\n") {
        return Some("only root may mount a disk".to_owned());
    }
    if !Path::new("/dev/loop-control").exists() {
        return Some("there are no loop devices (/dev/loop-control)".to_owned());
    }
    ["mkfs.ext4", "mount", "umount", "python3"]
        .into_iter()
        .find(|program| Command::new(program).arg("-V").output().is_err())
        .map(|program| format!("{program} is not installed"))
}
