//! A schema's history.

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// Brings a schema up to date by these migrations, each a number, a name and its statements. One that was released
/// is never changed.
pub(in crate::store) fn migrator<const N: usize>(
    history: [(i64, &'static str, &'static str); N],
) -> Migrator {
    let migration = |(version, name, sql): (i64, &'static str, &'static str)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(history.map(migration).to_vec())
}
