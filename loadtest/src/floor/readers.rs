//! Those who read: a light task for each connection, which knows by counting bytes whose round a frame is.

use std::future::poll_fn;
use std::io;
use std::net::{self, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use hdrhistogram::Histogram;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::clock;
use super::writer::Order;

/// What all readers read into, one after the other, in bytes.
const BUFFER_BYTES: usize = 16 * 1024;
/// The longest latency that is told apart from a longer one: a minute, in microseconds.
const LATENCY_MAX: u64 = 60_000_000;

/// Connects as often as it is wanted, one after the other.
pub(super) fn connect(address: SocketAddr, count: u32) -> io::Result<Vec<net::TcpStream>> {
    let connected = (0..count).map(|_| {
        let socket = net::TcpStream::connect(address)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    });
    connected.collect()
}

/// Nothing read yet.
pub(super) fn no_latency() -> io::Result<Histogram<u64>> {
    Histogram::new_with_bounds(1, LATENCY_MAX, 3).map_err(io::Error::other)
}

/// Reads all rounds of a turn on all sockets; gives these back, and the latencies of the rounds that count.
pub(super) async fn read(
    sockets: Vec<net::TcpStream>,
    order: &Order,
    begin: u64,
) -> io::Result<(Vec<net::TcpStream>, Histogram<u64>)> {
    let count = Arc::new(Count {
        begin,
        period: order.period,
        // A frame has some bytes, and so few that this is exact.
        frame_bytes: order.frame.len() as u64,
        rounds_warm: order.rounds_warm.into(),
        rounds_all: u64::from(order.rounds_warm) + u64::from(order.rounds),
        seen: Mutex::new(Seen { latency: no_latency()?, buffer: vec![0; BUFFER_BYTES] }),
    });
    let start = |socket| Ok(tokio::spawn(reader(TcpStream::from_std(socket)?, Arc::clone(&count))));
    let readers: Vec<JoinHandle<_>> = sockets.into_iter().map(start).collect::<io::Result<_>>()?;
    let mut sockets = Vec::new();
    for reader in readers {
        sockets.push(reader.await.map_err(io::Error::other)??);
    }
    let seen = count.seen.lock().unwrap_or_else(PoisonError::into_inner);
    Ok((sockets, seen.latency.clone()))
}

async fn reader(mut stream: TcpStream, count: Arc<Count>) -> io::Result<net::TcpStream> {
    let mut bytes = 0;
    while bytes < count.rounds_all * count.frame_bytes {
        bytes = poll_fn(|context| count.poll(&mut stream, bytes, context)).await?;
    }
    stream.into_std()
}

/// What is expected, and what was seen.
struct Count {
    /// When the first round begins, in nanoseconds.
    begin: u64,
    period: u64,
    frame_bytes: u64,
    rounds_warm: u64,
    rounds_all: u64,
    /// Nobody ever waits for it: there is one thread.
    seen: Mutex<Seen>,
}

struct Seen {
    /// In microseconds.
    latency: Histogram<u64>,
    buffer: Vec<u8>,
}

impl Count {
    /// Reads what is there, after so many bytes; gives how many there are now.
    fn poll(&self, stream: &mut TcpStream, bytes: u64, context: &mut Context<'_>) -> Poll<io::Result<u64>> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = &mut *seen;
        let mut into = ReadBuf::new(&mut seen.buffer);
        ready!(Pin::new(stream).poll_read(context, &mut into))?;
        let read = into.filled().len() as u64;
        if read == 0 {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        self.record(&mut seen.latency, bytes, bytes + read, clock::now());
        Poll::Ready(Ok(bytes + read))
    }

    /// A frame has come when its last byte has.
    fn record(&self, latency: &mut Histogram<u64>, before: u64, after: u64, now: u64) {
        for round in before / self.frame_bytes..after / self.frame_bytes {
            if round >= self.rounds_warm {
                let meant = self.begin + round * self.period;
                latency.saturating_record(now.saturating_sub(meant) / 1000);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_belongs_to_its_round_however_it_is_cut() {
        let count = Count {
            begin: 1_000_000,
            period: 1_000_000,
            frame_bytes: 10,
            rounds_warm: 1,
            rounds_all: 4,
            seen: Mutex::new(Seen { latency: no_latency().unwrap(), buffer: Vec::new() }),
        };
        let mut seen = no_latency().unwrap();
        // The first round and a bit; it does not count.
        count.record(&mut seen, 0, 12, 1_500_000);
        assert_eq!(seen.len(), 0);
        // The rest of the second, the third whole, which were meant at 2 and 3 ms.
        count.record(&mut seen, 12, 30, 3_200_000);
        assert_eq!((seen.len(), seen.min(), seen.max()), (2, 200, 1200));
        // Before its time, by clocks that differ by a little.
        count.record(&mut seen, 30, 40, 3_900_000);
        assert_eq!((seen.len(), seen.min()), (3, 0));
    }
}
