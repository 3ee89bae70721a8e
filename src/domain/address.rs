//! Addresses: phone numbers in E.164 form, names in the app. Two spellings of one address are one address (R65).

use rotunda_protocol::directory::EndpointKind;
use rotunda_protocol::refusal::Refusal;

/// The longest address of a contact or link, in bytes.
pub const ADDRESS_LENGTH_MAX: usize = 256;

/// An address as it is stored and compared.
pub fn normalize(kind: EndpointKind, field: &'static str, text: &str) -> Result<String, Refusal> {
    match kind {
        EndpointKind::Phone => phone(text).ok_or_else(|| {
            Refusal::invalid(field, "a phone number in international form, such as +14155550100")
        }),
        EndpointKind::Link => name(text).ok_or_else(|| {
            Refusal::invalid(
                field,
                "1 to 256 bytes without spaces, such as a link's slug or an account's name",
            )
        }),
    }
}

/// The address that something came from. Telephones also show short codes, and callers who withhold their number
/// arrive all the same: together, as one contact.
pub fn sender(kind: EndpointKind, text: &str) -> Result<String, Refusal> {
    normalize(kind, "from", text).or_else(|refusal| match kind {
        EndpointKind::Phone => short_code(text).or_else(|| withheld(text)).ok_or(refusal),
        EndpointKind::Link => Err(refusal),
    })
}

fn short_code(text: &str) -> Option<String> {
    let code = text.trim();
    ((3..=8).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_digit())).then(|| code.to_owned())
}

/// The words by which providers say that there is no number.
fn withheld(text: &str) -> Option<String> {
    let word = text.trim().trim_start_matches('+').to_lowercase();
    ["anonymous", "restricted", "unavailable", "unknown", "blocked", "private", ""]
        .contains(&word.as_str())
        .then(|| "withheld".to_owned())
}

/// As every kind of address it can be read as, for finding an endpoint by the address something was sent to.
pub fn readings(text: &str) -> impl Iterator<Item = String> {
    name(text).into_iter().chain(phone(text))
}

fn phone(text: &str) -> Option<String> {
    let text = text.trim();
    let international = text.strip_prefix('+').or_else(|| text.strip_prefix("00"))?;
    let mut number = String::from("+");
    for c in international.chars() {
        match c {
            '0'..='9' => number.push(c),
            ' ' | '-' | '.' | '(' | ')' => {}
            _ => return None,
        }
    }
    (8..=16).contains(&number.len()).then_some(number)
}

fn name(text: &str) -> Option<String> {
    let text = text.trim().to_lowercase();
    let valid = |c: char| !c.is_whitespace() && !c.is_control();
    (!text.is_empty() && text.len() <= ADDRESS_LENGTH_MAX && text.chars().all(valid)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_shows_no_whole_number_still_arrives() {
        let phone = |text| sender(EndpointKind::Phone, text);
        assert_eq!(phone("+1 415 555 0100"), Ok("+14155550100".into()));
        assert_eq!(phone("22395"), Ok("22395".into()));
        for word in ["Anonymous", "+anonymous", "restricted", ""] {
            assert_eq!(phone(word), Ok("withheld".into()), "{word}");
        }
        assert!(phone("not a number").is_err());
        assert!(sender(EndpointKind::Link, "").is_err());
    }

    #[test]
    fn spellings_of_one_number_are_one_address() {
        for text in ["+1 (415) 555-0100", "+14155550100", "0014155550100", " +1.415.555.0100 "] {
            assert_eq!(normalize(EndpointKind::Phone, "to", text), Ok("+14155550100".into()), "{text}");
        }
        for text in ["", "+", "+12", "4155550100", "+1415555010x", "+12345678901234567"] {
            assert!(normalize(EndpointKind::Phone, "to", text).is_err(), "{text}");
        }
        assert_eq!(normalize(EndpointKind::Link, "to", " Front-Desk "), Ok("front-desk".into()));
        assert!(normalize(EndpointKind::Link, "to", "two words").is_err());
    }
}
