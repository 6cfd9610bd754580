//! `cargo xtask vm` and `uml`: a kernel under QEMU's software emulation, or one that is a program, that runs one guest
//! suite.

mod contents;
mod cpio;
mod dmesg;
mod host;
mod initramfs;
mod newer_qemu;
mod process;
mod qemu;
mod report;
mod uml;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::ecryptfs;
use crate::images::{Image, Series};
use crate::kmod::{self, Modules};
use crate::paths::Paths;
use crate::setup;
use crate::shell;
use crate::tally::Tally;

use newer_qemu::Qemu;
pub use report::Report;

/// What every guest's kernel is told. Emulation is slow: neither a stall nor a long work item is a finding. The suites'
/// marks must not be dropped. The root can't be swapped out (a tmpfs could): what a suite leaves of memory is what its
/// work gets.
const PARAMETERS: &str = "panic=-1 rootfstype=ramfs log_buf_len=4M printk.devkmsg=on \
    rcupdate.rcu_cpu_stall_timeout=120 workqueue.cpu_intensive_thresh_us=1000000";

/// Options of `vm`.
#[derive(Debug, Args)]
pub struct Options {
    /// Which kernel to boot
    #[arg(long, value_enum, default_value_t = Series::V6_12)]
    kernel: Series,
    /// Guest suite: a script in xtask/guest/suites, without `.sh`
    #[arg(long)]
    suite: String,
    #[command(flatten)]
    machine: Machine,
    /// Leave this workspace's guest programs out
    #[arg(long)]
    no_programs: bool,
}

/// The virtual machine.
#[derive(Debug, Clone, Args)]
pub struct Machine {
    /// Words to add to the kernel's command line
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    pub append: String,
    /// QEMU CPU model
    #[arg(long, default_value = "max")]
    pub cpu: String,
    /// Processors of the guest
    #[arg(long, default_value_t = 2)]
    pub cpus: u32,
    /// Guest memory in MiB
    #[arg(long, default_value_t = 2048)]
    pub mem: u32,
    /// Seconds after which the run is given up
    #[arg(long, default_value_t = 900)]
    pub timeout: u64,
    /// The program that suites with helpers on the host run there (default: this workspace's)
    #[arg(long)]
    pub helper: Option<PathBuf>,
    /// Show the guest's console
    #[arg(long, short)]
    pub verbose: bool,
    /// Tells guests with the same suite apart that run at the same time
    #[arg(skip)]
    pub instance: u32,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            append: String::new(),
            cpu: "max".into(),
            cpus: 2,
            mem: 2048,
            timeout: 900,
            helper: None,
            verbose: false,
            instance: 0,
        }
    }
}

/// Options of `uml`.
#[derive(Debug, Args)]
pub struct UmlOptions {
    /// Guest suite: a script in xtask/guest/suites, without `.sh`
    #[arg(long, default_value = "smoke")]
    suite: String,
    #[command(flatten)]
    machine: Machine,
}

/// The command `vm`: sets up, builds, boots, and fails unless every check passed.
pub fn command(paths: &Paths, options: &Options) -> Result<ExitCode> {
    let programs = !options.no_programs;
    one(
        paths,
        options.kernel,
        &options.suite,
        &options.machine,
        programs,
    )
}

/// The command `uml`: the same, on a kernel that is a program.
pub fn uml_command(paths: &Paths, options: &UmlOptions) -> Result<ExitCode> {
    one(paths, Series::Uml, &options.suite, &options.machine, true)
}

/// One guest of one suite.
fn one(
    paths: &Paths,
    series: Series,
    suite: &str,
    machine: &Machine,
    with_programs: bool,
) -> Result<ExitCode> {
    check_suite(paths, suite)?;
    let guest = if with_programs {
        Guest::build(paths, series)?
    } else {
        Guest::without_programs(paths, series)?
    };
    let report = run(paths, &guest, suite, machine)?;
    for row in &report.rows {
        println!("{row}");
    }
    let mut tally = Tally::default();
    tally.add_guest(&report);
    Ok(tally.finish())
}

/// What a guest is made of.
#[derive(Debug)]
pub struct Guest {
    /// The kernel.
    image: Image,
    /// Our modules built for it.
    modules: Modules,
    /// Paths of this workspace's guest programs.
    programs: Vec<PathBuf>,
}

impl Guest {
    /// Builds all of it for the newest kernel of `series`.
    pub fn build(paths: &Paths, series: Series) -> Result<Self> {
        let mut guest = Self::without_programs(paths, series)?;
        guest.programs = programs(paths)?;
        Ok(guest)
    }

    /// The programs that the guest itself has.
    fn inside(&self) -> Vec<PathBuf> {
        let outside = |path: &PathBuf| {
            let mut names = contents::HOST_PROGRAMS.iter();
            names.any(|name| path.ends_with(name))
        };
        let inside = self.programs.iter().filter(|path| !outside(path));
        inside.cloned().collect()
    }

    /// The same, for suites that need none of the workspace's programs.
    fn without_programs(paths: &Paths, series: Series) -> Result<Self> {
        let image = setup::for_kernels(paths, &[series])?.remove(0);
        let modules = kmod::build(paths, &image)?;
        Ok(Self {
            image,
            modules,
            programs: Vec::new(),
        })
    }
}

/// The guest programs of this workspace, built.
pub fn programs(paths: &Paths) -> Result<Vec<PathBuf>> {
    initramfs::workspace_programs(paths)
}

/// Boots `guest` with `suite` and returns the judged report; a failed check is no error here.
pub fn run(paths: &Paths, guest: &Guest, suite: &str, machine: &Machine) -> Result<Report> {
    check_suite(paths, suite)?;
    let apart = match machine.instance {
        0 => String::new(),
        more => format!(".{more}"),
    };
    let work = paths
        .target
        .join("vm")
        .join(format!("{}-{suite}{apart}", guest.image.version));
    let _lock = Paths::lock(&work)?;
    let initrd = work.join("initramfs.cpio");
    let mut files = Vec::new();
    if contents::WITH_ECRYPTFS.contains(&suite) {
        files.push((
            ecryptfs::build(paths, &guest.image)?,
            contents::CHANGED_ECRYPTFS,
        ));
    }
    shell::timed("initramfs", || {
        initramfs::build(
            paths,
            &guest.image,
            &guest.modules,
            &guest.inside(),
            &files,
            &work,
            &initrd,
        )
    })?;
    let helpers = helpers(paths, guest, suite, machine, &work)?;
    let is_newer = !helpers.devices().is_empty() && !guest.image.is_uml();
    let qemu = is_newer.then(|| Qemu::ensure(paths)).transpose()?;
    let log = work.join("console.log");
    println!(
        "booting {} with suite {suite} (console: {})",
        guest.image.version,
        log.display()
    );
    let started = Instant::now();
    let boot = process::Boot {
        image: &guest.image,
        initrd: &initrd,
        append: format!("{PARAMETERS} guest_suite={suite} {}", machine.append),
        machine,
        helpers: &helpers,
        qemu: qemu.as_ref(),
        log: &log,
    };
    let mut report = process::run(&boot)?;
    if !report.began {
        // Emulation with a thread for each processor lets a kernel that patches its code at boot run half of a patch, in
        // one of a hundred boots on a busy machine.
        let what = "a first boot, whose kernel ended before the guest's first program";
        println!("{what}: once more");
        report = process::run(&boot)?;
        // In the summary, so that one that comes often is seen.
        report.skipped.push(what.to_owned());
    }
    println!("guest ended after {:.1} s", started.elapsed().as_secs_f64());
    if !report.failed.is_empty() && !machine.verbose {
        let console = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
        println!(
            "--- end of {}\n{}\n---",
            log.display(),
            shell::tail(&console, 40)
        );
    }
    // Large, and made again by every run.
    fs::remove_file(&initrd)?;
    Ok(report)
}

/// Writes what User-Mode Linux needs beside itself to run any suite, where there is none of this: an initramfs with
/// `programs` to `initrd`, and to `words` what its command line has wherever it runs.
pub fn pack_uml(
    paths: &Paths,
    image: &Image,
    programs: &[PathBuf],
    initrd: &Path,
    words: &Path,
) -> Result<()> {
    let modules = kmod::build(paths, image)?;
    let files = [(ecryptfs::build(paths, image)?, contents::CHANGED_ECRYPTFS)];
    let work = paths.target.join("vm").join("packed");
    let _lock = Paths::lock(&work)?;
    shell::timed("initramfs", || {
        initramfs::build(paths, image, &modules, programs, &files, &work, initrd)
    })?;
    let line = format!("{} {PARAMETERS}\n", uml::WORDS.join(" "));
    fs::write(words, line).with_context(|| format!("cannot write {}", words.display()))
}

/// What the suite wants to run on the host.
fn helpers(
    paths: &Paths,
    guest: &Guest,
    suite: &str,
    machine: &Machine,
    work: &Path,
) -> Result<host::Helpers> {
    let wanted = host::wanted(&script(paths, suite))?;
    let mut commands = Vec::new();
    for want in &wanted {
        let (name, words) = want
            .words
            .split_first()
            .context("a helper on the host has no name")?;
        let ours = guest.programs.iter().find(|path| path.ends_with(name));
        // Another build of the helper, not of those that harm.
        let other = machine.helper.as_ref().filter(|_| name == "kgpu");
        let program = other
            .or(ours)
            .with_context(|| format!("no {name} was built: say which helper with --helper"))?;
        commands.push((program.clone(), words, want.virtio_id));
    }
    host::Helpers::start(&commands, work)
}

fn script(paths: &Paths, suite: &str) -> PathBuf {
    paths
        .root
        .join("xtask/guest/suites")
        .join(format!("{suite}.sh"))
}

/// Fails when there is no such suite; called before anything is built as well.
pub fn check_suite(paths: &Paths, suite: &str) -> Result<()> {
    if !script(paths, suite).exists() {
        bail!(
            "no suite named {suite}: the suites are {}",
            suites(paths)?.join(", ")
        );
    }
    Ok(())
}

/// The names of all suites, sorted.
pub fn suites(paths: &Paths) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(paths.root.join("xtask/guest/suites"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "sh") {
            names.extend(path.file_stem().map(|s| s.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}
