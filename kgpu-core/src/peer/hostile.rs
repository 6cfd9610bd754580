//! What a module must never submit, as data: a good submission, the ways to spoil it, and the
//! status that a helper must refuse each with. Sending them is `kernel`'s part.

use super::Lookup;
use crate::abi::{
    AlgorithmId, Completion, KEY_BYTES_MAX, KeyEntry, Layout, Op, RequestId, Status, Submission,
    Tile, TileFlags,
};
use crate::algorithm::Algorithm;

/// Bytes of each of a case's two tiles.
const TILE: u32 = 4096;
/// The first of a case's tiles.
const FIRST: u32 = 10;
/// The slot of a case's key.
pub const KEY_SLOT: u32 = 1;

/// Where cases are sent.
#[derive(Clone, Copy, Debug)]
pub struct Ground {
    /// The region: at least 12 tiles, 2 key slots, 8 KiB of pool.
    pub layout: Layout,
    /// Its session.
    pub session: u32,
    /// An algorithm of mode CTR that the helper knows and has 16-byte keys for.
    pub algorithm: &'static Algorithm,
    /// Another one that it knows.
    pub foreign: AlgorithmId,
}

impl Ground {
    /// A ground on the registry's `ctr(aes)` (3) with `cbc(aes)` (1) as the foreign one. `None`
    /// when `lookup` does not know the first.
    #[must_use]
    pub fn new(layout: Layout, session: u32, lookup: Lookup) -> Option<Self> {
        lookup(AlgorithmId(3)).map(|algorithm| Self {
            layout,
            session,
            algorithm,
            foreign: AlgorithmId(1),
        })
    }
}

/// A submission with all that it names.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The submission.
    pub submission: Submission,
    /// Its tiles, from `tile_first` of the good submission on.
    pub tiles: [Tile; 2],
    /// The first of them in the tile table.
    pub first: u32,
    /// The key in slot [`KEY_SLOT`].
    pub key: KeyEntry,
}

impl Case {
    /// A good one: two tiles of one data unit, in place, at the pool's start. `generation` must be
    /// odd, and another one wherever the key is another.
    #[must_use]
    pub fn good(ground: &Ground, request: RequestId, generation: u32) -> Self {
        let (algorithm, op) = (ground.algorithm.id.0, Op::Encrypt.code());
        let tile = |at: u32| Tile {
            src: u64::from(at),
            dst: u64::from(at),
            len: TILE,
            dst_len: TILE,
            key_slot: KEY_SLOT,
            key_generation: generation,
            data_unit_size: TILE * 2,
            first_block: 0,
            iv: [0; 16],
            algorithm,
            op,
            iv_step: 0,
            flags: 0,
        };
        let mut key = KeyEntry::empty(generation);
        key.algorithm = algorithm;
        key.key_len = 16;
        key.key = [0x42; KEY_BYTES_MAX];
        Self {
            submission: Submission {
                request: request.to_wire(),
                session: ground.session,
                tile_first: FIRST,
                tile_count: 2,
                bytes: TILE * 2,
                written_len: TILE * 2,
                algorithm,
                op,
                flags: 0,
            },
            tiles: [tile(0), tile(TILE)],
            first: FIRST,
            key,
        }
    }

    /// Whether a completion answers this case with a status, and with everything else as it must
    /// be then.
    #[must_use]
    pub fn is_answered(&self, completion: &Completion, status: Status) -> bool {
        let ok = status == Status::Ok;
        completion.request == self.submission.request
            && completion.status == status.code()
            && completion.reserved == 0
            && completion.written_len == if ok { self.submission.written_len } else { 0 }
            // A refusal says which.
            && (completion.detail > 0) != ok
    }
}

/// A way to spoil a good case.
#[derive(Clone, Copy)]
pub struct Hostile {
    /// Its stable name.
    pub label: &'static str,
    /// What a helper must answer.
    pub status: Status,
    spoil: fn(&mut Case, &Ground),
}

impl core::fmt::Debug for Hostile {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} ({})", self.label, self.status)
    }
}

impl Hostile {
    /// The spoiled case.
    #[must_use]
    pub fn case(&self, ground: &Ground, request: RequestId, generation: u32) -> Case {
        let mut case = Case::good(ground, request, generation);
        (self.spoil)(&mut case, ground);
        case
    }
}

const fn malformed(label: &'static str, spoil: fn(&mut Case, &Ground)) -> Hostile {
    Hostile {
        label,
        status: Status::Malformed,
        spoil,
    }
}

const fn unsupported(label: &'static str, spoil: fn(&mut Case, &Ground)) -> Hostile {
    Hostile {
        label,
        status: Status::Unsupported,
        spoil,
    }
}

const fn stale(label: &'static str, spoil: fn(&mut Case, &Ground)) -> Hostile {
    Hostile {
        label,
        status: Status::StaleKey,
        spoil,
    }
}

/// Every way.
pub const HOSTILE: &[Hostile] = &[
    // Tile ranges.
    malformed("no tiles", |c, _| c.submission.tile_count = 0),
    malformed("tiles beyond the table", |c, g| {
        c.submission.tile_count = g.layout.sizes.tiles - FIRST + 1;
    }),
    malformed("tiles that wrap", |c, _| c.submission.tile_first = u32::MAX),
    malformed("more tiles than can be counted", |c, _| {
        c.submission.tile_count = u32::MAX;
    }),
    // The submission's own fields.
    malformed("another session", |c, _| c.submission.session ^= 1),
    malformed("submission flags", |c, _| c.submission.flags = 0x80),
    unsupported("no operation", |c, _| c.submission.op = 9),
    unsupported("an operation not offered", |c, _| {
        c.submission.op = Op::Compute.code();
        c.tiles[0].op = c.submission.op;
    }),
    unsupported("an unknown algorithm", |c, _| {
        c.submission.algorithm = 60_000;
        c.tiles[0].algorithm = c.submission.algorithm;
    }),
    // Sums.
    malformed("bytes that don't add up", |c, _| c.submission.bytes -= 1),
    malformed("no bytes", |c, _| c.submission.bytes = 0),
    malformed("output that doesn't add up", |c, _| {
        c.submission.written_len = TILE;
    }),
    malformed("more output than the tiles'", |c, _| {
        c.submission.written_len = u32::MAX;
    }),
    // Tiles unlike their submission.
    malformed("a foreign tile", |c, g| {
        c.tiles[1].algorithm = g.foreign.0;
    }),
    malformed("a tile of another operation", |c, _| {
        c.tiles[1].op = Op::Decrypt.code();
    }),
    // Tiles that are none.
    malformed("an empty tile", |c, _| {
        c.tiles[0].len = 0;
        c.tiles[0].dst_len = 0;
    }),
    malformed("no data unit", |c, _| c.tiles[0].data_unit_size = 0),
    malformed("an unknown IV step", |c, _| c.tiles[0].iv_step = 77),
    malformed("tile flags", |c, _| c.tiles[0].flags = 2),
    malformed("a source in no area of a guest", |c, _| {
        c.tiles[1].flags = TileFlags::GUEST_SOURCE.bits();
        c.tiles[1].src = 1 << 48;
    }),
    malformed("a source of a guest that wraps", |c, _| {
        c.tiles[0].flags = TileFlags::GUEST_SOURCE.bits();
        c.tiles[0].src = u64::MAX - 100;
    }),
    malformed("another output length", |c, _| {
        c.tiles[0].dst_len = TILE - 1;
    }),
    malformed("a first block without XTS", |c, _| {
        c.tiles[1].first_block = 256;
    }),
    // Spans.
    malformed("a source that ends outside the pool", |c, g| {
        c.tiles[0].src = g.layout.sizes.pool_bytes - u64::from(TILE) + 1;
    }),
    malformed("a source far outside the pool", |c, _| {
        c.tiles[0].src = 1 << 48;
    }),
    malformed("a destination that wraps", |c, _| {
        c.tiles[1].dst = u64::MAX - 100;
    }),
    malformed("a tile longer than the pool", |c, _| {
        c.tiles[0].len = 0xffff_f000;
        c.tiles[0].dst_len = 0xffff_f000;
    }),
    malformed("overlap", |c, _| c.tiles[0].dst = 1),
    // Keys.
    malformed("no such key slot", |c, g| {
        c.tiles[0].key_slot = g.layout.sizes.keys;
    }),
    malformed("a key slot far away", |c, _| {
        c.tiles[1].key_slot = u32::MAX;
    }),
    malformed("a key of another algorithm", |c, g| {
        c.key.algorithm = g.foreign.0;
    }),
    malformed("a key of no length", |c, _| c.key.key_len = 17),
    stale("a key longer than its entry", |c, _| c.key.key_len = 200),
    stale("a stale key", |c, _| c.tiles[1].key_generation -= 2),
    stale("an empty key slot", |c, _| c.tiles[0].key_generation -= 1),
    stale("a key to come", |c, _| c.tiles[0].key_generation += 2),
];
