//! Plain text tables: columns as wide as their widest cell.

/// A Markdown table of `rows` under `head`; columns of which `right` says so are flush right.
#[must_use]
pub fn markdown(head: &[&str], right: &[bool], rows: &[Vec<String>]) -> String {
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
    };
    let mut text = line(&mut head.iter().copied());
    text += &line(
        &mut right
            .iter()
            .map(|right| if *right { "---:" } else { "---" }),
    );
    for row in rows {
        text += &line(&mut row.iter().map(String::as_str));
    }
    text
}

/// Lines of `rows` under `head`; columns of which `right` says so are flush right.
#[must_use]
pub fn lines(head: &[&str], right: &[bool], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(String::len)
            .chain(head.get(column).map(|name| name.len()))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells = cells.zip(&widths).zip(right);
        let cells: Vec<String> = cells
            .map(|((cell, width), right)| {
                if *right {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:<width$}")
                }
            })
            .collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    let mut text = line(&mut head.iter().copied());
    for row in rows {
        text += &line(&mut row.iter().map(String::as_str));
    }
    text
}
