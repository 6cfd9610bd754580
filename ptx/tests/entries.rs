//! The module has what the registry names, and nothing else.

use std::collections::BTreeSet;

fn in_module() -> BTreeSet<&'static str> {
    let entries = kgpu_ptx::MODULE.lines();
    entries
        .filter_map(|line| line.trim().strip_prefix(".visible .entry "))
        .map(|rest| rest.trim_end_matches('('))
        .collect()
}

#[test]
fn every_entry_of_the_registry_is_in_the_module() {
    let named: BTreeSet<&str> = kgpu_algos::all()
        .iter()
        .filter_map(|algorithm| algorithm.device)
        .flat_map(|code| code.entries)
        .map(|entry| entry.name)
        .collect();
    assert!(!named.is_empty());
    assert_eq!(named, in_module());
}

#[test]
fn every_entry_bounds_its_block() {
    let bounded = kgpu_ptx::MODULE.matches(".maxntid").count();
    assert_eq!(bounded, in_module().len());
}
