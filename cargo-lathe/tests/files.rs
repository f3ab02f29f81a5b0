//! What `cargo lathe` does with files of its own: `init` writes one, `inspect` reads one.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use object::write::Object;
use object::{Architecture, BinaryFormat, Endianness, SectionKind};

fn lathe(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cargo-lathe"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

/// An empty folder that is this test's alone.
fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn init_writes_a_profile_that_works_here_and_never_over_another() {
    let folder = folder("init");
    let first = lathe(&["init", "my_Box.toml"], &folder);
    assert!(first.status.success(), "{}", text(&first.stderr));
    let written = std::fs::read_to_string(folder.join("my_Box.toml")).unwrap();
    assert!(written.contains("name = \"my-box\""), "{written}");
    assert!(written.contains("# This machine: "), "{written}");

    let checked = lathe(&["check", "my_Box.toml"], &folder);
    assert!(checked.status.success(), "{}", text(&checked.stdout));

    let second = lathe(&["init", "my_Box.toml"], &folder);
    assert_eq!(second.status.code(), Some(2));
    assert_eq!(
        text(&second.stderr),
        "error: my_Box.toml exists already; give another name or remove it\n"
    );
    assert_eq!(
        std::fs::read_to_string(folder.join("my_Box.toml")).unwrap(),
        written
    );
}

/// A file of this format with one section.
fn object(format: BinaryFormat, section: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut object = Object::new(format, Architecture::X86_64, Endianness::Little);
    let section = object.add_section(b"__DATA".to_vec(), section.to_vec(), SectionKind::Data);
    object.append_section_data(section, bytes, 1);
    object.write().unwrap()
}

#[test]
fn inspect_reads_a_manifest_from_either_kind_of_file() {
    let folder = folder("inspect");
    let manifest = br#"{"name":"v100-chat","hash":"0123456789abcdef","features":["lora","logprobs"],"profile":"name = \"v100-chat\"\n"}"#;
    for (format, section) in [
        (BinaryFormat::Elf, &b".lathe.manifest"[..]),
        (BinaryFormat::MachO, b"__lathe"),
    ] {
        std::fs::write(folder.join("engine"), object(format, section, manifest)).unwrap();
        let shown = lathe(&["inspect", "engine"], &folder);
        assert!(shown.status.success(), "{}", text(&shown.stderr));
        assert!(
            text(&shown.stdout).starts_with("v100-chat\n"),
            "{}",
            text(&shown.stdout)
        );
        assert!(
            text(&shown.stdout).contains("  features                    lora, logprobs\n"),
            "{}",
            text(&shown.stdout)
        );
        let profile = lathe(&["inspect", "--format", "profile", "engine"], &folder);
        assert_eq!(text(&profile.stdout), "name = \"v100-chat\"\n");
    }
}

#[test]
fn inspect_says_why_a_file_is_no_engine() {
    let folder = folder("no-engine");
    let why = |bytes: &[u8]| {
        std::fs::write(folder.join("file"), bytes).unwrap();
        let output = lathe(&["inspect", "file"], &folder);
        assert_eq!(output.status.code(), Some(2));
        text(&output.stderr).lines().next().unwrap().to_owned()
    };
    assert_eq!(
        why(b""),
        "error: file is not a Lathe engine: it is no ELF or Mach-O file"
    );
    assert_eq!(
        why(b"\x7fELF and then nothing"),
        "error: file is not a Lathe engine: it is no ELF or Mach-O file"
    );
    let other = object(BinaryFormat::Elf, b".data.other", b"something");
    assert_eq!(
        why(&other),
        "error: file is not a Lathe engine: it has no section .lathe.manifest"
    );
    let damaged = object(BinaryFormat::Elf, b".lathe.manifest", b"{\"name\":");
    assert!(why(&damaged).starts_with(
        "error: file is not a Lathe engine: its section .lathe.manifest is no manifest: "
    ));
}

/// A program that says what `nvcc --version` says, and does nothing else.
#[cfg(unix)]
fn nvcc(folder: &Path, release: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join(format!("nvcc-{release}"));
    let script =
        format!("#!/bin/sh\necho 'Cuda compilation tools, release {release}, V{release}.0'\n");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[cfg(unix)]
#[test]
fn a_plan_names_the_toolkit_that_is_here_and_not_where_it_lies() {
    let folder = folder("toolkits");
    let profile =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/profiles/good/v100-chat.toml");
    let plan = |nvcc: &Path| {
        let output = Command::new(env!("CARGO_BIN_EXE_cargo-lathe"))
            .args(["plan", "--format", "json"])
            .arg(&profile)
            .env("LATHE_NVCC", nvcc)
            .env("LATHE_NVRTC", "")
            .env("LATHE_CLANG", "")
            .output()
            .unwrap();
        let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        (plan["toolkit"].clone(), plan["hash"].clone())
    };
    let old = plan(&nvcc(&folder, "11.8"));
    let elsewhere = folder.join("elsewhere");
    std::fs::create_dir_all(&elsewhere).unwrap();
    assert_eq!(plan(&nvcc(&elsewhere, "11.8")), old);
    assert_eq!(old.0, "cuda-11");
    // CUDA 13 makes no code for a V100, and what is to be got does.
    let (toolkit, hash) = plan(&nvcc(&folder, "13.0"));
    assert_eq!(toolkit, "cuda-12");
    assert_eq!(plan(Path::new("")), (toolkit, hash.clone()));
    assert_ne!(hash, old.1);
}
