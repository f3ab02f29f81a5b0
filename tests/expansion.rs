//! What `engine!` makes of every shipped profile, and of one that asks for everything.
//!
//! A recipe whose every part is built is compiled with these tests: that its names exist is rustc's word. The others are
//! snapshots, and are said to be unbuilt. Not in engine-macros, whose tests would compile the runtime a second time, as
//! all that a macro's crate needs is compiled apart.

#[path = "expansion/recipes.rs"]
mod recipes;

use std::path::{Path, PathBuf};

use engine_spec::{Arch, Feature, Machine, Preview, codegen};
use proc_macro2::{Ident, Span};

/// `native` profiles need a machine; this one is always the same.
const MACHINE: Machine = Machine::imagined(Arch::X86V4Bf16);

/// The recipe of a profile, without the hash, which moves with every table. Parts that are not built yet have their types all the same.
fn expand(path: &Path) -> String {
    pretty(codegen::bare_recipe(&preview(path), &build()))
}

fn preview(path: &Path) -> Preview {
    let checked = engine_spec::check_file(path, &MACHINE).preview();
    checked.unwrap_or_else(|found| panic!("{found}")).0
}

fn pretty(tokens: proc_macro2::TokenStream) -> String {
    prettyplease::unparse(&syn::parse2(tokens).expect("generated code is Rust"))
}

fn build() -> Ident {
    Ident::new("Build", Span::call_site())
}

fn profiles(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files
        .filter(|path| path.extension().is_some_and(|end| end == "toml"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

#[test]
fn every_profile_becomes_a_readable_recipe() {
    for path in profiles("profiles")
        .into_iter()
        .chain(profiles("tests/profiles/good"))
    {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let expanded = expand(&path);
        assert!(
            syn::parse_file(&expanded).unwrap().items.iter().all(binds),
            "{name}: generated code binds, it does not compute\n{expanded}"
        );
        match recipes::BUILT.contains(&&*name) {
            true => recipes::hold(&name, &expanded),
            false => insta::assert_snapshot!(name, expanded),
        }
    }
}

/// A profile is among the compiled ones exactly if nothing of it is said to be unbuilt.
#[test]
fn every_recipe_that_is_built_is_compiled() {
    let built: Vec<String> = profiles("profiles")
        .into_iter()
        .chain(profiles("tests/profiles/good"))
        .filter(|path| {
            let (_, found) = engine_spec::check_file(path, &MACHINE)
                .preview()
                .unwrap_or_else(|found| panic!("{found}"));
            found.is_empty()
        })
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(recipes::BUILT, built);
}

/// Whether an item of a recipe only names types and values: no function, no branch, no arithmetic but `6 << 30`.
fn binds(item: &syn::Item) -> bool {
    match item {
        syn::Item::Use(_) | syn::Item::Struct(_) => true,
        syn::Item::Const(item) => match &*item.expr {
            syn::Expr::Block(block) => block.block.stmts.iter().all(|statement| match statement {
                syn::Stmt::Item(item) => binds(item),
                _ => false,
            }),
            _ => false,
        },
        syn::Item::Impl(item) => item.items.iter().all(|item| match item {
            syn::ImplItem::Type(_) => true,
            syn::ImplItem::Const(item) => is_value(&item.expr),
            _ => false,
        }),
        _ => false,
    }
}

fn is_value(value: &syn::Expr) -> bool {
    match value {
        syn::Expr::Reference(to) => is_value(&to.expr),
        syn::Expr::Array(array) => array.elems.iter().all(is_value),
        syn::Expr::Lit(_) | syn::Expr::Path(_) => true,
        syn::Expr::Binary(shift) => {
            matches!(shift.op, syn::BinOp::Shl(_))
                && is_value(&shift.left)
                && is_value(&shift.right)
        }
        syn::Expr::Call(variant) => variant.args.iter().all(is_value),
        syn::Expr::Struct(fields) => fields.fields.iter().all(|field| is_value(&field.expr)),
        _ => false,
    }
}

#[test]
fn a_refused_profile_leaves_the_smallest_recipe() {
    insta::assert_snapshot!(pretty(codegen::stand_in(&build())));
}

/// Names that generated code uses must be the runtime's: each part's type, on and off, is declared in its sources.
#[test]
fn every_part_that_is_named_is_declared_by_the_runtime() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("engine-runtime/src");
    let mut files = sources(&source.join("parts"));
    files.push(source.join("parts.rs"));
    let text: String = files
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect();
    let declared = |name: &str| {
        text.split(|letter: char| !letter.is_ascii_alphanumeric())
            .any(|word| word == name)
    };
    for path in profiles("profiles")
        .into_iter()
        .chain(profiles("tests/profiles/good"))
    {
        for binding in codegen::bindings(&preview(&path))
            .iter()
            .filter(|binding| binding.bound.module == Some(&["parts"]))
        {
            let name = &binding.bound.name;
            assert!(declared(name), "{} = {}", binding.name, binding.bound);
            assert!(declared(binding.name), "the trait of {}", binding.name);
        }
    }
}

/// Each setting of a recipe's constant is a field of the runtime's struct and back: neither side has one that the other
/// does not know.
#[test]
fn every_setting_is_one_of_the_runtime() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("engine-runtime/src");
    let mut files = sources(&source.join("parts"));
    files.push(source.join("recipe.rs"));
    let text: String = files
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect();
    let fields = |name: &str| -> Vec<String> {
        let (_, after) = text
            .split_once(&format!("    {name} {{\n"))
            .unwrap_or_else(|| panic!("the runtime declares no {name}"));
        let (inside, _) = after.split_once("    }\n").unwrap();
        let lines = inside.lines().map(str::trim);
        let fields = lines.filter(|line| !line.starts_with("///"));
        fields
            .map(|line| line.trim_end_matches(',').to_owned())
            .collect()
    };
    let mut seen = 0;
    for feature in Feature::ALL
        .into_iter()
        .filter(|feature| !feature.fields().is_empty())
    {
        let answers = alone(feature);
        let constants = codegen::constants(&answers);
        let constant = constants.first().unwrap();
        let names: Vec<&str> = constant.settings.iter().map(|(name, _)| *name).collect();
        let settings = constant.settings_type();
        assert_eq!(fields(&settings.name), names, "{feature}");
        let declared = format!("const {}: {settings} = {settings}::OFF;", constant.name());
        assert!(text.contains(&declared), "{declared}");
        seen += 1;
    }
    assert_eq!(seen, 12);
}

/// What a profile with this feature alone would become.
fn alone(feature: Feature) -> Preview {
    let family = match feature {
        Feature::Multimodal => "llava",
        Feature::EncoderDecoder => "bart",
        _ => "llama",
    };
    let text = format!(
        "name = \"x\"\ntarget = \"a100-sxm4-80gb\"\nmodel = {{ family = \"{family}\", head-dims = [128] }}\nfeatures.{feature} = true\n"
    );
    let checked = engine_spec::check("x.toml", &text, &MACHINE).preview();
    checked.unwrap_or_else(|found| panic!("{found}")).0
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect()
}
