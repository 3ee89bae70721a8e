//! What a frame shows of which conversation.

use rotunda_protocol::ask::Told;
use rotunda_protocol::conversation::Conversation;
use rotunda_protocol::frame::{Answer, ServerFrame};
use rotunda_protocol::id::ConversationId;
use rotunda_protocol::item::Item;
use rotunda_protocol::push::{CatchUp, ConversationPresence, Push};

/// Something that was shown. That a conversation is gone shows nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shown {
    /// A row, with its `rev`.
    Row(ConversationId, u64),
    /// An item, with its number.
    Item(ConversationId, u32),
    /// What one keeps about it, or who is there.
    About(ConversationId),
}

impl Shown {
    pub(super) fn conversation(&self) -> &ConversationId {
        match self {
            Self::Row(conversation, _) | Self::Item(conversation, _) | Self::About(conversation) => {
                conversation
            }
        }
    }
}

fn row(row: &Conversation) -> Shown {
    Shown::Row(row.id.clone(), row.rev)
}

fn items(items: &[Item]) -> impl Iterator<Item = Shown> {
    items.iter().map(|item| Shown::Item(item.conversation.clone(), item.number))
}

fn at(at: &ConversationPresence) -> Option<Shown> {
    let empty = at.viewing.is_empty() && at.typing.is_empty();
    (!empty).then(|| Shown::About(at.conversation.clone()))
}

/// All that a frame shows.
pub(super) fn shown(frame: &ServerFrame) -> Vec<Shown> {
    match frame {
        ServerFrame::Welcome { state, .. }
        | ServerFrame::CatchUp { state, .. }
        | ServerFrame::Resync { state, .. } => of_state(state),
        ServerFrame::Push { push, .. } => match push {
            Push::Conversation { conversation, .. } => vec![row(conversation)],
            Push::Item { item } => items(std::slice::from_ref(item)).collect(),
            Push::Mark(marked) => vec![Shown::About(marked.conversation.clone())],
            Push::Presence(presence) => at(presence).into_iter().collect(),
            Push::Gone { .. }
            | Push::Scope { .. }
            | Push::Teammate { .. }
            | Push::Team { .. }
            | Push::Endpoint { .. }
            | Push::Organization { .. }
            | Push::Here { .. } => vec![],
        },
        ServerFrame::Answer { answer: Answer::Told { told }, .. } => match told {
            Told::List { rows, .. } => rows.iter().map(|listed| row(&listed.conversation)).collect(),
            Told::Opened { row: opened, items: all, presence } => {
                items(all).chain([row(&opened.conversation)]).chain(at(presence)).collect()
            }
            Told::History { items: all } => items(all).collect(),
            Told::Counts { .. } | Told::Access { .. } => vec![],
        },
        ServerFrame::Answer { .. }
        | ServerFrame::Beat
        | ServerFrame::Freshness { .. }
        | ServerFrame::Closing { .. } => vec![],
    }
}

fn of_state(state: &CatchUp) -> Vec<Shown> {
    let rows = state.conversations.iter().map(|listed| row(&listed.conversation));
    let marks = state.marks.iter().map(|marked| Shown::About(marked.conversation.clone()));
    let presence = state.presence.conversations.iter().filter_map(at);
    rows.chain(marks).chain(presence).chain(items(&state.items)).collect()
}
