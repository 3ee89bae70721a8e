//! The demo's secrets: made once, kept beside its data, and marked so that nobody takes them for real ones.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, ensure};
use aws_lc_rs::rand;
use data_encoding::HEXLOWER;

/// What every secret of a demo begins with.
const MARK: &str = "demo-only-";

/// What a demo signs and checks with.
pub(super) struct Secrets {
    /// Signs its teammates' session tokens.
    pub(super) token: String,
    /// Opens its back office's door.
    pub(super) service: String,
}

/// The file that holds the door's secret, for use with `curl`.
pub(super) const SERVICE_FILE: &str = "service-token";

impl Secrets {
    /// The secrets in a folder, made if there are none yet.
    pub(super) fn kept_in(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}; choose another --data", folder.display()))?;
        Ok(Self { token: kept(&folder.join("token-secret"))?, service: kept(&folder.join(SERVICE_FILE))? })
    }
}

fn kept(file: &Path) -> anyhow::Result<String> {
    match fs::read_to_string(file) {
        Ok(secret) => {
            let secret = secret.trim();
            let whole = secret.len() > MARK.len() + 32 && secret.starts_with(MARK);
            ensure!(whole, "{} holds no secret of a demo; remove it to have one made", file.display());
            Ok(secret.into())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => made(file),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
    }
}

fn made(file: &Path) -> anyhow::Result<String> {
    let mut bytes = [0; 24];
    rand::fill(&mut bytes).ok().context("the system gave no random bytes")?;
    let secret = format!("{MARK}{}", HEXLOWER.encode(&bytes));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(file).and_then(|mut file| writeln!(file, "{secret}"));
    written.with_context(|| format!("cannot write {}; choose another --data", file.display()))?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_made_once_and_marked() {
        let folder = tempfile::tempdir().unwrap();
        let first = Secrets::kept_in(folder.path()).unwrap();
        let again = Secrets::kept_in(folder.path()).unwrap();
        assert_eq!((&first.token, &first.service), (&again.token, &again.service));
        assert_ne!(first.token, first.service);
        assert!(first.token.starts_with(MARK) && first.service.starts_with(MARK));
    }

    #[test]
    fn a_file_that_holds_something_else_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(SERVICE_FILE), "short").unwrap();
        assert!(Secrets::kept_in(folder.path()).is_err());
    }
}
