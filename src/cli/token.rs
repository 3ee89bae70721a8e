//! `rotunda token`: a session token for a teammate, made with the secret that the hub was started with.

use std::time::Duration;

use anyhow::Context;
use clap::Args;
use rotunda_protocol::Millis;
use rotunda_protocol::id::{OrganizationId, TeammateId};

use super::Outcome;
use super::output::Output;
use crate::clock;
use crate::session::token::Tokens;

/// Makes a session token and prints it. For trying things out: in production whoever signs people in makes tokens.
#[derive(Debug, Args)]
pub struct Token {
    /// The organization.
    #[arg(long)]
    organization: OrganizationId,
    /// The teammate.
    #[arg(long)]
    teammate: TeammateId,
    /// The secret that the hub was started with.
    #[arg(long, env = "ROTUNDA_TOKEN_SECRET", hide_env_values = true)]
    secret: String,
    /// The audience that the hub expects, if it was started with one.
    #[arg(long, env = "ROTUNDA_TOKEN_AUDIENCE")]
    audience: Option<String>,
    /// How long it is good for: a number and `s`, `m`, `h` or `d`.
    #[arg(long, default_value = "1h", value_parser = duration)]
    ttl: Duration,
}

impl Token {
    /// Runs it.
    pub fn run(self) -> anyhow::Result<Outcome> {
        let tokens = Tokens::with_secret(&self.secret, self.audience)?;
        let token = tokens.sign(&self.organization, &self.teammate, expiry(clock::now_millis(), self.ttl));
        Output::stdout().line(token.context("a secret can sign")?)?;
        Ok(Outcome::Done)
    }
}

/// When a token ends that is made now.
pub fn expiry(now: Millis, ttl: Duration) -> Millis {
    now.saturating_add(Millis::try_from(ttl.as_millis()).unwrap_or(Millis::MAX))
}

/// A duration as people write it: `90s`, `15m`, `8h`, `30d`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let explained = || format!("`{text}` is no duration; write one like 90s, 15m, 8h or 30d");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(explained)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err(explained()),
    };
    let number: u64 = number.parse().ok().filter(|number| *number > 0).ok_or_else(explained)?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(explained)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, seconds) in [("90s", 90), ("15m", 900), ("8h", 28_800), ("30d", 2_592_000)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)));
        }
        for text in ["", "h", "0h", "1", "1 h", "-1h", "1é", "99999999999999999999d", "999999999999999999d"]
        {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_token_ends_after_its_time() {
        assert_eq!(expiry(5_000, Duration::from_secs(61)), 66_000);
        assert_eq!(expiry(5_000, Duration::from_secs(u64::MAX)), Millis::MAX);
    }
}
