//! Words for hardware that are no target: what was meant by them, or why there is none.

use crate::spell;

use super::TargetName;

/// What is in nobody's column: the beginnings of its names, and what it is.
const NO_COLUMN: &[(&[&str], &str)] = &[
    (
        &[
            "b100",
            "b200",
            "b300",
            "gb200",
            "gb300",
            "blackwell",
            "rtx-5060",
            "rtx-5070",
            "rtx-5080",
            "rtx-5090",
            "5070",
            "5080",
            "5090",
            "rtx-pro-6000",
            "sm-100",
            "sm-103",
            "sm-120",
            "sm-121",
            "dgx-spark",
            "thor",
        ],
        "Blackwell",
    ),
    (
        &["gfx950", "mi350", "mi350x", "mi355", "mi355x", "cdna4"],
        "gfx950 (MI350X, MI355X)",
    ),
    (
        &[
            "gfx1101", "gfx1102", "rx-7600", "rx-7700", "rx-7800", "gfx1200", "gfx1201", "rx-9070",
            "rdna4",
        ],
        "this chip",
    ),
    (
        &[
            "p4", "p40", "p100", "pascal", "gtx", "sm-60", "sm-61", "m40", "m60", "k80",
        ],
        "what is older than Volta",
    ),
    (
        &[
            "tpu",
            "gaudi",
            "gaudi2",
            "gaudi3",
            "hpu",
            "inferentia",
            "trainium",
            "neuron",
            "xpu",
            "arc",
        ],
        "this accelerator",
    ),
    (&["metal", "mps"], "Apple's GPU"),
];

/// Names of chips and instructions, and the targets that they are.
const CALLED: &[(&str, &[&str])] = &[
    ("milan", &["epyc-7543", "epyc-7763"]),
    ("genoa", &["epyc-9354", "epyc-9654"]),
    ("bergamo", &["epyc-9754"]),
    ("turin", &["epyc-9755", "epyc-9965"]),
    ("cascade-lake", &["xeon-8280"]),
    ("ice-lake", &["xeon-8358", "xeon-8380"]),
    ("sapphire-rapids", &["xeon-8480"]),
    ("emerald-rapids", &["xeon-8592"]),
    ("granite-rapids", &["xeon-6980p"]),
    ("haswell", &["x86-64-v3"]),
    ("zen1", &["x86-64-v3"]),
    ("zen2", &["x86-64-v3"]),
    ("zen3", &["x86-64-v3"]),
    ("zen4", &["x86-64-v4-bf16"]),
    ("zen5", &["x86-64-v4-bf16"]),
    ("skylake", &["x86-64-v3", "x86-64-v4"]),
    ("avx2", &["x86-64-v3"]),
    ("avx512", &["x86-64-v4"]),
    ("avx512-bf16", &["x86-64-v4-bf16"]),
    ("amx", &["x86-64-v4-bf16"]),
    ("neoverse", &["aarch64"]),
    ("neon", &["aarch64"]),
    ("grace-hopper", &["gh200-96gb", "gh200-144gb"]),
    ("grace", &["aarch64", "gh200-96gb", "gh200-144gb"]),
    ("apple", &["native", "aarch64"]),
    (
        "gpu",
        &["volta", "turing", "ampere", "ada", "hopper", "amd"],
    ),
    ("cuda", &["volta", "turing", "ampere", "ada", "hopper"]),
    ("nvidia", &["volta", "turing", "ampere", "ada", "hopper"]),
    ("rocm", &["mi210", "mi250x", "mi300x"]),
    ("hip", &["mi210", "mi250x", "mi300x"]),
];

/// Words that makers put in front.
const MAKERS: &[&str] = &[
    "nvidia-",
    "geforce-",
    "tesla-",
    "quadro-",
    "amd-",
    "radeon-",
    "instinct-",
    "intel-",
    "aws-",
];

pub(super) fn hint(word: &str) -> Option<String> {
    let word = word.to_ascii_lowercase().replace(['_', ' '], "-");
    let stripped = |word: &str| {
        MAKERS
            .iter()
            .find_map(|maker| word.strip_prefix(maker).map(str::to_owned))
    };
    let word = std::iter::successors(Some(word), |word| stripped(word)).last()?;
    if word == "x86-64-v2" || word == "x86-64-v1" {
        return Some(format!(
            "{word} has no AVX2, without which there are no kernels of their own: `portable` runs on any CPU"
        ));
    }
    if let Some(what) = no_column(&word) {
        return Some(format!(
            "{what} has no column in vLLM's matrix, so that nothing is known of it here"
        ));
    }
    let same = TargetName::named(&word).map(|_| format!("did you mean `{word}`?"));
    let called = || {
        let (_, targets) = CALLED.iter().find(|(name, _)| contains(&word, name))?;
        Some(match targets {
            [one] => format!("did you mean `{one}`?"),
            several => format!("which one: {}?", several.join(", ")),
        })
    };
    same.or_else(called)
        .or_else(|| spell::hint(&word, TargetName::names()))
}

fn no_column(word: &str) -> Option<&'static str> {
    // A chip has variants: `sm_100a`, `rtx-5070ti`.
    let begins = |name: &&str| {
        word.strip_prefix(*name).is_some_and(|rest| {
            let variant = name.ends_with(|last: char| last.is_ascii_digit())
                && rest.starts_with(|next: char| next.is_ascii_lowercase());
            rest.is_empty() || rest.starts_with('-') || variant
        })
    };
    NO_COLUMN
        .iter()
        .find(|(names, _)| names.iter().any(begins))
        .map(|(_, what)| *what)
}

/// Whether all words of a name stand in a row in another.
fn contains(word: &str, name: &str) -> bool {
    format!("-{word}-").contains(&format!("-{name}-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_that_is_proposed_is_one() {
        for name in CALLED.iter().flat_map(|(_, targets)| *targets) {
            assert!(TargetName::named(name).is_some(), "{name}");
        }
        for name in NO_COLUMN.iter().flat_map(|(names, _)| *names) {
            assert!(TargetName::named(name).is_none(), "{name}");
        }
    }

    #[test]
    fn hints_are_for_the_chip_that_was_meant() {
        for (word, wanted) in [
            (
                "a100",
                "which one: a100-pcie-40gb, a100-sxm4-40gb, a100-pcie-80gb, a100-sxm4-80gb?",
            ),
            ("A100-80GB", "which one: a100-pcie-80gb, a100-sxm4-80gb?"),
            (
                "h100",
                "which one: h100-pcie-80gb, h100-sxm5-80gb, h100-nvl-94gb?",
            ),
            (
                "v100",
                "which one: v100-pcie-16gb, v100-pcie-32gb, v100-sxm2-16gb, v100-sxm2-32gb, v100s-pcie-32gb?",
            ),
            ("mi300", "which one: mi300a, mi300x?"),
            ("AMD Instinct MI300X", "did you mean `mi300x`?"),
            ("NVIDIA GeForce RTX 4090", "did you mean `rtx-4090`?"),
            ("4090", "did you mean `rtx-4090`?"),
            ("epyc-genoa", "which one: epyc-9354, epyc-9654?"),
            ("sm80", "did you mean `sm_80`?"),
            ("volto", "did you mean `volta`?"),
            (
                "b200",
                "Blackwell has no column in vLLM's matrix, so that nothing is known of it here",
            ),
            (
                "sm_100a",
                "Blackwell has no column in vLLM's matrix, so that nothing is known of it here",
            ),
            (
                "gfx1101",
                "this chip has no column in vLLM's matrix, so that nothing is known of it here",
            ),
            (
                "x86-64-v2",
                "x86-64-v2 has no AVX2, without which there are no kernels of their own: `portable` runs on any CPU",
            ),
            ("a1000", ""),
            ("mi200", ""),
            ("warp-drive", ""),
            ("architecture", ""),
        ] {
            assert_eq!(hint(word).unwrap_or_default(), wanted, "{word}");
        }
    }
}
