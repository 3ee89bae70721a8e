//! The ledgers of all organizations, examined together.

use std::rc::Rc;
use std::time::Duration;

use futures::future::try_join_all;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::{Instant, sleep};

use super::ledger::Ledger;
use crate::load::stage::Stage;
use crate::report::Verdict;

/// What a session has not been told by then is lost.
const SETTLED_WITHIN: Duration = Duration::from_secs(15);
/// How often it is looked whether all have been told everything.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Ledgers that are examined at once.
const AT_ONCE: usize = 16;

/// All of them.
pub(super) struct Books(Vec<Ledger>);

impl Books {
    pub(super) fn new(stage: &Stage) -> Self {
        let ledger = |organization| Ledger::new(Rc::clone(&stage.world), Rc::clone(organization));
        Self(stage.organizations.iter().map(ledger).collect())
    }

    /// Nothing has happened for a while: from here on every session has to be told everything.
    pub(super) async fn begin(&self) -> anyhow::Result<()> {
        self.examine().await?;
        self.0.iter().for_each(Ledger::begin);
        Ok(())
    }

    async fn examine(&self) -> anyhow::Result<()> {
        stream::iter(self.0.iter().map(Ledger::examine))
            .buffer_unordered(AT_ONCE)
            .try_for_each(|()| async { Ok(()) })
            .await
    }

    /// Examines a ledger whenever its sessions have many notes, so that they do not grow with the run. Never ends well.
    pub(super) async fn keep(&self) -> anyhow::Result<()> {
        let each = self.0.iter().map(|ledger| async move {
            loop {
                ledger.is_full().await;
                ledger.examine().await?;
            }
        });
        try_join_all(each).await.map(|_: Vec<()>| ())
    }

    /// Waits until everybody has been told everything, compares what they hold, and gives all findings.
    pub(super) async fn close(&self) -> anyhow::Result<Verdict> {
        let limit = Instant::now() + SETTLED_WITHIN;
        loop {
            self.examine().await?;
            if self.0.iter().all(Ledger::is_settled) || Instant::now() > limit {
                break;
            }
            sleep(LOOK_EVERY).await;
        }
        let verdicts = stream::iter(self.0.iter().map(Ledger::finish)).buffer_unordered(AT_ONCE);
        let verdicts: Vec<Verdict> = verdicts.try_collect().await?;
        let mut all = Verdict::default();
        for verdict in verdicts {
            all.add(verdict);
        }
        Ok(all)
    }
}
