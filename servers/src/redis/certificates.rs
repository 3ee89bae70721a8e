//! An authority of one's own, and a certificate by it for this machine: made by `openssl`, good for a day.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

/// The authority's certificate, which clients trust.
pub(super) const AUTHORITY: &str = "authority.crt";
/// The server's certificate.
pub(super) const CERTIFICATE: &str = "server.crt";
/// The server's key.
pub(super) const KEY: &str = "server.key";

/// The authority's key.
const AUTHORITY_KEY: &str = "authority.key";
/// The machine's own settings may add what contradicts these.
const SETTINGS: &str = "[req]\ndistinguished_name = name\nprompt = no\n[name]\nCN = rotunda\n";
const SETTINGS_FILE: &str = "openssl.cnf";

/// Makes all of them in a folder.
pub(super) fn make_certificates(folder: &Path) -> io::Result<()> {
    fs::write(folder.join(SETTINGS_FILE), SETTINGS)?;
    let authority =
        ["-keyout", AUTHORITY_KEY, "-out", AUTHORITY, "-addext", "basicConstraints=critical,CA:TRUE"];
    certify(folder, &authority)?;
    // An authority may not be a server itself.
    let server = [
        "-CA",
        AUTHORITY,
        "-CAkey",
        AUTHORITY_KEY,
        "-keyout",
        KEY,
        "-out",
        CERTIFICATE,
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-addext",
        "subjectAltName=IP:127.0.0.1,DNS:localhost",
    ];
    certify(folder, &server)
}

fn certify(folder: &Path, more: &[&str]) -> io::Result<()> {
    let common = ["req", "-x509", "-config", SETTINGS_FILE, "-days", "1", "-noenc", "-newkey", "ec"];
    let made = Command::new("openssl")
        .current_dir(folder)
        .args(common)
        .args(["-pkeyopt", "ec_paramgen_curve:P-256"])
        .args(more)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if made.success() { Ok(()) } else { Err(io::Error::other("openssl makes no certificate")) }
}
