//! Reports for programs: CSV and JSON. Rates are in 10^9 bytes per second.

use std::path::Path;

use serde_json::{Value, json};

use super::Report;
use crate::bench::record::Record;
use crate::error::UserError;

/// Writes a file, its folder too if need be.
///
/// # Errors
/// [`UserError`].
pub fn write(path: &Path, text: &str) -> Result<(), UserError> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    folder
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| std::fs::write(path, text))
        .map_err(|error| {
            UserError::failure(
                format!("writing {} failed: {error}", path.display()),
                "name a file that can be written",
            )
        })
}

const HEAD: &str = "part,by,algorithm,key_bits,op,size,depth,keys,threads,gb_per_s,best_gb_per_s,\
                    requests_per_s,p50_us,p99_us,helper_cpu_s_per_gb,submitter_cpu_s_per_gb,\
                    checked_bytes,unit";

/// A line each. No cell holds a comma or a quote.
#[must_use]
pub fn csv(records: &[Record]) -> String {
    let mut text = format!("{HEAD}\n");
    for r in records {
        let optional = |value: Option<f64>| value.map_or(String::new(), |v| format!("{v:.3}"));
        let cpu = |pick: fn(&crate::bench::record::CpuCost) -> f64| {
            r.cpu
                .as_ref()
                .map(pick)
                .filter(|cost| cost.is_finite())
                .map_or(String::new(), |cost| format!("{cost:.7}"))
        };
        let cells = [
            r.part.name().to_owned(),
            r.by.replace([',', '"'], " "),
            r.algorithm.to_owned(),
            r.key_bits.to_string(),
            r.op.clone(),
            r.size.to_string(),
            r.depth.to_string(),
            r.keys.to_string(),
            r.threads.to_string(),
            format!("{:.4}", r.gigabytes),
            format!("{:.4}", r.best),
            format!("{:.1}", r.requests()),
            optional(r.p50_us),
            optional(r.p99_us),
            cpu(|c| c.helper),
            cpu(|c| c.submitter),
            r.checked.to_string(),
            r.unit.to_string(),
        ];
        text += &cells.join(",");
        text.push('\n');
    }
    text
}

fn line(r: &Record) -> Value {
    json!({
        "part": r.part.name(),
        "by": r.by,
        "algorithm": r.algorithm,
        "key_bits": r.key_bits,
        "op": r.op,
        "size": r.size,
        "depth": r.depth,
        "keys": r.keys,
        "threads": r.threads,
        "gb_per_s": r.gigabytes,
        "best_gb_per_s": r.best,
        "requests_per_s": r.requests(),
        "p50_us": r.p50_us,
        "p99_us": r.p99_us,
        "helper_cpu_s_per_gb": r.cpu.map(|c| c.helper),
        "submitter_cpu_s_per_gb": r.cpu.map(|c| c.submitter),
        "checked_bytes": r.checked,
        "unit": r.unit,
    })
}

/// The whole report.
#[must_use]
pub fn json(report: &Report) -> String {
    let machine = &report.machine;
    let crossovers = report.crossovers.iter().map(|c| {
        json!({
            "algorithm": c.algorithm,
            "backend": c.backend,
            "bytes": c.bytes,
            "against": c.against,
            "one_core_gb_per_s": c.one_core,
        })
    });
    let versions = report.versions.iter().cloned();
    let versions: serde_json::Map<String, Value> = versions
        .map(|(name, version)| (name, version.into()))
        .collect();
    let whole = json!({
        "machine": {
            "name": machine.name,
            "processor": machine.processor,
            "processors": machine.processors,
            "all_processors": machine.all,
            "kernel": machine.kernel,
            "device": machine.device,
        },
        "date": report.date,
        "command": report.command,
        "versions": versions,
        "rows": report.records.iter().map(line).collect::<Vec<_>>(),
        "crossovers": crossovers.collect::<Vec<_>>(),
        "notes": report.notes,
    });
    format!("{whole:#}\n")
}
