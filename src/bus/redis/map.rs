//! Which server a channel is on.

use std::collections::HashMap;

use futures::future::select_ok;
use futures::{FutureExt, TryFutureExt};
use redis::cluster_routing::Slot;
use redis::{AsyncConnectionConfig, Client, Value};

use super::address::{Address, host};
use super::fault::Fault;
use super::link::{COMMAND_MAX, CONNECT_MAX};

/// All slots of a cluster.
const SLOTS: usize = 16_384;

/// The servers, and which of them a channel is on.
pub(super) struct Map {
    pub(super) servers: Vec<Client>,
    /// Empty when there is only one.
    places: HashMap<Slot, usize>,
}

/// Who serves some slots, both ends included.
#[derive(Debug, PartialEq, Eq)]
struct Range {
    slots: (u16, u16),
    host: String,
    port: u16,
}

impl Map {
    /// Asks where everything is.
    pub(super) async fn read(address: &Address) -> Result<Self, Fault> {
        if !address.cluster {
            return Ok(Self { servers: address.seeds.clone(), places: HashMap::new() });
        }
        // All of them at once: some may be gone, and one that answers is enough.
        let asked = address.seeds.iter().map(|seed| ask(seed).boxed());
        let (ranges, _) = select_ok(asked).await?;
        Self::of(address, ranges)
    }

    /// The place of the server that a channel is on.
    pub(super) fn place(&self, channel: &str) -> usize {
        if self.places.is_empty() { 0 } else { self.places[&Slot::for_key(channel)] }
    }

    fn of(address: &Address, ranges: Vec<Range>) -> Result<Self, Fault> {
        let mut servers = Vec::new();
        let mut known = HashMap::new();
        let mut places = HashMap::with_capacity(SLOTS);
        for Range { slots: (first, last), host, port } in ranges {
            let place = *known.entry((host, port)).or_insert_with_key(|(host, port)| {
                servers.push(address.member(host, *port));
                servers.len() - 1
            });
            places.extend((first..=last).filter_map(Slot::new).map(|slot| (slot, place)));
        }
        if places.len() < SLOTS {
            return Err(Fault::Partial);
        }
        Ok(Self { servers: servers.into_iter().collect::<Result<_, _>>()?, places })
    }
}

/// What one member knows.
async fn ask(member: &Client) -> Result<Vec<Range>, Fault> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_MAX))
        .set_response_timeout(Some(COMMAND_MAX));
    let mut connection = member.get_multiplexed_async_connection_with_config(&config).await?;
    let answer = redis::cmd("CLUSTER").arg("SLOTS").query_async(&mut connection).err_into::<Fault>().await?;
    Ok(read(&answer, host(member)))
}

/// Reads an answer to `CLUSTER SLOTS`: first and last slot, then the master and its replicas. What cannot be read is
/// left out, and so leaves the map partial. A member that does not know its own host says none: it is where it was
/// asked.
fn read(answer: &Value, asked: &str) -> Vec<Range> {
    let Value::Array(ranges) = answer else { return Vec::new() };
    let range = |range: &Value| {
        let Value::Array(parts) = range else { return None };
        let [Value::Int(first), Value::Int(last), Value::Array(master), ..] = parts.as_slice() else {
            return None;
        };
        let [host, Value::Int(port), ..] = master.as_slice() else { return None };
        let said = if let Value::BulkString(host) = host {
            String::from_utf8(host.clone()).ok()?
        } else {
            String::new()
        };
        let host = if said.is_empty() { asked.to_owned() } else { said };
        let slots = (u16::try_from(*first).ok()?, u16::try_from(*last).ok()?);
        Some(Range { slots, host, port: u16::try_from(*port).ok()? })
    };
    ranges.iter().filter_map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(slots: (u16, u16), host: &str, port: u16) -> Range {
        Range { slots, host: host.into(), port }
    }

    #[test]
    fn an_answer_names_masters_and_may_leave_out_the_host() {
        let member = |host, port| Value::Array(vec![host, Value::Int(port), Value::BulkString(b"id".into())]);
        let answer = Value::Array(vec![
            Value::Array(vec![
                Value::Int(0),
                Value::Int(8_000),
                member(Value::BulkString(b"a".into()), 1),
                member(Value::BulkString(b"replica".into()), 2),
            ]),
            Value::Array(vec![Value::Int(8_001), Value::Int(16_383), member(Value::Nil, 3)]),
            Value::Nil,
        ]);
        assert_eq!(read(&answer, "h"), [range((0, 8_000), "a", 1), range((8_001, 16_383), "h", 3)]);
    }

    #[test]
    fn a_map_knows_the_place_of_every_channel_or_is_none() {
        let address = Address::read("redis+cluster://a:1", None).unwrap();
        let ranges =
            || vec![range((0, 99), "a", 1), range((100, 16_000), "b", 1), range((16_001, 16_383), "a", 1)];
        let map = Map::of(&address, ranges()).unwrap();
        assert_eq!(map.servers.len(), 2);
        for number in 0..1_000 {
            let channel = format!("{{{number}}}");
            let at_b = (100..=16_000).any(|slot| Slot::new(slot) == Some(Slot::for_key(&channel)));
            assert_eq!(map.place(&channel), usize::from(at_b));
        }
        let partial = Map::of(&address, ranges().into_iter().skip(1).collect());
        assert!(matches!(partial, Err(Fault::Partial)));
    }
}
