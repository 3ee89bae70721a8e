//! Lays compact JSON out for people: what fits on a line stays on it, and fields keep their order.

/// The same JSON with line breaks, so that no line is longer than `width` if that can be avoided.
pub(super) fn lay_out(compact: &str, width: usize) -> String {
    let mut text = String::new();
    place(compact, 0, 0, width, &mut text);
    text
}

/// Places one value, `used` columns into a line that is indented by `indent`.
fn place(json: &str, indent: usize, used: usize, width: usize, text: &mut String) {
    let line = on_one_line(json);
    let parts = parts(json);
    if parts.is_empty() || used + line.chars().count() <= width {
        return text.push_str(&line);
    }
    text.push_str(&json[..1]);
    for (at, part) in parts.iter().enumerate() {
        text.push_str(if at == 0 { "\n" } else { ",\n" });
        text.push_str(&" ".repeat(indent + 2));
        let (key, value) = if json.starts_with('{') { split_key(part) } else { ("", *part) };
        text.push_str(key);
        let used = indent + 2 + key.len() + usize::from(!key.is_empty());
        if !key.is_empty() {
            text.push(' ');
        }
        place(value, indent + 2, used + 1, width, text);
    }
    text.push('\n');
    text.push_str(&" ".repeat(indent));
    text.push_str(&json[json.len() - 1..]);
}

/// With a space behind every colon and comma.
fn on_one_line(json: &str) -> String {
    let mut line = String::new();
    for (char, inside) in outside_strings(json) {
        line.push(char);
        if !inside && matches!(char, ':' | ',') {
            line.push(' ');
        }
    }
    line
}

/// The members of an object or array; nothing for everything else.
fn parts(json: &str) -> Vec<&str> {
    if json.len() <= 2 || !json.starts_with(['{', '[']) {
        return vec![];
    }
    let inner = &json[1..json.len() - 1];
    let (mut parts, mut from, mut at, mut depth) = (vec![], 0, 0, 0);
    for (char, inside) in outside_strings(inner) {
        match char {
            '{' | '[' if !inside => depth += 1,
            '}' | ']' if !inside => depth -= 1,
            ',' if !inside && depth == 0 => {
                parts.push(&inner[from..at]);
                from = at + 1;
            }
            _ => {}
        }
        at += char.len_utf8();
    }
    parts.push(&inner[from..]);
    parts
}

/// `"key":` and its value.
fn split_key(member: &str) -> (&str, &str) {
    let at = outside_strings(member)
        .scan(0, |at, (char, inside)| {
            *at += char.len_utf8();
            Some((*at, char, inside))
        })
        .find_map(|(at, char, inside)| (char == ':' && !inside).then_some(at))
        .expect("a member has a key");
    member.split_at(at)
}

/// Every character, and whether it stands inside a string.
fn outside_strings(json: &str) -> impl Iterator<Item = (char, bool)> {
    let (mut inside, mut escaped) = (false, false);
    json.chars().map(move |char| {
        let was_inside = inside;
        match char {
            '"' if !escaped => inside = !inside,
            _ => {}
        }
        escaped = inside && char == '\\' && !escaped;
        (char, was_inside)
    })
}

#[test]
fn what_fits_stays_on_its_line() {
    let compact = r#"{"a":[1,2],"b":{"c":"x, \"y\": {z","d":[]},"e":"long enough to break"}"#;
    assert_eq!(
        lay_out(compact, 40),
        "{\n  \"a\": [1, 2],\n  \"b\": {\"c\": \"x, \\\"y\\\": {z\", \"d\": []},\n  \"e\": \"long enough to break\"\n}"
    );
    assert_eq!(lay_out("[]", 1), "[]");
    let value: serde_json::Value = serde_json::from_str(compact).unwrap();
    for width in 1..80 {
        assert_eq!(serde_json::from_str::<serde_json::Value>(&lay_out(compact, width)).unwrap(), value);
    }
}
