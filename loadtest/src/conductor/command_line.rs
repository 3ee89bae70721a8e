//! The command line as a report may show it: reports are passed on, so secrets are left out.

/// What stands in a secret's place.
const HIDDEN: &str = "…";
/// Options of the harness whose value is a secret.
const SECRETS: [&str; 2] = ["--token-secret", "--service-token"];
/// The option whose value is a flag of the hub, or the value of the flag before.
const HUB_ARG: &str = "--hub-arg";

/// The program's name and what it was called with, without secrets.
pub(super) fn shown(arguments: impl IntoIterator<Item = String>) -> String {
    let mut words = vec!["rotunda-loadtest".to_owned()];
    let mut arguments = arguments.into_iter();
    // The hub's flag before was one whose value is a secret.
    let mut is_due = false;
    while let Some(argument) = arguments.next() {
        let (name, value) = named(&argument);
        if name != HUB_ARG && !SECRETS.contains(&name) {
            words.push(argument);
            continue;
        }
        let mut hide =
            |value: &str| if name == HUB_ARG { of_hub(value, &mut is_due) } else { HIDDEN.to_owned() };
        if let Some(value) = value {
            words.push(format!("{name}={}", hide(value)));
        } else {
            words.push(name.to_owned());
            words.extend(arguments.next().map(|value| hide(&value)));
        }
    }
    words.join(" ")
}

/// An option's name, and its value if it stands behind a `=`.
fn named(argument: &str) -> (&str, Option<&str>) {
    match argument.split_once('=') {
        Some((name, value)) if name.starts_with("--") => (name, Some(value)),
        _ => (argument, None),
    }
}

/// A flag of the hub, or the value of the one before.
fn of_hub(word: &str, is_due: &mut bool) -> String {
    if std::mem::take(is_due) {
        return HIDDEN.to_owned();
    }
    let (name, value) = named(word);
    let is_secret = name.starts_with("--service")
        || name.starts_with("--") && ["secret", "token"].iter().any(|part| name.contains(part));
    match value {
        Some(_) if is_secret => format!("{name}={HIDDEN}"),
        Some(_) => word.to_owned(),
        None => {
            *is_due = is_secret;
            word.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_left_out_and_nothing_else() {
        for (line, expected) in [
            ("day --spawn --sessions 10 --json=a.json", "day --spawn --sessions 10 --json=a.json"),
            (
                "day --token-secret S --service-token S --quiet",
                "day --token-secret … --service-token … --quiet",
            ),
            (
                "day --token-secret=S --service-token=S= --pid 7",
                "day --token-secret=… --service-token=… --pid 7",
            ),
            ("day --token-secret", "day --token-secret"),
            ("day --hub-arg=--token-secret=S --quiet", "day --hub-arg=--token-secret=… --quiet"),
            ("day --hub-arg --services=a:S", "day --hub-arg --services=…"),
            (
                "day --hub-arg=--service --hub-arg=a:S --hub-arg=--in-flight-max --hub-arg=9",
                "day --hub-arg=--service --hub-arg=… --hub-arg=--in-flight-max --hub-arg=9",
            ),
            (
                "day --hub-arg --my-secret --seed 3 --hub-arg S",
                "day --hub-arg --my-secret --seed 3 --hub-arg …",
            ),
        ] {
            let shown = shown(line.split(' ').map(String::from));
            assert_eq!(shown, format!("rotunda-loadtest {expected}"));
        }
    }
}
