//! What a frame says, as far as a session or a check needs it.

use std::rc::Rc;

use rotunda_protocol::ask::{Count, RowKey};
use rotunda_protocol::close::CloseCode;
use rotunda_protocol::command::Done;
use rotunda_protocol::conversation::{Mark, Was};
use rotunda_protocol::id::EndpointId;
use rotunda_protocol::push::Access;
use rotunda_protocol::refusal::Refusal;

use super::note::Shown;
use super::rows::{Place, Version};

/// A row with what the reader keeps about it.
pub(crate) type Listed = (Place, Rc<Version>, Mark);

/// A frame.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) news: News,
    pub(crate) cursor: Option<String>,
}

/// What it says.
#[derive(Debug)]
pub(crate) enum News {
    Welcome {
        resumed: bool,
        heartbeat_ms: u32,
        state: State,
    },
    CatchUp(State),
    Resync(State),
    Row(Place, Rc<Version>, Option<Rc<Was>>),
    Item(Place, Shown),
    Gone(Place),
    Scope(Box<Scope>),
    Endpoint(EndpointId),
    Mark(Place, Mark),
    /// Somebody is at a conversation.
    At(Place),
    Answer {
        r#ref: String,
        answer: Answer,
    },
    Freshness,
    Closing {
        code: CloseCode,
        retry_after_ms: Option<u32>,
    },
    /// What shows nothing of any conversation.
    Quiet,
}

/// The answer to a command or a question.
#[derive(Debug)]
pub(crate) enum Answer {
    Done(Done),
    Told(Told),
    Refused(Refusal),
    Renewed,
}

/// What a question was answered with.
#[derive(Debug)]
pub(crate) enum Told {
    List { rows: Vec<Listed>, next: Option<RowKey> },
    Opened { row: Listed, items: Vec<Shown>, at: bool },
    Counts(Vec<Count>),
    Other,
}

/// What was granted or revoked as a whole.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) access: Access,
    pub(crate) granted: Access,
    pub(crate) revoked: Access,
    pub(crate) endpoints: Vec<EndpointId>,
}

/// A state: what changed, as it is now.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) access: Access,
    pub(crate) endpoints: Vec<EndpointId>,
    pub(crate) rows: Vec<Listed>,
    pub(crate) marks: Vec<(Place, Mark)>,
    pub(crate) gone: Vec<Place>,
    pub(crate) items: Vec<(Place, Shown)>,
    /// Conversations at which there is somebody.
    pub(crate) at: Vec<Place>,
}
