//! A connection, as all of the store's SQL speaks to it.

use std::borrow::Cow;
use std::fmt::Display;

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Connection, PgConnection, Postgres, Row, SqlStr};

use super::fault::is_stale_plan;
use super::nul;
use crate::store::sql::dialect::{Columns, Dialect, Value};
use crate::store::sql::fault::Fault;
use crate::store::sql::texts::{self, Texts};

impl Dialect for PgConnection {
    type Row = PgRow;

    const TEXTS: &'static Texts = &texts::POSTGRES;

    fn placeholder(number: usize) -> impl Display {
        format!("${number}")
    }

    fn storable(text: Cow<'_, str>) -> Cow<'_, str> {
        nul::escaped(text)
    }

    async fn execute(&mut self, statement: SqlStr, kept: bool, values: Vec<Value<'_>>) -> Result<u64, Fault> {
        let done = bound(statement, kept, values).execute(&mut *self).await;
        Ok(answered(self, done).await?.rows_affected())
    }

    async fn fetch(
        &mut self,
        statement: SqlStr,
        kept: bool,
        values: Vec<Value<'_>>,
    ) -> Result<Vec<PgRow>, Fault> {
        let rows = bound(statement, kept, values).fetch_all(&mut *self).await;
        answered(self, rows).await
    }
}

fn bound(statement: SqlStr, kept: bool, values: Vec<Value<'_>>) -> Query<'_, Postgres, PgArguments> {
    let query = sqlx::query(statement).persistent(kept);
    values.into_iter().fold(query, |query, value| match value {
        Value::Text(text) => query.bind(text.map(PgConnection::storable)),
        Value::Json(json) => query.bind(json),
        Value::Number(number) => query.bind(number),
        Value::Flag(flag) => query.bind(flag),
        Value::Bytes(bytes) => query.bind(bytes),
    })
}

/// What came of a query. After one that could not be used any more, all are prepared anew: the next will do.
async fn answered<T>(connection: &mut PgConnection, outcome: Result<T, sqlx::Error>) -> Result<T, Fault> {
    if outcome.as_ref().is_err_and(is_stale_plan) {
        connection.clear_cached_statements().await?;
    }
    Ok(outcome?)
}

impl Columns for PgRow {
    fn text_or_null(&self, column: &str) -> Result<Option<Cow<'_, str>>, Fault> {
        let text = self.try_get::<Option<&str>, _>(column);
        Ok(text.map_err(|error| Fault::unreadable(column, error))?.map(nul::original))
    }

    fn number_or_null(&self, column: &str) -> Result<Option<i64>, Fault> {
        self.try_get(column).map_err(|error| Fault::unreadable(column, error))
    }

    fn flag_or_null(&self, column: &str) -> Result<Option<bool>, Fault> {
        self.try_get(column).map_err(|error| Fault::unreadable(column, error))
    }

    fn bytes<const N: usize>(&self, column: &str) -> Result<[u8; N], Fault> {
        let bytes: &[u8] = self.try_get(column).map_err(|error| Fault::unreadable(column, error))?;
        bytes.try_into().map_err(|error| Fault::unreadable(column, error))
    }
}
