//! Failing the n-th allocation of a call, for every n until none is left to fail: each failure must be clean, and the
//! call must work afterwards. For a kernel with fault injection.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use clap::{Args, ValueEnum};
use kgpu_core::abi::{IOC_START, MAP_CONTROL, MAP_HELPER, MAP_POOL};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags};

use kgpu_guest::device::{Mapping, attach, cipher, handshake, ioctl, open};

/// Where a task says which of its allocations is to fail.
const NTH: &str = "/proc/thread-self/fail-nth";

/// Options of `nth`.
#[derive(Debug, Args)]
pub struct Options {
    /// What is done again and again
    #[arg(value_enum)]
    what: What,
    /// The module's file, for `load`; the driver's name, for `cipher`
    #[arg(long, default_value = "")]
    name: String,
    /// The module's parameters, for `load`
    #[arg(long, default_value = "")]
    parameters: String,
    /// Bytes of the key, for `cipher`
    #[arg(long, default_value_t = 64)]
    key: usize,
    /// Fail each so-many-th allocation only
    #[arg(long, default_value_t = 1)]
    stride: u32,
}

/// What can be done again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// Load the module (and unload it)
    Load,
    /// Open the device, attach, map, start
    Session,
    /// Make a cipher's transform and set its key
    Cipher,
}

/// More than any of these calls allocates.
const ENOUGH: u32 = 20_000;

/// Runs it; whether every failure was clean and the last try worked.
///
/// # Errors
/// When the kernel has no such fault injection.
pub fn run(options: &Options) -> io::Result<bool> {
    let mut failures: BTreeMap<i32, u32> = BTreeMap::new();
    let (mut injected, mut survived, mut nth) = (0_u32, 0_u32, 1);
    let last = loop {
        fs::write(NTH, nth.to_string())?;
        let (result, left) = once(options);
        if left? {
            break result;
        }
        injected += 1;
        match result {
            // The kernel did without.
            Ok(()) => survived += 1,
            Err(errno) => *failures.entry(errno.raw_os_error()).or_default() += 1,
        }
        nth += options.stride;
        if nth > ENOUGH {
            break Err(Errno::TIMEDOUT);
        }
    };
    let name = format!("{:?}", options.what).to_lowercase();
    let found = format!(
        "{injected} allocations failed: {survived} done without, failures by errno {failures:?}"
    );
    // A module or an algorithm that the kernel could not get for want of memory is one that is not there; a socket that
    // it could not make is one too many.
    let clean = |e: &i32| {
        [Errno::NOMEM, Errno::NOENT, Errno::NOBUFS, Errno::NFILE]
            .map(Errno::raw_os_error)
            .contains(e)
    };
    let passed = injected > 0 && last.is_ok() && failures.keys().all(clean);
    if passed {
        println!("pass {name}: {found}, the last try worked");
    } else {
        println!("fail {name} # {found}; without a failure: {last:?}");
    }
    Ok(passed)
}

/// One try, and whether the allocation that was to fail was not reached.
fn once(options: &Options) -> (Result<(), Errno>, io::Result<bool>) {
    let result = match options.what {
        What::Load => load(options),
        What::Session => session(),
        What::Cipher => cipher(&options.name, options.key),
    };
    // Looking allocates, too: if that failed, the call had not reached the allocation.
    let left = fs::read_to_string(NTH).map_or(true, |left| left.trim() != "0");
    // So does this; only one allocation fails.
    let clear = || fs::write(NTH, "0");
    let left = clear().or_else(|_| clear()).map(|()| left);
    if options.what == What::Load && result.is_ok() {
        return (unload(), left);
    }
    (result, left)
}

fn load(options: &Options) -> Result<(), Errno> {
    let file = File::open(PathBuf::from(&options.name))
        .map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))?;
    let parameters = CString::new(options.parameters.as_str()).map_err(|_| Errno::INVAL)?;
    rustix::system::finit_module(file.as_fd(), &parameters, 0)
}

/// The kernel's self-tests hold the module for a while.
fn unload() -> Result<(), Errno> {
    for _ in 0..600 {
        if rustix::system::delete_module(c"kgpu", 0).is_ok() {
            return Ok(());
        }
        sleep(Duration::from_millis(50));
    }
    Err(Errno::BUSY)
}

fn session() -> Result<(), Errno> {
    let device = open()?;
    let mut answer = handshake();
    // The engine takes the last session down in a thread of its own.
    for _ in 0..400 {
        answer = handshake();
        match attach(&device, &mut answer) {
            Err(Errno::AGAIN) => sleep(Duration::from_millis(5)),
            other => {
                other?;
                break;
            }
        }
    }
    let write = ProtFlags::READ | ProtFlags::WRITE;
    let map = |offset, bytes, prot| Mapping::new(&device, offset, bytes, prot, MapFlags::SHARED);
    let _control = map(MAP_CONTROL, answer.control_bytes, ProtFlags::READ)?;
    let _helper = map(MAP_HELPER, answer.helper_bytes, write)?;
    let _pool = map(MAP_POOL, answer.pool_bytes, write)?;
    ioctl(&device, IOC_START.request)
}
