//! `rotunda demo`: a hub with a practice that is busy, to look at and to try things out on.

mod dice;
mod life;
mod plan;
mod practice;
mod secrets;
mod seed;
mod talk;
mod token;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::Args;
use rotunda_protocol::principal::Actor;

use self::practice::ORGANIZATION;
use self::secrets::{SERVICE_FILE, Secrets};
use super::output::Output;
use super::serve::told_to_end;
use super::{Outcome, log};
use crate::config::{Config, LogFormat, NumberConfig, Secret, TokenConfig, TokenKey};
use crate::hub::Hub;
use crate::node::Node;
use crate::session::token::Tokens;

/// The service that the demo acts as.
const SERVICE: &str = "demo";

/// Runs a hub with a made-up practice: teammates, patients, hundreds of conversations, and more coming in. Started again
/// on the same folder, it goes on.
#[derive(Debug, Args)]
pub struct Demo {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:4400")]
    listen: SocketAddr,
    /// The folder for its secrets, and for its database unless that is elsewhere; remove it to begin anew.
    #[arg(long, default_value = "rotunda-demo")]
    data: PathBuf,
    /// A Postgres, for several demos that are nodes of one practice. They share the folder too, which belongs to that
    /// database.
    #[arg(long, value_name = "URL")]
    store: Option<Secret>,
    /// A Redis by which these nodes tell each other what is new.
    #[arg(long, value_name = "URL")]
    bus: Option<Secret>,
}

impl Demo {
    /// Runs it until it is told to end.
    pub async fn run(self) -> anyhow::Result<Outcome> {
        log("warn", LogFormat::default());
        let secrets = Secrets::kept_in(&self.data)?;
        let tokens = Tokens::with_secret(&secrets.token, None)?;
        let node = Node::start(&self.config(&secrets)?, token::router(tokens)).await?;
        let (hub, address) = (node.hub.clone(), node.running.address);
        tokio::select! {
            told = told_to_end() => told?,
            lived = open(&hub, address, &self.data) => lived?,
        }
        node.drain().await?;
        Ok(Outcome::Done)
    }

    /// All defaults, and secrets of its own. What is set for a real hub in the environment is not for a demo.
    fn config(&self, secrets: &Secrets) -> anyhow::Result<Config> {
        let key = TokenKey { token_secret: Some(secrets.token.parse()?), token_public_key: None };
        Ok(Config {
            listen: self.listen,
            data: self.data.clone(),
            store: self.store.clone(),
            bus: self.bus.clone(),
            bus_ca: None,
            tokens: TokenConfig { key, token_audience: None },
            origins: vec![],
            services: vec![format!("{SERVICE}:{}", secrets.service).parse()?],
            twilio_auth_tokens: vec![],
            public_url: None,
            log_format: LogFormat::default(),
            numbers: NumberConfig::default(),
        })
    }
}

async fn open(hub: &Hub, address: SocketAddr, data: &Path) -> anyhow::Result<()> {
    let mut output = Output::stdout();
    output.line("Setting up the demo's practice …")?;
    seed::seed(hub, data).await?;
    output.line(guide(&program(), address, data))?;
    life::live(hub).await
}

/// As whom the demo delivers.
fn service() -> Actor {
    Actor::Service(SERVICE.into())
}

/// How this program was called.
fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "rotunda".into())
}

/// How to look at the demo.
fn guide(program: &str, address: SocketAddr, data: &Path) -> String {
    let address = reachable(address);
    let token = data.join(SERVICE_FILE);
    let token = token.display();
    format!(
        r#"A demo practice is open at http://{address} (data in {data}; remove the folder to begin anew).

Watch two teammates who see different things, each in a terminal of its own:
  {program} watch --as ada --url ws://{address}
  {program} watch --as ben --url ws://{address}

Write as a patient to Dr. Okafor's link, which ada sees and ben does not:
  curl --json '{{"to":"dr-okafor","from":"mara@example.org","name":"Mara Lindqvist","content":{{"kind":"message","direction":"in","body":"Hello!"}}}}' \
    -H "Authorization: Bearer $(cat {token})" -H "Idempotency-Key: $(date +%s%N)" \
    http://{address}/v1/organizations/{ORGANIZATION}/inbound

Say something as ada, with a conversation's id from `watch --json`:
  {program} call --as ada --url ws://{address} '{{"do":"conversation.claim","conversation":"…"}}'

What else there is: http://{address}/openapi.json, /metrics. Patients keep writing until you press Ctrl-C.
"#,
        data = data.display(),
    )
}

/// The address as one can connect to it from this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => std::net::Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guide_has_commands_that_can_be_copied() {
        let guide = guide("rotunda", "0.0.0.0:4401".parse().unwrap(), Path::new("here"));
        assert!(guide.contains("\n  rotunda watch --as ada --url ws://127.0.0.1:4401\n"), "{guide}");
        assert!(guide.contains("$(cat here/service-token)"), "{guide}");
    }
}
