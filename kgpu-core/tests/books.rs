//! The submitter's private books against naive models: runs of units, key slots, requests in
//! flight.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests, too, may panic.

use std::collections::HashMap;

use kgpu_core::abi::{Completion, RequestId, Status};
use kgpu_core::inflight::{InFlight, Reject, Seat};
use kgpu_core::runs::{Run, Runs, words_for};
use kgpu_core::slots::{Found, Slot, Slots};
use proptest::prelude::*;
use proptest::sample::Index;

#[derive(Clone, Debug)]
enum RunStep {
    Take(u32),
    Give(Index),
}

fn run_steps() -> impl Strategy<Value = Vec<RunStep>> {
    let step = prop_oneof![
        2 => (0u32..12).prop_map(RunStep::Take),
        1 => (0u32..150).prop_map(RunStep::Take),
        3 => any::<Index>().prop_map(RunStep::Give),
    ];
    prop::collection::vec(step, 0..150)
}

/// First free run of `count` units at or after `from` in a naive map, no later than `last`.
fn first_fit(taken: &[bool], count: usize, from: usize) -> Option<usize> {
    (from..=taken.len().checked_sub(count)?)
        .find(|&at| taken[at..at + count].iter().all(|taken| !taken))
}

proptest! {
    #[test]
    fn runs_are_a_bitmap(units in 0u32..300, steps in run_steps()) {
        let mut runs = Runs::new(vec![u64::MAX; words_for(units)], units);
        let mut taken = vec![false; units as usize];
        let mut held: Vec<Run> = Vec::new();
        let mut next = 0;
        for step in steps {
            match step {
                RunStep::Take(count) => {
                    let size = count as usize;
                    let expected = (size > 0)
                        .then(|| first_fit(&taken, size, next).or_else(|| first_fit(&taken, size, 0)))
                        .flatten();
                    let run = runs.take(count);
                    prop_assert_eq!(run.map(|run| run.first as usize), expected);
                    if let Some(run) = run {
                        prop_assert_eq!(run.count, count);
                        let at = run.first as usize;
                        taken[at..at + size].fill(true);
                        next = if at + size == taken.len() { 0 } else { at + size };
                        held.push(run);
                    }
                }
                RunStep::Give(which) if !held.is_empty() => {
                    let run = held.swap_remove(which.index(held.len()));
                    runs.give(run);
                    taken[run.first as usize..(run.first + run.count) as usize].fill(false);
                }
                RunStep::Give(_) => {}
            }
            let free = taken.iter().filter(|taken| !**taken).count();
            prop_assert_eq!(runs.free_units() as usize, free);
        }
        for run in held {
            runs.give(run);
        }
        prop_assert_eq!(runs.free_units(), units);
        prop_assert_eq!(runs.take(units).is_some(), units > 0);
    }

    #[test]
    fn units_without_a_bit_do_not_exist(words in 0usize..4, units in any::<u32>()) {
        let runs = Runs::new(vec![0; words], units);
        let bits = u32::try_from(words).unwrap() * 64;
        prop_assert_eq!(runs.units(), units.min(bits));
        prop_assert_eq!(runs.free_units(), runs.units());
    }

    #[test]
    fn giving_what_is_outside_changes_nothing(first in any::<u32>(), count in any::<u32>()) {
        let mut runs = Runs::new([0u64; 2], 100);
        prop_assert_eq!(runs.take(100), Some(Run { first: 0, count: 100 }));
        let outside = u64::from(first) + u64::from(count) > 100;
        prop_assume!(outside || count == 0);
        runs.give(Run { first, count });
        prop_assert_eq!(runs.free_units(), 0);
        prop_assert_eq!(runs.take(1), None);
    }
}

#[derive(Clone, Debug)]
enum SlotStep {
    Acquire(u64),
    Release(Index),
    Retire(u64),
}

fn slot_steps() -> impl Strategy<Value = Vec<SlotStep>> {
    let step = prop_oneof![
        4 => (1u64..8).prop_map(SlotStep::Acquire),
        3 => any::<Index>().prop_map(SlotStep::Release),
        1 => (1u64..8).prop_map(SlotStep::Retire),
    ];
    prop::collection::vec(step, 0..200)
}

/// The naive model of the key slots: slots in the order of their use, oldest first.
#[derive(Clone, Copy, Debug)]
struct ModelSlot {
    index: u32,
    key: u64,
    generation: u32,
    in_flight: u32,
    retired: bool,
}

#[derive(Debug)]
struct ModelSlots(Vec<ModelSlot>);

impl ModelSlots {
    fn new(count: u32) -> Self {
        let empty = |index| ModelSlot {
            index,
            key: 0,
            generation: 0,
            in_flight: 0,
            retired: false,
        };
        Self((0..count).rev().map(empty).collect())
    }

    fn acquire(&mut self, key: u64, hint: u32) -> Found {
        let known = self
            .0
            .iter()
            .position(|s| s.index == hint && s.key == key && !s.retired);
        if let Some(at) = known {
            let mut slot = self.0.remove(at);
            slot.in_flight += 1;
            self.0.push(slot);
            return Found::Filled {
                slot: slot.index,
                generation: slot.generation,
            };
        }
        let Some(at) = self.0.iter().position(|s| s.in_flight == 0) else {
            return Found::Busy;
        };
        let mut slot = self.0.remove(at);
        slot.key = key;
        slot.in_flight = 1;
        slot.generation += if slot.generation % 2 == 1 { 2 } else { 1 };
        self.0.push(slot);
        Found::Fill {
            slot: slot.index,
            generation: slot.generation,
        }
    }

    fn clear(&mut self, at: usize) -> u32 {
        let mut slot = self.0.remove(at);
        slot.key = 0;
        slot.retired = false;
        slot.generation += 1;
        self.0.insert(0, slot);
        slot.generation
    }

    fn release(&mut self, index: u32) -> Option<u32> {
        let at = self.0.iter().position(|s| s.index == index)?;
        self.0[at].in_flight -= 1;
        (self.0[at].in_flight == 0 && self.0[at].retired).then(|| self.clear(at))
    }

    fn retire(&mut self, key: u64, hint: u32) -> Option<(u32, u32)> {
        let at = self
            .0
            .iter()
            .position(|s| s.index == hint && s.key == key)?;
        if self.0[at].in_flight > 0 {
            self.0[at].retired = true;
            return None;
        }
        Some((hint, self.clear(at)))
    }
}

proptest! {
    #[test]
    fn slots_are_an_lru_cache(count in 0u32..5, steps in slot_steps()) {
        let mut slots = Slots::new(vec![Slot::default(); count as usize]);
        let mut model = ModelSlots::new(count);
        let mut hints: HashMap<u64, u32> = HashMap::new();
        // Slot and generation of each request in flight, and what each slot was last told.
        let mut in_flight: Vec<(u32, u32)> = Vec::new();
        let mut told: HashMap<u32, u32> = HashMap::new();
        for step in steps {
            match step {
                SlotStep::Acquire(key) => {
                    let hint = hints.get(&key).copied().unwrap_or(u32::MAX);
                    let found = slots.acquire(key, hint);
                    prop_assert_eq!(found, model.acquire(key, hint));
                    let (slot, generation) = match found {
                        Found::Fill { slot, generation } => {
                            prop_assert!(in_flight.iter().all(|(busy, _)| *busy != slot));
                            prop_assert!(generation > told.get(&slot).copied().unwrap_or(0));
                            (slot, generation)
                        }
                        Found::Filled { slot, generation } => {
                            prop_assert_eq!(told.get(&slot), Some(&generation));
                            (slot, generation)
                        }
                        Found::Busy => {
                            prop_assert!(in_flight.len() >= count as usize);
                            continue;
                        }
                    };
                    prop_assert_eq!(generation % 2, 1);
                    told.insert(slot, generation);
                    in_flight.push((slot, generation));
                    hints.insert(key, slot);
                }
                SlotStep::Release(which) if !in_flight.is_empty() => {
                    let (slot, generation) = in_flight.swap_remove(which.index(in_flight.len()));
                    // Whatever happened to its key, the slot kept its generation until now.
                    prop_assert_eq!(told.get(&slot), Some(&generation));
                    let cleared = slots.release(slot);
                    prop_assert_eq!(cleared, model.release(slot));
                    if let Some(generation) = cleared {
                        prop_assert_eq!(generation % 2, 0);
                        prop_assert!(generation > told[&slot]);
                        told.insert(slot, generation);
                    }
                }
                SlotStep::Release(_) => {}
                SlotStep::Retire(key) => {
                    let hint = hints.get(&key).copied().unwrap_or(u32::MAX);
                    let cleared = slots.retire(key, hint);
                    prop_assert_eq!(cleared, model.retire(key, hint));
                    if let Some((slot, generation)) = cleared {
                        prop_assert!(in_flight.iter().all(|(busy, _)| *busy != slot));
                        prop_assert_eq!(generation % 2, 0);
                        prop_assert!(generation > told[&slot]);
                        told.insert(slot, generation);
                    }
                }
            }
            prop_assert_eq!(slots.filled(), model.0.iter().filter(|s| s.key != 0).count());
            for slot in &model.0 {
                prop_assert_eq!(slots.in_flight(slot.index), slot.in_flight);
            }
        }
    }
}

#[test]
fn no_key_is_never_in_a_slot() {
    let mut slots = Slots::new([Slot::default(); 2]);
    assert_eq!(slots.acquire(0, 0), Found::Busy);
    assert_eq!(slots.retire(0, 0), None);
    assert_eq!(slots.filled(), 0);
}

const SESSION: u32 = 3;
const SEATS: u32 = 4;

#[derive(Clone, Debug)]
enum FlightStep {
    Insert(u32),
    Remove(Index),
    Complete(Index, Forgery),
}

/// What is wrong with a completion; each field is changed by its value unless it is 0.
#[derive(Clone, Debug)]
struct Forgery {
    slot: u32,
    generation: u32,
    session: u32,
    status: u16,
    written: u32,
    reserved: u32,
}

fn flight_steps() -> impl Strategy<Value = Vec<FlightStep>> {
    let rarely = |max: u32| prop_oneof![6 => Just(0), 1 => 0..max, 1 => any::<u32>()];
    let status = prop_oneof![6 => Just(0u16), 2 => 0u16..9, 1 => any::<u16>()];
    let forgery = (
        rarely(6),
        rarely(3),
        rarely(2),
        status,
        rarely(2),
        rarely(2),
    )
        .prop_map(
            |(slot, generation, session, status, written, reserved)| Forgery {
                slot,
                generation,
                session,
                status,
                written,
                reserved,
            },
        );
    let step = prop_oneof![
        4 => (0u32..5000).prop_map(FlightStep::Insert),
        1 => any::<Index>().prop_map(FlightStep::Remove),
        5 => (any::<Index>(), forgery).prop_map(|(which, forgery)| FlightStep::Complete(which, forgery)),
    ];
    prop::collection::vec(step, 0..150)
}

/// What the table must say to a completion, from a map of what is in flight and the generation
/// of each slot.
fn judge(
    flying: &HashMap<RequestId, (u32, usize)>,
    generations: &[u32],
    completion: &Completion,
) -> Result<(usize, Status), Reject> {
    let id = RequestId::from_wire(completion.request);
    if completion.session != SESSION {
        return Err(Reject::ForeignSession {
            session: completion.session,
            expected: SESSION,
        });
    }
    let Some(&current) = generations.get(id.slot as usize) else {
        return Err(Reject::UnknownSlot {
            slot: id.slot,
            slots: SEATS,
        });
    };
    let Some(&(written_len, request)) = flying.get(&id) else {
        return Err(Reject::StaleGeneration {
            slot: id.slot,
            generation: id.generation,
            current,
        });
    };
    let status = Status::try_from(completion.status).map_err(|_| Reject::UnknownStatus {
        code: completion.status,
    })?;
    if completion.reserved != 0 {
        return Err(Reject::Reserved {
            value: completion.reserved,
        });
    }
    let expected = if status == Status::Ok { written_len } else { 0 };
    if completion.written_len != expected {
        return Err(Reject::WrittenLength {
            written: completion.written_len,
            expected,
        });
    }
    Ok((request, status))
}

proptest! {
    #[test]
    fn requests_in_flight_are_a_map(steps in flight_steps()) {
        let mut table = InFlight::new((0..SEATS).map(|_| Seat::default()).collect::<Vec<_>>());
        let mut flying: HashMap<RequestId, (u32, usize)> = HashMap::new();
        let mut generations = [0; SEATS as usize];
        // Every id ever given out: most of them are stale.
        let mut known: Vec<(RequestId, u32)> = vec![(RequestId { slot: 0, generation: 0 }, 0)];
        for (request, step) in steps.into_iter().enumerate() {
            match step {
                FlightStep::Insert(written_len) => {
                    match table.insert(written_len, request) {
                        Ok(id) => {
                            prop_assert_eq!(id.generation, generations[id.slot as usize]);
                            prop_assert!(flying.insert(id, (written_len, request)).is_none());
                            known.push((id, written_len));
                        }
                        Err(back) => {
                            prop_assert_eq!(back, request);
                            prop_assert_eq!(flying.len(), SEATS as usize);
                        }
                    }
                }
                FlightStep::Remove(which) => {
                    let (id, _) = known[which.index(known.len())];
                    prop_assert_eq!(table.get(id).copied(), flying.get(&id).map(|f| f.1));
                    let removed = flying.remove(&id).map(|f| f.1);
                    prop_assert_eq!(table.remove(id), removed);
                    generations[id.slot as usize] += u32::from(removed.is_some());
                }
                FlightStep::Complete(which, forgery) => {
                    let (id, written_len) = known[which.index(known.len())];
                    let forged = RequestId {
                        slot: id.slot.wrapping_add(forgery.slot),
                        generation: id.generation.wrapping_add(forgery.generation),
                    };
                    let honest = if forgery.status == 0 { written_len } else { 0 };
                    let completion = Completion {
                        request: forged.to_wire(),
                        session: SESSION.wrapping_add(forgery.session),
                        written_len: honest.wrapping_add(forgery.written),
                        status: forgery.status,
                        backend: 1,
                        reserved: forgery.reserved,
                        detail: 2,
                    };
                    let verdict = judge(&flying, &generations, &completion);
                    prop_assert_eq!(table.complete(&completion, SESSION), verdict);
                    if verdict.is_ok() {
                        flying.remove(&forged);
                        generations[forged.slot as usize] += 1;
                    }
                }
            }
            prop_assert_eq!(table.len() as usize, flying.len());
            prop_assert_eq!(table.is_empty(), flying.is_empty());
            prop_assert_eq!(table.is_full(), flying.len() == SEATS as usize);
            let ids: Vec<RequestId> = table.ids().collect();
            prop_assert_eq!(ids.len(), flying.len());
            prop_assert!(ids.iter().all(|id| flying.contains_key(id)));
        }
    }
}

#[test]
fn every_kind_of_reject_is_reached() {
    let mut table = InFlight::<_, &str>::new([Seat::default(), Seat::default()]);
    let id = table.insert(512, "request").unwrap();
    let good = Completion {
        request: id.to_wire(),
        session: SESSION,
        written_len: 512,
        status: Status::Ok.code(),
        backend: 0,
        reserved: 0,
        detail: 0,
    };
    let elsewhere = |slot, generation| RequestId { slot, generation }.to_wire();
    let cases = [
        (
            Completion { session: 4, ..good },
            Reject::ForeignSession {
                session: 4,
                expected: SESSION,
            },
            "completion for session 4 in session 3",
        ),
        (
            Completion {
                request: elsewhere(2, 0),
                ..good
            },
            Reject::UnknownSlot { slot: 2, slots: 2 },
            "completion for request slot 2 of 2",
        ),
        (
            Completion {
                request: elsewhere(0, 1),
                ..good
            },
            Reject::StaleGeneration {
                slot: 0,
                generation: 1,
                current: 0,
            },
            "late or doubled completion for request slot 0: generation 1, current 0",
        ),
        (
            Completion {
                written_len: 511,
                ..good
            },
            Reject::WrittenLength {
                written: 511,
                expected: 512,
            },
            "completion claims 511 bytes written of 512",
        ),
        (
            Completion { status: 6, ..good },
            Reject::UnknownStatus { code: 6 },
            "completion with unknown status 6",
        ),
        (
            Completion {
                reserved: 1,
                ..good
            },
            Reject::Reserved { value: 1 },
            "completion with reserved field 1",
        ),
    ];
    assert_eq!(cases.len(), Reject::KINDS);
    for (kind, (forged, reject, text)) in cases.into_iter().enumerate() {
        assert_eq!(table.complete(&forged, SESSION), Err(reject));
        assert_eq!(reject.kind(), kind, "{}", Reject::LABELS[kind]);
        assert_eq!(reject.to_string(), text);
    }
    // A slot that is free, under its own generation.
    let free = Completion {
        request: elsewhere(1, 0),
        ..good
    };
    assert!(matches!(
        table.complete(&free, SESSION),
        Err(Reject::StaleGeneration { slot: 1, .. })
    ));
    // None of it touched the request; a failure writes nothing and is believed.
    let failed = Completion {
        status: Status::BackendFailed.code(),
        ..good
    };
    assert_eq!(
        table.complete(&failed, SESSION),
        Err(Reject::WrittenLength {
            written: 512,
            expected: 0
        })
    );
    let failed = Completion {
        written_len: 0,
        ..failed
    };
    assert_eq!(
        table.complete(&failed, SESSION),
        Ok(("request", Status::BackendFailed))
    );
    assert!(table.is_empty());
    // Doubled.
    assert!(matches!(
        table.complete(&good, SESSION),
        Err(Reject::StaleGeneration { .. })
    ));
}

#[test]
fn seats_of_an_earlier_table_start_empty_and_disown_its_requests() {
    let mut seats = [Seat::default(), Seat::default()];
    let old = InFlight::new(&mut seats[..]).insert(1, 'a').unwrap();
    let mut table = InFlight::new(&mut seats[..]);
    assert_eq!(table.ids().count(), 0);
    assert_eq!(table.remove(old), None);
    let new = table.insert(1, 'b').unwrap();
    assert_ne!(new, old);
    assert_eq!(table.remove(old), None);
    assert_eq!(table.remove(new), Some('b'));
}
