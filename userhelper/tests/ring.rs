//! The dispatcher over an in-process ring with the real ciphers: right answers, and an answer to
//! every request, whatever happens.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod shared;

use std::time::{Duration, Instant};

use kgpu_core::abi::{SessionState, Status, word};
use kgpu_userhelper::catalogue::Catalogue;
use kgpu_userhelper::ending::Ended;
use kgpu_userhelper::heartbeat::Heartbeat;
use kgpu_userhelper::loopback::Key;
use shared::{all_algorithms, direct, key, named, noise, reap, rig, simple};

#[test]
fn every_algorithm_equals_direct_calls_with_one_worker() {
    all_algorithms(rig(1), Catalogue::registry().all(), 1);
}

#[test]
fn every_algorithm_equals_direct_calls_with_three_workers() {
    all_algorithms(rig(3), Catalogue::registry().all(), 1);
}

/// Requests of many keys: more keys than slots, so that slots are refilled again and again.
#[test]
fn more_keys_than_slots() {
    for workers in [1, 2] {
        let mut rig = rig(workers);
        let algorithm = named("cbc(aes)");
        let mut keys: Vec<Key> = (1..=11).map(|id| key(algorithm, id)).collect();
        let input = noise(5, 512);
        for round in 0..40u64 {
            let user = round % 11;
            let key = &mut keys[user as usize];
            let lane = rig.module.lane();
            lane.write(0, 512, |to| to.copy_from_slice(&input)).unwrap();
            let order = simple(algorithm, 512, 0, user);
            assert!(rig.module.submit(&order, Some(key)).unwrap());
            rig.module.publish();
            assert_eq!(reap(&mut rig.module, 1), [(user, Status::Ok)]);
            let answer = direct(algorithm, &noise(user + 1, 16), &order.shape, &input);
            let same = |out: &[u8]| out == answer;
            assert!(rig.module.lane().read(0, 512, same).unwrap(), "{round}");
        }
        rig.stop.drain();
        rig.join().unwrap();
    }
}

/// A ring of 16 entries takes hundreds of requests, always full.
#[test]
fn a_full_ring_keeps_moving() {
    for workers in [1, 3] {
        let mut rig = rig(workers);
        let algorithm = named("xts(aes)");
        let mut key = key(algorithm, 1);
        let (mut sent, mut done) = (0, 0);
        // Places that no request in flight has, however late a worker is with one.
        let mut free: Vec<u64> = (0..16).collect();
        while done < 600 {
            while sent < 600 && rig.module.in_flight() < 16 {
                let place = free.pop().unwrap();
                let order = simple(algorithm, 8192, place << 14, place);
                assert!(rig.module.submit(&order, Some(&mut key)).unwrap());
                sent += 1;
            }
            rig.module.publish();
            done += rig
                .module
                .reap(|d| {
                    assert_eq!(d.status, Status::Ok);
                    free.push(d.user);
                })
                .unwrap();
        }
        rig.stop.drain();
        let (_, tally, _) = rig.join().unwrap();
        assert_eq!((tally.requests, tally.bytes), (600, 600 * 8192));
    }
}

/// Both sides sleep between requests; neither misses the other's wake-up.
#[test]
fn sleepers_are_woken() {
    for workers in [1, 2] {
        let mut rig = rig(workers);
        let algorithm = named("ctr(aes)");
        let mut key = key(algorithm, 1);
        for user in 0..200 {
            if user % 8 == 0 {
                std::thread::sleep(Duration::from_micros(user * 3));
            }
            let order = simple(algorithm, 64, 0, user);
            assert!(rig.module.submit(&order, Some(&mut key)).unwrap());
            rig.module.publish();
            let since = Instant::now();
            while rig.module.reap(|_| ()).unwrap() == 0 {
                // A lost wake-up would take all of this.
                rig.module.wait(Duration::from_secs(20)).unwrap();
                assert!(since.elapsed() < Duration::from_secs(10));
            }
        }
        rig.stop.drain();
        rig.join().unwrap();
    }
}

fn fill(rig: &mut kgpu_userhelper::rig::Rig) -> usize {
    let algorithm = named("ecb(blowfish)");
    let mut key = key(algorithm, 1);
    for user in 0..16 {
        let order = simple(algorithm, 16 << 10, user << 14, user);
        assert!(rig.module.submit(&order, Some(&mut key)).unwrap());
    }
    rig.module.publish();
    16
}

/// Told to stop, the helper computes everything that is in the ring first.
#[test]
fn shutdown_drains_the_ring() {
    for workers in [1, 3] {
        let mut rig = rig(workers);
        let sent = fill(&mut rig);
        rig.stop.drain();
        let (ended, tally, mut module) = rig.join().unwrap();
        assert_eq!(ended, Ended::Stopped);
        assert_eq!(tally.faults, 0);
        let done = reap(&mut module, sent);
        assert!(done.iter().all(|(_, status)| *status == Status::Ok));
    }
}

/// Told to stop at once, it still answers everything.
#[test]
fn abandoning_answers_everything() {
    for workers in [1, 3] {
        let mut rig = rig(workers);
        rig.stop.abandon();
        let sent = fill(&mut rig);
        // The helper may have ended before the requests came; then nobody answers, as it is told.
        let (ended, tally, mut module) = rig.join().unwrap();
        assert_eq!(ended, Ended::Stopped);
        let mut done = Vec::new();
        module.reap(|d| done.push(d.status)).unwrap();
        assert_eq!(done.len() as u64, tally.requests);
        assert!(done.len() <= sent);
        let known = [Status::Ok, Status::ShuttingDown];
        assert!(done.iter().all(|status| known.contains(status)));
    }
}

/// A retired session is drained and left; a quarantined one is left at once.
#[test]
fn the_module_ends_sessions() {
    for workers in [1, 2] {
        let mut rig = rig(workers);
        let sent = fill(&mut rig);
        rig.module.set_state(SessionState::Retired);
        let (ended, _, mut module) = rig.join().unwrap();
        assert_eq!(ended, Ended::Retired);
        assert_eq!(reap(&mut module, sent).len(), sent);

        let rig = shared::rig(workers);
        std::thread::sleep(Duration::from_millis(5));
        rig.module.set_state(SessionState::Quarantined);
        assert_eq!(rig.join().unwrap().0, Ended::Quarantined);
    }
}

/// A state word that is no state breaks the session instead of being served.
#[test]
fn an_impossible_state_is_an_error() {
    let rig = rig(1);
    rig.module.region().control().store(word::STATE, 99);
    rig.stop.drain();
    assert!(rig.join().is_err());
}

/// So does a tail that claims more entries than the ring has.
#[test]
fn an_impossible_tail_is_an_error() {
    for tail in [17, u64::MAX] {
        let rig = rig(1);
        rig.module.region().control().store(word::SQ_TAIL, tail);
        rig.module.set_state(SessionState::Live);
        let error = rig.join().unwrap_err().to_string();
        assert!(error.contains("broke the ring"), "{error}");
    }
}

#[test]
fn the_heart_beats_at_least_ten_times_a_second() {
    let rig = rig(1);
    let region = rig.module.region().clone();
    let heart = Heartbeat::start(region.clone()).unwrap();
    std::thread::sleep(Duration::from_millis(1000));
    let beats = region.helper().load(word::HEARTBEAT);
    drop(heart);
    assert!(beats >= 10, "{beats}");
    std::thread::sleep(Duration::from_millis(120));
    let after = region.helper().load(word::HEARTBEAT);
    std::thread::sleep(Duration::from_millis(120));
    assert_eq!(region.helper().load(word::HEARTBEAT), after);
    rig.stop.drain();
    rig.join().unwrap();
}
