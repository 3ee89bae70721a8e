//! The real program, or another one, while it runs: what it says, line by line, and how it ends.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command as Process, ExitStatus, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;

/// Whatever takes longer than this never comes.
const PATIENCE: Duration = Duration::from_secs(20);

/// The program, with nothing of this process's own settings.
pub(crate) fn rotunda(arguments: &[&str]) -> Process {
    let mut process = Process::new(env!("CARGO_BIN_EXE_rotunda"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ROTUNDA_")) {
        process.env_remove(name);
    }
    process.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    process
}

/// Runs it to its end.
pub(crate) async fn ran(arguments: &[&str]) -> Output {
    let mut process = rotunda(arguments);
    tokio::task::spawn_blocking(move || process.output().unwrap()).await.unwrap()
}

/// A running program, line by line; killed when it is no longer needed.
pub(crate) struct Running {
    process: Child,
    said: mpsc::Receiver<String>,
    complained: mpsc::Receiver<String>,
}

fn lines(from: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (lines, received) = mpsc::channel(100_000);
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if lines.blocking_send(line).is_err() {
                return;
            }
        }
    });
    received
}

/// The first line that fits, and those before it.
async fn wait<T>(lines: &mut mpsc::Receiver<String>, fits: impl Fn(&str) -> Option<T>) -> (T, Vec<String>) {
    let mut before = Vec::new();
    let found = tokio::time::timeout(PATIENCE, async {
        loop {
            let line = lines.recv().await?;
            if let Some(found) = fits(&line) {
                return Some(found);
            }
            before.push(line);
        }
    });
    let found = found.await.unwrap_or(None);
    match found {
        Some(found) => (found, before),
        None => panic!("what was waited for did not come, but {before:#?}"),
    }
}

impl Running {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::of(rotunda(arguments))
    }

    /// Any program.
    pub(crate) fn of(mut program: Process) -> Self {
        program.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = program.spawn().unwrap();
        let said = lines(process.stdout.take().unwrap());
        let complained = lines(process.stderr.take().unwrap());
        Self { process, said, complained }
    }

    /// The next line with these words.
    pub(crate) async fn line(&mut self, words: &str) -> String {
        wait(&mut self.said, |line| line.contains(words).then(|| line.to_owned())).await.0
    }

    /// The next line with these words on standard error.
    pub(crate) async fn complaint(&mut self, words: &str) -> String {
        wait(&mut self.complained, |line| line.contains(words).then(|| line.to_owned())).await.0
    }

    /// The next frame that fits, and the lines before it. Each line has to be a frame.
    pub(crate) async fn frame(&mut self, fits: impl Fn(&Value) -> bool) -> (Value, Vec<String>) {
        let frame = |line: &str| {
            let frame: Value = serde_json::from_str(line).unwrap();
            assert!(frame["t"].is_string(), "{line}");
            fits(&frame).then_some(frame)
        };
        wait(&mut self.said, frame).await
    }

    /// All that a watch asks in the beginning was answered; answers come in any order.
    pub(crate) async fn told(&mut self) {
        for _ in ["counts", "shared", "mine"] {
            self.frame(|frame| frame["t"] == "answer" && frame["result"] == "told").await;
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Tells it to end, unless it has, and waits: for a program that ends others first.
    pub(crate) fn end(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            self.signal("-TERM");
            drop(self.process.wait());
        }
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.process.id().to_string();
        assert!(Process::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        // Both ends of output come when the program ends.
        tokio::time::timeout(PATIENCE, async { while self.complained.recv().await.is_some() {} })
            .await
            .unwrap();
        self.process.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// A pushed row of the contact with this name.
pub(crate) fn row_of(name: &str) -> impl Fn(&Value) -> bool {
    move |frame| frame["push"] == "conversation" && frame["conversation"]["contact"]["name"] == name
}
