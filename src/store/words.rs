//! The words by which closed enums stand in columns: the same as on the wire, so that an operator who knows
//! one knows both.

use rotunda_protocol::conversation::ConversationState;
use rotunda_protocol::directory::{AssignNonMember, EndpointKind, OrganizationKind, Role, TeammateStatus};
use rotunda_protocol::item::{Direction, ItemKind};

/// A closed enum that stands in a column as a word.
pub(super) trait Word: Sized {
    /// The word.
    fn word(self) -> &'static str;
    /// What a word means; none if it is not a word of this enum.
    fn meaning(word: &str) -> Option<Self>;
}

macro_rules! words {
    ($($type:ident { $($variant:ident = $word:literal),* $(,)? })*) => {
        $(impl Word for $type {
            fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            fn meaning(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        })*

        #[cfg(test)]
        mod tests {
            use super::*;

            #[test]
            fn words_are_those_of_the_wire_and_read_back() {
                $($(
                    let value = $type::$variant;
                    assert_eq!(serde_json::to_value(value).unwrap(), $word);
                    assert_eq!($type::meaning($word), Some(value));
                )*)*
            }
        }
    };
}

words! {
    OrganizationKind { Solo = "solo", Team = "team" }
    AssignNonMember { Reject = "reject", Grant = "grant" }
    Role { Member = "member", Admin = "admin" }
    TeammateStatus { Invited = "invited", Active = "active", Suspended = "suspended", Removed = "removed" }
    EndpointKind { Link = "link", Phone = "phone" }
    ConversationState { Open = "open", Archived = "archived" }
    Direction { In = "in", Out = "out" }
    ItemKind {
        MessageIn = "message_in",
        MessageOut = "message_out",
        Note = "note",
        Call = "call",
        Voicemail = "voicemail",
    }
}
