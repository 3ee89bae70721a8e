//! What a client may ask to be told. Questions change nothing. Their answers carry no cursor: an answer does
//! not say that the pushes before it have been applied, so there is nothing to resume from.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Millis;
use crate::conversation::Listed;
use crate::id::{ConversationId, EndpointId, TeammateId};
use crate::item::Item;
use crate::principal::{Mailbox, Principal};
use crate::push::ConversationPresence;

/// The most rows of one list page.
pub const LIST_LIMIT_MAX: u16 = 200;
/// The most items of one history page.
pub const HISTORY_LIMIT_MAX: u16 = 200;
/// The most conversations that a session holds open.
pub const OPEN_MAX: usize = 16;

/// Where a list page ended: the next one begins after this row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct RowKey {
    /// The last row's `activity_at`.
    pub activity_at: Millis,
    /// The last row's id.
    pub conversation: ConversationId,
}

fn page() -> u16 {
    50
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    /// A page of a mailbox, newest activity first, as far as one may see it.
    List {
        /// Which mailbox; `none` lists what is archived.
        mailbox: Mailbox,
        /// Only conversations that came in through this endpoint.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        endpoint: Option<EndpointId>,
        /// Where the page before ended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<RowKey>,
        /// How many rows, at most 200.
        #[serde(default = "page")]
        limit: u16,
    },
    /// How many conversations are in these mailboxes, exactly, as far as one may see them.
    Counts {
        /// Which mailboxes; what is archived cannot be counted.
        mailboxes: Vec<Mailbox>,
    },
    /// Open a conversation: its row, its newest items, who is there. From now on its items are pushed.
    /// A session holds at most 16 conversations open; opening another closes the one opened first.
    Open {
        /// Which.
        conversation: ConversationId,
        /// How many items, at most 200.
        #[serde(default = "page")]
        limit: u16,
    },
    /// Older items.
    History {
        /// Of which conversation.
        conversation: ConversationId,
        /// Items with a lower number than this.
        before: u32,
        /// How many items, at most 200.
        #[serde(default = "page")]
        limit: u16,
    },
    /// Who may see a conversation, and why.
    Access {
        /// Which.
        conversation: ConversationId,
    },
}

/// How many conversations a mailbox holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Count {
    /// Which mailbox.
    pub mailbox: Mailbox,
    /// How many of them one may see.
    pub conversations: u64,
}

/// Why somebody may see a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Grant {
    /// Who.
    pub teammate: TeammateId,
    /// Through which entries of the access list.
    pub through: Vec<Through>,
}

/// An entry of the access list that lets somebody see a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Through {
    /// The entry.
    pub principal: Principal,
    /// Where the entry stands: `owner` or `member` of the endpoint, or `conversation`.
    pub list: String,
}

/// What is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "told", rename_all = "snake_case")]
pub enum Told {
    /// A page of a mailbox.
    List {
        /// The rows, newest activity first.
        rows: Vec<Listed>,
        /// Where the next page begins; none when this was the last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<RowKey>,
    },
    /// Counts, in the order asked.
    Counts {
        /// One for each mailbox.
        counts: Vec<Count>,
    },
    /// An opened conversation.
    Opened {
        /// The row and one's own mark on it.
        row: Listed,
        /// The newest items, oldest first.
        items: Vec<Item>,
        /// Who is viewing and typing.
        presence: ConversationPresence,
    },
    /// Older items, oldest first.
    History {
        /// The items.
        items: Vec<Item>,
    },
    /// Who may see it.
    Access {
        /// Everybody who may, with the reasons.
        grants: Vec<Grant>,
    },
}
