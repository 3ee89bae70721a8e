//! `rotunda call`: one command or question, one answer.

use std::time::Duration;

use anyhow::{Context, bail};
use aws_lc_rs::rand;
use clap::Args;
use data_encoding::HEXLOWER;
use rotunda_protocol::ask::Ask;
use rotunda_protocol::command::Command;
use rotunda_protocol::frame::{Answer, ClientFrame, Ref, ServerFrame};

use super::Outcome;
use super::client::{News, Session, Target};
use super::output::Output;

/// How long the answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Sends one command, or one question, and prints the answer as JSON. Exits 0 when done, 1 when refused, 2 when it
/// could not be tried.
#[derive(Debug, Args)]
pub struct Call {
    #[command(flatten)]
    target: Target,
    /// The command's name for the hub; the same one with the same command is done once. Made up when absent.
    #[arg(long = "ref")]
    r#ref: Option<Ref>,
    /// What to do, such as '{"do":"conversation.claim","conversation":"…"}', or what to tell,
    /// such as '{"ask":"list","mailbox":"shared"}'.
    json: String,
}

impl Call {
    /// Runs it.
    pub async fn run(self) -> anyhow::Result<Outcome> {
        let r#ref = self.r#ref.map_or_else(made_up, Ok)?;
        let frame = frame(&r#ref, &self.json)?;
        let mut session = self.target.session();
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, answer(&mut session, &r#ref, &frame))
            .await
            .context("the hub has not answered within 30 s; sending the same --ref again is harmless")??;
        session.close().await;
        Output::stdout().line(serde_json::to_string(&answer)?)?;
        Ok(match answer {
            Answer::Done { .. } | Answer::Told { .. } | Answer::Renewed => Outcome::Done,
            Answer::Refused { .. } => Outcome::Refused,
        })
    }
}

fn made_up() -> anyhow::Result<Ref> {
    let mut bytes = [0; 12];
    rand::fill(&mut bytes).ok().context("the system gave no random bytes; give a --ref")?;
    Ok(format!("call-{}", HEXLOWER.encode(&bytes)))
}

/// The frame that some JSON stands for: a command by its `do`, a question by its `ask`.
fn frame(r#ref: &Ref, json: &str) -> anyhow::Result<ClientFrame> {
    let r#ref = r#ref.clone();
    let value: serde_json::Value = serde_json::from_str(json).context("this is no JSON")?;
    if value.get("do").is_some() {
        let command: Command = serde_json::from_value(value).context("this is no command of the protocol")?;
        return Ok(ClientFrame::Call { r#ref, command });
    }
    if value.get("ask").is_some() {
        let ask: Ask = serde_json::from_value(value).context("this is no question of the protocol")?;
        return Ok(ClientFrame::Ask { r#ref, ask });
    }
    bail!("give a JSON object with a `do` (a command) or an `ask` (a question); docs/PROTOCOL.md lists them");
}

async fn answer(session: &mut Session, awaited: &Ref, frame: &ClientFrame) -> anyhow::Result<Answer> {
    loop {
        let received = match session.next().await? {
            News::Frame(received) => received,
            News::Lost { reason, .. } => {
                bail!("the connection was lost: {reason}; sending the same --ref again is harmless")
            }
        };
        match received.frame() {
            Ok(ServerFrame::Welcome { .. }) => session.send(frame).await,
            Ok(ServerFrame::Answer { r#ref, answer }) if r#ref == *awaited => return Ok(answer),
            Ok(
                ServerFrame::Answer { .. }
                | ServerFrame::Push { .. }
                | ServerFrame::CatchUp { .. }
                | ServerFrame::Resync { .. }
                | ServerFrame::Beat
                | ServerFrame::Freshness { .. }
                | ServerFrame::Closing { .. },
            )
            | Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_a_command_or_a_question() {
        let r#ref = made_up().unwrap();
        assert_eq!(r#ref.len(), 29);
        let claim = frame(&r#ref, r#"{"do":"conversation.claim","conversation":"cv"}"#).unwrap();
        assert!(matches!(claim, ClientFrame::Call { .. }));
        let list = frame(&r#ref, r#"{"ask":"list","mailbox":"shared"}"#).unwrap();
        assert!(matches!(list, ClientFrame::Ask { .. }));
    }

    #[test]
    fn anything_else_is_explained() {
        for (json, problem) in [
            ("claim", "no JSON"),
            ("{}", "give a JSON object"),
            (r#"{"do":"dance"}"#, "no command"),
            (r#"{"ask":"why"}"#, "no question"),
        ] {
            assert!(format!("{:#}", frame(&"r".into(), json).unwrap_err()).contains(problem), "{json}");
        }
    }
}
