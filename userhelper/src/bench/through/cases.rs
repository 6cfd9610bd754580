//! Which cases a run measures: sizes and depths of each subject, as far as a region holds them.

use super::super::args::ServedArgs;
use super::super::subject::{Subject, wrong};
use super::requests::sizes;
use crate::engine::Choice;
use crate::error::UserError;

/// Requests of a subject: their size and how many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// Bytes of a request.
    pub size: u32,
    /// Requests in flight.
    pub depth: u32,
}

/// The cases of each subject.
pub type Plan = Vec<(Subject, Vec<Case>)>;

/// Tiles of a region at most.
const TILES_MAX: u32 = 1 << 20;
/// Cuts a depth to what the pool and the tile table hold; 0 when that is not even one request.
fn fitting(subject: &Subject, case: Case, choice: &Choice, served: &ServedArgs) -> u32 {
    let tile_bytes = choice.tile_bytes(served.tile_kib);
    let one = sizes(subject, case.size, 1, tile_bytes, served.in_place);
    let pool = u64::from(served.pool_mib) << 20;
    let by_pool = u32::try_from(pool / one.pool_bytes).unwrap_or(u32::MAX);
    case.depth.min(by_pool).min(TILES_MAX / one.tiles.max(1))
}

/// The cases of each subject, depths cut to what fits, and what had to be cut.
///
/// # Errors
/// [`UserError`]: an algorithm has no requests of such a size.
pub fn cases(
    subjects: &[Subject],
    wanted: &[Case],
    choice: &Choice,
    served: &ServedArgs,
) -> Result<(Plan, Vec<String>), UserError> {
    let (mut all, mut cut) = (Vec::new(), Vec::new());
    for subject in subjects {
        let mut cases: Vec<Case> = Vec::new();
        for case in wanted {
            subject
                .shape(case.size, 0)
                .check(subject.algorithm)
                .map_err(|error| {
                    wrong(
                        format!("{subject}, {} B: {error}", case.size),
                        "choose --sizes that are whole blocks of the algorithm",
                    )
                })?;
            let depth = fitting(subject, *case, choice, served);
            if depth < case.depth {
                cut.push(format!("{} B x {}: {depth}", case.size, case.depth));
            }
            let case = Case { depth, ..*case };
            if depth > 0 && !cases.contains(&case) {
                cases.push(case);
            }
        }
        // Requests of one size share their answers.
        cases.sort_by_key(|case| (case.size, case.depth));
        all.push((*subject, cases));
    }
    cut.sort();
    cut.dedup();
    Ok((all, cut))
}
