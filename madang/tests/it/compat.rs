//! What docs/compat.md promises to clients, as far as it can be held against the program.

use madang::error::Code;

#[test]
fn every_error_code_is_told() {
    let text = include_str!("../../../docs/compat.md");
    let rows = text.lines().filter(|line| line.starts_with("| ") && line.contains("` |")).filter_map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let status: u16 = cells.first()?.parse().ok()?;
        assert_eq!(cells.len(), 4, "{line}");
        assert!(!cells[3].is_empty(), "when? {line}");
        Some((status, cells[1].trim_matches('`').to_owned(), cells[2].to_owned()))
    });
    let told: Vec<_> = rows.collect();
    let codes: Vec<_> = Code::ALL
        .iter()
        .map(|code| (code.status().as_u16(), code.as_str().to_owned(), code.detail().to_owned()))
        .collect();
    for code in &codes {
        assert!(told.contains(code), "docs/compat.md does not tell of {code:?}");
    }
    assert_eq!(told.len(), codes.len(), "docs/compat.md tells of codes that are not there");
}
