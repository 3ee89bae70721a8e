//! A connection, as all of the store's SQL speaks to it. SQLite is a library: what it is asked is answered before
//! the call returns, so each of these futures is ready when it is first polled.

use std::borrow::Cow;
use std::fmt::Display;
use std::sync::Arc;

use futures::FutureExt;
use rusqlite::types::{self, FromSqlResult, ValueRef};
use rusqlite::{Connection, Statement};
use sqlx::SqlStr;

use crate::store::sql::dialect::{Columns, Dialect, Value};
use crate::store::sql::fault::Fault;
use crate::store::sql::texts::{self, Texts};

impl Dialect for Connection {
    type Row = Row;

    const TEXTS: &'static Texts = &texts::SQLITE;

    // Without a number, which SQLite would look for among the names of all that came before.
    fn placeholder(_number: usize) -> impl Display {
        "?"
    }

    fn storable(text: Cow<'_, str>) -> Cow<'_, str> {
        text
    }

    async fn execute(&mut self, statement: SqlStr, kept: bool, values: Vec<Value<'_>>) -> Result<u64, Fault> {
        let execute = |statement: &mut Statement| Ok(statement.raw_execute()? as u64);
        prepared(self, statement.as_str(), kept, &values, execute)
    }

    async fn fetch(
        &mut self,
        statement: SqlStr,
        kept: bool,
        values: Vec<Value<'_>>,
    ) -> Result<Vec<Row>, Fault> {
        prepared(self, statement.as_str(), kept, &values, all_rows)
    }
}

/// What comes of questions to SQLite.
pub(super) fn at_once<T>(answer: impl Future<Output = T>) -> T {
    answer.now_or_never().expect("nothing that SQLite is asked is waited for")
}

fn prepared<T>(
    connection: &Connection,
    text: &str,
    kept: bool,
    values: &[Value],
    then: impl FnOnce(&mut Statement) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let (mut cached, mut once);
    let statement: &mut Statement = if kept {
        cached = connection.prepare_cached(text)?;
        &mut cached
    } else {
        once = connection.prepare(text)?;
        &mut once
    };
    bind(statement, values)?;
    then(statement)
}

/// Gives a statement its values: in their order, or by their number where it names one. (To SQLite `$2` is a name
/// like any other.)
fn bind(statement: &mut Statement, values: &[Value]) -> Result<(), Fault> {
    for index in 1..=statement.parameter_count() {
        let number = match statement.parameter_name(index) {
            Some(name) => name.trim_start_matches('$').parse().ok(),
            None => Some(index),
        };
        let value = number.and_then(|number: usize| values.get(number.checked_sub(1)?));
        let value = value.ok_or_else(|| Fault::Contradiction("a statement misses a value".into()))?;
        match value {
            Value::Text(text) => statement.raw_bind_parameter(index, text.as_deref())?,
            Value::Json(json) => statement.raw_bind_parameter(index, json)?,
            Value::Number(number) => statement.raw_bind_parameter(index, number)?,
            Value::Flag(flag) => statement.raw_bind_parameter(index, flag)?,
            Value::Bytes(bytes) => statement.raw_bind_parameter(index, bytes)?,
        }
    }
    Ok(())
}

fn all_rows(statement: &mut Statement) -> Result<Vec<Row>, Fault> {
    let mut found = Vec::new();
    let mut names = None;
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        // Asked for only now: the first step prepares a statement anew if somebody has changed its table.
        let names = names.get_or_insert_with(|| names_of(row.as_ref()));
        let value = |(index, name): (usize, &_)| {
            row.get_ref(index)?.try_into().map_err(|error| Fault::unreadable(name, error))
        };
        let values = names.iter().map(|name| &**name).enumerate().map(value).collect::<Result<_, _>>()?;
        found.push(Row { names: Arc::clone(names), values });
    }
    Ok(found)
}

fn names_of(statement: &Statement) -> Arc<[Box<str>]> {
    statement.column_names().into_iter().map(Box::from).collect()
}

/// A row, taken out of its statement.
#[derive(Debug)]
pub(in crate::store) struct Row {
    names: Arc<[Box<str>]>,
    values: Box<[types::Value]>,
}

impl Row {
    /// A column's value, read as what it has to be.
    fn read<'r, T>(
        &'r self,
        column: &str,
        expected: impl FnOnce(&ValueRef<'r>) -> FromSqlResult<T>,
    ) -> Result<T, Fault> {
        let index = self.names.iter().position(|name| **name == *column);
        let value = &self.values[index.ok_or_else(|| Fault::unreadable(column, "is missing"))?];
        expected(&value.into()).map_err(|error| Fault::unreadable(column, error))
    }
}

impl Columns for Row {
    fn text_or_null(&self, column: &str) -> Result<Option<Cow<'_, str>>, Fault> {
        Ok(self.read(column, ValueRef::as_str_or_null)?.map(Cow::from))
    }

    fn number_or_null(&self, column: &str) -> Result<Option<i64>, Fault> {
        self.read(column, ValueRef::as_i64_or_null)
    }

    fn flag_or_null(&self, column: &str) -> Result<Option<bool>, Fault> {
        Ok(self.number_or_null(column)?.map(|number| number != 0))
    }

    fn bytes<const N: usize>(&self, column: &str) -> Result<[u8; N], Fault> {
        let bytes = self.read(column, ValueRef::as_blob)?;
        bytes.try_into().map_err(|error| Fault::unreadable(column, error))
    }
}
