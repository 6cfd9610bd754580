//! The system calls that a guest's helper may make once it serves (seccomp). Anything else ends the process: who
//! takes it over by lying on the ring finds no file, no program and no socket to open.
//!
//! With the CPU backend the list is what was seen and no more: no file can be opened and no memory made executable. A
//! device's driver needs its own calls in the middle of a session (it opens its nodes and talks to them by ioctl).
//! Those of [`DEVICE`] are what CUDA's driver is known to use; **they were not yet seen to be enough on a GPU**.
//! `--seccomp log` lets everything through and has the kernel log what is not on the list.

use std::collections::BTreeMap;

use clap::ValueEnum;
use libc as c;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter_all_threads,
};

use crate::error::UserError;

/// What happens to a process that makes another system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Seccomp {
    /// It ends; the kernel's log names the call.
    Kill,
    /// It goes on; the kernel's log names the call.
    Log,
    /// Nothing: there is no filter.
    Off,
}

/// Whatever computes.
const ALWAYS: &[c::c_long] = &[
    // The guest's socket, doorbells, logs.
    c::SYS_accept4,
    c::SYS_close,
    c::SYS_eventfd2,
    c::SYS_fcntl,
    c::SYS_fstat,
    c::SYS_getsockopt,
    c::SYS_lseek,
    c::SYS_newfstatat,
    c::SYS_poll,
    c::SYS_ppoll,
    c::SYS_read,
    c::SYS_readv,
    c::SYS_recvfrom,
    c::SYS_recvmsg,
    c::SYS_sendmsg,
    c::SYS_sendto,
    c::SYS_shutdown,
    c::SYS_write,
    c::SYS_writev,
    // Memory; what is mapped and protected, below.
    c::SYS_brk,
    c::SYS_madvise,
    c::SYS_mremap,
    c::SYS_munlock,
    c::SYS_munmap,
    // Threads, their sleep and their end. A thread gives up rights that it does not have.
    c::SYS_capget,
    c::SYS_capset,
    c::SYS_clock_gettime,
    c::SYS_clock_nanosleep,
    c::SYS_clone,
    c::SYS_clone3,
    c::SYS_exit,
    c::SYS_exit_group,
    c::SYS_futex,
    c::SYS_getpid,
    c::SYS_getrandom,
    c::SYS_gettid,
    c::SYS_nanosleep,
    c::SYS_restart_syscall,
    c::SYS_rseq,
    c::SYS_rt_sigaction,
    c::SYS_rt_sigprocmask,
    c::SYS_rt_sigreturn,
    c::SYS_sched_getaffinity,
    c::SYS_sched_yield,
    c::SYS_set_robust_list,
    c::SYS_sigaltstack,
    c::SYS_tgkill,
];

/// What is answered with an error, without a device, and nobody is ended for: the C library's allocator looks whether
/// it may give memory back (`/proc/sys/vm/overcommit_memory`) and does without.
const DENIED: &[c::c_long] = &[c::SYS_open, c::SYS_openat];

/// Where a device computes.
const DEVICE: &[c::c_long] = &[
    c::SYS_access,
    c::SYS_clock_getres,
    c::SYS_dup,
    c::SYS_epoll_create1,
    c::SYS_epoll_ctl,
    c::SYS_epoll_wait,
    c::SYS_faccessat,
    c::SYS_fallocate,
    c::SYS_ftruncate,
    c::SYS_get_mempolicy,
    c::SYS_getdents64,
    c::SYS_geteuid,
    c::SYS_getrusage,
    c::SYS_getuid,
    c::SYS_ioctl,
    c::SYS_mbind,
    c::SYS_memfd_create,
    c::SYS_mlock,
    c::SYS_mmap,
    c::SYS_mprotect,
    c::SYS_open,
    c::SYS_openat,
    c::SYS_pipe2,
    c::SYS_prctl,
    c::SYS_pread64,
    c::SYS_prlimit64,
    c::SYS_readlink,
    c::SYS_readlinkat,
    c::SYS_sched_setaffinity,
    c::SYS_stat,
    c::SYS_statfs,
    c::SYS_statx,
    c::SYS_sysinfo,
    c::SYS_timerfd_create,
    c::SYS_timerfd_settime,
    c::SYS_uname,
];

/// Takes everything else away from all threads of the process, for good.
///
/// # Errors
/// [`UserError`]: the kernel has no such filters.
pub fn apply(how: Seccomp, device: bool) -> Result<(), UserError> {
    let otherwise = match how {
        Seccomp::Kill => SeccompAction::KillProcess,
        Seccomp::Log => SeccompAction::Log,
        Seccomp::Off => return Ok(()),
    };
    let failed = |what: &dyn std::fmt::Display| {
        UserError::failure(
            format!("limiting the system calls failed: {what}"),
            "use a kernel with CONFIG_SECCOMP_FILTER; `--seccomp off` does without",
        )
    };
    let rules = if device {
        every(ALWAYS.iter().chain(DEVICE))
    } else {
        without_device().map_err(|error| failed(&error))?
    };
    let set = |rules, otherwise, listed| {
        let filter = SeccompFilter::new(rules, otherwise, listed, TargetArch::x86_64);
        let program: BpfProgram = filter
            .and_then(TryInto::try_into)
            .map_err(|error| failed(&error))?;
        apply_filter_all_threads(&program).map_err(|error| failed(&error))
    };
    if !device {
        // Of two filters the stricter answer counts.
        let denied = SeccompAction::Errno(c::EACCES.unsigned_abs());
        set(every(DENIED.iter()), SeccompAction::Allow, denied)?;
    }
    set(rules, otherwise, SeccompAction::Allow)
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn every<'a>(calls: impl Iterator<Item = &'a c::c_long>) -> Rules {
    calls.map(|call| (*call, Vec::new())).collect()
}

/// As [`ALWAYS`], with what is allowed of mappings and of the process's own settings.
fn without_device() -> Result<Rules, seccompiler::BackendError> {
    let executable = u64::from(c::PROT_EXEC.unsigned_abs());
    let no_code = || {
        let op = SeccompCmpOp::MaskedEq(executable);
        SeccompRule::new(vec![SeccompCondition::new(
            2,
            SeccompCmpArgLen::Dword,
            op,
            0,
        )?])
    };
    let own = |option: c::c_int| {
        let option = u64::from(option.unsigned_abs());
        SeccompRule::new(vec![SeccompCondition::new(
            0,
            SeccompCmpArgLen::Dword,
            SeccompCmpOp::Eq,
            option,
        )?])
    };
    let mut rules = every(ALWAYS.iter().chain(DENIED));
    rules.insert(c::SYS_mmap, vec![no_code()?]);
    rules.insert(c::SYS_mprotect, vec![no_code()?]);
    let own = [c::PR_SET_NAME, c::PR_SET_NO_NEW_PRIVS, c::PR_SET_VMA].map(own);
    let own: Result<_, _> = own.into_iter().collect();
    rules.insert(c::SYS_prctl, own?);
    Ok(rules)
}
