//! From a connection to each server until the first of them fails. One that has failed ends all: they are made anew
//! together, from what the cluster then looks like. A single server is a cluster of one.

use std::collections::HashSet;
use std::time::Duration;

use futures::StreamExt;
use futures::future::{join_all, select_all, try_join_all};
use futures::stream::FuturesUnordered;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at};

use super::Shared;
use super::ears::Changes;
use super::fault::Fault;
use super::link::{Heard, Link, SHARDED, SINGLE};
use super::map::Map;

/// How often the node tells itself something.
const PROBE_EVERY: Duration = Duration::from_millis(200);
/// Probes that may be on their way. Two that do not come back in time are no coincidence.
const PROBES_MISSING_MAX: u64 = 2;
/// How often what Redis holds is compared with what it is to hold.
const COMPARE_EVERY: Duration = Duration::from_millis(500);
/// Names that are tried to find one for a probe on a server. One that serves a single slot takes 16,384, give or take.
const PROBE_NAMES_MAX: u32 = 1 << 20;

/// A connection to each server.
pub(super) struct Session<'a> {
    shared: &'a Shared,
    map: Map,
    /// In the order of the map's servers.
    links: Vec<Link>,
}

/// What each link holds, in their order.
type Held = Vec<HashSet<String>>;

impl<'a> Session<'a> {
    /// Connects to all servers. `life` is another one each time.
    pub(super) async fn open(shared: &'a Shared, life: u64) -> Result<Self, Fault> {
        let map = Map::read(&shared.address).await?;
        let words = if shared.address.cluster { SHARDED } else { SINGLE };
        let connect = async |(place, server)| {
            let name = |number| shared.names.probe(&shared.node, number);
            let probe = (0..PROBE_NAMES_MAX).map(name).find(|name| map.place(name) == place);
            let heard = Heard::new(&shared.ears, &shared.metrics, probe.ok_or(Fault::Partial)?, life);
            Link::connect(server, words, heard).await
        };
        let links = try_join_all(map.servers.iter().enumerate().map(connect)).await?;
        Ok(Self { shared, map, links })
    }

    /// Holds what is wanted and carries what is published, until something is wrong.
    pub(super) async fn run(&self) -> Fault {
        let broken = select_all(self.links.iter().map(|link| Box::pin(link.broken())));
        tokio::select! {
            (fault, _, _) = broken => fault,
            fault = self.live() => fault,
        }
    }

    async fn live(&self) -> Fault {
        let mut held = vec![HashSet::new(); self.links.len()];
        if let Err(fault) = self.begin(&mut held).await {
            return fault;
        }
        self.shared.tell_delivering();
        tokio::select! {
            fault = self.probe() => fault,
            fault = self.tend(&mut held) => fault,
            fault = self.publish() => fault,
        }
    }

    /// Holds all that is wanted, and hears itself on every link. Only then is the bus well.
    async fn begin(&self, held: &mut Held) -> Result<(), Fault> {
        let wanted = self.by_link(self.shared.ears.all(), String::as_str);
        try_join_all(self.links.iter().zip(held.iter_mut()).zip(wanted).map(
            async |((link, held), wanted)| {
                link.subscribe(&[link.probe_channel().to_owned()], held).await?;
                link.subscribe(&wanted, held).await?;
                self.shared.ears.hold(&wanted);
                link.probe(1).await?;
                link.until_echo(1).await
            },
        ))
        .await?;
        while !self.shared.ears.deliver() {
            self.follow(held).await?;
        }
        Ok(())
    }

    /// Talks to itself until it does not come back. Counts what is missing instead of waiting for each: a process that
    /// was held up has not waited long, it has only asked late.
    async fn probe(&self) -> Fault {
        let mut ticks = interval_at(Instant::now() + PROBE_EVERY, PROBE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = FuturesUnordered::new();
        let mut number = 1;
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    if self.links.iter().any(|link| number - link.echo() >= PROBES_MISSING_MAX) {
                        return Fault::Silent;
                    }
                    number += 1;
                    told.extend(self.links.iter().map(|link| link.probe(number)));
                }
                Some(Err(fault)) = told.next() => return fault,
            }
        }
    }

    /// Keeps what is held like what is wanted.
    async fn tend(&self, held: &mut Held) -> Fault {
        let mut ticks = interval(COMPARE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let done = tokio::select! {
                () = self.shared.ears.until_changed() => self.follow(held).await,
                _ = ticks.tick() => self.compare(held).await,
            };
            if let Err(fault) = done {
                return fault;
            }
        }
    }

    /// Holds what became wanted, and lets go what is no longer.
    async fn follow(&self, held: &mut Held) -> Result<(), Fault> {
        let Changes { wanted, unwanted } = self.shared.ears.changes();
        let wanted = self.by_link(wanted, String::as_str);
        let unwanted = self.by_link(unwanted, String::as_str);
        let changes = self.links.iter().zip(held.iter_mut()).zip(wanted.into_iter().zip(unwanted));
        try_join_all(changes.map(async |((link, held), (wanted, mut unwanted))| {
            unwanted.retain(|channel| held.contains(channel));
            link.unsubscribe(&unwanted, held).await?;
            let (_, missing): (Vec<_>, _) =
                wanted.iter().cloned().partition(|channel| held.contains(channel));
            link.subscribe(&missing, held).await?;
            self.shared.ears.hold(&wanted);
            Ok::<_, Fault>(())
        }))
        .await?;
        Ok(())
    }

    /// Subscribes again to what is held anyway: the answer says how much Redis holds, on any version of it and with any
    /// permissions. If that is not all, it cannot be known since when, and what was missed.
    async fn compare(&self, held: &mut Held) -> Result<(), Fault> {
        let links = self.links.iter().zip(held.iter_mut());
        try_join_all(
            links.map(async |(link, held)| link.subscribe(&[link.probe_channel().to_owned()], held).await),
        )
        .await?;
        Ok(())
    }

    /// Publishes what waits: all that does with one write to each server, then what came meanwhile.
    async fn publish(&self) -> Fault {
        loop {
            let batch = self.shared.outbox.take().await;
            let count = batch.len();
            let batches = self.by_link(batch, |outgoing| &outgoing.channel);
            let told =
                join_all(self.links.iter().zip(&batches).map(|(link, batch)| link.publish(batch))).await;
            if let Some(fault) = told.into_iter().find_map(Result::err) {
                return fault;
            }
            self.shared.outbox.done();
            self.shared.metrics.bus_published(count);
        }
    }

    fn by_link<T>(&self, all: Vec<T>, channel: impl Fn(&T) -> &str) -> Vec<Vec<T>> {
        let mut by_link: Vec<Vec<T>> = self.links.iter().map(|_| Vec::new()).collect();
        for one in all {
            let place = self.map.place(channel(&one));
            by_link[place].push(one);
        }
        by_link
    }
}
