//! `kgpu list`: the algorithms this helper serves.

use kgpu_core::algorithm::{Algorithm, KeySizes, Mode, Output};
use serde_json::{Value, json};

use crate::table;

/// A mode's name.
#[must_use]
pub const fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Ecb => "ecb",
        Mode::Cbc => "cbc",
        Mode::Ctr => "ctr",
        Mode::Xts => "xts",
        Mode::Digest => "digest",
    }
}

/// Key lengths in bits: `128 192 256`, or `32..448 by 8` where there are many.
fn keys(sizes: KeySizes) -> String {
    if sizes.max == 0 {
        return "-".into();
    }
    let bits: Vec<String> = sizes.iter().map(|bytes| (bytes * 8).to_string()).collect();
    match bits.as_slice() {
        [first, .., last] if bits.len() > 4 => {
            format!("{first}..{last} by {}", u32::from(sizes.step) * 8)
        }
        _ => bits.join(" "),
    }
}

fn output(output: Output) -> String {
    match output {
        Output::SameAsInput => "as input".into(),
        Output::PerUnit(bytes) => format!("{bytes} B per unit"),
    }
}

/// The list as a table.
#[must_use]
pub fn text(algorithms: &[&Algorithm]) -> String {
    let rows: Vec<Vec<String>> = algorithms
        .iter()
        .map(|a| {
            vec![
                a.id.0.to_string(),
                a.name.into(),
                a.driver.into(),
                mode(a.mode).into(),
                a.block_size.to_string(),
                keys(a.key_sizes),
                a.iv_size().to_string(),
                output(a.output),
                a.crossover.to_string(),
            ]
        })
        .collect();
    table::lines(
        &[
            "id",
            "name",
            "driver",
            "mode",
            "block",
            "key bits",
            "iv",
            "output",
            "crossover",
        ],
        &[true, false, false, false, true, false, true, false, true],
        &rows,
    )
}

/// The list as JSON.
#[must_use]
pub fn json(algorithms: &[&Algorithm]) -> String {
    let list: Vec<Value> = algorithms
        .iter()
        .map(|a| {
            json!({
                "id": a.id.0,
                "name": a.name,
                "driver": a.driver,
                "mode": mode(a.mode),
                "block_size": a.block_size,
                "key_bytes": if a.has_key() { a.key_sizes.iter().collect::<Vec<_>>() } else { vec![] },
                "iv_size": a.iv_size(),
                "output_bytes_per_unit": match a.output {
                    Output::SameAsInput => None,
                    Output::PerUnit(bytes) => Some(bytes),
                },
                "crossover": a.crossover,
            })
        })
        .collect();
    format!("{:#}\n", Value::Array(list))
}
