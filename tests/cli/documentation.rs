//! `docs/configuration.md` has one row for each declared key, and says of it what the program says.

use tagstone::metrics::Metrics;
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

/// A metric: its name, its type, its labels, and what it counts.
type Metric = (String, String, Vec<String>, String);

/// The metrics that are served, in order of their names.
fn served() -> Vec<Metric> {
    let text = String::from_utf8(Metrics::new(&["/v2/"]).unwrap().text()).unwrap();
    let mut metrics: Vec<Metric> = Vec::new();
    for line in text.lines() {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["#", "HELP", name, ..] => {
                let help = line.split_once(name).unwrap().1.trim().to_owned();
                metrics.push((name.to_owned(), String::new(), Vec::new(), help));
            }
            ["#", "TYPE", _, kind] => metrics.last_mut().unwrap().1 = kind.to_owned(),
            _ => {
                let labels = line.split_once('{').map_or("", |(_, rest)| rest.split_once('}').unwrap().0);
                let names =
                    labels.split(',').filter_map(|label| label.split_once('=')).map(|(name, _)| name.to_owned());
                metrics.last_mut().unwrap().2 = names.filter(|name| name != "le").collect();
            }
        }
    }
    metrics
}

#[test]
fn the_metrics_are_those_that_are_served() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations.md");
    let document = std::fs::read_to_string(path).unwrap();
    let documented: Vec<Metric> = document
        .lines()
        .filter(|line| line.starts_with("| `tagstone_") && line.split('|').count() == 6)
        .map(|line| {
            let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
            let labels = cells[2].split(", ").filter(|label| !label.is_empty());
            let labels = labels.map(|label| label.trim_matches('`').to_owned()).collect();
            (cells[0].trim_matches('`').to_owned(), cells[1].to_owned(), labels, cells[3].to_owned())
        })
        .collect();
    let served = served();
    for metric in &served {
        assert!(documented.contains(metric), "docs/operations.md lacks {metric:?}");
    }
    assert_eq!(documented, served, "docs/operations.md has metrics too many or in another order");
}

#[test]
fn the_readme_names_every_document() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/");
    let readme = std::fs::read_to_string(format!("{root}README.md")).unwrap();
    for file in std::fs::read_dir(format!("{root}docs")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(readme.contains(&format!("(docs/{name})")), "README.md has no link to docs/{name}");
    }
}
