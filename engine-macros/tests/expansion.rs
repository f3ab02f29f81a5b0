//! What `engine!` makes of every shipped profile, and of one that asks for everything.

use std::path::{Path, PathBuf};

use engine_spec::{Arch, Machine, codegen};
use proc_macro2::{Ident, Span};

/// `native` profiles need a machine; this one is always the same.
const MACHINE: Machine = Machine::imagined(Arch::X86V4Bf16);

/// The recipe of a profile as `cargo lathe expand` shows it. Parts that are not built yet have their types all the same.
fn expand(path: &Path) -> String {
    let (plan, found) = engine_spec::check_file(path, &MACHINE);
    let plan = plan.unwrap_or_else(|| panic!("{found}"));
    pretty(codegen::recipe(&plan, &build()))
}

fn pretty(tokens: proc_macro2::TokenStream) -> String {
    prettyplease::unparse(&syn::parse2(tokens).expect("generated code is Rust"))
}

fn build() -> Ident {
    Ident::new("Build", Span::call_site())
}

fn profiles(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(folder);
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
        insta::assert_snapshot!(name, expanded);
    }
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
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine-runtime/src");
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
        let (plan, _) = engine_spec::check_file(&path, &MACHINE);
        for binding in codegen::bindings(&plan.unwrap())
            .iter()
            .filter(|binding| binding.bound.module == Some(&["parts"]))
        {
            let name = &binding.bound.name;
            assert!(declared(name), "{} = {}", binding.name, binding.bound);
            assert!(declared(binding.name), "the trait of {}", binding.name);
        }
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect()
}
