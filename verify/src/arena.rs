//! Where the buffers of a batch lie in a pool: each request in a window of its own, at offsets of any
//! alignment, with guard bytes around every buffer. Afterwards a window tells whether anything was
//! written beside the output.

use std::ops::Range;

use crate::pool::Layout;
use crate::request::Request;
use crate::rng::Rng;

/// Guard bytes around buffers, and what they hold.
const GUARD: usize = 64;
const GUARD_BYTE: u8 = 0xa5;
/// What offsets are multiples of, where they are aligned.
const ALIGN: usize = 64;

/// Where a request lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// All of its bytes, guards included; offsets in the pool.
    pub window: Range<usize>,
    /// Its source; an offset in the pool.
    pub src: usize,
    /// Its destination: the source's own, or apart.
    pub dst: usize,
}

/// Hands out windows of a pool, one behind the other.
#[derive(Clone, Debug)]
pub struct Arena {
    at: usize,
    end: usize,
}

impl Arena {
    /// All of a pool.
    #[must_use]
    pub const fn new(pool_bytes: usize) -> Self {
        Self {
            at: 0,
            end: pool_bytes,
        }
    }

    /// Takes a window for a request; `None` when the pool is full.
    pub fn place(&mut self, request: &Request) -> Option<Place> {
        let mut rng = Rng::of(&[request.seed, 1]);
        let mut at = self.at;
        let mut buffer = |len: usize| {
            let skew = if rng.below(2) == 0 { 0 } else { rng.below(64) };
            let start = (at + GUARD).next_multiple_of(ALIGN) + usize::try_from(skew).ok()?;
            at = start.checked_add(len)?;
            Some(start)
        };
        let (input, output) = (request.input.len(), request.output_len());
        let (src, dst) = match request.layout {
            Layout::InPlace => {
                let both = buffer(input)?;
                (both, both)
            }
            Layout::Apart if request.seed.is_multiple_of(2) => {
                let dst = buffer(output)?;
                (buffer(input)?, dst)
            }
            Layout::Apart => (buffer(input)?, buffer(output)?),
        };
        let window = self.at..at.checked_add(GUARD)?;
        if window.end > self.end {
            return None;
        }
        self.at = window.end;
        Some(Place { window, src, dst })
    }
}

/// A part of a window, by its offset in the pool.
fn part<'a>(place: &Place, window: &'a mut [u8], at: usize, len: usize) -> &'a mut [u8] {
    let start = at.saturating_sub(place.window.start);
    window.get_mut(start..start + len).unwrap_or_default()
}

impl Place {
    /// Fills a window: guards everywhere but in the source.
    pub fn write(&self, request: &Request, window: &mut [u8]) {
        window.fill(GUARD_BYTE);
        let source = part(self, window, self.src, request.input.len());
        if source.len() == request.input.len() {
            source.copy_from_slice(&request.input);
        }
    }

    /// The output in a window, if all else in it is as it was: the guards, and the source where the
    /// output is apart.
    ///
    /// # Errors
    /// What was written to, in words.
    pub fn read<'a>(&self, request: &Request, window: &'a [u8]) -> Result<&'a [u8], String> {
        let range = |at: usize, len: usize| {
            let start = at.saturating_sub(self.window.start);
            start..start + len
        };
        let (source, output) = (
            range(self.src, request.input.len()),
            range(self.dst, request.output_len()),
        );
        if self.src != self.dst && window.get(source.clone()) != Some(&request.input[..]) {
            return Err("the source was written to, with the output apart".into());
        }
        let mut buffers = [source, output.clone()];
        buffers.sort_by_key(|buffer| buffer.start);
        let mut from = 0;
        let [first, second] = &buffers;
        for to in [first.clone(), second.clone(), window.len()..window.len()] {
            let gap = window.get(from..to.start).unwrap_or_default();
            if let Some(at) = gap.iter().position(|byte| *byte != GUARD_BYTE) {
                let at = from + at;
                return Err(match at.checked_sub(output.end) {
                    Some(beyond) => format!("byte {beyond} behind the output was written to"),
                    None => format!(
                        "byte {} before the output was written to",
                        output.start.saturating_sub(at)
                    ),
                });
            }
            from = from.max(to.end);
        }
        window
            .get(output)
            .ok_or_else(|| "the pool is too short".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::request;

    /// Requests of every algorithm, short enough to look at each byte.
    fn requests() -> Vec<Request> {
        let all = kgpu_algos::all().iter().copied();
        let all = all.flat_map(|algorithm| (0..40).map(move |at| request(1, algorithm, at)));
        all.filter(|request| request.input.len() < 300).collect()
    }

    #[test]
    fn what_is_beside_the_output_is_guarded() {
        let mut arena = Arena::new(1 << 20);
        let mut unaligned = 0;
        for request in requests() {
            let place = arena.place(&request).unwrap();
            unaligned += usize::from(!place.src.is_multiple_of(16));
            let mut window = vec![0; place.window.len()];
            place.write(&request, &mut window);
            let output = place.dst - place.window.start..;
            let output = output.start..output.start + request.output_len();
            assert!(place.read(&request, &window).is_ok());
            // The output itself may change; nothing else may.
            for at in 0..window.len() {
                let mut changed = window.clone();
                changed[at] ^= 1;
                let outcome = place.read(&request, &changed);
                assert_eq!(outcome.is_ok(), output.contains(&at), "{request:?} at {at}");
            }
        }
        assert!(unaligned > 50);
    }

    #[test]
    fn a_full_pool_has_no_place() {
        let mut arena = Arena::new(4096);
        let requests = requests();
        let placed = requests.iter().map_while(|request| arena.place(request));
        let placed: Vec<Place> = placed.collect();
        assert!((1..requests.len()).contains(&placed.len()));
        assert!(placed.iter().all(|place| place.window.end <= 4096));
    }
}
