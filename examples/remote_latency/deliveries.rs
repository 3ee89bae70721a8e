//! From a command on one node to sockets of that node and of the other one.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures::future::{try_join, try_join_all};
use rotunda_protocol::command::Done;
use rotunda_protocol::frame::ServerFrame;
use rotunda_protocol::id::ConversationId;
use rotunda_protocol::push::Push;
use tokio::time::timeout;

use crate::Load;
use crate::client::{Reader, Writer};
use crate::node::Node;
use crate::pace::{Meant, pace};
use crate::practice::{Practice, RECIPIENTS, done};

/// Whatever was not read so long after the last command never comes.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long it took.
#[derive(Debug, Default)]
pub(crate) struct Delivered {
    /// From when a command was meant to be sent to its answer.
    pub(crate) answered: Vec<Duration>,
    /// To each socket on the same node.
    pub(crate) here: Vec<Duration>,
    /// To each socket on the other node.
    pub(crate) there: Vec<Duration>,
    /// From the answer to the same; nothing when the socket was first.
    pub(crate) here_since: Vec<Duration>,
    pub(crate) there_since: Vec<Duration>,
}

/// A row as it was after one event: what tells events apart.
type Row = (ConversationId, u64);

/// What one session on the first node sent and read.
#[derive(Default)]
struct Sent {
    meant: Vec<Instant>,
    answered: HashMap<usize, (Row, Instant)>,
    read: Vec<(Row, Instant)>,
}

/// Has things happen on the first node.
pub(crate) async fn measure(run: &str, nodes: &[Node; 2], load: Load) -> anyhow::Result<Delivered> {
    let [a, b] = nodes;
    let names = (0..load.organizations).map(|number| format!("{run}-{number}"));
    let practices = try_join_all(names.map(|name| async move { Practice::set_up(a, &name).await })).await?;
    let on_a = try_join_all(practices.iter().map(|practice| practice.sessions(a, 0))).await?;
    let on_b = try_join_all(practices.iter().map(|practice| practice.sessions(b, 1))).await?;

    // Organizations by turns, and in each its sessions by turns: each organization has the same share.
    let (count, each) = (load.events_per_second * load.seconds, RECIPIENTS / 2);
    let count = count - count % u32::try_from(load.organizations * each)?;
    let mut meant = pace(load.events_per_second, count, load.organizations * each).into_iter();
    let mut turns: Vec<Vec<Meant>> = (0..load.organizations).map(|_| Vec::new()).collect();
    for _ in 0..each {
        for turn in &mut turns {
            turn.extend(meant.next());
        }
    }
    let events = count as usize / load.organizations;
    let work = practices.iter().zip(turns).zip(on_a).zip(on_b).map(|(((practice, turns), on_a), on_b)| {
        let sends = turns.into_iter().zip(on_a).enumerate();
        let sends = sends.map(|(place, (meant, session))| send(practice, place, meant, session, events));
        let reads = on_b.into_iter().map(|(writer, reader)| read(writer, reader, events));
        try_join(try_join_all(sends), try_join_all(reads))
    });
    let limit = Duration::from_secs(load.seconds.into()) + PATIENCE;
    let all = timeout(limit, try_join_all(work)).await.context("something was never read")??;
    let mut delivered = Delivered::default();
    all.into_iter().try_for_each(|(here, there)| delivered.count(&here, &there))?;
    Ok(delivered)
}

/// Sends what is meant to be sent, and reads all that happens in the organization.
async fn send(
    practice: &Practice,
    place: usize,
    mut meant: Meant,
    (mut writer, mut reader): (Writer, Reader),
    events: usize,
) -> anyhow::Result<Sent> {
    let mut sent = Sent::default();
    let own = events / (RECIPIENTS / 2);
    while sent.read.len() < events || sent.answered.len() < own {
        tokio::select! {
            Some(at) = meant.recv() => {
                let number = sent.meant.len();
                sent.meant.push(at);
                writer.call(format!("{place}-{number}"), practice.event(place + number)).await?;
            }
            frame = reader.next() => {
                let (at, frame) = frame?;
                if let Some(row) = row(&frame)? {
                    sent.read.push((row, at));
                } else if let Some((r#ref, Done::Conversation { conversation, rev, .. })) = done(frame)? {
                    let number = r#ref.split_once('-').context("no ref of ours")?.1.parse()?;
                    sent.answered.insert(number, ((conversation, rev), at));
                }
            }
        }
    }
    Ok(sent)
}

/// Reads all that happens in the organization.
async fn read(_writer: Writer, mut reader: Reader, events: usize) -> anyhow::Result<Vec<(Row, Instant)>> {
    let mut read = Vec::new();
    while read.len() < events {
        let (at, frame) = reader.next().await?;
        read.extend(row(&frame)?.map(|row| (row, at)));
    }
    Ok(read)
}

/// The row that a frame pushes.
fn row(frame: &ServerFrame) -> anyhow::Result<Option<Row>> {
    ensure!(
        !matches!(
            frame,
            ServerFrame::CatchUp { .. } | ServerFrame::Resync { .. } | ServerFrame::Closing { .. }
        ),
        "a session was too slow, or sent away: this measures something else"
    );
    let ServerFrame::Push { push: Push::Conversation { conversation, .. }, .. } = frame else {
        return Ok(None);
    };
    Ok(Some((conversation.id.clone(), conversation.rev)))
}

impl Delivered {
    /// Counts one organization's.
    fn count(&mut self, here: &[Sent], there: &[Vec<(Row, Instant)>]) -> anyhow::Result<()> {
        let mut events = HashMap::new();
        for sent in here {
            for (number, (row, answered)) in &sent.answered {
                let meant = sent.meant[*number];
                self.answered.push(*answered - meant);
                events.insert(row, (meant, *answered));
            }
        }
        for (row, read) in here.iter().flat_map(|sent| &sent.read) {
            let (meant, answered) = events.get(row).context("a push of no event")?;
            self.here.push(*read - *meant);
            self.here_since.push(read.saturating_duration_since(*answered));
        }
        for (row, read) in there.iter().flatten() {
            let (meant, answered) = events.get(row).context("a push of no event")?;
            self.there.push(*read - *meant);
            self.there_since.push(read.saturating_duration_since(*answered));
        }
        Ok(())
    }
}
