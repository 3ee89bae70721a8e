//! One entry of a conversation.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Millis;
use crate::id::ConversationId;
use crate::principal::Actor;

/// Which way something went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From outside.
    In,
    /// From a teammate.
    Out,
}

/// What an item is, without its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ItemKind {
    /// A message from outside.
    MessageIn,
    /// A message from a teammate.
    MessageOut,
    /// An internal note, for staff only.
    Note,
    /// A phone call.
    Call,
    /// A voicemail.
    Voicemail,
}

/// What an item says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Content {
    /// Text that a person wrote, with what was attached.
    Message {
        /// Which way it went.
        direction: Direction,
        /// The text.
        body: String,
        /// Addresses of attached media, as the telephony provider gave them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        media: Vec<String>,
    },
    /// An internal note: never shown to contacts (C6).
    Note {
        /// The text.
        body: String,
    },
    /// A phone call.
    Call {
        /// Which way it went.
        direction: Direction,
        /// How it ended, in the provider's word (`completed`, `no-answer`, `busy` …).
        outcome: String,
        /// How long it lasted.
        seconds: u32,
    },
    /// A voicemail.
    Voicemail {
        /// How long it is.
        seconds: u32,
        /// Address of the recording, as the provider gave it.
        recording: Option<String>,
        /// What was said, when the provider transcribed it.
        transcript: Option<String>,
    },
}

impl Content {
    /// About how many bytes it says.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Message { body, media, .. } => body.len() + media.iter().map(String::len).sum::<usize>(),
            Self::Note { body } => body.len(),
            Self::Call { outcome, .. } => outcome.len(),
            Self::Voicemail { recording, transcript, .. } => {
                recording.as_ref().map_or(0, String::len) + transcript.as_ref().map_or(0, String::len)
            }
        }
    }

    /// What it is, without what it says.
    pub fn kind(&self) -> ItemKind {
        match self {
            Self::Message { direction: Direction::In, .. } => ItemKind::MessageIn,
            Self::Message { direction: Direction::Out, .. } => ItemKind::MessageOut,
            Self::Note { .. } => ItemKind::Note,
            Self::Call { .. } => ItemKind::Call,
            Self::Voicemail { .. } => ItemKind::Voicemail,
        }
    }
}

/// One entry of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Item {
    /// The conversation it belongs to.
    pub conversation: ConversationId,
    /// Its number in the conversation, from 1, without gaps.
    pub number: u32,
    /// Who made it.
    pub by: Actor,
    /// When.
    pub at: Millis,
    /// What it says.
    #[serde(flatten)]
    pub content: Content,
}
