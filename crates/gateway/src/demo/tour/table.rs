//! The table of the tour as aligned text.

use std::io::{self, Write};

/// Characters of one column; longer text is cut there and told in full below.
const COLUMN_MAX: usize = 44;

/// One line of the table.
#[derive(Debug, Clone)]
pub(super) struct Row {
    name: &'static str,
    /// What was sent.
    pub(super) request: String,
    expected: String,
    got: String,
    recorded: String,
    /// Whether everything is as expected; false until shown.
    pub(super) good: bool,
}

impl Row {
    /// A row of which nothing has come yet.
    pub(super) fn new(name: &'static str, request: String, expected: String) -> Self {
        Self { name, request, expected, got: "-".into(), recorded: "-".into(), good: false }
    }

    /// With what came back.
    pub(super) fn got(self, got: String) -> Self {
        Self { got, ..self }
    }

    /// With what the audit event says.
    pub(super) fn recorded(self, recorded: String) -> Self {
        Self { recorded, ..self }
    }

    fn cells(&self) -> [String; 6] {
        let mark = if self.good { "ok" } else { "WRONG" };
        let texts = [mark, self.name, &self.request, &self.expected, &self.got, &self.recorded];
        texts.map(|text| text.chars().take(COLUMN_MAX).collect())
    }
}

/// Prints all rows and one line that sums up.
pub(super) fn print(rows: &[Row], out: &mut impl Write) -> io::Result<()> {
    let head = ["", "case", "request", "expected", "got", "audit event"].map(str::to_owned);
    let lines: Vec<[String; 6]> =
        std::iter::once(head).chain(rows.iter().map(Row::cells)).collect();
    let mut widths = [0_usize; 6];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for line in &lines {
        let padded: Vec<String> =
            line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        writeln!(out, "{}", padded.join("  ").trim_end())?;
    }
    for row in rows.iter().filter(|row| !row.good) {
        let Row { name, request, expected, got, recorded, .. } = row;
        writeln!(out, "\n{name} ({request}): expected {expected}")?;
        writeln!(out, "  got {got}; audit event {recorded}")?;
    }
    let good = rows.iter().filter(|row| row.good).count();
    writeln!(out, "\n{good} of {} as expected", rows.len())
}
