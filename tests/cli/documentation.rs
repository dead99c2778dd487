//! `docs/configuration.md` has one row for each declared key, and says of it what the program says.

use tagstone::settings::{Entry, Place, Settings};

/// The rows of the tables, each with the section whose heading it stands below.
fn rows(document: &str) -> Vec<(String, Vec<String>)> {
    let (mut section, mut header) = (String::new(), "");
    let mut rows = Vec::new();
    for line in document.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading.trim_matches(['`', '[', ']']).to_owned();
        } else if line.starts_with("| `") {
            assert!(header.starts_with("| key |"), "this row stands in a table that is not one of settings: {line}");
            let cells = line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned());
            rows.push((section.clone(), cells.collect()));
        } else if line.starts_with("| ") {
            header = line;
        }
    }
    rows
}

fn row(entry: &Entry) -> (String, Vec<String>) {
    let section = if entry.section.is_empty() { "Top of the file" } else { entry.section };
    let name = format!("`{}`", entry.name);
    if entry.place == Place::Pattern {
        return (section.to_owned(), vec![name, entry.takes.replace('"', "`"), "none".to_owned(), "none".to_owned()]);
    }
    let default = format!("`{}`", entry.default);
    let variable = format!("`{}`", entry.variable());
    (section.to_owned(), vec![name, entry.takes.replace('"', "`"), default, variable])
}

#[test]
fn the_tables_are_those_of_the_program() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
    let documented = rows(&std::fs::read_to_string(path).unwrap());
    let (facts, meanings): (Vec<_>, Vec<_>) = documented
        .into_iter()
        .map(|(section, mut cells)| {
            let meaning = cells.pop().unwrap();
            ((section, cells), meaning)
        })
        .unzip();
    let declared: Vec<_> = Settings::declared().iter().map(row).collect();
    for row in &declared {
        assert!(facts.contains(row), "docs/configuration.md lacks the row\n| {} | … |", row.1.join(" | "));
    }
    assert_eq!(facts, declared, "docs/configuration.md has rows too many or in another order");
    for meaning in meanings {
        assert!(meaning.ends_with('.'), "not a sentence: {meaning}");
    }
}

#[test]
fn the_example_is_a_settings_file() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
    let document = std::fs::read_to_string(path).unwrap();
    let examples: Vec<_> = document.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!examples.is_empty());
    for example in examples {
        let file = crate::run::SettingsFile::new(example);
        let check = crate::run::run(&["config", "check", &file.name()]);
        assert_eq!(check.code, Some(0), "{}", check.stderr);
    }
}
