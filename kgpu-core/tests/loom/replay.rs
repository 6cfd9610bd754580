//! Death and replay: what a helper still says of a request that the module took back.

use kgpu_core::abi::{Completion, Status, Submission};
use kgpu_core::cell::{Word, Words};
use kgpu_core::inflight::{InFlight, Reject, Seat};
use kgpu_core::ring::{Consumer, Producer};
use loom::sync::Arc;
use loom::thread;

use super::{Region, SESSION, completion, completions, model, submission, submissions};

/// A request is taken back at any point of its life and its seat given to the next one, whose data
/// lies elsewhere because the first one's bytes are in quarantine. A late completion is refused, a
/// believed one comes with the bytes that the helper computed for that very request.
#[test]
fn a_seat_used_again_is_not_completed_by_who_had_it_before() {
    const TOTAL: u64 = 2;
    /// What the helper makes of a pool word.
    const fn computed(word: u64) -> u64 {
        word ^ 0xff
    }
    model(4, || {
        let region = Region::new(2, 4);
        let pool: Arc<Vec<Word>> = Arc::new((0..TOTAL).map(Word::new).collect());
        let (theirs, their_pool) = (Arc::clone(&region), Arc::clone(&pool));
        let helper = thread::spawn(move || {
            let mut sq = Consumer::<Submission>::new(submissions(2));
            let mut cq = Producer::<Completion>::new(completions(2));
            let words = Words::new(&their_pool);
            while cq.pushed() < TOTAL {
                let Some(taken) = sq.pop(theirs.control()).expect("an honest module") else {
                    thread::yield_now();
                    continue;
                };
                let at = u64::from(taken.tile_first) * 8;
                words.store(at, computed(words.load(at)));
                let answer = completion(&taken);
                let pushed = cq.push(theirs.helper(), theirs.control(), &answer);
                assert_eq!(pushed, Ok(true));
                cq.publish(theirs.helper());
            }
        });

        let words = Words::new(&pool);
        let mut sq = Producer::<Submission>::new(submissions(2));
        let mut cq = Consumer::<Completion>::new(completions(2));
        let mut table = InFlight::<_, u32>::new([Seat::default()]);
        let mut believed = 0;
        let mut late = 0;
        let mut reap = |table: &mut InFlight<[Seat<u32>; 1], u32>, expected: u32| {
            let mut done = false;
            while let Some(found) = cq.pop(region.helper()).expect("an honest helper") {
                match table.complete(&found, SESSION) {
                    Ok((request, status)) => {
                        assert_eq!((request, status), (expected, Status::Ok));
                        let input = u64::from(request);
                        assert_eq!(words.load(input * 8), computed(input));
                        believed += 1;
                        done = true;
                    }
                    Err(reject) => {
                        assert!(matches!(reject, Reject::StaleGeneration { slot: 0, .. }));
                        late += 1;
                    }
                }
            }
            done
        };
        let mut replayed = 0;
        for request in 0..2 {
            let id = table.insert(16, request).expect("the one seat");
            let entry = Submission {
                tile_first: request,
                ..submission(id)
            };
            let pushed = sq.push(region.control(), region.helper(), &entry);
            assert_eq!(pushed, Ok(true));
            sq.publish(region.control());
            // One look, and its deadline is over.
            if !reap(&mut table, request) {
                assert_eq!(table.remove(id), Some(request));
                replayed += 1;
            }
            assert!(table.is_empty());
        }
        helper.join().unwrap();
        assert!(!reap(&mut table, u32::MAX));
        assert_eq!(believed + replayed, TOTAL);
        assert_eq!(late, replayed);
    });
}
