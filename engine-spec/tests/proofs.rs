//! The engine's verdicts follow from the tests. A test says what it proves where it runs it:
//!
//! ```ignore
//! holds(proves!(Both: prefix-caching + chunked-prefill on cpu: here), ...)
//! ```
//!
//! These declarations are collected here from the sources, and become the committed table `engine-spec/matrix/proofs.tsv`
//! and, with it, the matrix as types in `engine-runtime/src/legal.rs`. A stale file of them fails; `LATHE_BLESS=1`
//! writes them anew. Since only the sources are read, the table is the same on every machine.

#[path = "proofs/declared.rs"]
mod declared;
#[path = "proofs/legal.rs"]
mod legal;

use std::collections::BTreeSet;
use std::path::Path;

use engine_spec::matrix::{CellId, Evidence, Proof, files};
use engine_spec::{BackendKind, Family, Feature, MATRIX, Matrix};

use declared::Declared;

/// Where tests may be: the product's, and those of the runtime. Recipes that must not compile prove nothing.
const FOLDERS: [&str; 3] = [
    "../tests",
    "../engine-runtime/tests",
    "../engine-runtime/src",
];
const EXCEPT: &str = "illegal";

/// All declarations of the repository.
fn declarations() -> Vec<Declared> {
    let mut files = Vec::new();
    FOLDERS
        .iter()
        .for_each(|folder| collect(Path::new(folder), &mut files));
    files.sort();
    let of_file = |(path, text): &(String, String)| {
        let found = declared::of(text).unwrap_or_else(|why| panic!("{path}: {why}"));
        assert!(
            found.is_empty() || is_compiled(path, &files),
            "{path} declares proofs, and is a module of no test"
        );
        found
    };
    files.iter().flat_map(of_file).collect()
}

/// Whether Cargo takes a file for a test by itself, or another file has it as a module.
fn is_compiled(path: &str, files: &[(String, String)]) -> bool {
    let path = Path::new(path);
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let by_itself = path
        .parent()
        .is_some_and(|folder| folder.ends_with("tests"))
        || (path.ends_with("main.rs") && path.ancestors().any(|above| above.ends_with("tests")));
    by_itself
        || files
            .iter()
            .any(|(_, text)| declared::has_module(text, &stem))
}

/// Path and text of every Rust source below a folder.
fn collect(folder: &Path, files: &mut Vec<(String, String)>) {
    for path in std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
    {
        if path.is_dir() && !path.ends_with(EXCEPT) {
            collect(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            files.push((path.display().to_string(), text));
        }
    }
}

/// The table that the declarations make: one line a cell, backend, evidence and test.
fn table(declarations: &[Declared]) -> String {
    let mut lines = BTreeSet::new();
    for one in declarations {
        for cell in one.cells() {
            let proofs = one
                .evidence
                .iter()
                .filter(|kind| **kind != Evidence::Device);
            lines.extend(proofs.map(|kind| (cell, one.family.backend(), *kind, one.test.clone())));
        }
    }
    let mut table = files::PROOFS_HEAD.to_owned() + "\n";
    for (cell, backend, evidence, test) in lines {
        table += &format!(
            "{}\t{}\t{}\t{}\t{}\t{test}\n",
            cell.kind(),
            cell.a(),
            cell.b(),
            backend.name(),
            evidence.name(),
        );
    }
    table
}

/// Fails if a committed file is not what it should be; writes it when blessing.
fn fresh(path: &str, wanted: &str) {
    if std::env::var_os("LATHE_BLESS").is_some() {
        std::fs::write(path, wanted).unwrap();
    }
    assert!(
        std::fs::read_to_string(path).unwrap_or_default() == wanted,
        "{} is stale: run LATHE_BLESS=1 cargo test -p engine-spec --test proofs, then bless the documents",
        path.trim_start_matches("../")
    );
}

#[test]
fn the_table_of_proofs_is_what_the_tests_declare() {
    let wanted = table(&declarations());
    files::proofs(wanted.clone().leak()).expect("what is written can be read");
    fresh("matrix/proofs.tsv", &wanted);
}

/// From the declarations themselves, so that one blessing writes all files.
#[test]
fn the_matrix_as_types_is_fresh() {
    let proofs = files::proofs(table(&declarations()).leak()).unwrap();
    let device = files::device(files::DEVICE).unwrap();
    let matrix = Matrix::unproven().with_proofs(proofs.into_iter().chain(device));
    for (path, source) in legal::sources(&matrix) {
        fresh(&format!("../engine-runtime/src/{path}"), &source);
    }
}

/// Every record of a run on a device is in its order, once, of a test that declares it.
#[test]
fn every_record_of_a_device_belongs_to_a_declaration() {
    let records = files::device(files::DEVICE).expect("the committed records can be read");
    assert!(
        records.is_sorted() && files::DEVICE.ends_with('\n'),
        "records are in the order of the cells"
    );
    let declarations = declarations();
    for (cell, backend, proof) in records {
        let declares = |one: &Declared| {
            one.test == proof.test
                && one.family.backend() == backend
                && one.evidence.contains(&Evidence::Device)
                && one.cells().contains(&cell)
        };
        assert!(
            declarations.iter().any(declares),
            "no test `{}` declares {cell} on {}: device",
            proof.test,
            backend.name()
        );
    }
}

#[test]
fn a_record_without_a_real_card_driver_or_commit_is_none() {
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let record = |place: &str, card: &str, driver: &str, commit: &str, date: &str| {
        let head = files::DEVICE_HEAD;
        let table = format!("{head}\n{place}\truns\t{card}\t{driver}\t{commit}\t{date}\n");
        files::device(table.leak())
    };
    let pair = "feature\tprefix-caching\tchunked-prefill\tcuda";
    let sound = record(pair, "h100-sxm5-80gb", "580.65.06", commit, "2026-11-24").unwrap();
    let proof = Proof {
        evidence: Evidence::Device,
        test: "runs",
    };
    let cell = CellId::Pair(Feature::PrefixCaching, Feature::ChunkedPrefill);
    assert_eq!(sound, [(cell, BackendKind::Cuda, proof)]);
    let hopper = "hardware\tlora\thopper\tcuda";
    assert!(record(hopper, "h100-sxm5-80gb", "580.65", commit, "2026-11-24").is_ok());
    for (place, card, driver, commit, date) in [
        (pair, "h1000", "580.65.06", commit, "2026-11-24"),
        (pair, "mi300x", "580.65.06", commit, "2026-11-24"),
        (pair, "h100-sxm5-80gb", "new", commit, "2026-11-24"),
        (
            pair,
            "h100-sxm5-80gb",
            "580.65.06",
            &commit[..8],
            "2026-11-24",
        ),
        (pair, "h100-sxm5-80gb", "580.65.06", commit, "today"),
        (
            "feature\tchunked-prefill\tprefix-caching\tcuda",
            "h100-sxm5-80gb",
            "580.65.06",
            commit,
            "2026-11-24",
        ),
        (
            "hardware\tlora\tvolta\tcuda",
            "h100-sxm5-80gb",
            "580.65.06",
            commit,
            "2026-11-24",
        ),
    ] {
        assert!(
            record(place, card, driver, commit, date).is_err(),
            "{place} {card} {driver} {commit} {date}"
        );
    }
}

#[test]
fn the_matrix_is_made_from_the_committed_tables() {
    let lines = files::proofs(files::PROOFS).unwrap();
    assert!(!lines.is_empty());
    for (cell, backend, _) in lines {
        assert!(MATRIX.engine(cell, backend).is_yes(), "{cell}");
    }
}

#[test]
fn a_declaration_is_read_with_all_that_it_says() {
    let source = "mod x { #[test] fn runs() { holds($name::Both: Base, proves!($name::Both: best-of + \
                  beam-search + async-output on volta: emulator, device)); } }";
    let [one] = declared::of(source).unwrap().try_into().unwrap();
    assert_eq!((one.test.as_str(), one.family), ("runs", Family::Volta));
    assert_eq!(one.evidence, [Evidence::Emulator, Evidence::Device]);
    let pair = |a, b| CellId::pair(a, b).unwrap();
    let (a, b, c) = (Feature::BestOf, Feature::BeamSearch, Feature::AsyncOutput);
    assert_eq!(one.cells(), [pair(a, b), pair(a, c), pair(b, c)]);
    let alone = "#[test] fn alone() { let it = proves!(R: lora on amd: device); run(it) }";
    let [one] = declared::of(alone).unwrap().try_into().unwrap();
    assert_eq!(one.cells(), [CellId::Hardware(Feature::Lora, Family::Amd)]);
}

#[test]
fn a_file_that_nothing_compiles_proves_nothing() {
    let file = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    let files = [
        file(
            "../x/tests/whole.rs",
            "#[path = \"whole/part.rs\"]\nmod part;",
        ),
        file(
            "../x/tests/whole/part.rs",
            "// mod lost;\n/// mod lost;\nconst X: &str = \"mod lost;\";",
        ),
        file("../x/tests/whole/lost.rs", ""),
        file("../x/tests/other/main.rs", ""),
    ];
    let compiled = files.each_ref().map(|(path, _)| is_compiled(path, &files));
    assert_eq!(compiled, [true, true, false, true]);
}

#[test]
fn a_declaration_where_it_proves_nothing_is_refused() {
    for (why, source) in [
        (
            "nothing runs",
            "#[test] fn f() { proves!(R: lora on cpu: here); }",
        ),
        (
            "nothing runs",
            "#[test] fn f() { let _ = proves!(R: lora on cpu: here); }",
        ),
        (
            "nothing runs",
            "#[test] fn f() { let proof = proves!(R: lora on cpu: here); let _ = proof; }",
        ),
        (
            "nothing runs",
            "#[test] fn f() { let proof = proves!(R: lora on cpu: here); drop(proof); }",
        ),
        (
            "nothing runs",
            "#[test] fn f() { drop(proves!(R: lora on cpu: here)); }",
        ),
        ("no test", "fn helper() { proves!(R: lora on cpu: here); }"),
        ("no test", "const P: P = proves!(R: lora on cpu: here);"),
        (
            "ignored",
            "#[test] #[ignore = \"slow\"] fn f() { proves!(R: lora on cpu: here); }",
        ),
        (
            "no test",
            "#[test] fn f() { fn g() { proves!(R: lora on cpu: here); } }",
        ),
        (
            "no name",
            "#[test] fn $name() { proves!(R: lora on cpu: here); }",
        ),
        ("loro", "#[test] fn f() { proves!(R: loro on cpu: here); }"),
        (
            "twice",
            "#[test] fn f() { proves!(R: lora + lora on cpu: here); }",
        ),
        ("xpu", "#[test] fn f() { proves!(R: lora on xpu: here); }"),
        (
            "emulator",
            "#[test] fn f() { proves!(R: lora on cpu: emulator); }",
        ),
        (
            "here",
            "#[test] fn f() { proves!(R: lora on volta: here); }",
        ),
        ("read", "#[test] fn f() { proves!(lora on cpu); }"),
        (
            "disabled",
            "#[cfg(any())] #[test] fn f() { proves!(R: lora on cpu: here); }",
        ),
        (
            "disabled",
            "#[cfg(any())] mod m { mod n { #[test] fn f() { proves!(R: lora on cpu: here); } } }",
        ),
        (
            "ignored",
            "#[test] #[cfg_attr(not(miri), ignore)] fn f() { proves!(R: lora on cpu: here); }",
        ),
    ] {
        let error = declared::of(source).expect_err(source);
        assert!(error.contains(why), "{source}: {error}");
    }
    // What is only spoken of is no declaration.
    let spoken =
        "/// proves!(R: lora on cpu: here)\nfn f() { g(\"proves!(R: lora on cpu: here)\") }";
    assert_eq!(declared::of(spoken).unwrap(), []);
}
