//! Standard output: whole lines, at once, and no fuss when the reader has gone.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

/// Whoever read our output has gone, as `| head` does. Nothing is wrong.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads the output any more")]
pub struct ReaderGone;

/// Where results go; problems go to standard error.
pub struct Output<W = io::Stdout>(W);

impl Output {
    /// The process's standard output.
    pub fn stdout() -> Self {
        Self(io::stdout())
    }
}

impl<W: Write> Output<W> {
    /// Writes one line, seen by the reader at once.
    pub fn line(&mut self, line: impl Display) -> anyhow::Result<()> {
        match writeln!(self.0, "{line}").and_then(|()| self.0.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(ReaderGone.into()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_are_written_whole() {
        let mut output = Output(Vec::new());
        output.line("one").unwrap();
        output.line(2).unwrap();
        assert_eq!(output.0, b"one\n2\n");
    }

    #[test]
    fn a_reader_that_has_gone_is_no_failure_of_ours() {
        assert!(Output(Closed).line("one").unwrap_err().is::<ReaderGone>());
    }
}
