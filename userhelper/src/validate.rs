//! The checks of submissions and tiles. The module is trusted, and checked all the same: a mistake
//! there must become a refused request here, not a wrong byte.

use kgpu_core::abi::{
    AlgorithmId, InvalidCode, Layout, Op, Submission, SubmissionFlags, Tile, TileFlags,
};
use kgpu_core::algorithm::{Algorithm, Mode};
use kgpu_core::cpu::Work;
use kgpu_core::request::{Shape, ShapeError};

use crate::catalogue::Catalogue;
use crate::fault::Fault;
use crate::region::{Source, Span};

/// A submission that may have its tiles looked at.
#[derive(Clone, Copy, Debug)]
pub struct Accepted {
    /// Index of the algorithm in the catalogue.
    pub index: usize,
    /// The algorithm.
    pub algorithm: &'static Algorithm,
    /// The operation.
    pub op: Op,
}

/// Checks a submission by itself.
///
/// # Errors
/// The first rule that it breaks.
pub fn submission(
    submission: &Submission,
    session: u32,
    layout: &Layout,
    catalogue: &Catalogue,
) -> Result<Accepted, Fault> {
    if submission.session != session {
        return Err(Fault::Session {
            found: submission.session,
            expected: session,
        });
    }
    if SubmissionFlags::from_bits(submission.flags).is_none() {
        return Err(Fault::Code(InvalidCode {
            what: "submission flags",
            value: u64::from(submission.flags),
        }));
    }
    let table = layout.sizes.tiles;
    let end = submission.tile_first.checked_add(submission.tile_count);
    if submission.tile_count == 0 || end.is_none_or(|end| end > table) {
        return Err(Fault::TileRange {
            first: submission.tile_first,
            count: submission.tile_count,
            table,
        });
    }
    let unknown = Fault::UnknownOp(submission.op);
    let op = Op::try_from(submission.op).map_err(|_| unknown)?;
    let (index, algorithm) = catalogue
        .find(AlgorithmId(submission.algorithm))
        .ok_or(Fault::UnknownAlgorithm(submission.algorithm))?;
    if !algorithm.offers(op) {
        return Err(unknown);
    }
    Ok(Accepted {
        index,
        algorithm,
        op,
    })
}

/// Checks a tile of an accepted submission; the bytes it names are checked when they are lent.
///
/// # Errors
/// The first rule that it breaks.
pub fn tile(tile: &Tile, accepted: &Accepted) -> Result<(Work, Span), Fault> {
    let algorithm = accepted.algorithm;
    if tile.algorithm != algorithm.id.0 || tile.op != accepted.op.code() {
        return Err(Fault::Foreign {
            algorithm: tile.algorithm,
            op: tile.op,
        });
    }
    let work = Work::try_from(tile).map_err(Fault::Code)?;
    let unit = tile.data_unit_size;
    // A tile is whole units, or a part of one that is a request by itself.
    let shape = Shape {
        op: work.op,
        len: tile.len,
        data_unit_size: unit.min(tile.len.max(1)),
        iv: work.iv,
        iv_step: work.iv_step,
    };
    shape.check(algorithm).map_err(Fault::Shape)?;
    let part = tile.len < unit;
    if part && !algorithm.splits_units(work.op) && !algorithm.partial_last_unit() {
        return Err(Fault::Shape(ShapeError::Length {
            len: tile.len,
            data_unit_size: unit,
            block_size: algorithm.block_size,
        }));
    }
    first_block(tile, algorithm)?;
    let used = algorithm.iv_size();
    if work.iv.iter().skip(used).any(|byte| *byte != 0) {
        return Err(Fault::NotZero("the IV beyond its size"));
    }
    let expected = shape.output_len(algorithm).map_err(Fault::Shape)?;
    if tile.dst_len != expected {
        return Err(Fault::OutputLength {
            found: tile.dst_len,
            expected,
        });
    }
    if !algorithm.has_key() && (tile.key_slot != 0 || tile.key_generation != 0) {
        return Err(Fault::KeySlot {
            slot: tile.key_slot,
        });
    }
    // `Work` knows no other flags.
    let guest = tile.flags & TileFlags::GUEST_SOURCE.bits() != 0;
    let span = Span {
        src: if guest {
            Source::Guest(tile.src)
        } else {
            Source::Pool(tile.src)
        },
        dst: tile.dst,
        len: tile.len,
        dst_len: tile.dst_len,
    };
    Ok((work, span))
}

/// Only XTS starts inside a unit by counting, and then the tile ends inside that unit.
fn first_block(tile: &Tile, algorithm: &Algorithm) -> Result<(), Fault> {
    let first_block = tile.first_block;
    if first_block == 0 {
        return Ok(());
    }
    let before = u64::from(first_block) * u64::from(algorithm.block_size);
    let inside = before + u64::from(tile.len) <= u64::from(tile.data_unit_size);
    if matches!(algorithm.mode, Mode::Xts) && inside {
        Ok(())
    } else {
        Err(Fault::FirstBlock { first_block })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kgpu_core::cpu::Data;
    use proptest::prelude::*;

    fn accepted(name: &str, op: Op) -> Accepted {
        let algorithm = kgpu_algos::by_name(name).unwrap();
        let (index, _) = Catalogue::registry().find(algorithm.id).unwrap();
        Accepted {
            index,
            algorithm,
            op,
        }
    }

    fn good(accepted: &Accepted, len: u32, unit: u32) -> Tile {
        Tile {
            src: 0,
            dst: 0,
            len,
            dst_len: len,
            key_slot: 0,
            key_generation: 0,
            data_unit_size: unit,
            first_block: 0,
            iv: [0; 16],
            algorithm: accepted.algorithm.id.0,
            op: accepted.op.code(),
            iv_step: 0,
            flags: 0,
        }
    }

    #[test]
    fn cbc_encryption_does_not_split_units() {
        let encrypt = accepted("cbc(aes)", Op::Encrypt);
        assert!(tile(&good(&encrypt, 4096, 4096), &encrypt).is_ok());
        assert!(tile(&good(&encrypt, 2048, 4096), &encrypt).is_err());
        let decrypt = accepted("cbc(aes)", Op::Decrypt);
        assert!(tile(&good(&decrypt, 2048, 4096), &decrypt).is_ok());
        assert!(tile(&good(&decrypt, 2040, 4096), &decrypt).is_err());
        assert!(tile(&good(&decrypt, 6144, 4096), &decrypt).is_err());
    }

    #[test]
    fn xts_counts_inside_its_unit_only() {
        let xts = accepted("xts(twofish)", Op::Encrypt);
        let at = |first_block, len| Tile {
            first_block,
            ..good(&xts, len, 4096)
        };
        assert!(tile(&at(128, 2048), &xts).is_ok());
        assert!(tile(&at(255, 16), &xts).is_ok());
        assert_eq!(
            tile(&at(129, 2048), &xts).unwrap_err(),
            Fault::FirstBlock { first_block: 129 }
        );
        assert!(tile(&at(u32::MAX, 2048), &xts).is_err());
    }

    #[test]
    fn a_source_is_the_pools_or_the_guests() {
        let xts = accepted("xts(aes)", Op::Encrypt);
        let at = |flags, src| Tile {
            flags,
            src,
            ..good(&xts, 4096, 4096)
        };
        let of = |flags, src| tile(&at(flags, src), &xts).map(|(_, span)| span.src);
        assert_eq!(of(0, 512), Ok(Source::Pool(512)));
        // Where it lies is for the region to check.
        assert_eq!(of(1, u64::MAX), Ok(Source::Guest(u64::MAX)));
        for flags in [2, 3, 1 << 31] {
            assert!(
                matches!(of(flags, 0), Err(Fault::Code(code)) if code.value == u64::from(flags))
            );
        }
    }

    #[test]
    fn ivs_end_where_they_end() {
        let cbc = accepted("cbc(blowfish)", Op::Encrypt);
        let mut bad = good(&cbc, 64, 64);
        bad.iv[7] = 1;
        assert!(tile(&bad, &cbc).is_ok());
        bad.iv[8] = 1;
        assert!(matches!(tile(&bad, &cbc), Err(Fault::NotZero(_))));
    }

    #[test]
    fn services_have_no_key_and_an_output_of_their_own() {
        let crc = accepted("crc32c", Op::Compute);
        let mut digest = good(&crc, 1000, 512);
        assert!(tile(&digest, &crc).is_err());
        digest.dst_len = 8;
        assert!(tile(&digest, &crc).is_ok());
        digest.key_generation = 1;
        assert_eq!(tile(&digest, &crc).unwrap_err(), Fault::KeySlot { slot: 0 });
    }

    proptest! {
        /// What is accepted, the algorithm computes; nothing panics.
        #[test]
        fn accepted_tiles_are_computed(
            which in 0usize..64,
            op in 0usize..2,
            // Near multiples of the block and unit sizes, so that both outcomes are seen.
            (blocks, odd) in (0u32..40, prop_oneof![Just(0u32), 0u32..16]),
            (unit_blocks, unit_odd) in (0u32..40, prop_oneof![Just(0u32), 0u32..16]),
            first_block in prop_oneof![Just(0u32), 0u32..40, Just(u32::MAX)],
            iv_step in 0u8..6,
            dst_delta in prop_oneof![Just(0i64), -8i64..8],
            wide_iv in any::<bool>(),
        ) {
            let all = kgpu_algos::all();
            let algorithm = all[which % all.len()];
            let ops = algorithm.ops();
            let accepted = Accepted { index: 0, algorithm, op: ops[op % ops.len()] };
            let block = u32::from(algorithm.block_size).max(8);
            let mut t = good(&accepted, blocks * block + odd, unit_blocks * block + unit_odd);
            let unit = t.data_unit_size.max(1);
            t.dst_len = match algorithm.output {
                kgpu_core::algorithm::Output::SameAsInput => t.len,
                kgpu_core::algorithm::Output::PerUnit(n) => t.len.div_ceil(unit) * n,
            };
            t.dst_len = u32::try_from((i64::from(t.dst_len) + dst_delta).max(0)).unwrap();
            t.first_block = first_block;
            t.iv_step = iv_step;
            t.iv[..algorithm.iv_size()].fill(0xfe);
            if wide_iv && algorithm.iv_size() < 16 {
                t.iv[15] = 1;
            }
            if let Ok((work, span)) = tile(&t, &accepted) {
                let key_len = algorithm.key_sizes.iter().last().unwrap_or(0);
                let key: Vec<u8> = (1..=255).take(key_len).collect();
                let key = (algorithm.cpu)(&key).unwrap();
                let src = vec![7; span.len as usize];
                let mut dst = vec![0; span.dst_len as usize];
                let data = Data::Apart { src: &src, dst: &mut dst };
                prop_assert_eq!(key.run(&work, data), Ok(()));
            }
        }
    }
}
