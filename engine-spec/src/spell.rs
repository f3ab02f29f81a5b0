//! "Did you mean": what a word that is no name was probably meant to be.
//!
//! A hint that is wrong is worse than none: it is taken. So a number in a name is part of it (an A10 is no A100, Gemma
//! 2 no Gemma), and where several names are as near they are all said.

use std::fmt::Display;

/// Other projects' words for what has another name here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("float32", "f32"),
    ("float", "f32"),
    ("float16", "f16"),
    ("half", "f16"),
    ("fp16", "f16"),
    ("bfloat16", "bf16"),
    ("llama2", "llama"),
    ("llama3", "llama"),
    ("qwen2.5", "qwen2"),
    ("phi-3", "phi3"),
    ("fp8-e4m3", "fp8"),
    ("w8a8", "int8"),
];

/// More than so many names are no hint.
const MOST: usize = 8;

/// Which name a word was meant to be, as a question, if one or a few are near enough.
pub fn hint<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    match near(word, names).as_slice() {
        [] => None,
        [one] => Some(format!("did you mean `{one}`?")),
        several if several.len() <= MOST => Some(format!("which one: {}?", several.join(", "))),
        _ => None,
    }
}

/// Names to choose from, as the end of a sentence: `one of a, b`, or the only one there is.
pub fn one_of<T: Display>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    match names.as_slice() {
        [only] => only.clone(),
        several => format!("one of {}", several.join(", ")),
    }
}

/// The nearest names: what the word is the beginning of, or else a part of, or else misspells.
fn near<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let word = plain(word);
    let word = ELSEWHERE
        .iter()
        .find(|(theirs, _)| *theirs == word)
        .map_or(word.as_str(), |(_, ours)| ours);
    let names: Vec<&str> = names.into_iter().collect();
    if let Some(same) = names.iter().find(|name| plain(name) == word) {
        return vec![same];
    }
    if word.len() < 2 {
        return Vec::new();
    }
    let kept = |keep: &dyn Fn(&str) -> bool| -> Vec<&'a str> {
        names.iter().copied().filter(|name| keep(name)).collect()
    };
    let starting = kept(&|name| begins(name, word));
    let within = || kept(&|name| parts(name).any(|part| whole(part, word)));
    let made_of = || {
        kept(&|name| {
            word.contains('-')
                && word
                    .split('-')
                    .all(|one| name.split('-').any(|other| other == one))
        })
    };
    match starting.as_slice() {
        // A number would be made up.
        [one] if digits(one) != digits(word) && parts(one).count() == parts(word).count() => {
            Vec::new()
        }
        [_, ..] => starting,
        [] => Some(within())
            .filter(|names| !names.is_empty())
            .or_else(|| Some(made_of()))
            .filter(|names| !names.is_empty())
            .unwrap_or_else(|| misspelt(word, &names)),
    }
}

/// Lower case, with one kind of dash.
fn plain(word: &str) -> String {
    word.to_ascii_lowercase().replace(['_', ' '], "-")
}

/// Whether a name begins with a word, whose last number, if it ends in one, is whole in the name.
fn begins(name: &str, word: &str) -> bool {
    let digit = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_digit());
    plain(name)
        .strip_prefix(word)
        .is_some_and(|rest| !(digit(word.chars().last()) && digit(rest.chars().next())))
}

/// Whether a name begins with all words of another.
fn whole(name: &str, word: &str) -> bool {
    name.strip_prefix(word)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// A name from each of its dashes on.
fn parts(name: &str) -> impl Iterator<Item = &str> {
    std::iter::once(name).chain(name.match_indices('-').map(|(at, _)| &name[at + 1..]))
}

/// Names of which a third of the letters are wrong at most, and no digit: the nearest, all of them.
fn misspelt<'a>(word: &str, names: &[&'a str]) -> Vec<&'a str> {
    let wrong = |name: &&'a str| {
        let wrong = strsim::osa_distance(word, name);
        (digits(name) == digits(word) && wrong <= (name.len() / 3).max(1)).then_some((wrong, *name))
    };
    let near: Vec<(usize, &str)> = names.iter().filter_map(wrong).collect();
    let least = near.iter().map(|(wrong, _)| *wrong).min();
    near.into_iter()
        .filter(|(wrong, _)| Some(*wrong) == least)
        .map(|(_, name)| name)
        .collect()
}

fn digits(word: &str) -> String {
    word.chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_and_shortenings_are_understood() {
        let names = [
            "chunked-prefill",
            "prefix-caching",
            "lora",
            "logprobs",
            "prompt-logprobs",
            "best-of",
            "beam-search",
        ];
        for (word, meant) in [
            ("chunked_prefill", &["chunked-prefill"][..]),
            ("chunkd-prefil", &["chunked-prefill"]),
            ("logprob", &["logprobs"]),
            ("lroa", &["lora"]),
            ("beam", &["beam-search"]),
            ("caching", &["prefix-caching"]),
            ("cach", &[]),
            ("pr", &["prefix-caching", "prompt-logprobs"]),
            ("xyzzy", &[]),
            ("bfloat16", &[]),
            ("", &[]),
        ] {
            assert_eq!(near(word, names), meant, "{word}");
        }
        assert_eq!(near("bfloat16", ["f32", "f16", "bf16"]), ["bf16"]);
    }

    #[test]
    fn the_only_choice_is_not_one_of_several() {
        assert_eq!(one_of(["f16"]), "f16");
        assert_eq!(one_of([64, 128]), "one of 64, 128");
    }

    #[test]
    fn a_number_is_part_of_a_name() {
        let names = [
            "a10",
            "a100-pcie-40gb",
            "a100-sxm4-80gb",
            "mi100",
            "mi300a",
            "mi300x",
            "rtx-4090",
            "x86-64-v3",
            "gfx1100",
            "gemma2",
            "qwen3",
        ];
        for (word, meant) in [
            ("a100", &["a100-pcie-40gb", "a100-sxm4-80gb"][..]),
            ("a10", &["a10"]),
            ("a100-80gb", &["a100-sxm4-80gb"]),
            ("a1000", &[]),
            ("mi300", &["mi300a", "mi300x"]),
            ("mi200", &[]),
            ("4090", &["rtx-4090"]),
            ("409", &[]),
            ("x86-64-v2", &[]),
            ("gfx1101", &[]),
            ("gemma", &[]),
            ("qwen3-moe", &[]),
        ] {
            assert_eq!(near(word, names), meant, "{word}");
        }
    }
}
