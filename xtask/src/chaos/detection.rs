//! How soon wrong data was found out, from the guest's rows.

use std::collections::BTreeSet;
use std::fmt::Write;

fn row(row: &str) -> Option<(u64, u64)> {
    let (one_in, wrong) = row
        .strip_prefix("detection one-in=")?
        .split_once(" wrong=")?;
    Some((one_in.parse().ok()?, wrong.parse().ok()?))
}

/// Wrong results that were taken before each detection with one result in `one_in` rechecked, sorted.
pub fn wrong(rows: &[String], one_in: u64) -> Vec<u64> {
    let mut wrong: Vec<u64> = rows
        .iter()
        .filter_map(|text| row(text))
        .filter(|(number, _)| *number == one_in)
        .map(|(_, wrong)| wrong)
        .collect();
    wrong.sort_unstable();
    wrong
}

/// A line for each number. By chance alone the results taken before the first that is rechecked are N - 1 on
/// average.
pub fn text(rows: &[String]) -> String {
    let numbers: BTreeSet<u64> = rows
        .iter()
        .filter_map(|text| row(text))
        .map(|(n, _)| n)
        .collect();
    let mut text = "recheck  helpers  wrong results taken before the quarantine: mean, median, most; expected mean; found per wrong result\n".to_owned();
    for one_in in numbers {
        let wrong = wrong(rows, one_in);
        let rounds = u64::try_from(wrong.len()).unwrap_or(1).max(1);
        let sum: u64 = wrong.iter().sum();
        let _infallible = writeln!(
            text,
            "1/{one_in:<6} {rounds:>7}  {}.{} {} {}; {}; 1/{}.{}",
            sum / rounds,
            sum * 10 / rounds % 10,
            wrong.get(wrong.len() / 2).unwrap_or(&0),
            wrong.last().unwrap_or(&0),
            one_in.saturating_sub(1),
            (sum + rounds) / rounds,
            (sum + rounds) * 10 / rounds % 10,
        );
    }
    for said in rows.iter().filter(|row| row.starts_with("kgpu_sample: ")) {
        let _infallible = writeln!(text, "{said}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_of_the_rounds() {
        let rows: Vec<String> = [3, 5, 1, 3]
            .iter()
            .map(|wrong| format!("detection one-in=4 wrong={wrong}"))
            .collect();
        assert_eq!(wrong(&rows, 4), [1, 3, 3, 5]);
        assert_eq!(wrong(&rows, 16), Vec::<u64>::new());
        assert!(text(&rows).contains("3.0 3 5; 3; 1/4.0"), "{}", text(&rows));
    }
}
