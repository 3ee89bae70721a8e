//! What every run can be told, whatever its scenario.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// The options of every run.
#[derive(Debug, Clone, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) hub: Hub,

    /// Sessions in all
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) sessions: Option<u32>,

    /// Organizations, all alike; without it practices are small and large as they are in life
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) organizations: Option<u32>,

    /// Conversations that each organization has from the start
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) conversations: Option<u32>,

    /// How long things happen
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) seconds: Option<u32>,

    /// How many things happen in a second, in all organizations together
    #[arg(long, value_name = "N")]
    pub(crate) rate: Option<f64>,

    /// What sessions speak
    #[arg(long, value_enum, default_value_t)]
    pub(crate) codec: Codecs,

    /// Processes that hold the sessions; without it one for every 15,000
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) processes: Option<u32>,

    /// What chance begins with: the same seed does the same things in the same order
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,

    /// Write the report as JSON
    #[arg(long, value_name = "FILE", help_heading = "Report")]
    pub(crate) json: Option<PathBuf>,

    /// Write the report as a page that needs nothing else
    #[arg(long, value_name = "FILE", help_heading = "Report")]
    pub(crate) html: Option<PathBuf>,

    /// Show no progress
    #[arg(long, help_heading = "Report")]
    pub(crate) quiet: bool,
}

/// Which hub.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Hub: one of --spawn, --spawn-cluster, --url")]
#[group(id = "which hub", required = true, multiple = true, args = ["spawn", "spawn_cluster", "url"])]
pub(crate) struct Hub {
    /// Start a hub with an embedded database, on a free port and in a temporary folder
    #[arg(long, conflicts_with_all = ["spawn_cluster", "url"])]
    pub(crate) spawn: bool,

    /// Start so many nodes with a PostgreSQL and a Redis
    #[arg(long, value_name = "NODES", conflicts_with = "url", value_parser = clap::value_parser!(u32).range(1..=16))]
    pub(crate) spawn_cluster: Option<u32>,

    /// Load a hub that runs, such as `http://127.0.0.1:4400`: its node, not a proxy that speaks TLS; repeatable for
    /// several nodes
    #[arg(long, value_name = "URL", requires_all = ["token_secret", "service_token"])]
    pub(crate) url: Vec<String>,

    /// What that hub checks session tokens with (HS256)
    #[arg(long, value_name = "SECRET", env = "ROTUNDA_TOKEN_SECRET", hide_env_values = true)]
    pub(crate) token_secret: Option<String>,

    /// The secret of one of its services
    #[arg(long, value_name = "SECRET", env = "ROTUNDA_SERVICE_TOKEN", hide_env_values = true)]
    pub(crate) service_token: Option<String>,

    /// The process of the hub at --url, if it is on this machine: what it takes is measured, too. One for each --url
    #[arg(long, value_name = "PID", requires = "url")]
    pub(crate) pid: Vec<u32>,

    /// Start this program as `FILE serve …` in place of the hub that was built with the harness
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    pub(crate) program: Option<PathBuf>,

    /// A further flag of `rotunda serve`; repeatable
    #[arg(long = "hub-arg", value_name = "FLAG", allow_hyphen_values = true, conflicts_with = "url")]
    pub(crate) flags: Vec<String>,

    /// The hub and the generator each have cores of their own
    #[arg(long, conflicts_with = "url")]
    pub(crate) pin: bool,
}

/// What sessions speak.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Codecs {
    /// By turns one and the other
    #[default]
    Both,
    Json,
    #[value(name = "msgpack")]
    MessagePack,
}
