//! What the process counts about itself. No label ever names a person, a contact, a conversation or an organization.
//!
//! Every handle is made once; counting is one atomic step. Only refusals look their counter up by its code.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Metric, Registry};
use rotunda_protocol::close::CloseCode;
use rotunda_protocol::refusal::Refusal;

/// A word of one of the two closed lists.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Code {
    code: &'static str,
}

/// Everything that is counted. Shared by all layers.
pub struct Metrics {
    registry: Registry,
    sessions: Gauge,
    rooms: Gauge,
    frames_in: Counter,
    bytes_in: Counter,
    frames_out: Counter,
    bytes_out: Counter,
    socket_writes: Counter,
    deliveries: Counter,
    commands_done: Counter,
    commands_refused: Family<Code, Counter>,
    /// In the order of `CloseCode::ALL`.
    closes: Vec<(CloseCode, Counter)>,
    closes_by_client: Counter,
    catch_ups: Counter,
    resyncs: Counter,
    queue_overflows: Counter,
    presence_updates: Counter,
    events: Counter,
    store_faults: Counter,
    followed: Counter,
    places_lost: Counter,
    nodes: Gauge,
    stale: Counter,
    revocations_lapsed: Counter,
    accept_errors: Counter,
    connections_refused: Counter,
    bus_published: Counter,
    bus_dropped: Counter,
    bus_received: Counter,
    bus_reconnects: Counter,
    bus_delivering: Gauge,
    append_events: Histogram,
    commit_seconds: Histogram,
    answer_seconds: Histogram,
    revocation_seconds: Histogram,
}

/// Registers metrics as they are made.
struct Maker(Registry);

impl Maker {
    fn keep<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.0.register(name, help, metric.clone());
        metric
    }

    fn counter(&mut self, name: &str, help: &str) -> Counter {
        self.keep(name, help, Counter::default())
    }

    fn gauge(&mut self, name: &str, help: &str) -> Gauge {
        self.keep(name, help, Gauge::default())
    }

    fn family(&mut self, name: &str, help: &str) -> Family<Code, Counter> {
        self.keep(name, help, Family::default())
    }

    /// From 100 µs, doubling, to 13 s: a commit takes about a millisecond, and what takes longer than this has failed.
    fn seconds(&mut self, name: &str, help: &str) -> Histogram {
        self.keep(name, help, Histogram::new(exponential_buckets(0.000_1, 2.0, 18)))
    }
}

impl Metrics {
    /// All counts at zero.
    pub fn new() -> Arc<Self> {
        let mut make = Maker(Registry::with_prefix("rotunda"));
        let closes = make.family("closes", "Connections the hub ended, by close code");
        let close = |code: CloseCode| (code, closes.get_or_create_owned(&Code { code: code.name() }));
        Arc::new(Self {
            sessions: make.gauge("sessions", "Sessions that were greeted and are open"),
            rooms: make.gauge("rooms", "Organizations that this process holds in memory"),
            frames_in: make.counter("frames_in", "Frames received from clients"),
            bytes_in: make.counter("bytes_in", "Bytes of frames received from clients"),
            frames_out: make.counter("frames_out", "Frames written to clients"),
            bytes_out: make.counter("bytes_out", "Bytes written to clients"),
            socket_writes: make
                .counter("socket_writes", "Writes to clients' sockets, each of one frame or several"),
            deliveries: make.counter("deliveries", "Pushes offered to sessions"),
            commands_done: make.counter("commands_done", "Commands that were done"),
            commands_refused: make
                .family("commands_refused", "Commands and other frames that were refused, by refusal"),
            closes: CloseCode::ALL.into_iter().map(close).collect(),
            closes_by_client: make.counter("closes_by_client", "Connections that ended from outside"),
            catch_ups: make.counter("catch_ups", "Sessions told what changed since a position"),
            resyncs: make.counter("resyncs", "Sessions told to drop everything and ask again"),
            queue_overflows: make
                .counter("queue_overflows", "Send queues that dropped what waited, and were read again"),
            presence_updates: make.counter("presence_updates", "Changes of who is here, viewing or typing"),
            events: make.counter("events", "Events applied to organizations in memory"),
            store_faults: make.counter("store_faults", "Requests that the database failed"),
            followed: make.counter("events_followed", "Events of other nodes read from the log, not the bus"),
            places_lost: make
                .counter("places_lost", "Batches decided again because another node appended first"),
            nodes: make.gauge("nodes", "Nodes that share the database, this one included"),
            stale: make.counter("stale", "Organizations that could not be shown as current for a while"),
            revocations_lapsed: make.counter(
                "revocations_lapsed",
                "Nodes that a revocation did not wait for, their lease had run out",
            ),
            accept_errors: make.counter("accept_errors", "Connections that could not be accepted"),
            connections_refused: make.counter(
                "connections_refused",
                "Connections refused because the process is full or draining",
            ),
            bus_published: make.counter("bus_published", "Messages that the bus took for other nodes"),
            bus_dropped: make.counter("bus_dropped", "Messages to other nodes that the bus could not carry"),
            bus_received: make
                .counter("bus_received", "Messages heard from the bus, this node's own included"),
            bus_reconnects: make
                .counter("bus_reconnects", "Times that the bus went deaf and was connected anew"),
            bus_delivering: make
                .gauge("bus_delivering", "1 while what this node tells itself comes back, else 0"),
            append_events: make.keep(
                "append_events",
                "Events in one append to an organization's log",
                Histogram::new(exponential_buckets(1.0, 2.0, 11)),
            ),
            commit_seconds: make.seconds("commit_seconds", "From handing a batch to the database to durable"),
            answer_seconds: make.seconds("answer_seconds", "From a command's arrival to its answer"),
            revocation_seconds: make.seconds(
                "revocation_seconds",
                "From a loss of access being durable to it being enforced on every node",
            ),
            registry: make.0,
        })
    }

    /// All of it in the `OpenMetrics` text format.
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(16 * 1024);
        text::encode(&mut text, &self.registry).expect("writing into memory cannot fail");
        text
    }

    /// A session was greeted.
    pub fn session_opened(&self) {
        self.sessions.inc();
    }

    /// A session that was greeted has ended.
    pub fn session_closed(&self) {
        self.sessions.dec();
    }

    /// How many sessions are open.
    pub fn sessions(&self) -> i64 {
        self.sessions.get()
    }

    /// An organization was read into memory.
    pub fn room_opened(&self) {
        self.rooms.inc();
    }

    /// An organization was let go.
    pub fn room_closed(&self) {
        self.rooms.dec();
    }

    /// A client sent a frame.
    pub fn frame_in(&self, bytes: usize) {
        self.frames_in.inc();
        self.bytes_in.inc_by(bytes as u64);
    }

    /// With one write this many frames were written to their ends, and this many bytes.
    pub fn wrote(&self, frames: usize, bytes: usize) {
        self.frames_out.inc_by(frames as u64);
        self.bytes_out.inc_by(bytes as u64);
        self.socket_writes.inc();
    }

    /// A push was offered to this many sessions.
    pub fn delivered(&self, sessions: usize) {
        self.deliveries.inc_by(sessions as u64);
    }

    /// A command was answered.
    pub fn command_answered(&self, refusal: Option<&Refusal>, after: Duration) {
        self.answer_seconds.observe(after.as_secs_f64());
        match refusal {
            None => {
                self.commands_done.inc();
            }
            Some(refusal) => self.refused(refusal),
        }
    }

    /// A frame was refused before it reached the hub.
    pub fn refused(&self, refusal: &Refusal) {
        self.commands_refused.get_or_create(&Code { code: refusal.code() }).inc();
    }

    /// The hub ended a connection.
    pub fn closed(&self, code: CloseCode) {
        if let Some((_, counter)) = self.closes.iter().find(|(known, _)| *known == code) {
            counter.inc();
        }
    }

    /// A connection ended from outside: a close frame, a reset, the end of the stream.
    pub fn closed_by_client(&self) {
        self.closes_by_client.inc();
    }

    /// A session was told what changed since a position.
    pub fn caught_up(&self) {
        self.catch_ups.inc();
    }

    /// A session was told to drop everything.
    pub fn resynced(&self) {
        self.resyncs.inc();
    }

    /// A send queue dropped what waited, and what was left of it is written.
    pub fn queues_overflowed(&self, queues: usize) {
        self.queue_overflows.inc_by(queues as u64);
    }

    /// Presence changed.
    pub fn presence_updated(&self) {
        self.presence_updates.inc();
    }

    /// Events were applied to an organization in memory.
    pub fn events_applied(&self, events: usize) {
        self.events.inc_by(events as u64);
    }

    /// A batch of events became durable.
    #[expect(clippy::cast_precision_loss, reason = "a batch has a few hundred events at most")]
    pub fn committed(&self, events: usize, after: Duration) {
        self.append_events.observe(events as f64);
        self.commit_seconds.observe(after.as_secs_f64());
    }

    /// The database failed a request.
    pub fn store_failed(&self) {
        self.store_faults.inc();
    }

    /// Events of other nodes were read from the log.
    pub fn followed(&self, events: usize) {
        self.followed.inc_by(events as u64);
    }

    /// Another node appended first.
    pub fn lost_place(&self) {
        self.places_lost.inc();
    }

    /// So many nodes share the database.
    pub fn saw_nodes(&self, nodes: usize) {
        self.nodes.set(i64::try_from(nodes).unwrap_or(i64::MAX));
    }

    /// An organization can no longer be shown as current.
    pub fn became_stale(&self) {
        self.stale.inc();
    }

    /// A loss of access was enforced on every node, but for some whose lease had run out.
    pub fn revoked(&self, after: Duration, lapsed: u32) {
        self.revocation_seconds.observe(after.as_secs_f64());
        self.revocations_lapsed.inc_by(lapsed.into());
    }

    /// A connection could not be accepted.
    pub fn accept_failed(&self) {
        self.accept_errors.inc();
    }

    /// A connection was refused before it began.
    pub fn connection_refused(&self) {
        self.connections_refused.inc();
    }

    /// The bus took messages.
    pub fn bus_published(&self, messages: usize) {
        self.bus_published.inc_by(messages as u64);
    }

    /// The bus had no room for messages, or gave them up.
    pub fn bus_dropped(&self, messages: usize) {
        self.bus_dropped.inc_by(messages as u64);
    }

    /// A message was heard, and somebody listened.
    pub fn bus_received(&self) {
        self.bus_received.inc();
    }

    /// The bus went deaf.
    pub fn bus_reconnected(&self) {
        self.bus_reconnects.inc();
    }

    /// Whether the bus delivers.
    pub fn bus_delivering(&self, delivers: bool) {
        self.bus_delivering.set(i64::from(delivers));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_is_counted() {
        let metrics = Metrics::new();
        metrics.session_opened();
        metrics.wrote(3, 512);
        metrics.delivered(1000);
        metrics.command_answered(None, Duration::from_millis(2));
        metrics.command_answered(Some(&Refusal::NotFound), Duration::from_millis(2));
        metrics.closed(CloseCode::Behind);
        metrics.committed(64, Duration::from_millis(1));
        metrics.bus_published(512);
        metrics.bus_dropped(3);
        metrics.bus_received();
        metrics.bus_reconnected();
        metrics.bus_delivering(true);
        let text = metrics.text();
        for line in [
            "rotunda_sessions 1",
            "rotunda_frames_out_total 3",
            "rotunda_bytes_out_total 512",
            "rotunda_socket_writes_total 1",
            "rotunda_deliveries_total 1000",
            "rotunda_commands_done_total 1",
            "rotunda_commands_refused_total{code=\"not_found\"} 1",
            "rotunda_closes_total{code=\"behind\"} 1",
            "rotunda_append_events_sum 64.0",
            "rotunda_answer_seconds_count 2",
            "rotunda_bus_published_total 512",
            "rotunda_bus_dropped_total 3",
            "rotunda_bus_received_total 1",
            "rotunda_bus_reconnects_total 1",
            "rotunda_bus_delivering 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
        }
    }

    #[test]
    fn every_close_code_is_there_from_the_start() {
        let text = Metrics::new().text();
        for code in CloseCode::ALL {
            assert!(text.contains(&format!("rotunda_closes_total{{code=\"{}\"}} 0", code.name())));
        }
    }

    #[test]
    fn only_codes_are_labels() {
        let metrics = Metrics::new();
        metrics.command_answered(Some(&Refusal::Forbidden), Duration::ZERO);
        let text = metrics.text();
        let labels = text.lines().filter_map(|line| line.split_once('{')).map(|(_, rest)| rest);
        for label in labels {
            assert!(label.starts_with("code=") || label.starts_with("le="), "{label}");
        }
    }
}
