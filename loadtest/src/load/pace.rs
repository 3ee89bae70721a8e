//! Open loop: things are meant to happen at times that do not depend on how the hub is doing.

use std::time::Duration;

use tokio::time::sleep;

use crate::client::world::World;
use crate::clock::Nanos;

/// Has things happen so many times a second for a while, at random times as independent people do them. Each is given
/// the moment it was meant for.
pub(crate) async fn at_random(world: &World, rate: f64, time: Duration, mut act: impl FnMut(Nanos)) {
    if rate <= 0.0 {
        return sleep(time).await;
    }
    let mean = Duration::from_secs_f64(1.0 / rate);
    let mut meant = Nanos::now();
    let end = meant.plus(time);
    loop {
        meant = meant.plus(world.around(mean));
        if meant >= end {
            return sleep(end.left()).await;
        }
        due(world, meant).await;
        act(meant);
    }
}

/// The same at even times.
pub(crate) async fn evenly(world: &World, rate: f64, time: Duration, mut act: impl FnMut(Nanos)) {
    let begin = Nanos::now();
    let end = begin.plus(time);
    let mut number = 0_u32;
    loop {
        let meant = begin.plus(Duration::from_secs_f64(f64::from(number) / rate));
        if meant >= end {
            return sleep(end.left()).await;
        }
        due(world, meant).await;
        act(meant);
        number += 1;
    }
}

/// Waits for a moment, and counts how late it got.
async fn due(world: &World, meant: Nanos) {
    let left = meant.left();
    if left.is_zero() {
        tokio::task::yield_now().await;
    } else {
        sleep(left).await;
    }
    world.meter.borrow_mut().lag.record(Nanos::now().since(meant));
}
