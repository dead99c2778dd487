//! Images built on the spot: tiny ones by umoci for each test, and one real Debian root file system once a machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use tempfile::TempDir;

use super::command::{run, run_within};
use super::layout::Layout;
use super::tool::{Tool, text, tool};

/// The tag under which every layout of this module has its image.
pub(crate) const TAG: &str = "v1";

/// Building a root file system downloads and unpacks some sixty packages.
const BUILD_DEADLINE: Duration = Duration::from_secs(15 * 60);

/// An image of two small layers and a config at `dir`; what it says tells it from others.
pub(crate) fn tiny(dir: &Path, says: &str) -> Option<Layout> {
    let umoci = tool("umoci")?;
    let layout = Layout::at(dir);
    umoci.run(&["init", "--layout", layout.dir()]).succeeded();
    add_image(&umoci, &layout, TAG, says, "amd64");
    Some(layout)
}

/// A layout with an image for each of two architectures, and under [`TAG`] the index of both.
pub(crate) fn multi_arch(dir: &Path, says: &str) -> Option<Layout> {
    let umoci = tool("umoci")?;
    let layout = Layout::at(dir);
    umoci.run(&["init", "--layout", layout.dir()]).succeeded();
    add_image(&umoci, &layout, "amd64", says, "amd64");
    add_image(&umoci, &layout, "arm64", says, "arm64");
    layout.join(TAG, &[("amd64", "amd64"), ("arm64", "arm64")]);
    Some(layout)
}

fn add_image(umoci: &Tool, layout: &Layout, tag: &str, says: &str, architecture: &str) {
    let image = layout.image(tag);
    umoci.run(&["new", "--image", &image]).succeeded();
    let (first, second) = (umoci.home().join(format!("{tag}-etc")), umoci.home().join(format!("{tag}-data")));
    fs::write(&first, format!("{says} for {architecture}\n")).expect("write a file of a layer");
    // Larger than any one read or write on the way, and hardly compressible.
    fs::write(&second, incompressible(300_000, says)).expect("write a file of a layer");
    umoci.run(&["insert", "--rootless", "--image", &image, text(&first), "/etc/motd"]).succeeded();
    umoci.run(&["insert", "--rootless", "--image", &image, text(&second), "/srv/data"]).succeeded();
    let config = ["config", "--image", &image, "--architecture", architecture, "--config.cmd", "/bin/true"];
    umoci.run(&config).succeeded();
}

/// The real thing: Debian's essential packages as one layer of some 50 MB. Built once a machine and kept below the build directory.
pub(crate) fn debian() -> Option<Layout> {
    static BUILDING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = BUILDING.lock().expect("another test failed to build the Debian image");
    let kept = build_directory().join("test-images").join("debian");
    if kept.is_dir() {
        return Some(Layout::at(kept));
    }
    let (umoci, _) = (tool("umoci")?, tool("mmdebstrap")?);
    let parent = kept.parent().expect("a path with a parent");
    fs::create_dir_all(parent).expect("create the directory of test images");
    let work = TempDir::new_in(parent).expect("create a directory for building");
    let tar = work.path().join("debian.tar");
    // With the user's own environment: apt's proxies are in it.
    let mut mmdebstrap = Command::new("mmdebstrap");
    mmdebstrap.args(["--variant=essential", "--quiet", &codename(), text(&tar)]).args(sources());
    run_within(&mut mmdebstrap, BUILD_DEADLINE).succeeded();
    let built = Layout::at(work.path().join("layout"));
    umoci.run(&["init", "--layout", built.dir()]).succeeded();
    umoci.run(&["new", "--image", &built.image(TAG)]).succeeded();
    umoci.run(&["raw", "add-layer", "--image", &built.image(TAG), text(&tar)]).succeeded();
    umoci.run(&["config", "--image", &built.image(TAG), "--config.cmd", "/bin/bash"]).succeeded();
    umoci.run(&["gc", "--layout", built.dir()]).succeeded();
    // Another process may have built it in the meantime; then its image stands and ours goes.
    if let Err(error) = fs::rename(built.dir(), &kept) {
        assert!(kept.is_dir(), "cannot keep the Debian image at {}: {error}", kept.display());
    }
    Some(Layout::at(kept))
}

/// A tar archive at `at` with one file.
pub(crate) fn tar(at: &Path, name: &str, contents: &[u8]) {
    let dir = TempDir::new().expect("create a directory for an archive");
    fs::write(dir.path().join(name), contents).expect("write a file of an archive");
    run(Command::new("tar").args(["-cf", text(at), "-C", text(dir.path()), name])).succeeded();
}

/// Bytes that gzip cannot shorten much, different for each `seed`.
pub(crate) fn incompressible(length: usize, seed: &str) -> Vec<u8> {
    let mut state = seed
        .bytes()
        .fold(0x9e37_79b9_7f4a_7c15_u64, |state, byte| (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
        | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// The release of this machine, for which its apt has keys and sources.
fn codename() -> String {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let named = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    named.unwrap_or("stable").trim_matches('"').to_owned()
}

/// This machine's own package sources, so that a mirror that is configured is used.
fn sources() -> Option<&'static str> {
    ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"].into_iter().find(|at| Path::new(at).is_file())
}

/// `target/`, or what stands for it.
fn build_directory() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a path with a parent").to_owned()
}
