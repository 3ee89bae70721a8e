//! One connection to one server, both ways. It ends with the first thing that is wrong about it: whoever holds it makes
//! another one.
//!
//! The library's own ways to reconnect are not used: they give up after some tries, and do not notice a link that
//! has gone silent.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Pipeline, PushInfo, PushKind, Value};
use tokio::sync::watch;

use super::ears::Ears;
use super::fault::Fault;
use super::outbox::Outgoing;
use crate::metrics::Metrics;

/// How long it may take to connect, TLS and password included. Redis is near, or the bus is of no use.
pub(super) const CONNECT_MAX: Duration = Duration::from_millis(500);
/// How long an answer may take.
pub(super) const COMMAND_MAX: Duration = Duration::from_millis(500);
/// Channels of one write.
const CHANNELS_MAX: usize = 256;

/// What the same things are called on a single server, and in a cluster.
#[derive(Debug)]
pub(super) struct Words {
    subscribe: &'static str,
    unsubscribe: &'static str,
    publish: &'static str,
}

/// Channels of a single server.
pub(super) const SINGLE: &Words =
    &Words { subscribe: "SUBSCRIBE", unsubscribe: "UNSUBSCRIBE", publish: "PUBLISH" };
/// Channels that one member of a cluster keeps to itself. The others would be sent to all members.
pub(super) const SHARDED: &Words =
    &Words { subscribe: "SSUBSCRIBE", unsubscribe: "SUNSUBSCRIBE", publish: "SPUBLISH" };

/// A connection.
pub(super) struct Link {
    connection: MultiplexedConnection,
    words: &'static Words,
    heard: Arc<Heard>,
}

/// What came in by a connection. Nothing of it waits here: messages go to their ears from where they are parsed. When
/// ears are slower than the link, Redis keeps what waits, up to its limit; then it ends the connection.
pub(super) struct Heard {
    pub(super) ears: Arc<Ears>,
    pub(super) metrics: Arc<Metrics>,
    /// The channel on which this node talks to itself.
    pub(super) probe: String,
    /// Tells what this connection said from what one before it did.
    pub(super) life: u64,
    /// The newest probe that came back.
    pub(super) echo: watch::Sender<u64>,
    /// Subscriptions that end because they should.
    pub(super) leaving: AtomicUsize,
    pub(super) broken: watch::Sender<Option<Fault>>,
}

impl Heard {
    /// Nothing yet.
    pub(super) fn new(ears: &Arc<Ears>, metrics: &Arc<Metrics>, probe: String, life: u64) -> Self {
        Self {
            ears: Arc::clone(ears),
            metrics: Arc::clone(metrics),
            probe,
            life,
            echo: watch::Sender::new(0),
            leaving: AtomicUsize::new(0),
            broken: watch::Sender::new(None),
        }
    }

    fn take(&self, push: PushInfo) {
        let PushInfo { kind, data } = push;
        if matches!(kind, PushKind::Message | PushKind::SMessage) {
            self.message(data);
        } else if matches!(kind, PushKind::Unsubscribe | PushKind::SUnsubscribe) {
            self.left();
        } else if kind == PushKind::Disconnection {
            self.broken.send_replace(Some(Fault::Ended));
        }
    }

    fn message(&self, data: Vec<Value>) {
        let Ok([Value::BulkString(channel), Value::BulkString(message)]) = <[Value; 2]>::try_from(data)
        else {
            return;
        };
        let Ok(channel) = str::from_utf8(&channel) else { return };
        if channel == self.probe {
            if let Some(number) = read_probe(self.life, &message) {
                self.echo.send_replace(number);
            }
        } else if self.ears.hear(channel, Bytes::from(message)) {
            self.metrics.bus_received();
        }
    }

    /// A subscription has ended. A cluster ends those whose slot has moved away.
    fn left(&self) {
        let one_less = |leaving: usize| leaving.checked_sub(1);
        if self.leaving.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_err() {
            self.broken.send_replace(Some(Fault::Lost));
        }
    }
}

impl Link {
    /// Connects.
    pub(super) async fn connect(client: &Client, words: &'static Words, heard: Heard) -> Result<Self, Fault> {
        let heard = Arc::new(heard);
        let takes = Arc::clone(&heard);
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_MAX))
            .set_response_timeout(Some(COMMAND_MAX))
            .set_push_sender(move |push| {
                takes.take(push);
                Ok::<_, Infallible>(())
            });
        let connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        Ok(Self { connection, words, heard })
    }

    /// The channel on which this node talks to itself.
    pub(super) fn probe_channel(&self) -> &str {
        &self.heard.probe
    }

    /// Subscribes to channels, and sees that Redis holds them with all that it is to hold.
    pub(super) async fn subscribe(
        &self,
        channels: &[String],
        held: &mut HashSet<String>,
    ) -> Result<(), Fault> {
        for some in channels.chunks(CHANNELS_MAX) {
            let answers = self.each(self.words.subscribe, some).await?;
            held.extend(some.iter().cloned());
            if answers.last().and_then(count) != Some(held.len()) {
                return Err(Fault::Lost);
            }
        }
        Ok(())
    }

    /// Ends subscriptions.
    pub(super) async fn unsubscribe(
        &self,
        channels: &[String],
        held: &mut HashSet<String>,
    ) -> Result<(), Fault> {
        for some in channels.chunks(CHANNELS_MAX) {
            self.heard.leaving.fetch_add(some.len(), Ordering::Relaxed);
            self.each(self.words.unsubscribe, some).await?;
            for channel in some {
                held.remove(channel);
            }
        }
        Ok(())
    }

    /// Publishes messages with one write.
    pub(super) async fn publish(&self, batch: &[Outgoing]) -> Result<(), Fault> {
        if batch.is_empty() {
            return Ok(());
        }
        let mut pipeline = Pipeline::with_capacity(batch.len());
        for Outgoing { channel, message } in batch {
            pipeline.cmd(self.words.publish).arg(channel).arg(message.as_ref()).ignore();
        }
        Ok(pipeline.exec_async(&mut self.connection.clone()).await?)
    }

    /// Tells itself a number. That it was told says nothing yet; that it comes back does.
    pub(super) async fn probe(&self, number: u64) -> Result<(), Fault> {
        let message = Bytes::from(format!("{}:{number}", self.heard.life));
        self.publish(&[Outgoing { channel: self.heard.probe.clone(), message }]).await
    }

    /// The newest number that came back.
    pub(super) fn echo(&self) -> u64 {
        *self.heard.echo.borrow()
    }

    /// Waits for a number to come back.
    pub(super) async fn until_echo(&self, number: u64) -> Result<(), Fault> {
        let mut echo = self.heard.echo.subscribe();
        let came = tokio::time::timeout(COMMAND_MAX, echo.wait_for(|newest| *newest >= number)).await;
        if matches!(came, Ok(Ok(_))) { Ok(()) } else { Err(Fault::Silent) }
    }

    /// Waits until something is wrong.
    pub(super) async fn broken(&self) -> Fault {
        let mut broken = self.heard.broken.subscribe();
        // `heard` lives as long as this, so there is no other end that could be gone.
        broken.wait_for(Option::is_some).await.ok().and_then(|fault| fault.clone()).unwrap_or(Fault::Ended)
    }

    /// Asks the same for each channel, with one write.
    async fn each(&self, word: &str, channels: &[String]) -> Result<Vec<Value>, Fault> {
        let mut pipeline = Pipeline::with_capacity(channels.len());
        for channel in channels {
            pipeline.cmd(word).arg(channel);
        }
        Ok(pipeline.query_async(&mut self.connection.clone()).await?)
    }
}

/// How many subscriptions a connection has, as the answer to each says.
fn count(answer: &Value) -> Option<usize> {
    let Value::Push { data, .. } = answer else { return None };
    let Some(Value::Int(count)) = data.last() else { return None };
    usize::try_from(*count).ok()
}

fn read_probe(life: u64, message: &[u8]) -> Option<u64> {
    let (whose, number) = str::from_utf8(message).ok()?.split_once(':')?;
    if whose.parse() == Ok(life) { number.parse().ok() } else { None }
}
