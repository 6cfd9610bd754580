//! Sources in the guest's memory outside of the pool, read where they lie: which areas the module is told of, what is
//! computed and what refused, and tables of memory that change meanwhile.

use std::time::Duration;

use kgpu_core::abi::guest::{Event, PageRun, SourceAreas};
use kgpu_core::abi::{Features, SessionState, Status, word};
use kgpu_core::algorithm::Algorithm;
use kgpu_core::peer::{Landed, MockKernel, Request};
use kgpu_core::request::Shape;
use kgpu_userhelper::catalogue::Catalogue;

use super::helper::{Helper, backend};
use super::machine::{AREAS, Machine};
use super::module::{Module, landed, served, works};
use super::shared::{keys, named, noise, shapes};

/// Parts of the two areas that no session of these tests has pages in, 1 MiB each.
const SPARE: [u64; 2] = [AREAS[0].0 + (3 << 20), AREAS[1].0 + (8 << 20)];

/// A third area: the bytes of the second spare part under another address.
const THIRD: (u64, u64, u64) = (0x2_0000_0000, 1 << 20, 12 << 20);

fn told(module: &Module) -> Vec<PageRun> {
    let areas = SourceAreas::load(module.region.helper());
    areas.checked().unwrap().to_vec()
}

fn run((address, bytes, _): (u64, u64, u64)) -> PageRun {
    PageRun { address, bytes }
}

/// Every shape and key of the algorithms, sources at odd places of both areas.
fn all_shapes(backend: &str, options: &[&str], algorithms: &[&'static Algorithm]) {
    let helper = Helper::start_on(backend, options);
    let mut machine = Machine::start(&helper);
    let module = served(&mut machine, 1);
    assert_eq!(told(&module), AREAS.map(run));
    helper.says(&format!("READY backend={backend}"));
    let mut kernel = module.kernel();
    let (mut key_id, mut sent) = (0, 0u64);
    for algorithm in algorithms.iter().copied() {
        for key in keys(algorithm) {
            key_id += 1;
            for shape in shapes(algorithm) {
                // As many places in turn as there are requests in flight at most.
                let place = sent % 16;
                let spare = SPARE[usize::from(sent % 3 == 0)];
                let last = (1 << 20) - u64::from(shape.len);
                let from = match sent % 23 {
                    0 => spare + last,
                    _ => spare + (place << 15) + sent % 61,
                };
                let src = noise(sent, usize::try_from(shape.len).unwrap());
                let request = Request {
                    algorithm,
                    shape,
                    key: &key,
                    key_id,
                    src: &src,
                };
                machine.memory.write(from, &src);
                let give = |kernel: &mut MockKernel| {
                    kernel.hand_over_from(module.view(), &request, Some(from))
                };
                while give(&mut kernel).unwrap().is_none() {
                    let landed = landed(&mut kernel, module.view());
                    assert!(landed.right, "{landed:?} {}", algorithm.name);
                }
                module.submitted(&machine);
                sent += 1;
                // So that nobody writes what is being read.
                while kernel.in_flight() > 0 && (kernel.in_flight() > 8 || sent % 23 < 2) {
                    let landed = landed(&mut kernel, module.view());
                    assert!(landed.right, "{landed:?} {}", algorithm.name);
                }
            }
        }
    }
    while kernel.in_flight() > 0 {
        let landed = landed(&mut kernel, module.view());
        assert!(landed.right, "{landed:?}");
    }
    let log = helper.stop();
    assert!(log.contains(&format!("requests={sent}")), "{sent}: {log}");
    assert!(log.contains("faults=0"), "{log}");
}

#[test]
fn sources_of_every_algorithm_are_read_where_they_lie() {
    let all = Catalogue::registry();
    for workers in ["1", "3"] {
        all_shapes(&backend(), &["--workers", workers], all.all());
    }
}

/// The kernels' host side in place of a device: slow, so a few of them.
#[test]
fn a_device_reads_sources_where_they_lie() {
    let some = ["xts(aes)", "cbc(twofish)", "crc32c"].map(named);
    all_shapes("host-kernels", &["--workers", "1"], &some);
}

/// Sends a request whose source is said to be at an address.
fn give(
    machine: &Machine,
    module: &Module,
    kernel: &mut MockKernel,
    from: u64,
    src: &[u8],
) -> Landed {
    let algorithm = named("ctr(aes)");
    let len = u32::try_from(src.len()).unwrap();
    let request = Request {
        algorithm,
        shape: Shape::single(algorithm.ops()[0], len, [0; 16]),
        key: &noise(4, 16),
        key_id: 99,
        src,
    };
    let sent = kernel.hand_over_from(module.view(), &request, Some(from));
    assert!(sent.unwrap().is_some());
    module.submitted(machine);
    landed(kernel, module.view())
}

/// A right one: the source is written first, by an address that the machine's own areas have.
#[track_caller]
fn reads(machine: &Machine, module: &Module, kernel: &mut MockKernel, from: u64, written: u64) {
    let src = noise(from ^ 5, 10_000);
    machine.memory.write(written, &src);
    let landed = give(machine, module, kernel, from, &src);
    assert!(landed.right, "{from:#x}: {landed:?}");
}

#[track_caller]
fn refused(machine: &Machine, module: &Module, kernel: &mut MockKernel, from: u64) {
    let landed = give(machine, module, kernel, from, &[7; 3000]);
    assert_eq!(landed.status, Status::Malformed, "{from:#x}");
}

#[test]
fn sources_in_no_area_are_refused_and_the_next_read() {
    for backend in [&*backend(), "host-kernels"] {
        let helper = Helper::start_on(backend, &["--workers", "2"]);
        let mut machine = Machine::start(&helper);
        let module = served(&mut machine, 1);
        let mut kernel = module.kernel();
        let [a, b] = AREAS;
        let places = [
            0,
            a.0 - 1,
            a.0 + a.1 - 2999,
            a.0 + a.1,
            b.0 - 8,
            b.0 + b.1 - 1,
            u64::MAX,
            u64::MAX - 2999,
            1 << 63,
        ];
        for from in places {
            refused(&machine, &module, &mut kernel, from);
            reads(&machine, &module, &mut kernel, SPARE[1] + 3, SPARE[1] + 3);
            works(&machine, &module, &mut kernel);
        }
        let log = helper.stop();
        assert!(log.contains(&format!("faults={}", places.len())), "{log}");
    }
}

/// A module of before: it is told of nothing, where it has zeroes, and its requests are served as ever.
#[test]
fn a_module_without_the_feature_is_served_as_before() {
    let helper = Helper::start(&["--workers", "1"]);
    let mut machine = Machine::start(&helper);
    machine.expect(Event::Attach);
    let module = Module::with(&machine, 1, Features::SERVICES);
    module.region.helper().store(word::SOURCES, 0x55);
    module.set_up(&mut machine);
    let mut kernel = module.kernel();
    works(&machine, &module, &mut kernel);
    assert_eq!(module.region.helper().load(word::SOURCES), 0x55);
    refused(&machine, &module, &mut kernel, SPARE[0]);
    works(&machine, &module, &mut kernel);
    helper.stop();
}

/// A session goes on while the areas that its module was told of are the same bytes, however the machine cuts its
/// memory; what is added later is none of them.
#[test]
fn areas_outlive_a_new_table_with_their_bytes_only() {
    let helper = Helper::start(&["--workers", "1"]);
    let mut machine = Machine::start(&helper);
    let [a, b] = AREAS;
    machine.set_memory(&[a, b, THIRD]);
    let module = served(&mut machine, 1);
    assert_eq!(told(&module), [a, b, THIRD].map(run));
    let mut kernel = module.kernel();
    let same = (THIRD.0 + 77, SPARE[1] + 77);
    reads(&machine, &module, &mut kernel, same.0, same.1);
    // In two pieces, of which a source may have the one and the other; and with more.
    let half = b.1 / 2;
    let cut = [(b.0, half, b.2), (b.0 + half, b.1 - half, b.2 + half)];
    let added = (0x3_0000_0000, 1 << 20, 12 << 20);
    machine.set_memory(&[THIRD, cut[1], a, cut[0], added]);
    assert_eq!(machine.event(Duration::from_millis(300)), None);
    reads(&machine, &module, &mut kernel, same.0, same.1);
    let across = b.0 + half - 5000;
    reads(&machine, &module, &mut kernel, across, across);
    refused(&machine, &module, &mut kernel, added.0);
    // Without an area that was named, though the session has no page there.
    machine.set_memory(&AREAS);
    machine.expect(Event::Attach);
    let module = Module::new(&machine, 2);
    module.set_up(&mut machine);
    assert_eq!(told(&module), AREAS.map(run));
    let mut kernel = module.kernel();
    refused(&machine, &module, &mut kernel, same.0);
    reads(&machine, &module, &mut kernel, SPARE[0], SPARE[0]);
    // One at another place of the file.
    module.set_state(&machine, SessionState::Retired);
    machine.expect(Event::Attach);
    machine.set_memory(&[a, b, THIRD]);
    let module = Module::new(&machine, 3);
    module.set_up(&mut machine);
    machine.set_memory(&[a, b, (THIRD.0, THIRD.1, 11 << 20)]);
    machine.expect(Event::Attach);
    // Nobody named it: nobody minds.
    let module = Module::with(&machine, 4, Features::SERVICES);
    module.set_up(&mut machine);
    let mut kernel = module.kernel();
    works(&machine, &module, &mut kernel);
    machine.set_memory(&AREAS);
    works(&machine, &module, &mut kernel);
    let log = helper.stop();
    assert_eq!(log.matches("left the guest").count(), 2, "{log}");
}
