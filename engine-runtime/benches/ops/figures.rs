//! One line for each case: its time, the share of the limit that it is bound by, and both beside a saved run's.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use engine_runtime::backend::Backend;
use engine_runtime::backend::cpu::{Cpu, Isa};

/// How long one case is measured, and how often at least. The best time counts, since other work on the machine can only
/// slow one down.
const TIME: Duration = Duration::from_millis(300);
const ROUNDS: usize = 3;

/// One instruction set of this machine, its limits, and where its figures go.
pub struct Bench<'a, I: Isa> {
    pub set: &'static str,
    pub limits: Limits,
    pub device: Cpu<I>,
    pub figures: &'a mut Figures,
}

/// What the machine can do at most with one instruction set, measured just before.
#[derive(Clone, Copy)]
pub struct Limits {
    /// Bytes a second, from memory.
    pub bandwidth: f64,
    /// Operations a second of dot products with weights in bf16.
    pub dot_peak: f64,
    /// Operations a second of multiply-adds in f32, which attention and pointwise ops consist of.
    pub fma_peak: f64,
}

/// What a case must do at least: the bytes that it touches once, the operations that it cannot leave out, and their
/// limit.
pub struct Work {
    pub bytes: f64,
    pub flops: f64,
    pub peak: f64,
}

/// The figures of this run, and those of an earlier one.
pub struct Figures {
    words: Vec<String>,
    save: Option<PathBuf>,
    earlier: HashMap<String, Earlier>,
    saved: String,
}

/// A figure of an earlier run.
struct Earlier {
    share: f64,
    seconds: f64,
}

impl Limits {
    pub fn print<I: Isa>(&self, set: &str, device: &mut Cpu<I>) {
        println!(
            "{set}: {} threads, {:.1} GB/s read, {:.0} GFLOP/s dot products of bf16, {:.0} GFLOP/s multiply-adds of f32",
            device.threads(),
            self.bandwidth / 1e9,
            self.dot_peak / 1e9,
            self.fma_peak / 1e9
        );
    }
}

impl Figures {
    pub fn of_arguments() -> Self {
        let mut figures = Self {
            words: Vec::new(),
            save: None,
            earlier: HashMap::new(),
            saved: String::new(),
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut file =
                || PathBuf::from(arguments.next().expect("a file's name after the flag"));
            match argument.as_str() {
                // Cargo's own.
                "--bench" => {}
                "--save" => figures.save = Some(file()),
                "--against" => {
                    let text = std::fs::read_to_string(file()).expect("a file that --save wrote");
                    figures.earlier = text.lines().filter_map(saved_figure).collect();
                }
                word => figures.words.push(word.to_owned()),
            }
        }
        figures
    }

    /// Whether a case of this instruction set is asked for.
    pub fn wanted(&self, set: &str, case: &str) -> bool {
        let name = format!("{set} {case}");
        self.words.iter().all(|word| name.contains(word))
    }

    pub fn any(&self, set: &str, cases: Vec<String>) -> bool {
        cases.iter().any(|case| self.wanted(set, case))
    }

    /// Writes what `--save` asked for.
    pub fn finish(self) {
        if let Some(path) = self.save {
            std::fs::write(path, self.saved).expect("the file of --save can be written");
        }
    }
}

/// Set and case, the share of the limit, and the time in seconds.
fn saved_figure(line: &str) -> Option<(String, Earlier)> {
    let mut fields = line.split('\t');
    let name = fields.next()?.to_owned();
    let mut number = || fields.next()?.parse().ok();
    let (share, seconds) = (number()?, number()?);
    Some((name, Earlier { share, seconds }))
}

impl<I: Isa> Bench<'_, I> {
    pub fn wanted(&self, case: &str) -> bool {
        self.figures.wanted(self.set, case)
    }

    /// Measures `op`, if the case is wanted, and prints its line.
    pub fn case(&mut self, case: &str, work: Work, mut op: impl FnMut(&mut Cpu<I>)) {
        if !self.wanted(case) {
            return;
        }
        let device = &mut self.device;
        let time = best(|| op(device)).as_secs_f64();
        let (reading, computing) = (work.bytes / self.limits.bandwidth, work.flops / work.peak);
        let (least, bound) = if reading > computing {
            (reading, "read bandwidth")
        } else {
            (computing, "peak")
        };
        let share = least / time;
        let name = format!("{} {case}", self.set);
        let mut line = format!(
            "  {case:<42} {:>9.1} us {:>7.1} GB/s {:>7.1} GFLOP/s {:>4.0} % of {bound:<14}",
            time * 1e6,
            work.bytes / time / 1e9,
            work.flops / time / 1e9,
            share * 100.0
        );
        if let Some(earlier) = self.figures.earlier.get(&name) {
            let (share, speed) = (share / earlier.share, earlier.seconds / time);
            write!(
                line,
                " {share:.2} times the share, {speed:.2} times the speed"
            )
            .expect("a string takes text");
        }
        println!("{}", line.trim_end());
        writeln!(self.figures.saved, "{name}\t{share:.4}\t{time:e}").expect("a string takes text");
    }
}

fn best(mut op: impl FnMut()) -> Duration {
    // Touches memory for the first time and wakes the threads.
    op();
    let start = Instant::now();
    let mut best = Duration::MAX;
    let mut rounds = 0;
    while rounds < ROUNDS || start.elapsed() < TIME {
        let start = Instant::now();
        op();
        best = best.min(start.elapsed());
        rounds += 1;
    }
    best
}

/// Numbers in [-1, 1) without a pattern that arithmetic could profit from.
pub fn values(len: usize) -> Vec<f32> {
    (0..len)
        .map(|i| (i * 2_654_435_761 % 1009) as f32 / 504.5 - 1.0)
        .collect()
}
