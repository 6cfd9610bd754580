//! What the module makes of a helper's system calls, and the helper of the module's header: ioctl
//! numbers, the handshake, mappings, the layout. What is accepted is checked again in other words.
#![no_main]

use arbitrary::Arbitrary;
use kgpu_core::abi::{
    Attach, AttachFlags, Features, Header, Ioctl, Layout, MAJOR, MINOR, PAGE, RingSizes,
};
use kgpu_kmod::device::Mapping;
use kgpu_kmod::errno::Errno;
use kgpu_kmod::mock::Machine;
use libfuzzer_sys::fuzz_target;
use zerocopy::{FromBytes, IntoBytes};

/// Bytes of a structure that differ from a good one's.
type Bends = Vec<(u8, u8)>;

#[derive(Arbitrary, Debug)]
enum Number {
    Known(u8),
    /// A known one with another size.
    Sized(u8, u16),
    Any(u32),
}

impl Number {
    fn request(&self) -> u32 {
        let known = |which: &u8| Ioctl::ALL[usize::from(*which) % Ioctl::ALL.len()].request;
        match self {
            Self::Known(which) => known(which),
            Self::Sized(which, size) => {
                known(which) & !(0x3fff << 16) | u32::from(size & 0x3fff) << 16
            }
            Self::Any(request) => *request,
        }
    }
}

#[derive(Arbitrary, Debug)]
enum Step {
    Open,
    Close(u8),
    Ioctl {
        file: u8,
        number: Number,
        bends: Bends,
        /// Bytes that the argument lacks at its end, and by which its address is off.
        short: u8,
        off: u8,
    },
    Map {
        file: u8,
        part: u8,
        offset: Option<u64>,
        bytes: Option<u64>,
        flags: u8,
    },
    Word(u8, u64),
    Capable(bool),
    Pass,
    Advance(u32),
}

#[derive(Arbitrary, Debug)]
struct Input {
    handshake: Bends,
    header: Bends,
    sizes: (u32, u32, u32, u64),
    near: bool,
    steps: Vec<Step>,
}

fn bend<T: IntoBytes + FromBytes>(good: &mut T, bends: &Bends)
where
    T: zerocopy::Immutable,
{
    let mut bytes = good.as_bytes().to_vec();
    for (at, value) in bends {
        let len = bytes.len();
        bytes[usize::from(*at) % len] = *value;
    }
    *good = T::read_from_bytes(&bytes).expect("as many bytes");
}

fn good_attach() -> Attach {
    Attach::request(Features::SERVICES, AttachFlags::SLEEPS, 4096, "fuzz")
}

/// The handshake's rules, from `docs/abi.md`.
fn fits(attach: &Attach) -> bool {
    let reserved = attach.reserved_tail.iter().all(|reserved| *reserved == 0);
    attach.magic.to_le_bytes() == *b"kgpu-abi"
        && attach.major == MAJOR
        && attach.minor <= MINOR
        && attach.flags & !3 == 0
        && attach.features & !3 == 0
        && attach.struct_sizes == [32, 32, 64, 128]
        && attach.reserved_in == 0
        && attach.reserved_out == 0
        && reserved
        && (attach.tile_bytes == 0 || (12..=20).any(|log| attach.tile_bytes == 1 << log))
}

/// A layout's parts lie behind each other, on pages, large enough, inside their mappings.
fn sound(layout: &Layout) {
    let sizes = layout.sizes;
    assert!(sizes.entries.count_ones() == 1 && (2..=65536).contains(&sizes.entries));
    assert!((1..=1 << 20).contains(&sizes.tiles) && (1..=65536).contains(&sizes.keys));
    assert!(sizes.pool_bytes > 0 && sizes.pool_bytes % PAGE == 0 && sizes.pool_bytes < 1 << 32);
    let parts = [
        (0, 4096, layout.sq_offset),
        (
            layout.sq_offset,
            u64::from(sizes.entries) * 32,
            layout.tile_offset,
        ),
        (
            layout.tile_offset,
            u64::from(sizes.tiles) * 64,
            layout.key_offset,
        ),
        (
            layout.key_offset,
            u64::from(sizes.keys) * 128,
            layout.control_bytes,
        ),
        (0, 192, layout.cq_offset),
        (
            layout.cq_offset,
            u64::from(sizes.entries) * 32,
            layout.helper_bytes,
        ),
    ];
    for (at, bytes, next) in parts {
        assert!(at % PAGE == 0 && next % PAGE == 0);
        assert!(u128::from(at) + u128::from(bytes) <= u128::from(next));
    }
}

fn header(input: &Input) {
    let (entries, tiles, keys, pool_bytes) = input.sizes;
    let sizes = if input.near {
        RingSizes {
            entries: 1 << (entries % 18),
            tiles: tiles % (1 << 21),
            keys: keys % (1 << 17),
            pool_bytes: pool_bytes % (1 << 21) * PAGE,
        }
    } else {
        RingSizes {
            entries,
            tiles,
            keys,
            pool_bytes,
        }
    };
    let Ok(layout) = Layout::new(sizes) else {
        return;
    };
    sound(&layout);
    let mut header = layout.header(3, Features::SERVICES, 1);
    assert_eq!(Layout::from_header(&header), Ok(layout));
    bend(&mut header, &input.header);
    if let Ok(found) = Layout::from_header(&header) {
        sound(&found);
        // What was not refused is what the header says.
        let says: Header = found.header(header.session, Features::empty(), header.deadline_ns);
        assert_eq!(
            (
                says.sq_offset,
                says.tile_offset,
                says.key_offset,
                says.cq_offset
            ),
            (
                header.sq_offset,
                header.tile_offset,
                header.key_offset,
                header.cq_offset
            )
        );
        assert_eq!(
            (
                says.control_bytes,
                says.helper_bytes,
                says.pool_bytes,
                says.cq_entries
            ),
            (
                header.control_bytes,
                header.helper_bytes,
                header.pool_bytes,
                header.cq_entries
            )
        );
    }
    let revision = header.magic.to_le_bytes() == *b"kgpu-abi"
        && header.major == MAJOR
        && header.struct_sizes == [32, 32, 64, 128];
    assert_eq!(header.check().is_ok(), revision);
}

/// What the module may answer to an ioctl; `attach` is its argument where that was whole. Whether
/// it was an attach that succeeded.
fn ioctl(
    machine: &Machine,
    file: &File,
    (at, request, capable): (usize, u32, bool),
    attach: Option<&Attach>,
    argument: (&[u8], usize),
) -> bool {
    let told = machine.ioctl(at, request, argument.0, argument.1);
    let known = Ioctl::ALL.iter().find(|ioctl| ioctl.request == request);
    let Some(known) = known else {
        let sized = Ioctl::ALL
            .iter()
            .any(|ioctl| ioctl.request & 0xc000_ffff == request & 0xc000_ffff);
        let errno = if sized { Errno::INVAL } else { Errno::NOTTY };
        assert_eq!(told, Err(errno), "{request:#x}");
        return false;
    };
    if known.name != "KGPU_IOC_ATTACH" {
        let expected = match (&file.session, known.name) {
            (None, _) => Err(Errno::NXIO),
            (Some(_), "KGPU_IOC_START") if file.mapped != 7 => Err(Errno::INVAL),
            _ => Ok(()),
        };
        assert_eq!(told, expected, "{}", known.name);
        return false;
    }
    match (capable, attach) {
        (false, _) => assert_eq!(told, Err(Errno::PERM)),
        (true, None) => assert_eq!(told, Err(Errno::FAULT)),
        (true, Some(attach)) if !fits(attach) => assert_eq!(told, Err(Errno::INVAL)),
        (true, Some(_)) if file.session.is_some() => assert_eq!(told, Err(Errno::BUSY)),
        (true, Some(_)) => assert!(told == Ok(()) || told == Err(Errno::BUSY), "{told:?}"),
    }
    told.is_ok()
}

/// An open file, as its process knows it.
#[derive(Default)]
struct File {
    session: Option<Attach>,
    mapped: u8,
}

fn map(machine: &Machine, file: &mut File, at: usize, mapping: Mapping) {
    let told = machine.map(at, mapping);
    let Some(session) = &file.session else {
        assert_eq!(told.err(), Some(Errno::NXIO));
        return;
    };
    let sizes = [
        session.control_bytes,
        session.helper_bytes,
        session.pool_bytes,
    ];
    let part = mapping.offset >> 32;
    let right = usize::try_from(part).ok().and_then(|part| sizes.get(part));
    let fits = mapping.offset & 0xffff_ffff == 0
        && right == Some(&mapping.bytes)
        && (part > 0 || !mapping.writable)
        && mapping.shared
        && !mapping.executable
        && file.mapped & 1 << part == 0;
    assert_eq!(told.is_ok(), fits, "{mapping:?}: {told:?}");
    let Ok((header, bytes)) = told else {
        return;
    };
    assert_eq!(bytes, mapping.bytes);
    file.mapped |= 1 << part;
    if part == 0 {
        let header = header.expect("the control part begins with it");
        sound(&Layout::from_header(&header).expect("a header of its own"));
        assert_eq!(header.session, session.session);
        assert_eq!(header.pool_bytes, session.pool_bytes);
    }
}

fn devices(input: &Input) {
    let mut machine = Machine::new().expect("an engine");
    let mut files: Vec<File> = Vec::new();
    let mut capable = true;
    let mut last = 0;
    for step in input.steps.iter().take(24) {
        match step {
            Step::Open => {
                if files.len() < 6 {
                    let told = machine.open();
                    let expected = if capable { Ok(()) } else { Err(Errno::PERM) };
                    assert_eq!(told, expected);
                    files.extend(told.ok().map(|()| File::default()));
                }
            }
            Step::Close(file) => {
                let at = usize::from(*file) % files.len().max(1);
                if at < files.len() {
                    machine.close(at);
                    files.remove(at);
                }
            }
            Step::Ioctl {
                file,
                number,
                bends,
                short,
                off,
            } => {
                let at = usize::from(*file) % files.len().max(1);
                let Some(file) = files.get_mut(at) else {
                    continue;
                };
                let mut handshake = good_attach();
                bend(&mut handshake, bends);
                let bytes = handshake.as_bytes();
                let bytes = &bytes[..bytes.len() - usize::from(short % 4)];
                let off = usize::from(off % 4);
                let whole = (off == 0 && bytes.len() == 128).then_some(&handshake);
                let what = (at, number.request(), capable);
                if ioctl(&machine, file, what, whole, (bytes, off)) {
                    let answer = machine.answer().expect("a handshake comes back");
                    assert!(answer.session > last, "sessions count up");
                    last = answer.session;
                    assert_eq!(answer.features_in_force, handshake.features & 1);
                    file.session = Some(answer);
                }
            }
            Step::Map {
                file,
                part,
                offset,
                bytes,
                flags,
            } => {
                let at = usize::from(*file) % files.len().max(1);
                let Some(file) = files.get_mut(at) else {
                    continue;
                };
                let part = part % 3;
                let right = file.session.as_ref().map_or(4096, |session| match part {
                    0 => session.control_bytes,
                    1 => session.helper_bytes,
                    _ => session.pool_bytes,
                });
                let mapping = Mapping {
                    offset: offset.unwrap_or(u64::from(part) << 32),
                    bytes: bytes.unwrap_or(right),
                    writable: flags & 1 != 0,
                    shared: flags & 6 != 0,
                    executable: flags & 56 == 8,
                };
                map(&machine, file, at, mapping);
            }
            Step::Word(at, value) => machine.write_word(u64::from(*at % 24) * 8, *value),
            Step::Capable(now) => {
                capable = *now;
                machine.set_capable(capable);
            }
            Step::Pass => machine.pass(),
            Step::Advance(ns) => machine.advance(u64::from(*ns)),
        }
        for (at, file) in files.iter().enumerate() {
            let ready = machine.poll(at).expect("it is open");
            assert!(file.session.is_some() || (ready.over && !ready.submissions));
        }
        assert_eq!(machine.files(), files.len());
    }
}

fuzz_target!(|input: Input| {
    let mut handshake = good_attach();
    bend(&mut handshake, &input.handshake);
    assert_eq!(handshake.check().is_ok(), fits(&handshake), "{handshake:?}");
    header(&input);
    devices(&input);
});
