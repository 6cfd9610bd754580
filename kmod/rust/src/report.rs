//! The status file and the counters, as text.

use alloc::sync::Arc;
use core::fmt::{self, Write};
use core::sync::atomic::Ordering;

use kgpu_core::inflight::Reject;
use kgpu_core::ring::RingError;

use crate::counters::{GLOBAL, Reason, of};
use crate::session::{self, ATTACHED, SESSIONS, STALLED, Session};
use crate::{ALGORITHMS, algorithm, ffi, params};

/// The status file: state of the helper and one line per algorithm.
///
/// # Errors
/// Those of the writer.
pub fn status(out: &mut impl Write) -> fmt::Result {
    writeln!(
        out,
        "kgpu: ABI {}.{}",
        kgpu_core::abi::MAJOR,
        kgpu_core::abi::MINOR
    )?;
    match session::current() {
        None => writeln!(out, "state: no helper")?,
        Some(session) => {
            let stalled = if STALLED.load(Ordering::Acquire) {
                " (stalled)"
            } else {
                ""
            };
            writeln!(out, "state: {}{stalled}", session.state().label())?;
            writeln!(out, "helper: {}", session.peer)?;
            let name = session
                .backend
                .split(|b| *b == 0)
                .next()
                .unwrap_or_default();
            writeln!(
                out,
                "backend: {}",
                core::str::from_utf8(name).unwrap_or("?")
            )?;
            writeln!(out, "session: {}", session.generation)?;
            let sizes = session.layout.sizes;
            let (free, slots) = {
                let mut guard = ffi::lock();
                let books = session.books.get(&mut guard);
                (
                    u64::from(books.pool.free_units()) * u64::from(kgpu_core::runs::GRANULE),
                    books.slots.filled(),
                )
            };
            writeln!(
                out,
                "pool: {} bytes, {free} free, {} quarantined",
                sizes.pool_bytes,
                session.quarantined.load(Ordering::Relaxed)
            )?;
            writeln!(out, "keys: {slots} of {} slots", sizes.keys)?;
            writeln!(out, "ring: {} entries", sizes.entries)?;
            others(&session, out)?;
        }
    }
    writeln!(
        out,
        "sessions: {} opened, {} closed, {} quarantined; {} requests taken back; {} known answers failed",
        GLOBAL.sessions.get(),
        GLOBAL.closed.get(),
        GLOBAL.quarantines.get(),
        GLOBAL.taken_over.get(),
        GLOBAL.known_answers_failed.get()
    )?;
    writeln!(out)?;
    writeln!(
        out,
        "{:<15} {:<19} {:<24} {:>8} {:>9} {:>12} {:>15} {:>12} {:>15} {:>6}",
        "algorithm",
        "driver",
        "fallback",
        "priority",
        "crossover",
        "helper",
        "bytes",
        "fallback",
        "bytes",
        "errors"
    )?;
    for i in 0..ALGORITHMS {
        let Some(a) = algorithm(i) else { continue };
        let c = of(i);
        let (requests, bytes) = c.fallback.iter().fold((0, 0), |(r, b), t| {
            (r + t.requests.get(), b + t.bytes.get())
        });
        let index = u32::try_from(i).unwrap_or(u32::MAX);
        writeln!(
            out,
            "{:<15} {:<19} {:<24} {:>8} {:>9} {:>12} {:>15} {:>12} {:>15} {:>6}",
            a.name,
            a.driver,
            ffi::fallback_driver(index),
            params::priority(i),
            params::crossover(i),
            c.helper.requests.get(),
            c.helper.bytes.get(),
            requests,
            bytes,
            c.errors.get()
        )?;
    }
    Ok(())
}

/// Helpers beside the one that stands for all: about to take over, or taken over from.
fn others(current: &Arc<Session>, out: &mut impl Write) -> fmt::Result {
    for at in 0..SESSIONS {
        let other = ATTACHED.get(&mut ffi::lock()).sessions.get(at).cloned();
        let Some(other) = other.flatten().filter(|other| !Arc::ptr_eq(other, current)) else {
            continue;
        };
        writeln!(
            out,
            "beside it: helper {}, session {}, {}",
            other.peer,
            other.generation,
            other.state().label()
        )?;
    }
    Ok(())
}

/// Every counter, one `name value` a line: for programs.
///
/// # Errors
/// Those of the writer.
pub fn counters(out: &mut impl Write) -> fmt::Result {
    for (label, count) in Reject::LABELS.iter().zip(&GLOBAL.rejected) {
        writeln!(out, "rejected.{label} {}", count.get())?;
    }
    for (label, count) in RingError::LABELS.iter().zip(&GLOBAL.ring_errors) {
        writeln!(out, "ring-errors.{label} {}", count.get())?;
    }
    for (name, count) in [
        ("quarantines", &GLOBAL.quarantines),
        ("sessions", &GLOBAL.sessions),
        ("sessions-closed", &GLOBAL.closed),
        ("key-fills", &GLOBAL.key_fills),
        ("taken-over", &GLOBAL.taken_over),
        ("known-answers-failed", &GLOBAL.known_answers_failed),
        ("known-answers-missing", &GLOBAL.known_answers_missing),
        ("rechecks", &GLOBAL.rechecks),
        ("rechecks-wrong", &GLOBAL.rechecks_wrong),
        ("takeovers", &GLOBAL.takeovers),
    ] {
        writeln!(out, "{name} {}", count.get())?;
    }
    for (name, gauge) in [
        ("in-flight", &GLOBAL.in_flight),
        ("takeover-in-flight", &GLOBAL.takeover_in_flight),
    ] {
        writeln!(out, "{name} {}", gauge.get())?;
    }
    if let Some(session) = session::current() {
        writeln!(
            out,
            "quarantined-bytes {}",
            session.quarantined.load(Ordering::Relaxed)
        )?;
    }
    for i in 0..ALGORITHMS {
        let Some(a) = algorithm(i) else { continue };
        let c = of(i);
        writeln!(out, "{}.accepted {}", a.name, c.accepted.get())?;
        writeln!(out, "{}.completed {}", a.name, c.completed.get())?;
        writeln!(
            out,
            "{}.helper.requests {}",
            a.name,
            c.helper.requests.get()
        )?;
        writeln!(out, "{}.helper.bytes {}", a.name, c.helper.bytes.get())?;
        for (label, tally) in Reason::LABELS.iter().zip(&c.fallback) {
            writeln!(
                out,
                "{}.fallback.{label}.requests {}",
                a.name,
                tally.requests.get()
            )?;
            writeln!(
                out,
                "{}.fallback.{label}.bytes {}",
                a.name,
                tally.bytes.get()
            )?;
        }
        writeln!(out, "{}.errors {}", a.name, c.errors.get())?;
        writeln!(out, "{}.rejected {}", a.name, c.rejected.get())?;
        writeln!(out, "{}.known-answers {}", a.name, c.known_answers.get())?;
        writeln!(out, "{}.zero-copy {}", a.name, c.zero_copy.get())?;
        writeln!(out, "{}.in-place {}", a.name, c.in_place.get())?;
    }
    Ok(())
}

/// Latency histograms: a line per algorithm and path, a column per power of two of a microsecond; and
/// one of overdue requests, from their deadline on.
///
/// # Errors
/// Those of the writer.
pub fn latency(out: &mut impl Write) -> fmt::Result {
    writeln!(
        out,
        "# requests completed below 1, 2, 4, … 2^31 microseconds after acceptance"
    )?;
    for i in 0..ALGORITHMS {
        let Some(a) = algorithm(i) else { continue };
        let c = of(i);
        for (path, histogram) in [
            ("helper", &c.helper_latency),
            ("fallback", &c.fallback_latency),
        ] {
            write!(out, "{} {path}", a.name)?;
            for count in histogram.buckets() {
                write!(out, " {count}")?;
            }
            writeln!(out)?;
        }
    }
    write!(out, "overdue after-deadline")?;
    for count in GLOBAL.overdue.buckets() {
        write!(out, " {count}")?;
    }
    writeln!(out)
}
