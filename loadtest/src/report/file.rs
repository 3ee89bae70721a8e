//! A file is there whole or not at all: it is written beside its place and then put there.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Context;

/// What a new file may be for; the process's mask takes away from it, as from every other file.
const MODE: u32 = 0o666;

/// Writes `text` to `path`, in place of what was there.
pub(super) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let written = if is_special(path) { fs::write(path, text) } else { replace(path, text) };
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// A terminal or a pipe, which must be written to and not replaced.
fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mode = Permissions::from_mode(MODE);
    let mut file = tempfile::Builder::new().prefix(".report-").permissions(mode).tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.persist(path).map(drop).map_err(io::Error::from)
}
