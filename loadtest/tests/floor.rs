//! The floor, measured for a moment.

use std::time::Duration;

use rotunda_loadtest::floor::{Plan, measure};
use rotunda_loadtest::hubs::Cores;

use crate::PROGRAM;

fn plan() -> Plan {
    Plan {
        program: PROGRAM.into(),
        cores: Vec::new(),
        frame: vec![7; 512],
        connections: 20,
        rounds_per_second: 100.0,
        lasting: Duration::from_millis(100),
    }
}

#[tokio::test]
async fn every_frame_is_read_and_costs_something() {
    let measured = measure(plan()).await.unwrap();
    assert_eq!((measured.deliveries, measured.latency.len()), (200, 200));
    assert!(measured.cpu_us_per_delivery > 0.1, "{}", measured.cpu_us_per_delivery);
    assert!(measured.latency.max() > 0);
}

/// A frame longer than what readers read at once, and a writer with a core of its own.
#[tokio::test]
async fn a_long_frame_from_a_core_of_its_own() {
    let cores = Cores::split().map(|cores| cores.hub).unwrap_or_default();
    let frame = vec![7; 100_000];
    let measured = measure(Plan { cores, frame, ..plan() }).await.unwrap();
    assert_eq!(measured.deliveries, 200);
}

#[tokio::test]
async fn a_program_that_is_no_writer_is_told() {
    let error = measure(Plan { program: "/bin/true".into(), ..plan() }).await.unwrap_err();
    assert!(format!("{error:#}").contains("could not be measured"), "{error:#}");
    let error = measure(Plan { program: "/no/such/program".into(), ..plan() }).await.unwrap_err();
    assert!(format!("{error:#}").contains("cannot start /no/such/program"), "{error:#}");
}
