//! A launch over data that lies somewhere already: jobs as the ring would make them of requests, and
//! from them tiles, spans and schedules as the backend would. No device here.

use std::sync::Arc;

use kgpu_core::abi::RingSizes;
use kgpu_core::abi::{Layout, PAGE};
use kgpu_core::device::{Card, Entry, Span, Tile, plan};
use kgpu_core::num::index;
use kgpu_core::tiling::{Place, Tiles};
use zerocopy::IntoBytes;

use super::super::subject::Subject;
use crate::backend::gpu::{Address, Schedules, cut, tiles_of};
use crate::catalogue::Catalogue;
use crate::fault::Fault;
use crate::job::Job;
use crate::keys::{Prepared, prepare};
use crate::validate;

/// Bytes that schedules lie apart: a multiple of a cell, and of a memory transaction.
const SLOT_GRAIN: usize = 256;

/// The requests of a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requests {
    /// Bytes of each.
    pub size: u32,
    /// How many.
    pub count: u32,
    /// Most bytes of a tile.
    pub tile_bytes: u32,
    /// Keys; the requests take them in turn.
    pub keys: u32,
}

impl Requests {
    /// Bytes of all.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        u64::from(self.size) * u64::from(self.count)
    }
}

/// Why there is no launch.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// The device has no kernel for it.
    #[error("the device has no kernel for it")]
    NoKernel,
    /// The ring would refuse it.
    #[error("{0}")]
    Fault(Fault),
    /// It can't be laid out.
    #[error("{0}")]
    Plan(plan::PlanError),
    /// It can't be told to kernels.
    #[error("kernels can't be told of a tile of {0} bytes")]
    Tile(u32),
}

/// A launch, laid out.
#[derive(Debug)]
pub struct Work {
    /// The kernel.
    pub entry: &'static Entry,
    /// Blocks worth starting.
    pub blocks: u32,
    /// The ring's tiles, with their keys.
    pub jobs: Vec<Job>,
    /// The kernel's tiles.
    pub tiles: Vec<Tile>,
    /// Its spans.
    pub spans: Vec<Span>,
    /// The schedules, each at its place.
    pub schedules: Vec<u8>,
    /// What the kernel will count.
    pub totals: plan::Totals,
}

/// The jobs that the ring would make.
fn jobs(subject: &Subject, requests: &Requests, keys: &[Arc<Prepared>]) -> Result<Vec<Job>, Unfit> {
    let algorithm = subject.algorithm;
    let (index_of, _) = Catalogue::registry()
        .find(algorithm.id)
        .ok_or(Unfit::Fault(Fault::UnknownAlgorithm(algorithm.id.0)))?;
    let accepted = validate::Accepted {
        index: index_of,
        algorithm,
        op: subject.op,
    };
    let mut jobs = Vec::new();
    for (number, key) in (0..requests.count).zip(keys.iter().cycle()) {
        let at = u64::from(number) * u64::from(requests.size);
        let place = Place {
            src: at,
            dst: at,
            key_slot: 0,
            key_generation: 0,
        };
        let shape = subject.shape(requests.size, u64::from(number));
        // Only a tile inside a chained data unit would need the bytes before it.
        let tiles = Tiles::new(algorithm, shape, place, requests.tile_bytes, |_, _| ());
        for tile in tiles {
            if tile.len < tile.data_unit_size && algorithm.mode == kgpu_core::algorithm::Mode::Cbc {
                return Err(Unfit::Tile(tile.len));
            }
            let (work, span) = validate::tile(&tile, &accepted).map_err(Unfit::Fault)?;
            jobs.push(Job {
                seat: 0,
                order: 0,
                span,
                work,
                key: Arc::clone(key),
            });
        }
    }
    // As batches are: jobs of one key are neighbours.
    let generation = |job: &Job| job.key.schedule.as_ref().map(|s| s.generation());
    jobs.sort_by_key(generation);
    Ok(jobs)
}

impl Work {
    /// Lays the requests out for a card on which `blocks` blocks of a kernel run at the same time.
    /// Request bytes begin at the two addresses.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn new(
        subject: &Subject,
        requests: &Requests,
        (src, dst): (Address, Address),
        card: &Card,
        blocks: impl Fn(&Entry) -> u32,
    ) -> Result<Self, Unfit> {
        let algorithm = subject.algorithm;
        let code = algorithm.device.ok_or(Unfit::NoKernel)?;
        let entry = code
            .choose(subject.op, card, requests.bytes(), requests.keys)
            .ok_or(Unfit::NoKernel)?;
        let home = Arc::new(Schedules::default());
        let keys = (0..u64::from(requests.keys))
            .map(|number| {
                let key = prepare(algorithm, 0, Some(&home), &subject.key(number));
                key.map(Arc::new).map_err(|e| Unfit::Fault(Fault::Key(e)))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let slot = (code.schedule_words * 4).next_multiple_of(SLOT_GRAIN);
        let mut schedules = vec![0u8; slot * keys.len()];
        let mut places = std::collections::HashMap::new();
        for (number, (key, to)) in keys.iter().zip(schedules.chunks_mut(slot)).enumerate() {
            if let Some(schedule) = &key.schedule {
                for (to, from) in to.iter_mut().zip(schedule.words().as_bytes()) {
                    *to = *from;
                }
                let cell = u32::try_from(number * slot / 16).unwrap_or(u32::MAX);
                places.insert(schedule.generation(), cell);
            }
        }
        let jobs = jobs(subject, requests, &keys)?;
        let most: u64 = jobs.iter().map(tiles_of).sum();
        let mut tiles = vec![Tile::default(); index(most)];
        let mut used = 0;
        for job in &jobs {
            let generation = job.key.schedule.as_ref().map_or(0, |s| s.generation());
            let like = Tile {
                // Results lie at their sources' offsets (`jobs`).
                src: src + job.span.dst,
                dst: dst + job.span.dst,
                key: places.get(&generation).copied().unwrap_or(0),
                generation,
                ..Tile::default()
            };
            let count = cut(job, like, entry.grain, tiles.get_mut(used..));
            used += count.ok_or(Unfit::Tile(job.span.len))?;
        }
        tiles.truncate(used);
        let block = u32::from(algorithm.block_size);
        let totals =
            plan::items(&mut tiles, entry.grain, entry.scratch, block).map_err(Unfit::Plan)?;
        let blocks = blocks(entry);
        let mut spans = vec![Span::default(); index(u64::from(totals.keys) + u64::from(blocks))];
        let warps = entry.threads / 32;
        let count = plan::spans(&tiles, &totals, entry.scratch, blocks, warps, &mut spans)
            .map_err(Unfit::Plan)?;
        spans.truncate(count);
        let used = u32::try_from(count).unwrap_or(u32::MAX);
        Ok(Self {
            entry,
            blocks: blocks.min(used),
            jobs,
            tiles,
            spans,
            schedules,
            totals,
        })
    }
}

/// A region whose pool has `bytes` bytes, rounded up to pages.
#[must_use]
pub fn layout(bytes: u64) -> Option<Layout> {
    Layout::new(RingSizes {
        entries: 2,
        tiles: 1,
        keys: 1,
        pool_bytes: bytes.next_multiple_of(PAGE),
    })
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kgpu_core::abi::Op;

    const CARD: Card = Card {
        sms: 4,
        shared_per_block: 227 << 10,
        shared_per_sm: 228 << 10,
        threads_per_sm: 2048,
    };

    #[test]
    fn tiles_of_a_launch_cover_the_requests_under_their_keys() {
        let ciphers = kgpu_algos::all().iter().filter(|a| a.device.is_some());
        for algorithm in ciphers {
            let subject = Subject {
                algorithm,
                key_len: usize::from(algorithm.key_sizes.max),
                op: algorithm.ops().last().copied().unwrap_or(Op::Compute),
            };
            let requests = Requests {
                size: 128 << 10,
                count: 6,
                tile_bytes: 64 << 10,
                keys: 3,
            };
            let work = Work::new(&subject, &requests, (1 << 20, 2 << 20), &CARD, |_| 8).unwrap();
            assert_eq!(work.jobs.len(), 12, "{subject}");
            let bytes: u64 = work.tiles.iter().map(|t| u64::from(t.len)).sum();
            assert_eq!(bytes, requests.bytes(), "{subject}");
            let mut keys: Vec<u32> = work.tiles.iter().map(|t| t.key).collect();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), 3, "{subject}");
            let items: u32 = work.spans.iter().map(|s| s.items).sum();
            assert_eq!(items, work.totals.items, "{subject}");
        }
    }
}
