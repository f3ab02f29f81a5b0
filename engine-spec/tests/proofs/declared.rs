//! The `proves!` lines of a source file, and the tests that they stand in.
//!
//! Read from tokens and not from a syntax tree, because most of these tests are written inside a macro that makes one of
//! each for every instruction set.

use engine_spec::matrix::{CellId, Evidence};
use engine_spec::{Family, Feature};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// One declaration.
#[derive(Debug, PartialEq, Eq)]
pub struct Declared {
    /// The name of the test function.
    pub test: String,
    pub features: Vec<Feature>,
    pub family: Family,
    pub evidence: Vec<Evidence>,
}

impl Declared {
    /// What it proves: a feature on its family, or each two of several together.
    pub fn cells(&self) -> Vec<CellId> {
        match self.features.as_slice() {
            [only] => vec![CellId::Hardware(*only, self.family)],
            features => {
                let pairs = features.iter().enumerate().flat_map(|(at, a)| {
                    let after = features.iter().skip(at + 1);
                    after.filter_map(|b| CellId::pair(*a, *b))
                });
                pairs.collect()
            }
        }
    }
}

/// All declarations of a source, or why one of them cannot count.
pub fn of(source: &str) -> Result<Vec<Declared>, String> {
    let tokens: TokenStream = source.parse().map_err(|_| "no tokens of Rust")?;
    let mut found = Vec::new();
    walk(tokens, &Around::default(), &mut found)?;
    Ok(found)
}

/// What stands around a declaration.
#[derive(Clone, Default)]
struct Around {
    function: Option<Function>,
    /// The attributes of the modules and blocks.
    attributes: Vec<String>,
}

#[derive(Clone)]
struct Function {
    /// Nothing if a macro makes it up.
    name: Option<String>,
    attributes: Vec<String>,
}

fn walk(tokens: TokenStream, around: &Around, found: &mut Vec<Declared>) -> Result<(), String> {
    walk_in(tokens, None, around, found)
}

/// Walks what stands in brackets; `handed_to` is the function whose arguments it is.
fn walk_in(
    tokens: TokenStream,
    handed_to: Option<String>,
    around: &Around,
    found: &mut Vec<Declared>,
) -> Result<(), String> {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let mut attributes = Vec::new();
    let mut declared: Option<Function> = None;
    for (at, token) in tokens.iter().enumerate() {
        let before = |back: usize| at.checked_sub(back).and_then(|at| tokens.get(at));
        match token {
            TokenTree::Group(group)
                if group.delimiter() == Delimiter::Bracket && is(before(1), "#") =>
            {
                attributes.push(group.stream().to_string());
            }
            TokenTree::Ident(word) if word == "fn" => {
                let name = tokens.get(at + 1).map(TokenTree::to_string);
                declared = Some(Function {
                    name: name.filter(|name| name != "$"),
                    attributes: std::mem::take(&mut attributes),
                });
            }
            TokenTree::Group(group) if is(before(1), "!") && is(before(2), "proves") => {
                let one = declaration(group.stream(), around)?;
                let is_run = is_handed_over(&tokens, at, handed_to.as_deref());
                if !is_run {
                    return Err(format!("`{}`: nothing runs what it proves", one.test));
                }
                found.push(one);
            }
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                let mut inner = around.clone();
                inner.attributes.append(&mut attributes);
                inner.function = declared.take().or(inner.function);
                walk(group.stream(), &inner, found)?;
            }
            TokenTree::Group(group) => {
                walk_in(group.stream(), callee(before(1)), around, found)?;
            }
            TokenTree::Punct(punct) if punct.as_char() == ';' => {
                attributes.clear();
                declared = None;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether the proof that ends at `at` is an argument of a function, or has a name that is one later.
fn is_handed_over(tokens: &[TokenTree], at: usize, handed_to: Option<&str>) -> bool {
    let before = |back: usize| at.checked_sub(back).and_then(|at| tokens.get(at));
    if handed_to.is_some() {
        return true;
    }
    // let NAME = proves ! (..)
    let (Some(TokenTree::Ident(name)), true, true) =
        (before(4), is(before(3), "="), is(before(5), "let"))
    else {
        return false;
    };
    let later = tokens.get(at + 1..).unwrap_or_default();
    later.iter().enumerate().any(|(place, token)| match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis => {
            let function = place.checked_sub(1).and_then(|at| later.get(at));
            let first = group.stream().into_iter().next();
            callee(function).is_some() && is(first.as_ref(), &name.to_string())
        }
        _ => false,
    })
}

/// The function that brackets behind this token are the arguments of; `drop` runs nothing.
fn callee(token: Option<&TokenTree>) -> Option<String> {
    match token {
        Some(TokenTree::Ident(name)) if name != "drop" => Some(name.to_string()),
        // holds::<..>(..)
        Some(TokenTree::Punct(end)) if end.as_char() == '>' => Some(end.to_string()),
        _ => None,
    }
}

/// Whether a source has this file as a module; comments and texts have none.
pub fn has_module(source: &str, name: &str) -> bool {
    let tokens: TokenStream = source.parse().unwrap_or_default();
    names_module(tokens, name)
}

fn names_module(tokens: TokenStream, name: &str) -> bool {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let inside = tokens.iter().any(|token| match token {
        TokenTree::Group(group) => names_module(group.stream(), name),
        _ => false,
    });
    let is_declared = |three: &[TokenTree]| {
        is(three.first(), "mod") && is(three.get(1), name) && is(three.get(2), ";")
    };
    inside || tokens.windows(3).any(is_declared)
}

fn is(token: Option<&TokenTree>, text: &str) -> bool {
    token.is_some_and(|token| token.to_string() == text)
}

/// What stands in the brackets of a `proves!`: a recipe, `:`, features with `+` between them, `on`, a family, `:` and
/// the evidence.
fn declaration(tokens: TokenStream, around: &Around) -> Result<Declared, String> {
    let text: String = tokens
        .into_iter()
        .map(|token| match token {
            // Words that follow each other stay apart.
            TokenTree::Ident(word) => format!(" {word}"),
            other => other.to_string(),
        })
        .collect();
    let test = test(around).map_err(|why| format!("`proves!({text} )` stands in {why}"))?;
    let parts = parts(&text).ok_or_else(|| format!("`proves!({text} )` cannot be read"))?;
    let (features, family, evidence) = parts;
    let named = |name: &str| Feature::named(name).ok_or_else(|| format!("no feature is `{name}`"));
    let features = features.iter().map(|name| named(name));
    let features: Vec<_> = features.collect::<Result<_, _>>()?;
    if let Some(twice) = (1..features.len()).find(|at| features[..*at].contains(&features[*at])) {
        return Err(format!("`{}` stands twice in a proof", features[twice]));
    }
    let family = Family::named(&family).ok_or_else(|| format!("no family is `{family}`"))?;
    let backend = family.backend();
    let of = |name: &String| {
        Evidence::named(name)
            .filter(|kind| kind.is_of(backend))
            .ok_or_else(|| format!("`{name}` is no evidence for {}", backend.name()))
    };
    let evidence = evidence.iter().map(of).collect::<Result<_, _>>()?;
    Ok(Declared {
        test,
        features,
        family,
        evidence,
    })
}

/// The name of the test around a declaration, or what is there instead.
fn test(around: &Around) -> Result<String, String> {
    let function = around.function.as_ref().ok_or("no test")?;
    let name = function
        .name
        .clone()
        .ok_or("a test with no name of its own")?;
    let own = function.attributes.iter();
    let mut all = own.clone().chain(&around.attributes);
    if !own.clone().any(|text| text.starts_with("test")) {
        return Err(format!("`{name}`, which is no test"));
    }
    let ignored = |text: &String| {
        text.starts_with("ignore") || (text.starts_with("cfg_attr") && text.contains("ignore"))
    };
    if own.clone().any(ignored) {
        return Err(format!("`{name}`, which is ignored"));
    }
    if all.any(|text| text.replace(' ', "") == "cfg(any())") {
        return Err(format!("`{name}`, which is disabled"));
    }
    Ok(name)
}

/// Names of features, family and evidence; nothing if the text is put together otherwise.
fn parts(text: &str) -> Option<(Vec<String>, String, Vec<String>)> {
    let (rest, evidence) = text.rsplit_once(':')?;
    let (rest, family) = rest.rsplit_once(" on ")?;
    // The recipe is a path, whose `::` are no end of it.
    let ends = rest.match_indices(':').map(|(at, _)| at);
    let alone = |at: &usize| {
        let beside = [at.checked_sub(1), at.checked_add(1)];
        let colon = |at: Option<usize>| at.and_then(|at| rest.as_bytes().get(at)) == Some(&b':');
        !beside.into_iter().any(colon)
    };
    let end = ends.into_iter().find(alone)?;
    let features = rest.get(end + 1..)?;
    let names = |list: &str, between: char| -> Vec<String> {
        let tidy = |name: &str| name.replace(' ', "");
        list.split(between).map(tidy).collect()
    };
    Some((
        names(features, '+'),
        family.replace(' ', ""),
        names(evidence, ','),
    ))
}
