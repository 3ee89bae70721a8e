//! What a session was shown, in order: as little as the audit needs.

use std::rc::Rc;

use rotunda_protocol::id::EndpointId;

use super::rows::{Place, Version};

/// Something that a session was shown or that happened to it.
#[derive(Debug, Clone)]
pub(crate) enum Note {
    /// It was welcome, or told to start over. A fresh one knows nothing of before.
    Begun { fresh: bool },
    /// A row was pushed.
    Row(Place, Rc<Version>),
    /// An item was pushed.
    Item(Place, u32),
    /// A state had a row: the current one of something that changed.
    StateRow(Place, Rc<Version>),
    /// A state had an item.
    StateItem(Place, u32),
    /// A state said that a conversation is gone.
    StateGone(Place),
    /// A state is over: what is pushed from here on is new.
    StateEnd,
    /// An answer had a row.
    AnswerRow(Place, Rc<Version>),
    /// An answer had an item.
    AnswerItem(Place, u32),
    /// A mark was told, or who is at a conversation.
    About(Place),
    /// An endpoint was told of.
    Endpoint(EndpointId),
    /// A conversation is open from here on, its newest item is this one.
    Opened(Place, u32),
    /// It is no longer open.
    Closed(Place),
}
