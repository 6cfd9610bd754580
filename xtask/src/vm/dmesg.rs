//! Judging the guest's kernel log: no fault, and no warning that a stock run lacks.

use std::collections::HashSet;

/// Texts that fail a run wherever they occur after the suite has begun.
const FAULTS: &[&str] = &[
    "WARNING:",
    "BUG:",
    "kernel BUG at",
    "Oops",
    "Call Trace",
    "general protection fault",
    "lockdep",
    "possible circular locking",
    "possible recursive locking",
    "inconsistent lock state",
    "blocked for more than",
    "scheduling while atomic",
    "refcount_t",
    "KASAN",
    "UBSAN",
    "ODEBUG",
    "DEBUG_LOCKS_WARN",
    "suspicious RCU usage",
    "unreferenced object",
    "new suspected memory leaks",
];

/// Marks that the guest's scripts write to the log to tell its parts from each other.
const PHASE_MARK: &str = "kgpu-suite: phase ";

/// The name of the phase whose warnings the others are compared with.
const STOCK: &str = "stock";

/// Lines up to this level (0 emergency … 4 warning) need a reason.
const WARNING: u8 = 4;

/// Warnings about the clock of a machine that is emulated and shares its processors, and the stock block layer's
/// count of lines it left out (the loop device cannot zero on a file in memory): both depend on the time.
const TIMING: &[&str] = &[
    "blk_print_req_error: ",
    "clocksource: ",
    "TSC found unstable after boot",
    "hrtimer: interrupt took",
    "perf: interrupt took too long",
    "sched_clock: ",
];

/// Returns what is wrong in `lines` (`dmesg -r`); `allowed` are texts that a suite provoked on purpose.
///
/// Lines before the first phase are the stock kernel's boot and are not judged.
pub fn problems(lines: &[String], allowed: &[String]) -> Vec<String> {
    let judged = in_phases(lines);
    let stock: HashSet<String> = judged
        .iter()
        .filter(|l| l.phase == STOCK)
        .map(|l| normalised(l.text))
        .collect();
    let mut found = Vec::new();
    for line in judged {
        if allowed.iter().any(|a| line.text.contains(a.as_str())) || is_taint(line.text) {
            continue;
        }
        if FAULTS.iter().any(|f| line.text.contains(f)) {
            found.push(line.text.to_owned());
        } else if line.level <= WARNING
            && !TIMING.iter().any(|t| line.text.contains(t))
            && !stock.contains(&normalised(line.text))
        {
            found.push(format!("warning that the stock run lacks: {}", line.text));
        }
    }
    found
}

/// One line after the first phase mark.
#[derive(Debug)]
struct Judged<'a> {
    phase: &'a str,
    level: u8,
    text: &'a str,
}

fn in_phases(lines: &[String]) -> Vec<Judged<'_>> {
    let mut phase = None;
    let mut judged = Vec::new();
    for raw in lines {
        let (level, text) = split(raw);
        if let Some(name) = text.strip_prefix(PHASE_MARK) {
            phase = Some(name.trim());
        } else if let Some(phase) = phase {
            judged.push(Judged { phase, level, text });
        }
    }
    judged
}

/// Level and text of a raw line `<4>[   12.345678] text`; a line without a level counts as level 6.
fn split(raw: &str) -> (u8, &str) {
    let Some((number, rest)) = raw.strip_prefix('<').and_then(|r| r.split_once('>')) else {
        return (6, raw);
    };
    let level = number
        .parse::<u32>()
        .ok()
        .and_then(|n| u8::try_from(n & 7).ok())
        .unwrap_or(6);
    let text = match rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
        Some((stamp, text))
            if stamp
                .chars()
                .all(|c| c.is_ascii_digit() || c == '.' || c == ' ') =>
        {
            text.trim_start()
        }
        _ => rest,
    };
    (level, text)
}

/// The text without what differs from run to run: numbers and addresses.
fn normalised(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split(' ') {
        let bare = word
            .trim_start_matches("0x")
            .trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let is_address = bare.len() >= 8 && bare.chars().all(|c| c.is_ascii_hexdigit());
        for c in if is_address { "#" } else { word }.chars() {
            match c {
                '0'..='9' if out.ends_with('#') => {}
                '0'..='9' => out.push('#'),
                _ => out.push(c),
            }
        }
        out.push(' ');
    }
    out
}

/// The two lines that loading an unsigned module from outside the kernel's tree always gives.
fn is_taint(text: &str) -> bool {
    let Some((module, message)) = text.split_once(": ") else {
        return false;
    };
    module.starts_with("kgpu")
        && matches!(
            message,
            "loading out-of-tree module taints kernel."
                | "module verification failed: signature and/or required key missing - tainting kernel"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|l| (*l).to_owned()).collect()
    }

    #[test]
    fn boot_and_taint_lines_pass() {
        let lines = log(&[
            "<4>[    0.1] WARNING: something of the stock boot",
            "<14>[    5.0] kgpu-suite: phase kgpu",
            "<4>[    5.1] kgpu: loading out-of-tree module taints kernel.",
            "<5>[    5.2] kgpu: module verification failed: signature and/or required key missing - tainting kernel",
            "<6>[    5.3] kgpu: ready",
        ]);
        assert_eq!(problems(&lines, &[]), Vec::<String>::new());
    }

    #[test]
    fn a_fault_fails_at_any_level() {
        let lines = log(&[
            "<14>[1.0] kgpu-suite: phase stock",
            "<6>[1.1] BUG: sleeping function called",
        ]);
        assert_eq!(problems(&lines, &[]), ["BUG: sleeping function called"]);
    }

    #[test]
    fn what_the_sanitizers_say_fails() {
        let said = [
            "BUG: KASAN: slab-out-of-bounds in kgpu_glue_x+0x1/0x2 [kgpu]",
            "UBSAN: shift-out-of-bounds in a.c:1:2",
            "ODEBUG: free active (active state 0) object",
            "DEBUG_LOCKS_WARN_ON(1)",
            "a.c:1 suspicious RCU usage!",
            "kmemleak: 2 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
        ];
        for text in said {
            let lines = [
                format!("<6>[0.1] {text}"),
                "<14>[1.0] kgpu-suite: phase kgpu".to_owned(),
                format!("<6>[1.1] {text}"),
            ];
            assert_eq!(problems(&lines, &[]), [text]);
        }
    }

    #[test]
    fn only_warnings_that_stock_lacks_fail() {
        let lines = log(&[
            "<14>[1.0] kgpu-suite: phase stock",
            "<4>[1.1] loop0: something at ffff888012345678 took 12 ms",
            "<14>[2.0] kgpu-suite: phase kgpu",
            "<4>[2.1] loop1: something at ffff888087654321 took 9 ms",
            "<4>[2.2] loop1: something else",
        ]);
        assert_eq!(
            problems(&lines, &[]),
            ["warning that the stock run lacks: loop1: something else"]
        );
        assert!(problems(&lines, &["something else".to_owned()]).is_empty());
    }

    #[test]
    fn the_stock_phase_may_come_later_and_clocks_may_wander() {
        let lines = log(&[
            "<14>[1.0] kgpu-suite: phase kgpu",
            "<4>[1.1] dm-0: a habit of the stock kernel",
            "<4>[1.2] clocksource: timekeeping watchdog on CPU1: hpet wd-wd read-back delay of 60000ns",
            "<14>[2.0] kgpu-suite: phase stock",
            "<4>[2.1] dm-1: a habit of the stock kernel",
        ]);
        assert_eq!(problems(&lines, &[]), Vec::<String>::new());
    }

    #[test]
    fn facility_is_taken_off_the_level() {
        assert_eq!(split("<12>[ 1.0] x"), (4, "x"));
        assert_eq!(split("<6>[T] x"), (6, "[T] x"));
        assert_eq!(split("plain"), (6, "plain"));
    }
}
