//! A store between the hub and the real one, which a test can ask what was looked for, and make fail.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use rotunda_protocol::conversation::Mark;
use rotunda_protocol::id::{ConversationId, OrganizationId, TeammateId};
use rotunda_protocol::item::Item;
use tokio::sync::Barrier;

use crate::domain::conversation::Conversation;
use crate::domain::event::{Event, Seq};
use crate::domain::node::NodeId;
use crate::store::nodes::{Beat, Nodes};
use crate::store::{
    Appended, ArchivedQuery, Batch, ChangedSince, Found, Image, Needs, SharedStore, Store, StoreError,
};

pub(super) struct Between {
    real: SharedStore,
    finds: Mutex<Vec<Vec<ConversationId>>>,
    /// The next append becomes durable, and its word of it gets lost.
    pub(super) loses_word: AtomicBool,
    /// So many times the log cannot be read.
    pub(super) log_faults: AtomicUsize,
    /// So many times an organization cannot be read.
    pub(super) load_faults: AtomicUsize,
    /// Nothing can be asked.
    lost: AtomicBool,
    /// Passed once before items are read, and once after.
    gate: Mutex<Option<Arc<Barrier>>>,
    /// How often it was asked what changed since a position.
    changes: AtomicUsize,
    /// Passed twice before that is read.
    changes_gate: Mutex<Option<Arc<Barrier>>>,
    /// Passed twice before something is looked for.
    finds_gate: Mutex<Option<Arc<Barrier>>>,
}

impl Between {
    pub(super) fn new(real: SharedStore) -> Self {
        Self {
            real,
            finds: Mutex::default(),
            loses_word: false.into(),
            log_faults: 0.into(),
            load_faults: 0.into(),
            lost: false.into(),
            gate: Mutex::default(),
            changes: 0.into(),
            changes_gate: Mutex::default(),
            finds_gate: Mutex::default(),
        }
    }

    /// Whether the database can be reached at all.
    pub(super) fn is_lost(&self, lost: bool) {
        self.lost.store(lost, Ordering::Relaxed);
    }

    fn reachable(&self) -> Result<(), StoreError> {
        if self.lost.load(Ordering::Relaxed) { lost() } else { Ok(()) }
    }

    /// The next who asks for items waits at this barrier before the answer is read, and again after.
    pub(super) fn hold_items(&self) -> Arc<Barrier> {
        shut(&self.gate)
    }

    /// The next who asks what changed waits at this barrier twice, and then the answer is read.
    pub(super) fn hold_changes(&self) -> Arc<Barrier> {
        shut(&self.changes_gate)
    }

    /// The next who looks for something waits at this barrier twice, and then it is looked for.
    pub(super) fn hold_finds(&self) -> Arc<Barrier> {
        shut(&self.finds_gate)
    }

    /// How often it was asked what changed since a position.
    pub(super) fn asked_for_changes(&self) -> usize {
        self.changes.load(Ordering::Relaxed)
    }

    /// Which conversations were looked for since this was last asked, look by look.
    pub(super) fn found(&self) -> Vec<Vec<ConversationId>> {
        std::mem::take(&mut self.finds.lock().unwrap())
    }
}

fn shut(gate: &Mutex<Option<Arc<Barrier>>>) -> Arc<Barrier> {
    let barrier = Arc::new(Barrier::new(2));
    *gate.lock().unwrap() = Some(barrier.clone());
    barrier
}

/// The first that comes waits twice; for others it is open.
async fn pass(gate: &Mutex<Option<Arc<Barrier>>>) {
    let barrier = gate.lock().unwrap().take();
    if let Some(barrier) = barrier {
        barrier.wait().await;
        barrier.wait().await;
    }
}

fn lost<T>() -> Result<T, StoreError> {
    Err(StoreError::Unavailable("as the test asked".into()))
}

#[async_trait]
impl Store for Between {
    async fn load(&self, organization: &OrganizationId) -> Result<Option<Image>, StoreError> {
        self.reachable()?;
        let left = self.load_faults.load(Ordering::Relaxed);
        if left > 0 {
            self.load_faults.store(left - 1, Ordering::Relaxed);
            // Whoever asks at the same time waits for this.
            tokio::task::yield_now().await;
            return lost();
        }
        self.real.load(organization).await
    }

    async fn append(&self, batch: Batch) -> Result<Appended, StoreError> {
        self.reachable()?;
        let appended = self.real.append(batch).await?;
        if self.loses_word.swap(false, Ordering::Relaxed) { lost() } else { Ok(appended) }
    }

    async fn events(
        &self,
        organization: &OrganizationId,
        after: Seq,
        limit: u32,
    ) -> Result<Vec<(Seq, Event)>, StoreError> {
        let left = self.log_faults.load(Ordering::Relaxed);
        if left > 0 {
            self.log_faults.store(left - 1, Ordering::Relaxed);
            return lost();
        }
        self.reachable()?;
        self.real.events(organization, after, limit).await
    }

    async fn find(&self, organization: &OrganizationId, needs: Needs) -> Result<Found, StoreError> {
        self.finds.lock().unwrap().push(needs.conversations.clone());
        self.reachable()?;
        pass(&self.finds_gate).await;
        self.real.find(organization, needs).await
    }

    async fn items(
        &self,
        organization: &OrganizationId,
        conversation: &ConversationId,
        from: u32,
        before: u32,
        limit: u32,
    ) -> Result<Vec<(Item, Seq)>, StoreError> {
        self.reachable()?;
        let gate = self.gate.lock().unwrap().take();
        if let Some(gate) = &gate {
            gate.wait().await;
        }
        let items = self.real.items(organization, conversation, from, before, limit).await;
        if let Some(gate) = &gate {
            gate.wait().await;
        }
        items
    }

    async fn archived(
        &self,
        organization: &OrganizationId,
        query: ArchivedQuery,
    ) -> Result<Vec<(Conversation, Seq, Mark)>, StoreError> {
        self.reachable()?;
        self.real.archived(organization, query).await
    }

    async fn changed_since(
        &self,
        organization: &OrganizationId,
        teammate: &TeammateId,
        since: Seq,
        limit: u32,
    ) -> Result<Option<ChangedSince>, StoreError> {
        self.reachable()?;
        self.changes.fetch_add(1, Ordering::Relaxed);
        pass(&self.changes_gate).await;
        self.real.changed_since(organization, teammate, since, limit).await
    }
}

#[async_trait]
impl Nodes for Between {
    async fn beat(&self, beat: Beat) -> Result<(), StoreError> {
        self.reachable()?;
        self.real.beat(beat).await
    }

    async fn heads(&self, of: &[OrganizationId]) -> Result<Vec<(OrganizationId, Seq)>, StoreError> {
        self.reachable()?;
        self.real.heads(of).await
    }

    async fn nodes(&self) -> Result<Vec<Beat>, StoreError> {
        self.reachable()?;
        self.real.nodes().await
    }

    async fn forget(&self, node: &NodeId, number: u64) -> Result<(), StoreError> {
        self.reachable()?;
        self.real.forget(node, number).await
    }
}
