//! The committed pages of `docs/` are what the tables say. `LATHE_BLESS=1` writes them anew.

use std::path::Path;
use std::process::Command;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// What `cargo lathe docs PAGE` prints.
fn made(page: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_cargo-lathe"))
        .args(["docs", page])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn check(file: &str, page: &str) {
    let wanted = made(page);
    let path = Path::new(ROOT).join("docs").join(file);
    if std::env::var_os("LATHE_BLESS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == wanted,
        "docs/{file} is stale: run LATHE_BLESS=1 cargo test -p cargo-lathe --test docs"
    );
}

#[test]
fn the_matrix_page_is_fresh() {
    check("matrix.md", "matrix");
}

#[test]
fn the_picture_is_fresh_and_every_cell_says_what_it_is() {
    check("matrix.svg", "picture");
    assert_eq!(made("picture").matches("<title>").count(), 1 + 210);
}

#[test]
fn the_profile_reference_is_fresh() {
    check("profile-reference.md", "profile");
}

#[test]
fn the_schema_is_fresh() {
    check("profile.schema.json", "schema");
}

/// The schema knows every key that the profiles of the repository use, at every depth.
#[test]
fn the_schema_has_every_key_in_use() {
    let schema: serde_json::Value = serde_json::from_str(&made("schema")).unwrap();
    for folder in ["profiles", "tests/profiles/good"] {
        for entry in std::fs::read_dir(Path::new(ROOT).join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "toml") {
                let text = std::fs::read_to_string(&path).unwrap();
                let table = toml::de::DeTable::parse(&text).unwrap().into_inner();
                covered(
                    &schema,
                    &toml::de::DeValue::Table(table),
                    &path.display().to_string(),
                );
            }
        }
    }
}

fn covered(schema: &serde_json::Value, value: &toml::de::DeValue<'_>, place: &str) {
    if let toml::de::DeValue::Table(table) = value {
        let table_of = schema["oneOf"]
            .as_array()
            .and_then(|ways| ways.iter().find(|way| way["type"] == "object"));
        let schema = table_of.unwrap_or(schema);
        for (key, value) in table {
            let inner = &schema["properties"][key.get_ref().as_ref()];
            assert!(
                inner.is_object(),
                "{place}: the schema has no `{}`",
                key.get_ref()
            );
            covered(
                inner,
                value.get_ref(),
                &format!("{place}: {}", key.get_ref()),
            );
        }
    }
    if let toml::de::DeValue::Array(items) = value {
        items
            .iter()
            .for_each(|item| covered(&schema["items"], item.get_ref(), place));
    }
}
