//! What a plan takes in memory: known models come to what is known of them, and no rule asks for less than another.

use std::path::Path;

use engine_model::Bytes;
use engine_spec::plan::{Budget, KvMemory};
use engine_spec::{Checked, Code, Diagnostics, Machine, Preview};

const GIB: f64 = (1u64 << 30) as f64;

fn profile(target: &str, family: &str, shape: &str, more: &str) -> String {
    format!(
        "name = \"x\"\ntarget = \"{target}\"\n[model]\nfamily = \"{family}\"\ndtype = \"f16\"\nshape = \"../shapes/{shape}.json\"\n{more}\n"
    )
}

fn checked(text: &str) -> Checked {
    let machine = Machine::imagined(engine_spec::Arch::X86V3);
    engine_spec::check("../tests/profiles/good/x.toml", text, &machine)
}

fn check(text: &str) -> Diagnostics {
    checked(text).found()
}

fn plan(text: &str) -> Preview {
    let preview = checked(text).preview();
    preview.unwrap_or_else(|found| panic!("{text}\n{found}")).0
}

fn budget(text: &str) -> Budget {
    plan(text)
        .budget()
        .expect("a profile with a shape is counted")
}

fn line(budget: &Budget, what: &str) -> u64 {
    let line = budget.lines.iter().find(|line| line.what == what);
    line.unwrap_or_else(|| panic!("no line `{what}` in {budget:?}"))
        .bytes
}

/// The findings on memory.
fn memory(text: &str) -> Vec<Code> {
    let found = check(text);
    let codes = found.iter().map(|one| one.code);
    codes.filter(|code| (501..=503).contains(&code.0)).collect()
}

#[test]
fn known_models_take_what_is_known_of_them() {
    for (family, shape, weights, kv) in [
        ("llama", "llama-3.1-8b", 14.96, 131_072),
        ("mixtral", "mixtral-8x7b", 86.99, 131_072),
        ("gemma2", "gemma-2-9b", 17.21, 344_064),
        ("qwen2", "qwen2.5-0.5b", 0.92, 12_288),
    ] {
        let budget = budget(&profile("h200-sxm-141gb", family, shape, ""));
        let found = line(&budget, "weights") as f64 / GIB;
        assert!((found - weights).abs() < 0.02, "{shape}: {found} GiB");
        assert_eq!(budget.kv.per_token, kv, "{shape}");
        assert_eq!(
            budget.total.unwrap(),
            budget.reserve + budget.used() + budget.kv.pool,
            "{shape}: every byte of the device is in a line"
        );
    }
}

#[test]
fn what_a_profile_asks_for_is_in_a_line() {
    let with = |features: &str, limits: &str| {
        let more = format!("[features]\n{features}\n[limits]\nmax-model-len = 4096\n{limits}");
        budget(&profile("h200-sxm-141gb", "llama", "llama-3.1-8b", &more))
    };
    let plain = with("", "");
    // 256 sequences of 128,256 logits, and as many scores.
    assert_eq!(line(&plain, "logits"), 256 * 128_256 * 8);
    assert_eq!(line(&with("", "max-seqs = 8"), "logits"), 8 * 128_256 * 8);
    let wide = with("", "max-batched-tokens = 8192");
    assert!(line(&wide, "activations") > line(&plain, "activations"));
    // Each of seven matrices of a layer gets one of `rank` rows and one of `rank` columns.
    let lora = with("lora = { max-loras = 64, max-rank = 256 }", "");
    let widths = 2 * (4096 + 4096) + 2 * (4096 + 1024) + 3 * (4096 + 14336);
    assert_eq!(line(&lora, "adapters"), 64 * 256 * 32 * widths * 2);
    assert!(lora.kv.pool < plain.kv.pool);
    let draft = with("speculative-decoding = { tokens = 4 }", "");
    assert_eq!(line(&draft, "logits"), 5 * line(&plain, "logits"));
    let model = with("speculative-decoding = { method = \"draft-model\" }", "");
    assert_eq!(
        model.uncounted,
        ["the draft model, its keys and its values"]
    );
    let prompt = with("prompt-logprobs = true", "");
    assert_eq!(line(&prompt, "prompt logprobs"), 256 * 128_256 * 8);
    assert!(line(&with("cuda-graph = true", ""), "graphs") > 0);
    let ours = with("prompt-adapter = { max-adapters = 3, max-tokens = 50 }", "");
    assert_eq!(line(&ours, "prompt adapters"), 3 * 50 * 4096 * 2);
}

#[test]
fn the_engine_is_handed_bytes() {
    let on = |target: &str, more: &str| plan(&profile(target, "qwen2", "qwen2.5-0.5b", more));
    let all = on("l4", "");
    let budget = all.budget().unwrap();
    assert_eq!(
        all.limits.kv_memory,
        KvMemory::Bytes(budget.left().unwrap())
    );
    let said = on("l4", "[limits]\nkv-memory = \"1GiB\"");
    assert_eq!(said.limits.kv_memory, KvMemory::Bytes(1 << 30));
    // What a machine has is known when the engine runs on it.
    assert_eq!(on("x86-64-v3", "").limits.kv_memory, KvMemory::Needed);
    assert_eq!(on("sm_90", "").limits.kv_memory, KvMemory::Needed);
    let loaded =
        plan("name = \"x\"\ntarget = \"l4\"\nmodel = { family = \"llama\", head-dims = [128] }\n");
    let l4 = (24u64 << 30) / 16 * 15;
    assert_eq!(
        loaded.limits.kv_memory,
        KvMemory::Within(l4 - l4 / 100 * 10)
    );
    assert!(loaded.budget().is_none());
}

/// A V100 has 14.4 GiB for an engine, and the weights of a Llama 8B in f16 take 15.0.
#[test]
fn less_is_never_refused_where_more_is_taken() {
    let targets = [
        "v100-sxm2-16gb",
        "t4",
        "l4",
        "rtx-2080-ti",
        "jetson-agx-orin-64gb",
        "h100-sxm5-80gb",
        "mi300x",
    ];
    for target in targets {
        for (family, shape) in [
            ("llama", "llama-3.1-8b"),
            ("qwen2", "qwen2.5-0.5b"),
            ("mixtral", "mixtral-8x7b"),
        ] {
            let with = |kv: u64| {
                let limits = format!("[limits]\nmax-model-len = 8192\nkv-memory = \"{kv}MiB\"");
                memory(&profile(target, family, shape, &limits))
            };
            let default = memory(&profile(
                target,
                family,
                shape,
                "[limits]\nmax-model-len = 8192",
            ));
            let sizes = [1024, 2048, 4096, 8192, 16384, 65536, 262_144];
            let taken: Vec<bool> = sizes.iter().map(|size| with(*size).is_empty()).collect();
            assert!(
                taken.is_sorted_by(|a, b| a >= b),
                "{target}, {shape}: {taken:?}"
            );
            assert_eq!(
                taken[0],
                default.is_empty(),
                "{target}, {shape}: asked for or not"
            );
        }
    }
    assert_eq!(
        memory(&profile("v100-sxm2-16gb", "llama", "llama-3.1-8b", "")),
        [Code(501)]
    );
}

/// What a help proposes is tried, and passes.
#[test]
fn a_help_names_a_value_that_works() {
    let mut tried = 0;
    for (target, family, shape, kv, len) in [
        ("l4", "llama", "llama-3.1-8b", "16GiB", 8192),
        ("l4", "llama", "llama-3.1-8b", "1MiB", 8192),
        ("l4", "qwen2", "qwen2.5-0.5b", "1MiB", 32768),
        ("l4", "qwen2", "qwen2.5-0.5b", "1MiB", 1000),
        ("t4", "qwen2", "qwen2.5-0.5b", "20GiB", 8192),
        ("l4", "llama", "llama-3.1-8b", "", 131_072),
        ("l4", "llama", "llama-3.1-8b", "64GiB", 131_072),
        ("x86-64-v3", "llama", "llama-3.1-8b", "128MiB", 8192),
        ("h100-sxm5-80gb", "llama", "llama-3.1-70b", "", 8192),
    ] {
        let text = |kv: &str, len: u64| {
            let kv = match kv {
                "" => String::new(),
                kv => format!("kv-memory = \"{kv}\"\n"),
            };
            let limits = format!(
                "[features]\nchunked-prefill = true\n[limits]\nmax-seqs = 16\nmax-model-len = {len}\n{kv}"
            );
            profile(target, family, shape, &limits)
        };
        let found = check(&text(kv, len));
        for one in found.iter().filter(|one| (502..=503).contains(&one.code.0)) {
            for help in &one.helps {
                let word = |after: &str| {
                    let rest = help.split_once(after)?.1;
                    rest.split_whitespace().next().map(str::to_owned)
                };
                if let Some(size) = word("kv-memory to ") {
                    let better = text(size.trim_matches('"'), len);
                    assert_eq!(memory(&better), [], "{help}\n{better}");
                    tried += 1;
                }
                if let Some(tokens) = word("max-model-len to ") {
                    let better = text(kv, tokens.parse().unwrap());
                    assert_eq!(memory(&better), [], "{help}\n{better}");
                    tried += 1;
                }
            }
        }
    }
    assert!(tried >= 5, "{tried} helps were tried");
}

/// A 4-bit weight has its part of a scale and of a zero, tables stay as they are, norms are f32.
#[test]
fn four_bits_have_scales_beside_them() {
    let text = profile("l4", "llama", "llama-3.1-8b-awq", "");
    let text = text.replacen("dtype", "weights = \"awq\"\ndtype", 1);
    let linear: u64 = 32 * (4096 * 2 * (4096 + 1024) + 3 * 4096 * 14336);
    let (scales, zeros) = (linear / 128 * 2, linear / 128 / 2);
    let plain = 2 * 128_256 * 4096 * 2 + (2 * 32 + 1) * 4096 * 4;
    assert_eq!(
        line(&budget(&text), "weights"),
        linear / 2 + scales + zeros + plain
    );
}

/// Each has a figure that the others do not show: two rotary tables, a block that is not full, memory that the host's
/// programs live in too, adapters that wait in a CPU's own memory.
#[test]
fn what_seldom_occurs_is_counted_too() {
    let gemma = "../../../engine-runtime/tests/goldens/gemma3/config";
    let gemma = budget(&profile(
        "l4",
        "gemma3",
        gemma,
        "[limits]\nmax-model-len = 100",
    ));
    let one = 100 * 4 * 16;
    assert_eq!(line(&gemma, "rotary tables"), 2 * one);
    assert_eq!(gemma.kv.per_sequence, 7 * gemma.kv.per_block);
    assert_eq!(gemma.kv.per_block, 16 * gemma.kv.per_token);

    let reserve = |target: &str| {
        let budget = budget(&profile(target, "qwen2", "qwen2.5-0.5b", ""));
        let total = budget.total.unwrap();
        (budget.reserve, total / 100)
    };
    for (target, percent) in [("l4", 10), ("jetson-agx-orin-64gb", 25), ("mi300a", 25)] {
        let (reserve, of) = reserve(target);
        assert_eq!(reserve, of * percent, "{target}");
    }

    let lora = "[features]\nlora = { max-loras = 2, max-cpu-loras = 8 }";
    let adapters = |target: &str| {
        let text = profile(target, "qwen2", "qwen2.5-0.5b", lora);
        let text = text.replacen("name", "matrix = \"engine\"\nname", 1);
        line(&budget(&text), "adapters")
    };
    assert_eq!(adapters("x86-64-v3"), 4 * adapters("l4"));
}

/// Where a step is too much, the help is about what takes the most beside the weights, and taking it makes it pass.
#[test]
fn a_step_that_is_too_much_is_told_what_to_lower() {
    for (target, family, shape, more, less, lower) in [
        (
            "l4",
            "gemma2",
            "gemma-2-9b",
            "[limits]\nmax-model-len = 32768",
            "[limits]\nmax-model-len = 2048\nmax-batched-tokens = 2048",
            "less activations lower max-batched-tokens and max-model-len, or turn chunked-prefill on;",
        ),
        (
            "l4",
            "gemma2",
            "gemma-2-9b",
            "[features]\nchunked-prefill = true\n[limits]\nmax-batched-tokens = 65536",
            "[features]\nchunked-prefill = true\n[limits]\nmax-model-len = 2048",
            "less activations lower max-batched-tokens;",
        ),
        (
            "l4",
            "llama",
            "llama-3.1-8b",
            "[features]\nlora = { max-loras = 64, max-rank = 256 }\n[limits]\nmax-model-len = 2048",
            "[features]\nlora = { max-loras = 2, max-rank = 16 }\n[limits]\nmax-model-len = 2048",
            "less adapters lower lora's max-loras or max-rank;",
        ),
        (
            "t4",
            "qwen2",
            "qwen2.5-0.5b",
            "[features]\nspeculative-decoding = { tokens = 63 }\n[limits]\nmax-seqs = 256",
            "[features]\nspeculative-decoding = { tokens = 3 }\n[limits]\nmax-seqs = 256",
            "less logits lower max-seqs or speculative-decoding's tokens;",
        ),
    ] {
        let with = |more: &str| profile(target, family, shape, more);
        let found = check(&with(more));
        let finding = found.iter().find(|one| one.code == Code(501));
        let finding = finding.unwrap_or_else(|| panic!("{more}\n{found}"));
        assert!(finding.helps[0].contains(lower), "{more}\n{found}");
        assert_eq!(memory(&with(less)), [], "{less}");
    }
}

/// What the runtime serves is planned, what it refuses is refused here.
#[test]
fn a_shape_means_what_it_means_to_the_engine() {
    let on = |family: &str, shape: &str, len: u64| {
        let text = profile(
            "x86-64-v3",
            family,
            shape,
            &format!("[limits]\nmax-model-len = {len}"),
        );
        let found = check(&text);
        let codes: Vec<u16> = found.iter().map(|one| one.code.0).collect();
        codes
    };
    // YaRN reaches four times as far, and a Qwen 2 that does not switch its window on has none.
    assert_eq!(on("qwen2", "qwen2-7b-yarn", 65_536), [0u16; 0]);
    assert_eq!(on("qwen2", "qwen2-7b-yarn", 131_072), [0u16; 0]);
    assert_eq!(on("qwen2", "qwen2-7b-yarn", 131_073), [507u16]);
    assert!(on("phi3", "phi-3-mini-128k", 8192).contains(&607));
    let folder = Path::new("../engine-runtime/tests/goldens");
    let mut goldens = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path().join("config.json");
        if !path.is_file() {
            continue;
        }
        let config = engine_model::Config::open(path.parent().unwrap()).unwrap();
        let text = format!(
            "name = \"x\"\ntarget = \"x86-64-v3\"\n[model]\nfamily = \"{}\"\nshape = \"{}\"\n[limits]\nmax-model-len = {}\n",
            config.family,
            path.strip_prefix("..")
                .unwrap()
                .display()
                .to_string()
                .replace("engine-runtime", "../../../engine-runtime"),
            128,
        );
        let found = check(&text);
        assert!(found.is_empty(), "{}\n{found}", path.display());
        goldens += 1;
    }
    assert!(goldens >= 13, "{goldens} goldens");
}

#[test]
fn sizes_are_written_in_one_way() {
    let found = check(&profile("t4", "llama", "llama-3.1-70b", ""));
    let weights = budget(&profile("mi300x", "llama", "llama-3.1-70b", ""));
    let weights = Bytes(line(&weights, "weights")).to_string();
    assert!(found.to_string().contains(&weights), "{weights}\n{found}");
}
