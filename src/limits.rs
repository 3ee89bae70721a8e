//! Every number that bounds a connection, with its unit and its reason. What happens at a limit is written
//! where it is kept, and tested there.

use std::time::Duration;

use rotunda_protocol::frame;

/// What a node grants a connection, and all connections together.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Sockets on this node. Each takes a file descriptor, and the usual hard limit is 20,000 of them.
    /// One more is answered with 503 before it is upgraded.
    pub connections_max: usize,
    /// Connections that are no sessions, or not yet. More wait to be accepted; together with the sockets they stay
    /// below the limit of descriptors.
    pub plain_connections_max: usize,
    /// How long a connection may go without becoming a session, whatever is asked on it: so there is always one that
    /// ends, however its peer reads.
    pub plain_time_max: Duration,
    /// A client's frame or message, in bytes: the longest message of a conversation with room around it.
    pub frame_bytes_max: usize,
    /// What the parser reads at once and keeps for each idle connection, in bytes. Frames of clients are small.
    pub read_buffer_bytes: usize,
    /// Pushes that wait for one connection, in bytes. Beyond it a catch-up is cheaper than what it replaces.
    pub queue_bytes_max: usize,
    /// Frames a client may send each second, pings included: far more than a person causes.
    pub frames_per_second: u32,
    /// Frames a client may send at once: a page that opens asks for a lot.
    pub frames_burst: u32,
    /// Commands and questions of one connection that may wait for their answer; bounds the answers queued.
    pub in_flight_max: u32,
    /// Sessions of one teammate on one node: every device they have, and some that were forgotten.
    pub sessions_per_teammate_max: usize,
    /// Rows, items or marks of one catch-up. With more, listing again is cheaper.
    pub catch_up_rows_max: usize,
    /// How long an organization without sessions stays in memory.
    pub room_idle: Duration,
    /// From a request's first byte to its last header: half a request must not hold a descriptor.
    pub header_time_max: Duration,
    /// From the upgrade to a `hello` that was accepted, the reading of the organization included.
    pub hello_time_max: Duration,
    /// The hub is heard from at least this often. Below the 30 s after which some proxies forget a connection.
    pub heartbeat: Duration,
    /// A client is gone when nothing was heard from it for two heartbeats and this, for a slow network.
    pub heartbeat_margin: Duration,
    /// How long a connection may be behind without getting a catch-up through.
    pub behind_max: Duration,
    /// How long a connection that ends waits for the peer to agree.
    pub linger: Duration,
    /// Over how long the sessions of a draining node are told to go, so that they arrive elsewhere spread out.
    pub drain: Duration,
    /// After the last was told: how long commands in flight and full queues may still take. A revocation can take as
    /// long as another node's lease.
    pub drain_flush_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 18_000,
            plain_connections_max: 1_500,
            plain_time_max: Duration::from_secs(30),
            frame_bytes_max: 64 * 1024,
            read_buffer_bytes: 1024,
            queue_bytes_max: 256 * 1024,
            frames_per_second: 50,
            frames_burst: 200,
            in_flight_max: 32,
            sessions_per_teammate_max: 20,
            catch_up_rows_max: 1_000,
            room_idle: Duration::from_mins(1),
            header_time_max: Duration::from_secs(5),
            hello_time_max: Duration::from_secs(10),
            heartbeat: Duration::from_secs(25),
            heartbeat_margin: Duration::from_secs(5),
            behind_max: Duration::from_mins(1),
            linger: Duration::from_secs(2),
            drain: Duration::from_secs(5),
            drain_flush_max: Duration::from_secs(6),
        }
    }
}

impl Limits {
    /// How long nothing may be heard from a client.
    pub fn silence_max(&self) -> Duration {
        2 * self.heartbeat + self.heartbeat_margin
    }

    /// What a client is told to keep to, in its `welcome`.
    pub fn told(&self) -> frame::Limits {
        frame::Limits {
            frame_bytes_max: u32::try_from(self.frame_bytes_max).unwrap_or(u32::MAX),
            frames_per_second: self.frames_per_second,
            in_flight_max: self.in_flight_max,
            heartbeat_ms: u32::try_from(self.heartbeat.as_millis()).unwrap_or(u32::MAX),
        }
    }
}
