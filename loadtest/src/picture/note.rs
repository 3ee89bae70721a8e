//! What a session was shown, in order: as little as the audit needs.

use std::rc::Rc;

use rotunda_protocol::conversation::Was;
use rotunda_protocol::id::EndpointId;

use super::rows::{Place, Version};

/// An item that was shown: its number, and what tells its whole content from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) number: u32,
    pub(crate) content: u64,
}

/// Something that a session was shown or that happened to it.
#[derive(Debug, Clone)]
pub(crate) enum Note {
    /// It was welcome. A fresh one knows nothing of before; and the hub was told what is open.
    Begun { fresh: bool, open: Option<Place> },
    /// It was told to start over, on the same connection.
    StartedOver,
    /// A row was pushed, with what it was.
    Row(Place, Rc<Version>, Option<Rc<Was>>),
    /// An item was pushed.
    Item(Place, Shown),
    /// A state had a row: the current one of something that changed.
    StateRow(Place, Rc<Version>),
    /// A state had an item.
    StateItem(Place, Shown),
    /// A state said that a conversation is gone.
    StateGone(Place),
    /// A state is over: what is pushed from here on is new.
    StateEnd,
    /// An answer had a row.
    AnswerRow(Place, Rc<Version>),
    /// An answer had an item.
    AnswerItem(Place, Shown),
    /// A mark was told, or who is at a conversation, or something was done to it.
    About(Place),
    /// An endpoint was told of.
    Endpoint(EndpointId),
    /// A conversation is asked to be opened: its items may come from here on.
    Opening(Place),
    /// It is open, and its newest item is this one.
    Opened(Place, u32),
    /// It is to be closed: its items may come until something that was asked afterwards is answered.
    Closed(Place),
    /// It was told that there is no such conversation, or none that it may see.
    Hidden(Place),
    /// A `scope` did not say what the access before and after it differ by.
    Misnamed,
}
