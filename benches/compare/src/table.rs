//! The results as one table, and as JSON.

use crate::contest::{Cell, Results, Row};
use crate::number::rounded;
use crate::server::Kind;
use crate::workload::Aim;
use comfy_table::presets;
use comfy_table::{CellAlignment, Table};
use serde_json::{Value, json};

fn cell(row: &Row, place: usize) -> String {
    let note = row.notes[place].map_or_else(String::new, |number| format!(" [{number}]"));
    match &row.cells[place] {
        Cell::Absent => "-".to_owned(),
        Cell::Failed => "FAILED".to_owned(),
        measured => measured.median().map_or_else(|| "-".to_owned(), |number| rounded(number) + &note),
    }
}

fn aim_text(aim: Aim, unit: &str) -> String {
    match aim {
        Aim::Peer(times) => format!("{times}x peer"),
        Aim::Bare(part) => format!("{part} of actix"),
        Aim::Static(part) => format!("{part} of nginx"),
        Aim::Under(limit) => format!("< {limit} {unit}"),
    }
}

fn aims_text(row: &Row) -> String {
    let texts: Vec<String> = row.figure.aims.iter().map(|aim| aim_text(*aim, row.figure.unit.text())).collect();
    texts.join(", ")
}

/// `met`, or which aims are missed, or nothing where there is nothing to judge.
fn verdict(row: &Row, kinds: &[Kind]) -> String {
    let judged: Vec<(Aim, Option<bool>)> = row.figure.aims.iter().map(|aim| (*aim, row.met(kinds, *aim))).collect();
    let missed: Vec<String> = judged
        .iter()
        .filter(|(_, met)| *met == Some(false))
        .map(|(aim, _)| aim_text(*aim, row.figure.unit.text()))
        .collect();
    match &judged[..] {
        [] => String::new(),
        _ if missed.len() == 1 && judged.len() > 1 => format!("MISSED {}", missed[0]),
        _ if !missed.is_empty() => "MISSED".to_owned(),
        all if all.iter().all(|(_, met)| *met == Some(true)) => "met".to_owned(),
        _ => "-".to_owned(),
    }
}

/// The table, its notes and its failures.
pub(crate) fn text(results: &Results) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    let names = results.names.iter().map(String::as_str);
    let header: Vec<&str> =
        ["workload", ""].into_iter().chain(names).chain(["vs best peer", "aim", "verdict"]).collect();
    table.set_header(header);
    for row in &results.rows {
        let mut line = vec![row.figure.title.clone(), row.figure.unit.text().to_owned()];
        line.extend((0..results.names.len()).map(|place| cell(row, place)));
        line.push(row.ratio(&results.kinds).map_or_else(|| "-".to_owned(), |ratio| rounded(ratio) + "x"));
        line.push(aims_text(row));
        line.push(verdict(row, &results.kinds));
        table.add_row(line);
    }
    for column in 2..results.names.len() + 3 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut text = table.to_string();
    for (place, note) in results.notes.iter().enumerate() {
        text += &format!("\n[{}] {note}", place + 1);
    }
    for failure in &results.failures {
        text += &format!("\nFAILED {failure}");
    }
    text
}

/// Everything, with every round.
pub(crate) fn json(results: &Results, machine: &str) -> Value {
    let rows: Vec<Value> = results.rows.iter().map(|row| json_row(row, results)).collect();
    json!({"machine": machine, "rows": rows, "notes": results.notes, "failures": results.failures})
}

fn json_row(row: &Row, results: &Results) -> Value {
    let servers: serde_json::Map<String, Value> = results
        .names
        .iter()
        .zip(row.cells.iter().zip(&row.notes))
        .filter(|(_, (cell, _))| !matches!(cell, Cell::Absent))
        .map(|(name, (cell, note))| {
            let rounds = if let Cell::Measured(rounds) = cell { rounds.as_slice() } else { &[] };
            let note = note.and_then(|number| results.notes.get(number - 1));
            (name.clone(), json!({"median": cell.median(), "rounds": rounds, "note": note}))
        })
        .collect();
    let unit = row.figure.unit.text();
    let aims: Vec<Value> = row
        .figure
        .aims
        .iter()
        .map(|aim| json!({"aim": aim_text(*aim, unit), "met": row.met(&results.kinds, *aim)}))
        .collect();
    json!({
        "key": row.key,
        "workload": row.figure.title,
        "unit": unit,
        "servers": servers,
        "vs_best_peer": row.ratio(&results.kinds),
        "aims": aims,
    })
}
