//! Memory is counted before it is taken, and taken when an engine opens: no request meets a device that is full.

#[cfg(target_os = "linux")]
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use engine_runtime::backend::cpu::{Cpu, Portable};
use engine_runtime::backend::{Backend, DeviceOptions};
use engine_runtime::checkpoint::{Checkpoint, Fit};
use engine_runtime::dtype::Dense;
use engine_runtime::engine::{Budget, Host};
use engine_runtime::model::Model;
use engine_runtime::models::Llama;
use engine_runtime::recipe::{KvMemory, Limits, Recipe};
use engine_runtime::testing::serve::{Setup, open};
use engine_runtime::testing::tiny::{KV_ELEMENTS, TinyLlama};

const LIMITS: Limits = Limits {
    max_model_len: 96,
    max_seqs: 4,
    max_batched_tokens: 96,
    block_size: 16,
    kv_memory: KvMemory::Needed,
};

engine_runtime::recipe! {
    /// The smallest engine.
    Plain {
        backend: Cpu<Portable>,
        weights: Dense<f32>,
        model: Llama<Self>,
        limits: LIMITS,
    }
}

/// Bytes of keys and values of one sequence.
const SEQUENCE: u64 = 96 * KV_ELEMENTS as u64 * 4;

fn fit(tiny: &TinyLlama, limits: &Limits) -> Fit {
    let checkpoint = Checkpoint::open(tiny.dir()).unwrap();
    <Plain as Recipe>::Model::check(&checkpoint, limits).unwrap()
}

const HOST: Host<'_> = Host {
    threads: 2,
    eos: &[],
};

fn budget(tiny: &TinyLlama, limits: &Limits, host: Host<'_>) -> Budget {
    Budget::of::<Plain>(&fit(tiny, limits), limits, host)
}

/// The first free size that is enough for everything.
fn least_free(budget: &Budget) -> u64 {
    let (mut short, mut enough) = (0, 1 << 40);
    while enough - short > 1 {
        let free = short + (enough - short) / 2;
        match budget.hold(Some(free)) {
            Ok(()) => enough = free,
            Err(_) => short = free,
        }
    }
    enough
}

fn with(kv_memory: KvMemory) -> Limits {
    Limits {
        kv_memory,
        ..LIMITS
    }
}

/// Two of these tests look at the memory of the whole process: all of them run one at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn keys_and_values_are_what_the_recipe_says() {
    let _alone = alone();
    let tiny = TinyLlama::write(1).unwrap();
    let kv = |memory| budget(&tiny, &with(memory), HOST).kv();
    assert_eq!(kv(KvMemory::Needed), 4 * SEQUENCE);
    assert_eq!(kv(KvMemory::Bytes(12345)), 12345);
    assert_eq!(kv(KvMemory::Within(1 << 40)), 4 * SEQUENCE);
    assert_eq!(kv(KvMemory::Within(1)), 0, "weights leave nothing");
}

/// What is counted is what is opened: a device that holds the weights and half of the cache gets half of the cache.
#[test]
fn an_engine_takes_no_more_than_was_counted() {
    let _alone = alone();
    let tiny = TinyLlama::write(1).unwrap();
    let all = |memory| {
        let fit = fit(&tiny, &with(memory));
        let budget = Budget::of::<Plain>(&fit, &with(memory), HOST);
        let fits = |total: &u64| budget.hold(Some(*total)).is_ok();
        let total = (0..1 << 24).step_by(64).find(fits);
        (budget, total.expect("it is a small model"))
    };
    let (_, needed) = all(KvMemory::Needed);
    let within = needed - 2 * SEQUENCE;
    let (budget, total) = all(KvMemory::Within(within));
    assert!(total <= within, "{total} of {within} bytes");
    let setup = Setup {
        limits: budget.limits(),
        threads: 1,
        eos: Vec::new(),
    };
    let blocks = open::<Plain>(tiny.dir(), &setup).load().blocks as u64;
    let taken = blocks * SEQUENCE / (96 / 16);
    assert!(taken <= budget.kv(), "{taken} of {} bytes", budget.kv());
}

#[test]
fn what_is_not_free_is_refused_with_its_lines_and_a_way_out() {
    let _alone = alone();
    let tiny = TinyLlama::write(1).unwrap();
    let budget = |limits: &Limits| budget(&tiny, limits, HOST);
    let all = budget(&LIMITS);
    let rest = least_free(&all) - all.kv();
    assert_eq!(
        all.hold(None),
        Ok(()),
        "a device that cannot tell is taken at its word"
    );
    for (limits, free, advice) in [
        (
            LIMITS,
            rest + 3 * SEQUENCE,
            "lower max_num_seqs to 3 or less",
        ),
        (
            LIMITS,
            rest + SEQUENCE / 2,
            "lower max_num_seqs to 1, and max_model_len to 48 or less",
        ),
        (LIMITS, rest, "use a smaller model"),
        (
            with(KvMemory::Bytes(1 << 40)),
            rest + (8 << 20),
            "kv-memory of 8 MiB or less",
        ),
    ] {
        let message = budget(&limits).hold(Some(free)).unwrap_err().to_string();
        for part in [
            advice,
            "keys and values",
            "weights",
            "activations",
            "logits",
            "are free",
        ] {
            assert!(message.contains(part), "{message}\nexpected {part}");
        }
    }
    // What the advice says fits.
    let fewer = Limits {
        max_seqs: 3,
        ..LIMITS
    };
    assert_eq!(budget(&fewer).hold(Some(rest + 3 * SEQUENCE)), Ok(()));
}

#[test]
fn a_cache_beyond_what_is_free_is_no_engine() {
    let _alone = alone();
    let tiny = TinyLlama::write(1).unwrap();
    let options = DeviceOptions { threads: Some(1) };
    let mut device = Cpu::<Portable>::open(&options).unwrap();
    let Some(free) = device.free_memory() else {
        return testbed::skipped("memory", "this system does not tell what is free");
    };
    let checkpoint = Checkpoint::open(tiny.dir()).unwrap();
    let limits = with(KvMemory::Bytes(free + (1 << 30)));
    let model =
        <Plain as Recipe>::Model::load(&mut device, &checkpoint, &limits, &mut |_, _| ()).unwrap();
    let text = std::sync::Arc::new(engine_runtime::text::ByteText);
    let options = engine_runtime::engine::EngineOptions::new(limits, Vec::new(), text);
    let error = engine_runtime::Engine::<Plain>::open(device, model, options)
        .err()
        .expect("more than there is")
        .to_string();
    assert!(
        error.contains("the cache of keys and values needs"),
        "{error}"
    );
}

/// What matrix products lay out their rows in is there before the first of them, as wide as the widest input of any:
/// the rows of attention, 4 heads of 8, or of the feed-forward block, 48 elements.
#[test]
fn scratch_is_counted_for_the_widest_product() {
    let _alone = alone();
    let tiny = TinyLlama::write(1).unwrap();
    let scratch = fit(&tiny, &LIMITS).memory.scratch;
    assert_eq!(scratch, 96 * (48 + 1) * 4);
}

/// Bytes of this process that are in memory.
#[cfg(target_os = "linux")]
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

/// Steps so large that what lies between the ops is most of a model with experts.
#[cfg(target_os = "linux")]
const WIDE: Limits = Limits {
    max_batched_tokens: 1 << 17,
    ..LIMITS
};

#[cfg(target_os = "linux")]
engine_runtime::recipe! {
    /// With experts.
    Routed {
        backend: Cpu<Portable>,
        weights: Dense<f32>,
        model: engine_runtime::models::Qwen3Moe<Self>,
        limits: WIDE,
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_engine_with_experts_takes_what_was_counted() {
    let _alone = alone();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/qwen3-moe");
    let checkpoint = Checkpoint::open(&folder).unwrap();
    let fit = <Routed as Recipe>::Model::check(&checkpoint, &WIDE).unwrap();
    let budget = Budget::of::<Routed>(&fit, &WIDE, HOST);
    let setup = Setup {
        limits: WIDE,
        threads: 1,
        eos: Vec::new(),
    };
    let before = resident();
    let engine = open::<Routed>(&folder, &setup);
    let taken = resident() - before;
    drop(engine);
    // What the program itself touches on the way.
    let slack = 4 << 20;
    assert!(
        budget.hold(Some(taken - slack)).is_err(),
        "{taken} bytes were taken, and counted were {budget}"
    );
}

/// Threads are counted each, and requests for what they may bring at most: 3 ends of a text are 3 edits for each of 4
/// sequences, which lie in memory three times.
#[test]
fn threads_and_requests_are_counted() {
    let _alone = alone();
    let tiny = TinyLlama::write(1).unwrap();
    let all = |threads, eos: &[u32], max_seqs| {
        let limits = Limits { max_seqs, ..LIMITS };
        let budget = budget(&tiny, &limits, Host { threads, eos });
        least_free(&budget) - budget.kv()
    };
    let one = all(1, &[], 4);
    let thread = all(2, &[], 4) - one;
    assert!(thread > 128 * 12, "a row of the sampler: {thread}");
    assert_eq!(all(5, &[], 4), one + 4 * thread);
    assert_eq!(all(1, &[1, 2, 3], 4), one + 3 * 4 * 8 * 3);
    let sequence = all(1, &[], 4) - all(1, &[], 3);
    let pairs = (1024 + 128) * 8 * 3;
    assert!(
        sequence > pairs && sequence < pairs + (8 << 10),
        "{sequence}"
    );
}

/// Pages that were only promised are not resident.
#[cfg(target_os = "linux")]
#[test]
fn an_engine_has_its_memory_when_it_opens() {
    let _alone = alone();
    const CACHE: u64 = 256 << 20;
    let tiny = TinyLlama::write(1).unwrap();
    let setup = Setup {
        limits: with(KvMemory::Bytes(CACHE)),
        threads: 2,
        eos: Vec::new(),
    };
    let before = resident();
    let engine = open::<Plain>(tiny.dir(), &setup);
    let after = resident();
    assert!(
        after - before > CACHE * 9 / 10,
        "{before} bytes became {after}"
    );
    drop(engine);
}
