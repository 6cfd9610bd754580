//! Computes the digits of π that Blowfish's key schedule starts from: 1,042 words of the fraction, in
//! hexadecimal, most significant first.
//!
//! π = 16 arctan(1/5) - 4 arctan(1/239) (Machin), in fixed point.

use std::{env, fmt::Write as _, fs, io, path::Path};

/// Words of the fraction that are needed: 18 for P, 4 times 256 for S.
const WORDS: usize = 18 + 4 * 256;
/// Words beyond them, which take the rounding errors: some 2^18 units of the last word.
const GUARD: usize = 4;

/// A number from 0 up to 2^32: its integer, then its fraction, most significant word first.
type Fixed = Vec<u32>;

/// `value` divided by a small number.
fn divide(value: &mut Fixed, by: u32) {
    let mut rest = 0_u64;
    for word in value {
        let part = rest << 32 | u64::from(*word);
        (*word, rest) = (low(part / u64::from(by)), part % u64::from(by));
    }
}

/// The low word of a number.
fn low(value: u64) -> u32 {
    let [a, b, c, d, ..] = value.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// `value` plus `sign` times `term`.
fn add(value: &mut Fixed, term: &Fixed, plus: bool) {
    let mut carry = u64::from(!plus);
    for (word, other) in value.iter_mut().zip(term).rev() {
        let other = if plus { *other } else { !other };
        let sum = u64::from(*word) + u64::from(other) + carry;
        (*word, carry) = (low(sum), sum >> 32);
    }
}

/// `factor` times arctan(1/`x`): the sum of (-1)^k / ((2k + 1) x^(2k + 1)).
fn arctan(factor: u32, x: u32) -> Fixed {
    let mut power = vec![0; 1 + WORDS + GUARD];
    power[0] = factor;
    divide(&mut power, x);
    let mut sum = power.clone();
    let mut odd = 1;
    while power.iter().any(|word| *word != 0) {
        divide(&mut power, x * x);
        odd += 2;
        let mut term = power.clone();
        divide(&mut term, odd);
        add(&mut sum, &term, odd % 4 == 1);
    }
    sum
}

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let mut pi = arctan(16, 5);
    add(&mut pi, &arctan(4, 239), false);
    let mut table = String::from("[\n");
    for word in pi.iter().skip(1).take(WORDS) {
        writeln!(table, "    {word:#010x},").map_err(io::Error::other)?;
    }
    table.push(']');
    let out = env::var_os("OUT_DIR").ok_or(io::Error::other("OUT_DIR"))?;
    fs::write(Path::new(&out).join("pi.rs"), table)
}
