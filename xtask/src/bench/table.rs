//! Tables for people.

/// Formats a table. Columns are as wide as their widest cell: the first is aligned left, the figures right.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|c| c.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    rows.iter().map(|row| line(row, &widths)).collect::<Vec<_>>().join("\n")
}

/// Formats a figure with this number of decimals, or a dash if there is none.
pub(crate) fn figure(value: Option<f64>, digits: usize) -> String {
    value.filter(|value| value.is_finite()).map_or("-".into(), |value| format!("{value:.digits$}"))
}

fn line(row: &[String], widths: &[usize]) -> String {
    let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, &width))| match column {
        0 => format!("{cell:<width$}"),
        _ => format!("{cell:>width$}"),
    });
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let rows = [vec!["end".into(), "fps".into()], vec!["a".into(), "29.97".into()]];
        assert_eq!(table(&rows), "end    fps\na    29.97");
    }

    #[test]
    fn a_missing_figure_is_a_dash() {
        assert_eq!(figure(None, 1), "-");
        assert_eq!(figure(Some(f64::NAN), 1), "-");
        assert_eq!(figure(Some(1.25), 1), "1.2");
    }
}
