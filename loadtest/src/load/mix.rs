//! How often each thing happens, against the others.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Something that happens in a practice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Act {
    /// A patient writes.
    Inbound,
    /// A teammate takes a conversation.
    Claim,
    /// Answers the patient.
    Reply,
    /// Writes a note for the others.
    Note,
    /// Gives a conversation to somebody.
    Assign,
    /// Adds or removes a tag.
    Tag,
    /// Puts a conversation away.
    Archive,
    /// Says how far they have read.
    Read,
    /// Types.
    Type,
    /// Opens a conversation.
    Open,
    /// Loses the connection for a while, or goes home and comes back.
    Away,
}

/// Shares of all that happens. They need not come to any sum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Mix(Vec<(Act, f64)>);

/// Each act, its name on the command line, and its usual share.
const ACTS: [(Act, &str, f64); 11] = [
    (Act::Inbound, "inbound", 25.0),
    (Act::Claim, "claim", 8.0),
    (Act::Reply, "reply", 15.0),
    (Act::Note, "note", 5.0),
    (Act::Assign, "assign", 4.0),
    (Act::Tag, "tag", 5.0),
    (Act::Archive, "archive", 6.0),
    (Act::Read, "read", 12.0),
    (Act::Type, "type", 8.0),
    (Act::Open, "open", 10.0),
    (Act::Away, "away", 2.0),
];

impl Default for Mix {
    fn default() -> Self {
        Self(ACTS.iter().map(|(act, _, share)| (*act, *share)).collect())
    }
}

impl Mix {
    /// One of them, by a number from 0 to below 1.
    pub(crate) fn pick(&self, chance: f64) -> Act {
        let all: f64 = self.0.iter().map(|(_, share)| share).sum();
        let mut left = chance * all;
        for (act, share) in &self.0 {
            left -= share;
            if left < 0.0 {
                return *act;
            }
        }
        self.0.last().map_or(Act::Inbound, |(act, _)| *act)
    }

    /// The same without one of them.
    pub(crate) fn without(mut self, act: Act) -> Self {
        self.0.retain(|(other, _)| *other != act);
        self
    }
}

impl FromStr for Mix {
    type Err = String;

    /// Those that are named are changed; the others stay.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut mix = Self::default();
        for part in text.split(',').filter(|part| !part.trim().is_empty()) {
            let (name, share) = part.split_once('=').ok_or(format!("`{part}` is no NAME=SHARE"))?;
            let names = || ACTS.map(|(_, name, _)| name).join(", ");
            let known = ACTS.iter().position(|(_, known, _)| *known == name.trim());
            let known = known.ok_or_else(|| format!("there is no `{name}`; there are {}", names()))?;
            let share: f64 =
                share.trim().parse().map_err(|error| format!("`{share}` is no number: {error}"))?;
            if !share.is_finite() || share < 0.0 {
                return Err(format!("`{share}` is no share"));
            }
            mix.0[known].1 = share;
        }
        let any = mix.0.iter().any(|(_, share)| *share > 0.0);
        if any { Ok(mix) } else { Err("nothing would happen".into()) }
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (act, share)) in self.0.iter().enumerate() {
            let name = ACTS.iter().find(|(other, ..)| other == act).map_or("", |(_, name, _)| name);
            let comma = if number == 0 { "" } else { "," };
            write!(f, "{comma}{name}={share}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_is_written_as_it_is_read() {
        let mix: Mix = "claim=0, reply=40".parse().unwrap();
        assert_eq!(mix.to_string().parse::<Mix>().unwrap(), mix);
        assert!(mix.to_string().contains("claim=0,reply=40,note=5"));
    }

    #[test]
    fn what_is_no_mix_says_why() {
        for (text, why) in
            [("claim", "no NAME=SHARE"), ("clam=1", "there are inbound"), ("claim=-1", "no share")]
        {
            assert!(text.parse::<Mix>().unwrap_err().contains(why), "{text}");
        }
        let nothing = ACTS.map(|(_, name, _)| format!("{name}=0")).join(",");
        assert!(nothing.parse::<Mix>().unwrap_err().contains("nothing would happen"));
    }

    #[test]
    fn what_has_no_share_does_not_happen() {
        let mix: Mix = "inbound=0".parse().unwrap();
        assert!((0..100).all(|n| mix.pick(f64::from(n) / 100.0) != Act::Inbound));
        assert_eq!(Mix::default().pick(0.0), Act::Inbound);
        assert_eq!(Mix::default().pick(0.999_9), Act::Away);
    }
}
