//! What a connection to a SQL database can do, whichever database it is: carry out statements with values of a
//! few kinds, and give rows.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use rotunda_protocol::Millis;
use serde::de::DeserializeOwned;
use sqlx::SqlStr;

use super::fault::Fault;
use super::texts::Texts;
use crate::store::words::Word;

/// A value of a row, or one that a statement asks with.
#[derive(Debug)]
pub(in crate::store) enum Value<'a> {
    /// Text, or NULL.
    Text(Option<Cow<'a, str>>),
    /// JSON that the database looks into; its texts are as the database holds them.
    Json(String),
    /// A number, or NULL.
    Number(Option<i64>),
    /// Yes or no.
    Flag(bool),
    /// Bytes.
    Bytes(&'a [u8]),
}

impl Value<'_> {
    /// No text.
    pub(super) const NULL: Self = Self::Text(None);
}

macro_rules! values {
    ($($from:ty: $name:ident => $value:expr;)*) => {
        $(impl<'a> From<$from> for Value<'a> {
            fn from($name: $from) -> Self {
                $value
            }
        })*
    };
}

values! {
    &'a str: text => Self::Text(Some(text.into()));
    String: text => Self::Text(Some(text.into()));
    Option<&'a str>: text => Self::Text(text.map(Cow::from));
    Option<String>: text => Self::Text(text.map(Cow::from));
    i64: number => Self::Number(Some(number));
    u32: number => Self::Number(Some(number.into()));
    u64: number => Self::Number(Some(number.cast_signed()));
    Option<i64>: number => Self::Number(number);
    Option<u32>: number => Self::Number(number.map(i64::from));
    bool: flag => Self::Flag(flag);
    &'a [u8]: bytes => Self::Bytes(bytes);
}

/// A connection, and how its database puts what all of them understand.
pub(in crate::store) trait Dialect: Send + Sized {
    /// Its rows.
    type Row: Columns + Send + Sync;

    /// Its words for the questions that all databases are asked.
    const TEXTS: &'static Texts;

    /// Stands for the value with a number, counted from 1.
    fn placeholder(number: usize) -> impl Display;

    /// A text as the database can hold it; reading gives the original.
    fn storable(text: Cow<'_, str>) -> Cow<'_, str>;

    /// Carries out a statement, and says how many rows it concerned. `kept` statements stay prepared.
    fn execute(
        &mut self,
        statement: SqlStr,
        kept: bool,
        values: Vec<Value<'_>>,
    ) -> impl Future<Output = Result<u64, Fault>> + Send;

    /// All rows that a statement finds.
    fn fetch(
        &mut self,
        statement: SqlStr,
        kept: bool,
        values: Vec<Value<'_>>,
    ) -> impl Future<Output = Result<Vec<Self::Row>, Fault>> + Send;
}

/// Reading a column as what it means. What cannot be read is `Corrupt`: somebody else has written it.
pub(in crate::store) trait Columns {
    /// Text, or NULL.
    fn text_or_null(&self, column: &str) -> Result<Option<Cow<'_, str>>, Fault>;
    /// A number, or NULL.
    fn number_or_null(&self, column: &str) -> Result<Option<i64>, Fault>;
    /// Yes or no, or NULL.
    fn flag_or_null(&self, column: &str) -> Result<Option<bool>, Fault>;
    /// Bytes of known length.
    fn bytes<const N: usize>(&self, column: &str) -> Result<[u8; N], Fault>;

    /// Text.
    fn text(&self, column: &str) -> Result<Cow<'_, str>, Fault> {
        present(column, self.text_or_null(column)?)
    }

    /// Text of one's own.
    fn string(&self, column: &str) -> Result<String, Fault> {
        self.text(column).map(Cow::into_owned)
    }

    /// A number of an event, or another number that never falls below 0.
    fn number(&self, column: &str) -> Result<u64, Fault> {
        self.millis(column).map(i64::cast_unsigned)
    }

    /// A time.
    fn millis(&self, column: &str) -> Result<Millis, Fault> {
        present(column, self.number_or_null(column)?)
    }

    /// A number of an item, or another small one.
    fn count(&self, column: &str) -> Result<u32, Fault> {
        present(column, self.count_or_null(column)?)
    }

    /// The same, or NULL.
    fn count_or_null(&self, column: &str) -> Result<Option<u32>, Fault> {
        let count = self.number_or_null(column)?.map(u32::try_from).transpose();
        count.map_err(|error| Fault::unreadable(column, error))
    }

    /// Yes or no.
    fn flag(&self, column: &str) -> Result<bool, Fault> {
        present(column, self.flag_or_null(column)?)
    }

    /// Text that is parsed.
    fn parsed<T: FromStr<Err: Display>>(&self, column: &str) -> Result<T, Fault> {
        present(column, self.parsed_or_null(column)?)
    }

    /// The same, or NULL.
    fn parsed_or_null<T: FromStr<Err: Display>>(&self, column: &str) -> Result<Option<T>, Fault> {
        let parsed = self.text_or_null(column)?.map(|text| text.parse());
        parsed.transpose().map_err(|error| Fault::unreadable(column, error))
    }

    /// One of a closed enum's words.
    fn word<T: Word>(&self, column: &str) -> Result<T, Fault> {
        let word = self.text(column)?;
        T::meaning(&word).ok_or_else(|| Fault::unreadable(column, format_args!("unknown word `{word}`")))
    }

    /// JSON text.
    fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T, Fault> {
        serde_json::from_str(&self.text(column)?).map_err(|error| Fault::unreadable(column, error))
    }
}

fn present<T>(column: &str, value: Option<T>) -> Result<T, Fault> {
    value.ok_or_else(|| Fault::unreadable(column, "is NULL"))
}
