//! The processes of the generator, as the conductor has them.

use std::process::Stdio;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::WORKER_COMMAND;
use crate::plan::Plan;
use crate::wire::{Counts, Step, Tally, Told};

/// All of them.
pub(super) struct Crew(Vec<Member>);

/// One process. It ends with its standard input, or with this.
struct Member {
    _child: Child,
    to: ChildStdin,
    from: Lines<BufReader<ChildStdout>>,
    plan: Vec<u8>,
    counts: Counts,
    /// The step it has done last.
    did: Option<Step>,
    tally: Option<Tally>,
}

impl Crew {
    pub(super) fn start(plans: &[Plan]) -> anyhow::Result<Self> {
        Ok(Self(plans.iter().map(Member::start).collect::<anyhow::Result<_>>()?))
    }

    /// Tells all of them what to do next.
    pub(super) async fn tell(&mut self, step: Step) -> anyhow::Result<()> {
        for member in &mut self.0 {
            member.did = None;
            let mut line = std::mem::take(&mut member.plan);
            line.extend(serde_json::to_vec(&step)?);
            line.push(b'\n');
            // Whoever has ended says why by its last line.
            drop(member.to.write_all(&line).await);
        }
        Ok(())
    }

    /// Whether all of them have done it.
    pub(super) fn did(&self, step: Step) -> bool {
        self.0.iter().all(|member| member.did == Some(step))
    }

    /// Takes in the next thing that one of them says. May be dropped and called again.
    pub(super) async fn hear(&mut self) -> anyhow::Result<()> {
        futures::future::select_all(self.0.iter_mut().map(|member| Box::pin(member.hear()))).await.0
    }

    /// What they have counted, together.
    pub(super) fn counts(&self) -> Counts {
        let mut all = Counts::default();
        for Member { counts, .. } in &self.0 {
            all.cpu_s += counts.cpu_s;
            all.connected += counts.connected;
            all.ready += counts.ready;
            all.deliveries += counts.deliveries;
            all.commands += counts.commands;
            all.reconnects += counts.reconnects;
            all.row_bytes += counts.row_bytes;
            all.rows += counts.rows;
            all.p99_ms = [all.p99_ms, counts.p99_ms].into_iter().flatten().reduce(f64::max);
        }
        all
    }

    /// The same; what is of a while begins anew.
    pub(super) fn take_counts(&mut self) -> Counts {
        let counts = self.counts();
        self.0.iter_mut().for_each(|member| member.counts.p99_ms = None);
        counts
    }

    /// What each of them has come to.
    pub(super) fn tallies(&mut self) -> Vec<Tally> {
        self.0.iter_mut().filter_map(|member| member.tally.take()).collect()
    }
}

impl Member {
    fn start(plan: &Plan) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("this program does not know its own file")?;
        let mut child = Command::new(program)
            .arg(WORKER_COMMAND)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start a process of the generator")?;
        let to = child.stdin.take().context("no standard input")?;
        let from = BufReader::new(child.stdout.take().context("no standard output")?).lines();
        let mut plan = serde_json::to_vec(plan)?;
        plan.push(b'\n');
        Ok(Self { _child: child, to, from, plan, counts: Counts::default(), did: None, tally: None })
    }

    /// Takes in the next thing that it says.
    async fn hear(&mut self) -> anyhow::Result<()> {
        let Some(line) = self.from.next_line().await? else {
            bail!("a process of the generator has ended");
        };
        match serde_json::from_str(&line).context("a process of the generator says what cannot be read")? {
            Told::Did(step) => self.did = Some(step),
            Told::Sample(counts) => {
                let p99_ms = [self.counts.p99_ms, counts.p99_ms].into_iter().flatten().reduce(f64::max);
                self.counts = Counts { p99_ms, ..counts };
            }
            Told::Failed(why) => bail!(why),
            Told::Tally(tally) => {
                self.tally = Some(*tally);
                self.did = Some(Step::Check);
            }
        }
        Ok(())
    }
}
