//! What the process counts about itself. No label ever names a teammate, a contact or a conversation.
