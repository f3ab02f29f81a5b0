//! Unsafe code: where it may be, and that it says why it is sound.

use crate::checkout::{File, files, looked_at, none};

/// Rust files, less those that only write about unsafe code.
fn sources() -> Vec<File> {
    let mut sources = files("", ".rs");
    sources.retain(|file| !file.name.starts_with("tests/tidy"));
    sources
}

/// The comment that stands directly above line `number`, attributes between them passed over.
fn comment_above<'a>(lines: &[&'a str], number: usize) -> Vec<&'a str> {
    lines[..number]
        .iter()
        .rev()
        .map(|line| line.trim_start())
        .take_while(|line| line.starts_with("//") || line.starts_with("#["))
        .filter(|line| line.starts_with("//"))
        .collect()
}

fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

#[test]
fn every_unsafe_block_says_why_it_is_sound() {
    let mut seen = 0;
    let mut broken = Vec::new();
    for file in sources() {
        let lines: Vec<&str> = file.text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let blocks =
                code(line).matches("unsafe {").count() + code(line).matches("unsafe impl").count();
            seen += blocks;
            let said = comment_above(&lines, number);
            let said = said.iter().filter(|line| line.contains("SAFETY:")).count();
            if blocks > said {
                broken.push(format!("{}:{}", file.name, number + 1));
            }
        }
    }
    looked_at(seen, 10);
    none("one `// SAFETY:` directly above each unsafe block", broken);
}

#[test]
fn every_unsafe_function_says_what_its_caller_promises() {
    let mut seen = 0;
    let mut broken = Vec::new();
    for file in sources() {
        let lines: Vec<&str> = file.text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            // `unsafe fn(` is a type.
            if !code(line).contains("unsafe fn ") || implements_a_trait(&lines, number) {
                continue;
            }
            seen += 1;
            let said = comment_above(&lines, number);
            if !said.iter().any(|line| line.trim_end() == "/// # Safety") {
                broken.push(format!("{}:{}: {}", file.name, number + 1, line.trim()));
            }
        }
    }
    looked_at(seen, 5);
    none("an unsafe function has a section `# Safety`", broken);
}

/// Whether a line is in an `impl Trait for`: the contract stands at the trait.
fn implements_a_trait(lines: &[&str], number: usize) -> bool {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let own = indent(lines[number]);
    let head = lines[..number]
        .iter()
        .rev()
        .find(|line| !line.trim().is_empty() && indent(line) < own);
    head.is_some_and(|line| line.trim_start().starts_with("impl") && line.contains(" for "))
}

/// Kernels and backends are the runtime's; everything else is safe by the compiler's word.
#[test]
fn unsafe_code_stays_in_the_runtime() {
    let roots: Vec<File> = files("", "src/lib.rs")
        .into_iter()
        .chain(files("", "src/main.rs"))
        .filter(|file| !file.name.starts_with("engine-runtime/"))
        .collect();
    looked_at(roots.len(), 6);
    let broken = roots
        .into_iter()
        .filter(|file| !file.text.contains("#![forbid(unsafe_code)]"))
        // The engine's section for its manifest is an unsafe attribute; nothing else in the leaf is.
        .filter(|file| file.name != "src/main.rs")
        .map(|file| file.name)
        .collect();
    none("a crate other than the runtime forbids unsafe code", broken);
    let leaf = files("src/", ".rs");
    looked_at(leaf.len(), 5);
    let broken = leaf
        .iter()
        .flat_map(|file| file.lines(|line| code(line).contains("unsafe")))
        .filter(|line| !line.contains("deny(unsafe_code)"))
        .collect();
    none("the engine's own sources have no unsafe code", broken);
}
