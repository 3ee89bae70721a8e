//! A connection's socket, as whoever reads and whoever writes share it: the session; and fan-out, through the send
//! queue, for a session that rests.

use std::io::{self, IoSlice};
use std::sync::Arc;

use rustix::net::{SendAncillaryBuffer, SendFlags, Shutdown, sendmsg};
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::hub::send_queue::Outlet;
use crate::metrics::Metrics;

pub(super) struct Connection {
    pub(super) stream: TcpStream,
    metrics: Arc<Metrics>,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, metrics: &Arc<Metrics>) -> Self {
        Self { stream, metrics: Arc::clone(metrics) }
    }

    /// One vectored write, if the socket takes anything; otherwise `poll_write_ready` tells when it does.
    pub(super) fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.stream.try_io(Interest::WRITABLE, || self.write(slices))
    }

    /// Nothing more is written: the peer reads an end behind what was.
    pub(super) fn end_writing(&self) -> io::Result<()> {
        Ok(rustix::net::shutdown(&self.stream, Shutdown::Write)?)
    }
}

impl Outlet for Connection {
    /// The system call and no more: whether the socket is known to take nothing is the session's to look at.
    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let nothing = &mut SendAncillaryBuffer::default();
        let bytes = sendmsg(&self.stream, slices, nothing, SendFlags::NOSIGNAL)?;
        self.metrics.wrote(ended(slices, bytes), bytes);
        Ok(bytes)
    }
}

/// How many of the slices, each the end of a frame, have left with these bytes.
fn ended(slices: &[IoSlice<'_>], mut bytes: usize) -> usize {
    let left = |slice: &&IoSlice<'_>| {
        let after = bytes.checked_sub(slice.len());
        bytes = after.unwrap_or(0);
        after.is_some()
    };
    slices.iter().take_while(left).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_has_left_with_its_last_byte() {
        let slices = [IoSlice::new(b"abc"), IoSlice::new(b"de"), IoSlice::new(b"f")];
        for (bytes, frames) in [(0, 0), (2, 0), (3, 1), (4, 1), (5, 2), (6, 3)] {
            assert_eq!(ended(&slices, bytes), frames, "{bytes} bytes");
        }
    }
}
