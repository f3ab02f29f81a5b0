//! "Did you mean": the name nearest to a word that is none.

/// Other projects' words for what has another name here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("float32", "f32"),
    ("float", "f32"),
    ("float16", "f16"),
    ("half", "f16"),
    ("fp16", "f16"),
    ("bfloat16", "bf16"),
];

/// The name that was probably meant, if one is near enough: at most a third of its letters wrong, or one of them the
/// start of the other.
pub fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase().replace(['_', ' '], "-");
    let word = ELSEWHERE
        .iter()
        .find(|(theirs, _)| *theirs == word)
        .map_or(word.as_str(), |(_, ours)| ours);
    let near = |name: &&str| {
        let starts = word.len() >= 3
            && (name.starts_with(word) || word.starts_with(*name) && name.len() >= 3);
        let wrong = distance(word, name);
        (starts || wrong <= (name.len() / 3).max(1)).then_some(wrong)
    };
    names
        .into_iter()
        .filter_map(|name| near(&name).map(|wrong| (wrong, name)))
        .min_by_key(|(wrong, _)| *wrong)
        .map(|(_, name)| name)
}

/// Letters to insert, delete, replace or swap with their neighbour (Damerau's distance, restricted).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let change = last[j] + usize::from(x != y);
            let mut best = change.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_finds_its_name_and_nonsense_finds_none() {
        let names = [
            "chunked-prefill",
            "prefix-caching",
            "lora",
            "logprobs",
            "best-of",
            "beam-search",
        ];
        for (word, meant) in [
            ("chunked_prefill", Some("chunked-prefill")),
            ("chunkd-prefil", Some("chunked-prefill")),
            ("logprob", Some("logprobs")),
            ("lroa", Some("lora")),
            ("beam", Some("beam-search")),
            ("xyzzy", None),
            ("bfloat16", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, names), meant, "{word}");
        }
        assert_eq!(nearest("bfloat16", ["f32", "f16", "bf16"]), Some("bf16"));
    }
}
