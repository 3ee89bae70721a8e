//! The statements that write a commit's rows: one for many rows, each row once.

use std::fmt::Write;

use serde::Serialize;
use sqlx::{AssertSqlSafe, SqlSafeStr};

use super::dialect::{Dialect, Value};
use super::fault::Fault;
use crate::store::rows::Rows;

/// Rows of one statement. More do not make a row cheaper, and it stays far below the 32,766 values that SQLite
/// allows, which are less than Postgres does.
const ROWS_MAX: usize = 64;
/// Statements of up to this many rows are kept prepared, and those of `ROWS_MAX`; sizes between are rarely
/// met again.
const ROWS_PREPARED_MAX: usize = 16;
/// How many prepared statements that can be: a generous bound of the tables times the sizes.
pub(in crate::store) const STATEMENTS_PREPARED: usize = 512;

/// The values of a statement's rows, one after the other.
#[derive(Default)]
pub(in crate::store) struct Values<'a>(Vec<Value<'a>>);

/// Statements to be executed in order.
#[derive(Default)]
pub(in crate::store) struct Statements<'a>(Vec<Statement<'a>>);

struct Statement<'a> {
    before: &'static str,
    rows: usize,
    values: Values<'a>,
    after: &'static str,
    /// Each of its rows has to be there already.
    updates: bool,
}

impl<'a> Values<'a> {
    /// The next value of the row.
    pub(in crate::store) fn push(&mut self, value: impl Into<Value<'a>>) -> &mut Self {
        self.0.push(value.into());
        self
    }
}

impl<'a> Statements<'a> {
    /// What writes all rows.
    pub(in crate::store) fn rows(&mut self, rows: &'a Rows) -> Result<(), Fault> {
        self.logs(rows)?;
        self.directory(rows);
        self.conversations(rows);
        self.items(rows)
    }

    /// Executes them. The caller commits.
    pub(in crate::store) async fn execute<C: Dialect>(self, connection: &mut C) -> Result<(), Fault> {
        for statement in self.0 {
            let kept = statement.rows <= ROWS_PREPARED_MAX || statement.rows == ROWS_MAX;
            let text = AssertSqlSafe(statement.text::<C>()).into_sql_str();
            let rows = connection.execute(text, kept, statement.values.0).await?;
            if statement.updates && rows != statement.rows as u64 {
                return Err(Fault::Contradiction("a row that changes is not there".into()));
            }
        }
        Ok(())
    }

    /// `before VALUES (…), (…) after`, as often as the rows need.
    pub(in crate::store) fn insert<T>(
        &mut self,
        before: &'static str,
        rows: impl IntoIterator<Item = T>,
        after: &'static str,
        push: impl Fn(&mut Values<'a>, T),
    ) {
        self.push(before, rows, after, push, false);
    }

    /// The same, where each row has to be there already.
    pub(in crate::store) fn update<T>(
        &mut self,
        before: &'static str,
        rows: impl IntoIterator<Item = T>,
        after: &'static str,
        push: impl Fn(&mut Values<'a>, T),
    ) {
        self.push(before, rows, after, push, true);
    }

    fn push<T>(
        &mut self,
        before: &'static str,
        rows: impl IntoIterator<Item = T>,
        after: &'static str,
        push: impl Fn(&mut Values<'a>, T),
        updates: bool,
    ) {
        let mut left = rows.into_iter().peekable();
        while left.peek().is_some() {
            let (mut values, mut rows) = (Values::default(), 0);
            for row in left.by_ref().take(ROWS_MAX) {
                push(&mut values, row);
                rows += 1;
            }
            self.0.push(Statement { before, rows, values, after, updates });
        }
    }
}

impl Statement<'_> {
    /// Its text, in a database's words.
    fn text<C: Dialect>(&self) -> String {
        let width = self.values.0.len() / self.rows;
        let mut text = String::with_capacity(self.before.len() + self.after.len() + 8 * self.values.0.len());
        text.push_str(self.before);
        text.push_str("VALUES ");
        for number in 1..=self.values.0.len() {
            let before = match (number - 1) % width {
                0 if number == 1 => "(",
                0 => "), (",
                _ => ", ",
            };
            text.push_str(before);
            write!(text, "{}", C::placeholder(number)).expect("a string takes any text");
        }
        text.push(')');
        text.push_str(self.after);
        text
    }
}

/// A value as JSON text.
pub(in crate::store) fn json<T: Serialize>(value: &T) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| Fault::Contradiction(error.to_string()))
}
