//! What whoever started the cluster is told: where everything is, and what to try. Each command can be copied.

use std::fmt::{self, Display, Formatter};
use std::net::SocketAddr;
use std::path::Path;

use crate::revival::AFTER;

/// Where everything is, with the pids.
pub(crate) struct Guide<'a> {
    pub(crate) program: &'a str,
    pub(crate) service_token: &'a Path,
    pub(crate) nodes: Vec<(SocketAddr, u32)>,
    pub(crate) balancer: Option<(SocketAddr, u32)>,
    pub(crate) redis: (String, u32),
    pub(crate) postgres: (String, u32),
}

impl Display for Guide<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "A demo practice is open on nodes that share a Postgres and a Redis. Patients write to each:\n"
        )?;
        self.places(f)?;
        self.the_same(f)?;
        self.an_end(f)?;
        write!(f, "\nCtrl-C ends everything and leaves nothing.")
    }
}

impl Guide<'_> {
    fn places(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, url: &str, pid: u32| writeln!(f, "  {name:<9} {url:<46} pid {pid}");
        for (place, (address, pid)) in self.nodes.iter().enumerate() {
            line(&format!("node {}", place + 1), &format!("ws://{address}"), *pid)?;
        }
        if let Some((address, pid)) = self.balancer {
            line("balancer", &format!("ws://{address}"), pid)?;
        }
        line("Redis", &self.redis.0, self.redis.1)?;
        line("Postgres", &self.postgres.0, self.postgres.1)
    }

    /// The same is seen on every node.
    fn the_same(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (program, token) = (self.program, self.service_token.display());
        let [first, second, third] = [0, 1, 2].map(|place| self.nodes[place].0);
        write!(
            f,
            r#"
Watch one inbox on two nodes, each in a terminal of its own; both show the same:
  {program} watch --as ada --url ws://{first}
  {program} watch --as ada --url ws://{second}

Write to ada as a patient at the third node; then, as ada at the first, take it out of her hands:
  answer=$(curl -s --json '{{"to":"dr-okafor","from":"mara@example.org","name":"Mara Lindqvist","content":{{"kind":"message","direction":"in","body":"Hello!"}}}}' \
    -H "Authorization: Bearer $(cat {token})" -H "Idempotency-Key: $(date +%s%N)" \
    http://{third}/v1/organizations/lakeside/inbound); echo "$answer"
  id=$(echo "$answer" | sed 's/.*"conversation":"\([^"]*\)".*/\1/')
  {program} call --as ada --url ws://{first} '{{"do":"conversation.assign","conversation":"'$id'","to":"nobody"}}'
"#
        )
    }

    /// A node may end.
    fn an_end(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let after = AFTER.as_secs();
        match self.balancer {
            Some((address, _)) => write!(
                f,
                "
Watch through the balancer, and end one node after the other: the watch goes on at another node and has lost
nothing. What has ended is started again after {after} s, with another pid:
  {} watch --as ada --url ws://{address}
",
                self.program
            )?,
            None => write!(
                f,
                "
End a node that is watched: the watch comes back when the node does, after {after} s, and has lost nothing. (With
haproxy installed there is a balancer in front, and a watch goes on at another node.)
"
            )?,
        }
        for (place, (_, pid)) in self.nodes.iter().enumerate() {
            match place {
                0 => writeln!(f, "  kill {pid}     # node 1 sends its sessions away and ends")?,
                _ => writeln!(f, "  kill -9 {pid}  # node {} is gone at once", place + 1)?,
            }
        }
        writeln!(
            f,
            "  kill -9 {}  # without Redis, nodes read the log: news take a fifth of a second",
            self.redis.1
        )
    }
}

/// A program as one would type it here.
pub(crate) fn as_typed(program: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    program.strip_prefix(&here).unwrap_or(program).display().to_string()
}
