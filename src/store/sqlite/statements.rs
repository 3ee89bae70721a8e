//! The statements that write a commit's rows: one for many rows, each row once.

use serde::Serialize;
use sqlx::query_builder::Separated;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::fault::Fault;

/// Rows of one statement. More do not make a row cheaper, and it stays far below SQLite's 32,766 values.
const ROWS_MAX: usize = 64;
/// Statements of up to this many rows are kept prepared, and those of `ROWS_MAX`; sizes between are rarely
/// met again.
const ROWS_PREPARED_MAX: usize = 16;
/// How many prepared statements that can be: a generous bound of the tables times the sizes.
pub(super) const STATEMENTS_PREPARED: usize = 512;

/// The values of one row, as they are pushed.
pub(super) type Values<'q, 'v> = &'q mut Separated<'v, Sqlite, &'static str>;

/// Statements to be executed in order.
#[derive(Default)]
pub(super) struct Statements(Vec<Statement>);

struct Statement {
    query: QueryBuilder<Sqlite>,
    rows: usize,
    /// Each of its rows has to be there already.
    updates: bool,
}

impl Statements {
    /// Executes them. The caller commits.
    pub(super) async fn execute(self, connection: &mut SqliteConnection) -> Result<(), Fault> {
        for Statement { mut query, rows, updates } in self.0 {
            let persistent = rows <= ROWS_PREPARED_MAX || rows == ROWS_MAX;
            let done = query.build().persistent(persistent).execute(&mut *connection).await?;
            if updates && done.rows_affected() != rows as u64 {
                return Err(Fault::Contradiction("a row that changes is not there".into()));
            }
        }
        Ok(())
    }

    /// `before VALUES (…), (…) after`, as often as the rows need.
    pub(super) fn insert<T>(
        &mut self,
        before: &str,
        rows: impl IntoIterator<Item = T>,
        after: &str,
        push: impl Fn(Values, T),
    ) {
        self.push(before, rows, after, push, false);
    }

    /// The same, where each row has to be there already.
    pub(super) fn update<T>(
        &mut self,
        before: &str,
        rows: impl IntoIterator<Item = T>,
        after: &str,
        push: impl Fn(Values, T),
    ) {
        self.push(before, rows, after, push, true);
    }

    fn push<T>(
        &mut self,
        before: &str,
        rows: impl IntoIterator<Item = T>,
        after: &str,
        push: impl Fn(Values, T),
        updates: bool,
    ) {
        let mut left = rows.into_iter().peekable();
        while left.peek().is_some() {
            let mut query = QueryBuilder::new(before);
            let mut rows = 0;
            query.push_values(left.by_ref().take(ROWS_MAX).inspect(|_| rows += 1), |mut values, row| {
                push(&mut values, row);
            });
            query.push(after);
            self.0.push(Statement { query, rows, updates });
        }
    }
}

/// A value as JSON text.
pub(super) fn json<T: Serialize>(value: &T) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| Fault::Contradiction(error.to_string()))
}
