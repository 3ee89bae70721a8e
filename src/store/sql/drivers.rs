//! The two databases, as their `sqlx` drivers speak to them.

use std::borrow::Cow;
use std::fmt::Display;

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection, PgConnection, Postgres, Row, SqlStr, Sqlite, SqliteConnection};

use super::dialect::{Columns, Dialect, Value};
use super::fault::{Fault, is_stale_plan};
use super::nul;
use super::texts::{self, Texts};

macro_rules! speaks {
    ($connection:ty, $row:ty, $database:ty {
        texts: $texts:expr,
        placeholder($number:ident): $placeholder:expr,
        storable: $storable:expr,
        original: $original:expr,
    }) => {
        impl Dialect for $connection {
            type Row = $row;

            const TEXTS: &'static Texts = $texts;

            fn placeholder($number: usize) -> impl Display {
                $placeholder
            }

            fn storable(text: Cow<'_, str>) -> Cow<'_, str> {
                $storable(text)
            }

            async fn execute(
                &mut self,
                statement: SqlStr,
                kept: bool,
                values: Vec<Value<'_>>,
            ) -> Result<u64, Fault> {
                let query = bound!($database, statement, kept, values);
                let done = query.execute(&mut *self).await;
                Ok(answered!(self, done).rows_affected())
            }

            async fn fetch(
                &mut self,
                statement: SqlStr,
                kept: bool,
                values: Vec<Value<'_>>,
            ) -> Result<Vec<$row>, Fault> {
                let query = bound!($database, statement, kept, values);
                let rows = query.fetch_all(&mut *self).await;
                Ok(answered!(self, rows))
            }
        }

        impl Columns for $row {
            fn text_or_null(&self, column: &str) -> Result<Option<Cow<'_, str>>, Fault> {
                let text = self.try_get::<Option<&str>, _>(column);
                Ok(text.map_err(|error| Fault::unreadable(column, error))?.map($original))
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
    };
}

macro_rules! bound {
    ($database:ty, $statement:ident, $kept:ident, $values:ident) => {{
        let query = sqlx::query::<$database>($statement).persistent($kept);
        $values.into_iter().fold(query, |query, value| match value {
            Value::Text(text) => query.bind(text.map(Self::storable)),
            Value::Json(json) => query.bind(json),
            Value::Number(number) => query.bind(number),
            Value::Flag(flag) => query.bind(flag),
            Value::Bytes(bytes) => query.bind(bytes),
        })
    }};
}

/// What came of a query. After one that could not be used any more, all are prepared anew: the next will do.
macro_rules! answered {
    ($connection:ident, $outcome:ident) => {
        match $outcome {
            Ok(answer) => answer,
            Err(error) => {
                if is_stale_plan(&error) {
                    $connection.clear_cached_statements().await?;
                }
                return Err(error.into());
            }
        }
    };
}

speaks!(SqliteConnection, SqliteRow, Sqlite {
    texts: &texts::SQLITE,
    // Without a number, which SQLite would look for among the names of all that came before.
    placeholder(_number): "?",
    storable: std::convert::identity,
    original: Cow::Borrowed,
});

speaks!(PgConnection, PgRow, Postgres {
    texts: &texts::POSTGRES,
    placeholder(number): format!("${number}"),
    storable: nul::escaped,
    original: nul::original,
});
