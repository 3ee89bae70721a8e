//! What is allowed, and what follows. Nothing here waits, locks, logs or reads a clock.

pub mod event;
pub mod node;

pub mod address;
pub mod conversation;
pub mod directory;
pub mod tag;

pub mod access;
pub mod organization;
pub mod orphans;
pub mod shelf;

pub mod decide;
pub mod draft;
pub mod edit;

pub mod assignment;
pub mod endpoint;
pub mod inbound;
pub mod lifecycle;
pub mod marks;
pub mod membership;
pub mod provision;
pub mod tagging;
pub mod team;
pub mod teammate;
pub mod writing;

pub mod list;

pub mod audience;
pub mod catch_up;
mod crowd;
pub mod narrowing;
pub mod presence;
pub mod unheld;

#[cfg(test)]
mod tests;
