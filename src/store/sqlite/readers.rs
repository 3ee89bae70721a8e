//! Connections that read, each lent to one question at a time. A question is answered on a thread that may wait for
//! the disk.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::Closed;
use super::connection::{Database, roll_back};
use super::driver::at_once;
use crate::store::StoreError;
use crate::store::sql::fault::Fault;

/// How many: reads are short, and more than this many at once only compete for the processors.
const READERS: u32 = 4;

/// The connections.
#[derive(Debug, Clone)]
pub(super) struct Readers {
    /// A place for each; none once they were closed.
    places: Arc<Semaphore>,
    lender: Arc<Lender>,
}

#[derive(Debug)]
struct Lender {
    database: Database,
    /// Those that nobody has. One that was in doubt is not brought back; another is made when it is needed.
    idle: Mutex<Vec<Connection>>,
}

/// So many questions are asked that this one was not answered.
#[derive(Debug, thiserror::Error)]
#[error("all {READERS} readers were busy for {:?}", .0)]
struct Busy(Duration);

impl Readers {
    /// Opens one, so that what is wrong with reading shows at once.
    pub(super) fn open(database: Database) -> rusqlite::Result<Self> {
        let idle = Mutex::new(vec![database.reading()?]);
        let places = Arc::new(Semaphore::new(READERS as usize));
        Ok(Self { places, lender: Arc::new(Lender { database, idle }) })
    }

    /// Puts questions, which are answered as of one moment. Whoever stops waiting for the answer leaves the rest to
    /// the thread.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        questions: impl AsyncFnOnce(&mut Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let wait_max = self.lender.database.settings.reader_wait;
        let place = timeout(wait_max, Arc::clone(&self.places).acquire_owned()).await;
        let busy = |_elapsed| Fault::Unavailable(Arc::new(Busy(wait_max)));
        let place = place.map_err(busy)?.map_err(|_closed| Closed)?;
        let lender = Arc::clone(&self.lender);
        let answered = spawn_blocking(move || {
            let answer = lender.answer(questions);
            drop(place);
            answer
        });
        Ok(answered.await.map_err(|failed| Fault::Unavailable(Arc::new(failed)))??)
    }

    /// Waits for what is being answered, and closes the connections. What is asked from now on is refused.
    pub(super) async fn close(&self) {
        if let Ok(places) = self.places.acquire_many(READERS).await {
            self.places.close();
            drop(places);
        }
        let idle = mem::take(&mut *self.lender.idle());
        if let Err(error) = spawn_blocking(move || drop(idle)).await {
            tracing::warn!(%error, "the readers were not closed cleanly");
        }
    }
}

impl Lender {
    fn answer<T>(
        &self,
        questions: impl AsyncFnOnce(&mut Connection) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let lent = self.idle().pop();
        let mut connection = match lent {
            Some(connection) => connection,
            None => self.database.reading()?,
        };
        connection.prepare_cached("BEGIN")?.raw_execute()?;
        let answer = at_once(questions(&mut connection));
        match roll_back(&connection) {
            Ok(()) => self.idle().push(connection),
            Err(error) => tracing::warn!(%error, "could not end a transaction; the connection is given up"),
        }
        answer
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
