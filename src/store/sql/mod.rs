//! What the databases have in common, which is nearly all: the statements that write a commit's rows, the
//! questions that are answered from rows, and the reading of rows as values.
//!
//! The databases differ in how a connection is come by and spoken to, in how a commit is made durable, and in a
//! few words of their SQL. The words are in `texts`; the rest is each database's own: its `Dialect` first of all.

pub(super) mod dialect;
pub(super) mod fault;

pub(super) mod texts;

pub(super) mod statements;

pub(super) mod birth;
mod conversations;
mod directory;
mod logs;

mod decode;

pub(super) mod archived;
pub(super) mod nodes;
pub(super) mod read;
