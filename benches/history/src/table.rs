//! The rows as one table, and as JSON.

use crate::figure::{Aim, Row};
use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};
use tagstone_compare::number::rounded;

/// The table and its failures.
pub(crate) fn text(rows: &[Row], failures: &[String]) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["key", "what", "figure", "", "aim", "verdict", "beside"]);
    for row in rows {
        let verdict = match row.is_met() {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "",
        };
        let beside = row.beside.map(|beside| format!("{}x {}", rounded(beside.times), beside.what));
        let (figure, aim) = (rounded(row.median()), aim(row));
        let cells = [row.key, &row.title, &figure, row.unit, &aim, verdict, beside.as_deref().unwrap_or_default()];
        table.add_row(cells);
    }
    if let Some(figures) = table.column_mut(2) {
        figures.set_cell_alignment(CellAlignment::Right);
    }
    failures.iter().fold(table.to_string(), |text, failure| text + "\nFAILED " + failure)
}

fn aim(row: &Row) -> String {
    match row.aim {
        Some(Aim::AtLeast(least)) => format!(">= {}", rounded(least)),
        Some(Aim::AtMost(most)) => format!("<= {}", rounded(most)),
        None => String::new(),
    }
}

/// Everything, with every round.
pub(crate) fn json(rows: &[Row], failures: &[String], machine: &str) -> Value {
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "key": row.key,
                "what": row.title,
                "unit": row.unit,
                "median": row.median(),
                "rounds": row.rounds,
                "aim": row.aim.map(|_| aim(row)),
                "met": row.is_met(),
                "beside": row.beside.map(|beside| json!({"times": beside.times, "what": beside.what})),
            })
        })
        .collect();
    json!({"machine": machine, "rows": rows, "failures": failures})
}
