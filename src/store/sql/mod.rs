//! What the databases have in common, which is nearly all: the statements that write a commit's rows, the
//! questions that are answered from rows, and the reading of rows as values.
//!
//! The databases differ in how a connection is come by, in how a commit is made durable, and in a few words of
//! their SQL. The words are in `dialect` and `texts`; the rest is each database's own.

mod dialect;
pub(super) mod fault;

mod drivers;
mod nul;
mod texts;

pub(super) mod statements;

pub(super) mod birth;
mod conversations;
mod directory;
mod logs;

mod decode;

pub(super) mod archived;
pub(super) mod nodes;
pub(super) mod read;

pub(super) mod schema;
