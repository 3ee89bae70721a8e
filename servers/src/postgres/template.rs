//! The data that a server begins with. Making it takes most of a second, so it is made once and kept beside the
//! program that runs, where builds are; every other server begins with a copy.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::{Owner, command, finished};

/// Fills a server's folder with an empty database `rotunda` and a user `rotunda` who may do everything.
pub(super) fn fill(programs: &Path, folder: &Path, owner: Option<Owner>) -> io::Result<()> {
    let data = folder.join("data");
    let kept = kept(programs);
    if let Some(kept) = kept.as_deref().filter(|kept| kept.exists()) {
        return copy(kept, &data, owner);
    }
    make(programs, folder, owner)?;
    if let Some(kept) = kept {
        // Whether it can be kept or not, and whoever does it first: the data is there.
        drop(keep(&data, &kept));
    }
    Ok(())
}

/// Where it is kept, by the version that made it.
fn kept(programs: &Path) -> Option<PathBuf> {
    let version = programs.parent()?.file_name()?.to_str()?;
    Some(std::env::current_exe().ok()?.parent()?.join(format!("postgres-{version}-template")))
}

fn make(programs: &Path, folder: &Path, owner: Option<Owner>) -> io::Result<()> {
    let mut make = command(programs, "initdb", folder, owner)?;
    make.arg("--pgdata").arg(folder.join("data"));
    make.args(["--no-sync", "--auth=trust", "--username=rotunda", "--encoding=UTF8", "--locale=C"]);
    finished(&mut make)?;
    let mut alone = command(programs, "postgres", folder, owner)?;
    alone.args(["--single", "-F", "-D"]).arg(folder.join("data")).arg("postgres").stdin(Stdio::piped());
    let mut alone = alone.spawn()?;
    // Dropped at the end of the line, and so at its end.
    alone
        .stdin
        .take()
        .ok_or_else(|| io::Error::other("no input"))?
        .write_all(b"CREATE DATABASE rotunda\n")?;
    let status = alone.wait()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("no database was made: {status}"))) }
}

/// Keeps a copy, which appears whole or not at all.
fn keep(data: &Path, kept: &Path) -> io::Result<()> {
    let begun = kept.with_extension(std::process::id().to_string());
    let renamed = copy(data, &begun, None).and_then(|()| fs::rename(&begun, kept));
    if renamed.is_err() {
        // Nothing may have been begun.
        drop(fs::remove_dir_all(&begun));
    }
    renamed
}

fn copy(from: &Path, to: &Path, owner: Option<Owner>) -> io::Result<()> {
    if from.is_dir() {
        fs::create_dir(to)?;
        fs::set_permissions(to, fs::metadata(from)?.permissions())?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()), owner)?;
        }
    } else {
        fs::copy(from, to)?;
    }
    match owner {
        Some(Owner { user, group }) => chown(to, Some(user), Some(group)),
        None => Ok(()),
    }
}
