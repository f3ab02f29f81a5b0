//! What is deliberately not there: the absences that `docs/architecture.md` promises and a search can see.

use crate::checkout::{File, files, looked_at, none, read};

/// The sources of products, without their tests.
fn products() -> Vec<File> {
    let mut products = files("", ".rs");
    products.retain(|file| {
        !file.is_test() && !file.name.starts_with("testbed/") && file.name.contains("src/")
    });
    looked_at(products.len(), 100);
    products
}

/// Those of the runtime whose names there begin with one of these.
fn runtime(starts: &[&str]) -> Vec<File> {
    let own = |file: &File| {
        let name = file.name.strip_prefix("engine-runtime/src/");
        name.is_some_and(|name| starts.iter().any(|start| name.starts_with(start)))
    };
    let mut files = products();
    files.retain(own);
    files
}

/// Lines of code, comments left out.
fn code(line: &str) -> &str {
    match line.trim_start().starts_with("//") {
        true => "",
        false => line,
    }
}

#[test]
fn cfg_stands_only_where_a_dependency_or_an_instruction_set_would_be_missing() {
    let mut seen = 0;
    let mut broken = Vec::new();
    for file in products() {
        broken.extend(file.lines(|line| {
            let conditions = conditions(code(line));
            seen += conditions.len();
            conditions
                .iter()
                .any(|condition| !allowed(&file, condition))
        }));
    }
    looked_at(seen, 10);
    none("absence is a type, not a cfg", broken);
}

/// What the `cfg`s of a line ask, one by one: `test`, `target_arch = "x86_64"`.
fn conditions(line: &str) -> Vec<&str> {
    let openings = ["#[cfg(", "cfg!(", "cfg_attr("];
    openings
        .into_iter()
        .flat_map(|opening| line.split(opening).skip(1).map(move |rest| (opening, rest)))
        .flat_map(|(opening, rest)| predicate(rest, opening.starts_with("cfg_attr")))
        .collect()
}

fn predicate(rest: &str, is_cfg_attr: bool) -> Vec<&str> {
    let mut depth = 1;
    let end = rest.find(|letter| {
        depth += match letter {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        depth == 0 || depth == 1 && letter == ',' && is_cfg_attr
    });
    let conditions = rest[..end.unwrap_or(rest.len())].split(['(', ')', ',']);
    conditions
        .map(str::trim)
        .filter(|one| !one.is_empty())
        .collect()
}

/// Tests and checks of our own code; what a processor or a system may lack; a feature that turns on a dependency.
fn allowed(file: &File, condition: &str) -> bool {
    let (name, value) = condition.split_once(" = ").unwrap_or((condition, ""));
    match name {
        "test" | "debug_assertions" | "not" | "any" | "all" => true,
        "target_arch" | "target_os" | "target_vendor" | "target_endian" => true,
        // Only there it is asked what the whole program was compiled for, because a machine must have all of it.
        "target_feature" => file.name == "engine-runtime/src/backend/cpu/isa/level.rs",
        "feature" => turns_on_a_dependency(file, value.trim_matches('"')),
        _ => false,
    }
}

fn turns_on_a_dependency(file: &File, feature: &str) -> bool {
    let package = file.name.split("src/").next().unwrap_or_default();
    let manifest = read(&format!("{package}Cargo.toml"));
    let declared = format!("{feature} = [");
    let line = manifest.lines().find(|line| line.starts_with(&declared));
    line.is_some_and(|line| line.contains("\"dep:"))
}

#[test]
fn conditions_are_read_one_by_one() {
    assert_eq!(
        conditions(r#"#[cfg(all(test, not(target_os = "linux")))]"#),
        ["all", "test", "not", "target_os = \"linux\""]
    );
    assert_eq!(conditions("#[cfg_attr(test, allow(dead_code))]"), ["test"]);
    assert_eq!(
        conditions("if cfg!(feature = \"fast\") {"),
        ["feature = \"fast\""]
    );
}

/// What a recipe decides is a type. A flag would be asked at run time, and what it switches off would be linked.
#[test]
fn there_are_no_capability_booleans() {
    let subjects = runtime(&["recipe", "parts", "backend.rs", "model.rs", "dtype"]);
    looked_at(subjects.len(), 6);
    let broken = subjects
        .iter()
        .flat_map(|file| {
            file.lines(|line| {
                let line = code(line);
                let constant = line.contains("const ") && line.contains(": bool");
                let question = ["fn supports", "fn has_", "fn can_"]
                    .iter()
                    .any(|word| line.contains(word));
                constant || question
            })
        })
        .collect();
    none(
        "recipes, parts and backends answer with types, not with booleans",
        broken,
    );
}

/// The traits of a recipe's types are for bounds. As objects they would be chosen at run time.
#[test]
fn no_part_is_an_object() {
    let recipe = read("engine-runtime/src/recipe.rs");
    let traits: Vec<&str> = recipe
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("type "))
        .filter_map(|rest| Some(rest.split_once(':')?.0))
        .collect();
    looked_at(traits.len(), 15);
    let object = |line: &str| {
        let words: Vec<&str> = line
            .split(|letter: char| !letter.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
            .collect();
        words
            .windows(2)
            .any(|pair| pair[0] == "dyn" && traits.contains(&pair[1]))
    };
    let broken = products()
        .iter()
        .flat_map(|file| file.lines(|line| object(code(line))))
        .collect();
    none("a part is a type of the recipe", broken);
}

/// It renders what engine-spec knows: it makes no finding of its own, so `check`, `build` and rustc cannot differ.
#[test]
fn cargo_lathe_makes_no_finding() {
    let sources: Vec<File> = products()
        .into_iter()
        .filter(|file| file.name.starts_with("cargo-lathe/src/"))
        .collect();
    looked_at(sources.len(), 10);
    let broken = sources
        .iter()
        .flat_map(|file| {
            file.lines(|line| {
                [
                    "Diagnostic {",
                    "Diagnostic::",
                    "Diagnostics::new",
                    "Code(",
                    "Rule {",
                ]
                .iter()
                .any(|word| code(line).contains(word))
            })
        })
        .collect();
    none("rules stand in engine-spec", broken);
}

/// What a profile means must not depend on where it is read: these are all the places that ask the world.
#[test]
fn the_compilers_knowledge_asks_the_world_in_few_places() {
    const ASKS: &[&str] = &[
        // The profile, and the config.json that it names.
        "engine-spec/src/lib.rs",
        "engine-spec/src/profile/read.rs",
        "engine-spec/src/shape.rs",
        "engine-model/src/file.rs",
        // The machine that `native` means, and its toolkits.
        "engine-spec/src/machine.rs",
        "engine-spec/src/machine/",
        // For the build script: which profile this cargo call builds.
        "engine-spec/src/cargo/selection.rs",
    ];
    const WORDS: [&str; 6] = [
        "std::fs",
        "std::process",
        "std::net",
        "File::open",
        "fs::read",
        "env::var",
    ];
    let subjects: Vec<File> = products()
        .into_iter()
        .filter(|file| {
            file.name.starts_with("engine-spec/") || file.name.starts_with("engine-model/")
        })
        .filter(|file| !ASKS.iter().any(|allowed| file.name.starts_with(allowed)))
        .collect();
    looked_at(subjects.len(), 50);
    let broken = subjects
        .iter()
        .flat_map(|file| file.lines(|line| WORDS.iter().any(|word| code(line).contains(word))))
        .collect();
    none(
        "files, environment and processes are asked in the listed files alone",
        broken,
    );
}

/// Who may know whom, in the runtime: words that must not stand in some files.
#[test]
fn the_scheduler_knows_no_tensors_and_models_no_scheduler() {
    let tensors = ["backend::", "Backend", "dtype", "Array<", "Recipe"];
    let serving = ["scheduler", "engine::", "kv::", "Sampler", "request::"];
    let layers: [(&[&str], &[&str]); 2] = [
        (&["scheduler", "kv", "request"], &tensors),
        (&["models", "model.rs"], &serving),
    ];
    let mut broken = Vec::new();
    for (layer, strangers) in layers {
        let files = runtime(layer);
        looked_at(files.len(), 4);
        for file in &files {
            broken
                .extend(file.lines(|line| strangers.iter().any(|word| code(line).contains(word))));
        }
    }
    none("what does not need a thing does not know it", broken);
}

/// A test repeats what an engine did, whenever and wherever it runs.
#[test]
fn clock_and_chance_are_passed_in() {
    let words = [
        "Instant::now",
        "SystemTime::now",
        "thread_rng",
        "getrandom",
        "RandomState",
    ];
    let mut subjects = runtime(&[""]);
    // A device may measure itself, and give up waiting.
    subjects.retain(|file| !file.name.starts_with("engine-runtime/src/backend/"));
    looked_at(subjects.len(), 50);
    let broken = subjects
        .iter()
        .flat_map(|file| file.lines(|line| words.iter().any(|word| code(line).contains(word))))
        .collect();
    none("the caller brings clock and random numbers", broken);
}

/// Outside its file nobody can make one, for its fields are private: rustc holds the rest.
#[test]
fn a_validated_request_has_one_constructor() {
    let file = read("engine-runtime/src/request/validate.rs");
    let body = file
        .split_once("pub struct ValidatedRequest {")
        .expect("the type is here")
        .1;
    let fields = body.split_once("\n}").expect("the type ends").0;
    assert!(!fields.contains("pub "), "a field is public");
    let made = file.matches("Self {").count() + file.matches("ValidatedRequest {").count();
    // The type itself, its impl, and one expression.
    assert_eq!(made, 3, "one place makes a ValidatedRequest");
}
