//! When commands are meant to be sent. A thread keeps the time, for the runtime's timer is a millisecond coarse.

use std::time::{Duration, Instant};

use tokio::sync::mpsc::{Receiver, Sender, channel};

/// How much may wait for one who sends. More would hold up the others, and still be counted from its time.
const WAITING_MAX: usize = 1_024;

/// The time at which something is meant to be sent.
pub(crate) type Meant = Receiver<Instant>;

/// Hands the times of a steady rate to those who send, in turn, until there were so many or they have gone.
pub(crate) fn pace(per_second: u32, count: u32, senders: usize) -> Vec<Meant> {
    let (to, received): (Vec<_>, Vec<_>) = (0..senders).map(|_| channel(WAITING_MAX)).unzip();
    let every = Duration::from_secs(1) / per_second;
    let begin = Instant::now() + Duration::from_millis(100);
    std::thread::spawn(move || hand_out(begin, every, count, &to));
    received
}

fn hand_out(begin: Instant, every: Duration, count: u32, to: &[Sender<Instant>]) {
    for (number, sender) in (0..count).zip(to.iter().cycle()) {
        let meant = begin + every * number;
        std::thread::sleep(meant.saturating_duration_since(Instant::now()));
        if sender.blocking_send(meant).is_err() {
            return;
        }
    }
}
