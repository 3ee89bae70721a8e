//! What nodes share: a database, and what they tell each other by.

use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};

use crate::bus::SharedBus;
use crate::bus::redis::RedisBus;
use crate::bus::silent::Silent;
use crate::clock;
use crate::config::Config;
use crate::domain::node::NodeId;
use crate::hub::{Cluster, mint};
use crate::metrics::Metrics;
use crate::store::postgres::PostgresStore;
use crate::store::sqlite::SqliteStore;
use crate::store::{SharedStore, StoreError};

/// The database in the data folder, of a node that is given no other.
const DATABASE: &str = "rotunda.db";
/// The file by which processes on one data folder see each other.
const LOCK: &str = "rotunda.lock";

/// The database.
pub(super) enum Database {
    Sqlite(Arc<SqliteStore>),
    Postgres(Arc<PostgresStore>),
}

impl Database {
    pub(super) async fn open(config: &Config) -> anyhow::Result<Self> {
        match &config.store {
            None => Ok(Self::Sqlite(Arc::new(SqliteStore::open(&config.data.join(DATABASE)).await?))),
            Some(url) => Ok(Self::Postgres(Arc::new(PostgresStore::open(url.reveal()).await?))),
        }
    }

    pub(super) fn store(&self) -> SharedStore {
        match self {
            Self::Sqlite(store) => store.clone(),
            Self::Postgres(store) => store.clone(),
        }
    }

    pub(super) async fn close(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(store) => store.close().await,
            Self::Postgres(store) => store.close().await,
        }
    }
}

/// This node among others.
pub(super) struct Between {
    node: NodeId,
    bus: SharedBus,
    redis: Option<Arc<RedisBus>>,
}

impl Between {
    /// None if the node is alone with its database.
    pub(super) fn join(config: &Config, metrics: &Arc<Metrics>) -> anyhow::Result<Option<Self>> {
        let node = NodeId::new(&mint::mint(clock::now_millis()));
        let Some(url) = &config.bus else {
            let among = config.store.is_some();
            return Ok(among.then(|| Self { node, bus: Arc::new(Silent::new()), redis: None }));
        };
        let authority = config.bus_ca.as_deref();
        let redis = RedisBus::connect(url.reveal(), authority, node.clone(), Arc::clone(metrics))?;
        let redis = Arc::new(redis);
        Ok(Some(Self { node, bus: redis.clone(), redis: Some(redis) }))
    }

    pub(super) fn cluster(&self) -> Cluster {
        Cluster { node: self.node.clone(), bus: Arc::clone(&self.bus) }
    }

    pub(super) async fn close(&self) {
        if let Some(redis) = &self.redis {
            redis.close().await;
        }
    }
}

/// A data folder's lock, held until it is dropped: for one node alone, or together with others that have a bus. Two
/// that do not know of each other would show what the other has revoked.
#[derive(Debug)]
pub(super) struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// None if the database is not in the folder.
    pub(super) fn take(config: &Config) -> anyhow::Result<Option<Self>> {
        if config.store.is_some() {
            return Ok(None);
        }
        let path: PathBuf = config.data.join(LOCK);
        let opened = std::fs::create_dir_all(&config.data).and_then(|()| File::create(&path));
        let file = opened.with_context(|| format!("cannot open {}", path.display()))?;
        let taken = if config.bus.is_some() { file.try_lock_shared() } else { file.try_lock() };
        match taken {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => bail!(
                "another process uses {}; several share a data folder only if each is given the same --bus",
                config.data.display()
            ),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock {}", path.display()))
            }
        }
    }
}
