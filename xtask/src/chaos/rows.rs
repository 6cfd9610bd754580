//! The rows that `kgpu-guest chaos` sends, as data: `fault key=value …` for each strike, and one
//! `end key=value …`.

use std::collections::HashMap;

use anyhow::{Context, Result};

/// One strike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Kind.
    pub kind: String,
    /// The helper struck at.
    pub helper: String,
    /// The helper afterwards.
    pub next: String,
    /// Requests in flight at the helper; 0 does not count.
    pub in_flight: u64,
    /// Microseconds from the strike until work went on.
    pub recovery_us: u64,
    /// Longest time without a completed request.
    pub pause_us: u64,
    /// From a stop until all was taken back.
    pub hang_us: Option<u64>,
    /// Whether the module threw the helper out for another reason than the wrong data.
    pub undetected: bool,
}

/// What a guest says in the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct End {
    fields: HashMap<String, u64>,
    /// Overdue requests by the power of two of microseconds from their deadline to being taken back.
    pub overdue: Vec<u64>,
}

impl End {
    /// A number by its name, 0 if the guest did not tell it.
    pub fn get(&self, name: &str) -> u64 {
        self.fields.get(name).copied().unwrap_or(0)
    }
}

fn fields(text: &str) -> HashMap<&str, &str> {
    text.split_whitespace()
        .filter_map(|field| field.split_once('='))
        .collect()
}

/// All strikes, counted or not.
pub fn faults(rows: &[String]) -> Result<Vec<Fault>> {
    rows.iter()
        .filter_map(|row| row.strip_prefix("fault "))
        .map(|row| fault(row).with_context(|| format!("a guest's row makes no sense: {row}")))
        .collect()
}

fn fault(row: &str) -> Option<Fault> {
    let fields = fields(row);
    let number = |name| fields.get(name)?.parse::<u64>().ok();
    let text = |name| fields.get(name).map(|text| (*text).to_owned());
    Some(Fault {
        kind: text("kind")?,
        helper: text("helper")?,
        next: text("next")?,
        in_flight: number("in-flight")?,
        recovery_us: number("recovery-us")?,
        pause_us: number("pause-us")?,
        hang_us: number("hang-us"),
        undetected: number("undetected").is_some(),
    })
}

/// The last word of a guest.
pub fn end(rows: &[String]) -> Option<End> {
    let row = rows.iter().find_map(|row| row.strip_prefix("end "))?;
    let overdue = rows.iter().find_map(|row| row.strip_prefix("overdue "));
    Some(End {
        fields: fields(row)
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
            .collect(),
        overdue: overdue
            .unwrap_or_default()
            .split_whitespace()
            .map(|count| count.parse().unwrap_or(0))
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_or_refused() {
        let good = "fault number=3 kind=stop helper=evil next=evil attempt=1 in-flight=7 recovery-us=5 pause-us=2 hang-us=9";
        let faults_of =
            |rows: &[&str]| faults(&rows.iter().map(|row| (*row).to_owned()).collect::<Vec<_>>());
        let read = faults_of(&[good, "something else"]).unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!((read[0].in_flight, read[0].hang_us), (7, Some(9)));
        assert!(faults_of(&["fault kind=stop in-flight=many"]).is_err());
    }

    #[test]
    fn an_end_tells_its_numbers() {
        let rows = [
            "end lost=0 corrupted=2".to_owned(),
            "overdue 0 3 1".to_owned(),
        ];
        let end = end(&rows).unwrap();
        assert_eq!((end.get("lost"), end.get("corrupted")), (0, 2));
        assert_eq!(end.overdue, [0, 3, 1]);
    }
}
