//! Proofs of ids and of what is believed. No bounds on ids and on the fields of a completion; tables
//! of two seats, whose generations are any.

use super::{InFlight, Reject, Seat};
use crate::abi::{Completion, RequestId, Status};
use crate::proof::Source;
use crate::prove;

/// Ids and their wire form name each other.
fn ids_round_trip(source: &mut impl Source) -> bool {
    let wire = source.u64();
    let id = RequestId::from_wire(wire);
    assert_eq!(id.to_wire(), wire);
    let id = RequestId {
        slot: source.u32(),
        generation: source.u32(),
    };
    assert_eq!(RequestId::from_wire(id.to_wire()), id);
    true
}

/// Any completion is believed or refused for one reason, the first that holds, and only a believed
/// one changes the table.
fn every_completion_is_decided(source: &mut impl Source) -> bool {
    const SESSION: u32 = 7;
    let written_len = source.u32();
    let mut table = InFlight::new([0, 1].map(|_: u32| Seat::<u32> {
        generation: source.u32(),
        ..Seat::default()
    }));
    let Ok(id) = table.insert(written_len, 5) else {
        panic!("an empty table has a seat");
    };
    // Random values near the right ones; all values are among them.
    let mut near = |right: u64| {
        if source.below(4) > 0 {
            right
        } else {
            source.u64()
        }
    };
    let completion = Completion {
        request: near(id.to_wire()),
        session: crate::num::low32(near(u64::from(SESSION))),
        written_len: crate::num::low32(near(u64::from(written_len))),
        status: u16::try_from(near(0) & 0xffff).unwrap_or(0),
        backend: 0,
        reserved: crate::num::low32(near(0)),
        detail: near(0),
    };
    let named = RequestId::from_wire(completion.request);
    let code = completion.status;
    let asked = if code == 0 { written_len } else { 0 };
    let expected = if completion.session != SESSION {
        Some(0)
    } else if named.slot > 1 {
        Some(1)
    } else if named != id {
        Some(2)
    } else if code > 5 {
        Some(4)
    } else if completion.reserved != 0 {
        Some(5)
    } else if completion.written_len != asked {
        Some(3)
    } else {
        None
    };
    match table.complete(&completion, SESSION) {
        Ok((request, status)) => {
            assert_eq!(expected, None);
            assert_eq!((request, status.code()), (5, code));
            assert!(table.is_empty() && table.get(id).is_none());
            // The same again is late.
            let again = table.complete(&completion, SESSION);
            assert!(matches!(again, Err(Reject::StaleGeneration { .. })));
        }
        Err(reject) => {
            assert_eq!(expected, Some(reject.kind()));
            assert!(reject.kind() < Reject::KINDS);
            assert!(table.len() == 1 && table.get(id) == Some(&5));
        }
    }
    true
}

/// Every code is a status or none.
fn statuses_are_codes(source: &mut impl Source) -> bool {
    let code = u16::try_from(source.below(1 << 16)).unwrap_or(0);
    match Status::try_from(code) {
        Ok(status) => assert_eq!(status.code(), code),
        Err(error) => assert!(code > 5 && error.value == u64::from(code)),
    }
    true
}

prove!(request_ids: ids_round_trip, unwind 2, 20_000 cases);
prove!(completions_decided: every_completion_is_decided, unwind 4, 50_000 cases);
prove!(status_codes: statuses_are_codes, unwind 2, each);
