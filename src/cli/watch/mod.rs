//! `rotunda watch`: one teammate's inbox, live: readable lines for people, one JSON object a line for scripts.

mod known;
mod line;
mod summary;

use clap::Args;
use rotunda_protocol::Millis;
use rotunda_protocol::ask::Ask;
use rotunda_protocol::frame::{Answer, ClientFrame, ServerFrame, Start};
use rotunda_protocol::id::TeammateId;
use rotunda_protocol::principal::Mailbox;
use rotunda_protocol::push::{CatchUp, Push};

use self::known::Known;
use self::line::time;
use super::Outcome;
use super::client::{News, Received, Session, Target};
use super::output::Output;
use crate::clock;

/// How many rows of each mailbox the summary shows.
const SUMMARY_ROWS: u16 = 5;

/// Shows a teammate's inbox as it changes. Comes back by itself when the connection is lost. Times are UTC.
#[derive(Debug, Args)]
pub struct Watch {
    #[command(flatten)]
    target: Target,
    /// Print every frame of the hub as one JSON object a line.
    #[arg(long)]
    json: bool,
}

impl Watch {
    /// Runs it until the reader goes away or the hub ends it for good.
    pub async fn run(self) -> anyhow::Result<Outcome> {
        let Self { target, json } = self;
        let (mut output, mut view) = (Output::stdout(), View::new(target.teammate().clone()));
        let mut session = target.session();
        loop {
            match session.next().await? {
                News::Lost { reason, wait } => {
                    eprintln!("connection lost ({reason}); trying again in {:.1} s", wait.as_secs_f32());
                }
                News::Frame(received) if json => {
                    output.line(as_json(&received)?)?;
                    view.ask_anew(&received, &mut session).await;
                }
                News::Frame(received) => {
                    for line in view.lines(&received, clock::now_millis()) {
                        output.line(line)?;
                    }
                    view.ask_anew(&received, &mut session).await;
                }
            }
        }
    }
}

fn as_json(received: &Received) -> anyhow::Result<String> {
    Ok(serde_json::to_string(&received.value()?)?)
}

/// What is shown, and the names it is shown by.
struct View {
    me: TeammateId,
    known: Known,
}

impl View {
    fn new(me: TeammateId) -> Self {
        Self { me, known: Known::default() }
    }

    /// After a frame that says nothing is known: asks for what the summary shows.
    async fn ask_anew(&self, received: &Received, session: &mut Session) {
        let fresh = matches!(
            received.frame(),
            Ok(ServerFrame::Welcome { start: Start::Fresh | Start::Reset, .. } | ServerFrame::Resync { .. })
        );
        if !fresh {
            return;
        }
        for (r#ref, ask) in self.questions() {
            session.send(&ClientFrame::Ask { r#ref: r#ref.into(), ask }).await;
        }
    }

    fn questions(&self) -> [(&'static str, Ask); 3] {
        let mine = Mailbox::Teammate(self.me.clone());
        let list = |mailbox| Ask::List { mailbox, endpoint: None, after: None, limit: SUMMARY_ROWS };
        [
            ("counts", Ask::Counts { mailboxes: vec![Mailbox::Shared, mine.clone()] }),
            ("shared", list(Mailbox::Shared)),
            ("mine", list(mine)),
        ]
    }

    /// What people read of a frame: nothing of most answers and beats, one line of most news.
    fn lines(&mut self, received: &Received, now: Millis) -> Vec<String> {
        match received.frame() {
            Ok(frame) => {
                self.known.learn(&frame);
                self.told(&frame, now)
            }
            Err(_) => vec![format!("{}  (news of a kind that this version does not know)", time(now))],
        }
    }

    fn told(&self, frame: &ServerFrame, now: Millis) -> Vec<String> {
        let at = |at, text: String| vec![format!("{}  {text}", time(at))];
        match frame {
            ServerFrame::Welcome { start, state, you, .. } => {
                at(now, self.greeting(*start, &you.name, state))
            }
            ServerFrame::Answer { r#ref, answer: Answer::Told { told } } => {
                summary::lines(&self.known, r#ref, told)
            }
            ServerFrame::Answer { answer: Answer::Refused { refusal, .. }, .. } => {
                at(now, format!("the hub refused: {}", refusal.code()))
            }
            ServerFrame::Answer { answer: Answer::Done { .. } | Answer::Renewed, .. } | ServerFrame::Beat => {
                vec![]
            }
            ServerFrame::Push { push: push @ Push::Conversation { at: then, .. }, .. } => {
                at(*then, line::push(&self.known, push))
            }
            ServerFrame::Push { push, .. } => at(now, line::push(&self.known, push)),
            ServerFrame::CatchUp { state, .. } => at(now, format!("was too slow; {}", changed(state))),
            ServerFrame::Resync { .. } => at(now, "too much has changed to tell; asking again".into()),
            ServerFrame::Freshness { fresh: false } => {
                at(now, "the hub cannot make sure that this is current".into())
            }
            ServerFrame::Freshness { fresh: true } => at(now, "all of this is current again".into()),
            ServerFrame::Closing { code, .. } => at(now, format!("the hub closes: {}", code.name())),
        }
    }

    fn greeting(&self, start: Start, me: &str, state: &CatchUp) -> String {
        match start {
            Start::Fresh => format!("{me} at {}, watching", self.known.practice()),
            Start::Resumed => format!("connected again; {}", changed(state)),
            Start::Reset => "connected again; too much has changed to tell, asking again".into(),
        }
    }
}

fn changed(state: &CatchUp) -> String {
    let (changed, gone) = (state.conversations.len(), state.gone.len());
    match (changed, gone) {
        (0, 0) => "nothing changed meanwhile".into(),
        (changed, 0) => format!("{changed} conversations changed meanwhile"),
        (changed, gone) => format!("{changed} conversations changed and {gone} went meanwhile"),
    }
}

#[cfg(test)]
mod tests;
