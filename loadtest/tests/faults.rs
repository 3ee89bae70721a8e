//! A hub that is made to leak, to lose, to duplicate or to say what is not so is caught, whatever else it does right.

use std::os::unix::fs::PermissionsExt;

use crate::PROGRAM;
use crate::run::{Ran, run};

/// A day on a hub with a fault.
fn day_with(fault: &str) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let hub = folder.path().join("hub");
    std::fs::write(&hub, format!("#!/bin/sh\nROTUNDA_FAULT={fault} exec {PROGRAM} hub \"$@\"\n")).unwrap();
    std::fs::set_permissions(&hub, std::fs::Permissions::from_mode(0o755)).unwrap();
    run(&format!("day --spawn --program {} --sessions 60 --rate 60 --seconds 4 --quiet", hub.display()))
}

fn is_caught(fault: &str, kind: &str) {
    let ran = day_with(fault);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.found(kind) > 0, "{}", ran.out);
    assert!(ran.out.contains(&format!("{kind}: ")), "the first cases are told: {}", ran.out);
}

#[test]
fn a_leak_is_caught() {
    is_caught("leak", "leaked");
}

#[test]
fn a_loss_is_caught() {
    is_caught("lose", "lost");
}

#[test]
fn a_duplicate_is_caught() {
    is_caught("duplicate", "duplicated");
}

#[test]
fn what_is_not_so_is_caught() {
    is_caught("diverge", "diverged");
}

#[test]
fn without_a_fault_the_same_day_is_clean() {
    day_with("none").assert_clean();
}
