//! Texts that hold the character NUL, which people may write and Postgres cannot hold: in its columns another
//! character and a digit stand for it.

use std::borrow::Cow;

/// Stands before what it gives another meaning. Unicode assigns it to nothing, for ever; in a text that holds it
/// all the same it is doubled.
const ESCAPE: char = '\u{FDD0}';
const NUL: char = '\0';

/// A text without NUL.
pub(super) fn escaped(text: Cow<'_, str>) -> Cow<'_, str> {
    if !text.contains([NUL, ESCAPE]) {
        return text;
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            NUL => escaped.extend([ESCAPE, '0']),
            ESCAPE => escaped.extend([ESCAPE, ESCAPE]),
            plain => escaped.push(plain),
        }
    }
    Cow::Owned(escaped)
}

/// The text that was escaped.
pub(super) fn original(text: &str) -> Cow<'_, str> {
    if !text.contains(ESCAPE) {
        return Cow::Borrowed(text);
    }
    let mut original = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            ESCAPE => original.extend(characters.next().map(|meant| if meant == '0' { NUL } else { meant })),
            plain => original.push(plain),
        }
    }
    Cow::Owned(original)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_reads_back_and_holds_no_nul() {
        for text in ["", "plain", "\0", "a\0b\0\0", "\u{FDD0}", "\u{FDD0}0", "\0\u{FDD0}\u{FDD0}0\0🙂"] {
            let escaped = escaped(text.into());
            assert!(!escaped.contains(NUL), "{escaped:?}");
            assert_eq!(original(&escaped), text);
        }
    }
}
