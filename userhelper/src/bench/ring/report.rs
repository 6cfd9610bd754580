//! Medians of a case's runs, as a table and as CSV.

use super::direct::Run;
use super::plan::Case;
use crate::bench::numbers::median;
use crate::table;

/// What was measured of one case.
#[derive(Clone, Debug)]
pub struct Row {
    /// The case.
    pub case: Case,
    /// Requests per second through the ring, median.
    pub ring_rate: f64,
    /// Requests per second by direct calls of one thread, median.
    pub direct_rate: f64,
    /// How much longer a request takes through the ring, in percent: median over the pairs.
    pub cost_percent: f64,
    /// Latency of the ring, microseconds: half of the requests are faster.
    pub p50_us: f64,
    /// Latency of the ring, microseconds: 99 of 100 requests are faster.
    pub p99_us: f64,
}

/// The value that `percent` of the sorted samples do not exceed.
fn percentile(sorted: &[u32], percent: usize) -> f64 {
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted
        .get(at)
        .map_or(f64::NAN, |ns| f64::from(*ns) / 1000.0)
}

impl Row {
    /// From pairs of a direct and a ring run, and the latencies in nanoseconds.
    #[must_use]
    pub fn new(case: Case, pairs: &[(Run, Run)], latencies: &[u32]) -> Self {
        let mut sorted = latencies.to_vec();
        sorted.sort_unstable();
        let of = |pick: &dyn Fn(&(Run, Run)) -> f64| median(pairs.iter().map(pick).collect());
        Self {
            case,
            ring_rate: of(&|(_, ring)| ring.rate()),
            direct_rate: of(&|(direct, _)| direct.rate()),
            cost_percent: of(&|(direct, ring)| (direct.rate() / ring.rate() - 1.0) * 100.0),
            p50_us: percentile(&sorted, 50),
            p99_us: percentile(&sorted, 99),
        }
    }

    fn gigabytes(&self, rate: f64) -> f64 {
        rate * f64::from(self.case.size) / 1e9
    }
}

const HEAD: [&str; 11] = [
    "algorithm",
    "key bits",
    "size",
    "depth",
    "workers",
    "ring req/s",
    "ring GB/s",
    "direct GB/s",
    "ring cost %",
    "p50 us",
    "p99 us",
];

fn cells(row: &Row) -> Vec<String> {
    let case = &row.case;
    vec![
        case.algorithm.name.to_owned(),
        (case.key_len * 8).to_string(),
        case.size.to_string(),
        case.depth.to_string(),
        case.workers.to_string(),
        format!("{:.0}", row.ring_rate),
        format!("{:.3}", row.gigabytes(row.ring_rate)),
        format!("{:.3}", row.gigabytes(row.direct_rate)),
        format!("{:.1}", row.cost_percent),
        format!("{:.1}", row.p50_us),
        format!("{:.1}", row.p99_us),
    ]
}

/// The table for people.
#[must_use]
pub fn text(rows: &[Row]) -> String {
    let mut right = [true; HEAD.len()];
    right[0] = false;
    table::lines(&HEAD, &right, &rows.iter().map(cells).collect::<Vec<_>>())
}

/// The table for programs. No cell holds a comma or a quote.
#[must_use]
pub fn csv(rows: &[Row]) -> String {
    let head = HEAD.join(",").replace(' ', "_").replace('%', "percent");
    rows.iter()
        .fold(head + "\n", |text, row| text + &cells(row).join(",") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles() {
        let sorted: Vec<u32> = (1..=100).map(|n| n * 1000).collect();
        assert!((percentile(&sorted, 50) - 50.0).abs() < 1e-9);
        assert!((percentile(&sorted, 99) - 99.0).abs() < 1e-9);
        assert!((percentile(&[5000], 99) - 5.0).abs() < 1e-9);
    }
}
