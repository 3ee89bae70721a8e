//! The floor, measured for a moment.

use std::time::Duration;

use rotunda_loadtest::floor::{Floor, Measured, Plan};
use rotunda_loadtest::hubs::Cores;

use crate::PROGRAM;

fn plan() -> Plan {
    Plan {
        program: PROGRAM.into(),
        cores: Vec::new(),
        frame: vec![7; 512],
        connections: 20,
        rounds_per_second: 100.0,
        turn: Duration::from_millis(50),
    }
}

/// What two turns took.
async fn measured(plan: Plan) -> Measured {
    let floor = Floor::start(plan).await.unwrap().turn().await.unwrap().turn().await.unwrap();
    floor.measured().clone()
}

#[tokio::test]
async fn every_frame_of_every_turn_is_read_and_costs_something() {
    let measured = measured(plan()).await;
    assert_eq!((measured.deliveries, measured.latency.len()), (200, 200));
    let cpu = measured.cpu_us_per_delivery();
    assert!(cpu > 0.1, "{cpu}");
    assert!(measured.latency.max() > 0);
}

/// A frame longer than what readers read at once, and a writer with a core of its own.
#[tokio::test]
async fn a_long_frame_from_a_core_of_its_own() {
    let cores = Cores::split().map(|cores| cores.hub).unwrap_or_default();
    let frame = vec![7; 100_000];
    assert_eq!(measured(Plan { cores, frame, ..plan() }).await.deliveries, 200);
}

#[tokio::test]
async fn a_program_that_is_no_writer_is_told() {
    for (program, why) in
        [("/bin/true", "cannot be measured"), ("/no/such/program", "cannot start /no/such/program")]
    {
        let error = Floor::start(Plan { program: program.into(), ..plan() }).await.err().unwrap();
        assert!(format!("{error:#}").contains(why), "{error:#}");
    }
}
