//! Conversation tags: a word means the same in any case, and is shown as it was first written (R46).

use rotunda_protocol::refusal::Refusal;

/// The longest tag, in characters.
pub const TAG_LENGTH_MAX: usize = 64;
/// The most words an organization can use as tags: a list that people can still choose from.
pub const TAG_WORDS_MAX: usize = 10_000;
/// The most tags on one conversation.
pub const TAGS_MAX: usize = 50;

/// What two spellings of the same tag have in common.
pub fn fold(word: &str) -> String {
    word.to_lowercase()
}

/// A word without needless space, if it can be a tag.
pub fn normalize(word: &str) -> Result<String, Refusal> {
    let word = word.split_whitespace().collect::<Vec<_>>().join(" ");
    if word.is_empty() || word.chars().count() > TAG_LENGTH_MAX || word.chars().any(char::is_control) {
        return Err(Refusal::invalid("tag", "a tag has 1 to 64 characters"));
    }
    Ok(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_a_few_words() {
        assert_eq!(normalize("  New   patient "), Ok("New patient".into()));
        for bad in ["", "  ", "a\u{7}b", &"x".repeat(TAG_LENGTH_MAX + 1)] {
            assert!(normalize(bad).is_err(), "{bad:?}");
        }
        assert_eq!(fold("New Patient"), fold("NEW PATIENT"));
    }
}
