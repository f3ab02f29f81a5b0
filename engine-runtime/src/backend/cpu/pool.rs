//! A small pool of pinned threads that run one job at a time, cut into tasks.
//!
//! Each thread begins with tasks of its own, the same ones of every job that is cut alike, and so finds near its core
//! the memory that it wrote first; then it takes what others have left. The thread that asks for a job takes part in
//! it, and does not wait for sleepers. So which thread runs a task is chance in the end, and no result may depend on
//! it; tasks differ in what they write, never in how a sum is split. Between jobs workers spin for a moment, since a step
//! launches hundreds of jobs, and then sleep.

mod shares;

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::machine;
use crate::guard;
use shares::{Alone, Shares};

/// How long an idle worker spins before it sleeps: longer than the host takes from one step to the next.
const SPIN: Duration = Duration::from_millis(1);

thread_local! {
    static WORKER: Cell<usize> = const { Cell::new(0) };
}

/// The calling thread's place in the pool whose task it runs: 0 is the thread that asked for the job, and each other
/// has one below [`Pool::threads`].
pub(super) fn worker() -> usize {
    WORKER.get()
}

pub(super) struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

struct Shared {
    /// The generation of the job, and in the lowest bit whether workers may enter it.
    state: Alone<AtomicU64>,
    job: UnsafeCell<Option<Job>>,
    shares: Shares,
    /// The generation of the job that each worker is in, or one that is over: written by that worker alone.
    inside: Box<[Alone<AtomicU64>]>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    sleepers: Mutex<usize>,
    wake: Condvar,
    /// Whether `sleepers` may be other than 0.
    asleep: AtomicBool,
    closing: AtomicBool,
    /// How long a worker spins: not at all where others need its core.
    spin: Duration,
}

/// Workers may enter the job.
const OPEN: u64 = 1;
/// From one generation to the next.
const GENERATION: u64 = 2;
/// No generation.
const OUTSIDE: u64 = u64::MAX;

#[derive(Clone, Copy)]
struct Job {
    run: *const (dyn Fn(usize) + Sync),
    tasks: usize,
    /// Whether the caller's panics, which those of a task become, are caught.
    guarded: bool,
}

// SAFETY: `job` is written by the one caller of `run` while no worker is in a job, and read by workers that the state
// has let in; the function it points to is Sync, and outlives the job because `run` waits for every worker to leave.
unsafe impl Sync for Shared {}
// SAFETY: as above.
unsafe impl Send for Shared {}

impl Pool {
    /// `threads` of them, the caller's included; `None`: one for each core that this process may use.
    pub fn new(threads: Option<usize>) -> std::io::Result<Self> {
        let places = machine::places();
        let threads = threads.unwrap_or(places.cores).max(1);
        let fits = threads <= places.all.len();
        let mut pool = Self {
            shared: Arc::new(Shared {
                state: Alone(AtomicU64::new(0)),
                job: UnsafeCell::new(None),
                shares: Shares::new(threads),
                inside: (0..threads)
                    .map(|_| Alone(AtomicU64::new(OUTSIDE)))
                    .collect(),
                panic: Mutex::new(None),
                sleepers: Mutex::new(0),
                wake: Condvar::new(),
                asleep: AtomicBool::new(false),
                closing: AtomicBool::new(false),
                spin: if fits { SPIN } else { Duration::ZERO },
            }),
            workers: Vec::new(),
        };
        // More threads than places are left to the system, as the caller's thread is.
        let places = places.all.into_iter().map(|place| fits.then_some(place));
        for (worker, place) in places
            .chain(std::iter::repeat(None))
            .enumerate()
            .take(threads)
            .skip(1)
        {
            let shared = Arc::clone(&pool.shared);
            let thread = std::thread::Builder::new()
                .name(format!("cpu-{worker}"))
                .spawn(move || {
                    WORKER.set(worker);
                    place.inspect(|place| machine::pin(*place));
                    shared.work(worker);
                })?;
            pool.workers.push(thread);
        }
        Ok(pool)
    }

    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Runs `task(0)` to `task(tasks - 1)`, in any order and on any thread, and returns when all are done. A panic in
    /// a task goes on in the caller when the others have stopped; the pool stays as it was.
    pub fn run(&mut self, tasks: usize, task: impl Fn(usize) + Sync) {
        if tasks <= 1 || self.workers.is_empty() {
            (0..tasks).for_each(task);
            return;
        }
        let run: &(dyn Fn(usize) + Sync) = &task;
        // SAFETY: only the lifetime is left out; this function waits until nobody uses the job any more.
        let run: *const (dyn Fn(usize) + Sync + 'static) = unsafe { std::mem::transmute(run) };
        let job = Job {
            run,
            tasks,
            guarded: guard::is_guarded(),
        };
        let generation = self.shared.open(job);
        self.shared.take_tasks(job, generation, 0);
        self.shared.close(generation);
        let panic = self
            .shared
            .panic
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }

    /// Runs `task` once on each thread.
    pub fn run_on_each(&mut self, task: impl Fn() + Sync) {
        let threads = self.threads();
        let all = Barrier::new(threads);
        self.run(threads, |_| {
            // Nobody takes a second task before everybody has one.
            all.wait();
            task();
        });
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        self.shared.wake_all();
        for worker in self.workers.drain(..) {
            // A worker catches what its tasks throw, and has nothing else to say.
            let _ = worker.join();
        }
    }
}

impl Shared {
    /// Lets workers in. Returns the job's generation.
    fn open(&self, job: Job) -> u64 {
        // SAFETY: `close` of the job before has seen the last worker leave, and none enters until the state is open.
        unsafe { *self.job.get() = Some(job) };
        let generation = self
            .state
            .0
            .load(Ordering::Relaxed)
            .wrapping_add(GENERATION);
        // Sequentially consistent, as is the worker's way to bed: one of the two sees the other.
        self.state.0.store(generation | OPEN, Ordering::SeqCst);
        if self.asleep.load(Ordering::SeqCst) {
            self.wake_all();
        }
        generation
    }

    fn wake_all(&self) {
        let _sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        self.wake.notify_all();
    }

    /// Lets nobody in any more and waits for those who are.
    fn close(&self, generation: u64) {
        // Sequentially consistent, as is the worker's way in: it sees that the job is closed, or is seen here.
        self.state.0.store(generation, Ordering::SeqCst);
        for inside in &self.inside {
            let mut spins = 0_u32;
            while inside.0.load(Ordering::SeqCst) == generation {
                spins += 1;
                // The system may have taken a worker off its core.
                if spins.is_multiple_of(1 << 14) {
                    std::thread::yield_now();
                }
                std::hint::spin_loop();
            }
        }
    }

    fn take_tasks(&self, job: Job, generation: u64, worker: usize) {
        let taken = catch_unwind(AssertUnwindSafe(|| {
            guard::on_behalf(job.guarded, || {
                for owner in self.shares.from(worker) {
                    while let Some(task) = self.shares.take(owner, job.tasks, generation) {
                        // SAFETY: `run` keeps the function alive until `close` returns.
                        unsafe { (*job.run)(task) };
                    }
                }
            });
        }));
        if let Err(panic) = taken {
            self.shares.empty(job.tasks, generation);
            *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
        }
    }

    /// A worker's life.
    fn work(&self, worker: usize) {
        let mut done = 0;
        while let Some(generation) = self.next_job(done) {
            done = generation;
            let inside = &self.inside[worker].0;
            inside.store(generation, Ordering::SeqCst);
            if self.state.0.load(Ordering::SeqCst) == generation | OPEN {
                // SAFETY: this worker is in, so the job was written before and stays until it leaves.
                let job = unsafe { *self.job.get() };
                self.take_tasks(job.expect("an open job is written"), generation, worker);
            }
            inside.store(OUTSIDE, Ordering::Release);
        }
    }

    /// The generation of a job other than `done` that is open; `None` when the pool closes.
    fn next_job(&self, done: u64) -> Option<u64> {
        let open = || {
            let state = self.state.0.load(Ordering::SeqCst);
            let generation = state & !OPEN;
            (state & OPEN != 0 && generation != done).then_some(generation)
        };
        let start = Instant::now();
        while start.elapsed() < self.spin {
            for _ in 0..64 {
                if let Some(generation) = open() {
                    return Some(generation);
                }
                std::hint::spin_loop();
            }
            if self.closing.load(Ordering::Relaxed) {
                return None;
            }
        }
        let mut sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        *sleepers += 1;
        self.asleep.store(true, Ordering::SeqCst);
        let found = loop {
            if self.closing.load(Ordering::SeqCst) {
                break None;
            }
            if let Some(generation) = open() {
                break Some(generation);
            }
            sleepers = self
                .wake
                .wait(sleepers)
                .unwrap_or_else(PoisonError::into_inner);
        };
        *sleepers -= 1;
        self.asleep.store(*sleepers > 0, Ordering::SeqCst);
        found
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    fn sum_of_tasks(pool: &mut Pool, tasks: usize) -> usize {
        let sum = AtomicUsize::new(0);
        pool.run(tasks, |task| {
            sum.fetch_add(task + 1, Ordering::Relaxed);
        });
        sum.into_inner()
    }

    #[test]
    fn every_task_runs_once() {
        for threads in [1, 2, 3, 8, 64] {
            let mut pool = Pool::new(Some(threads)).expect("threads start");
            for tasks in (0..2000).map(|i| i % 40) {
                assert_eq!(sum_of_tasks(&mut pool, tasks), tasks * (tasks + 1) / 2);
            }
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_leaves_the_pool_usable() {
        let mut pool = Pool::new(Some(3)).expect("threads start");
        for round in 0..100 {
            let panic = catch_unwind(AssertUnwindSafe(|| {
                pool.run(20, |task| assert_ne!(task, round % 20, "poisoned task"));
            }));
            assert!(panic.is_err());
            assert_eq!(sum_of_tasks(&mut pool, 20), 210);
        }
    }

    /// Whoever guards reports; a worker's panic must not be printed because it happened on another thread.
    #[test]
    fn a_worker_prints_a_panic_only_if_nobody_catches_it() {
        const MARK: &str = "marked task";
        static PRINTED: AtomicUsize = AtomicUsize::new(0);
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            match panic.payload_as_str().is_some_and(|text| text == MARK) {
                true => _ = PRINTED.fetch_add(1, Ordering::SeqCst),
                false => before(panic),
            }
        }));
        guard::silence_guarded_panics();
        let mut pool = Pool::new(Some(3)).expect("threads start");
        // All three are in the job when they panic.
        let mut run = || {
            let arrived = AtomicUsize::new(0);
            pool.run(3, |_| {
                arrived.fetch_add(1, Ordering::SeqCst);
                while arrived.load(Ordering::SeqCst) < 3 {
                    std::thread::yield_now();
                }
                panic!("{MARK}");
            });
        };
        assert!(guard::guard(&mut run).is_err());
        assert_eq!(PRINTED.load(Ordering::SeqCst), 0);
        assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
        assert_eq!(PRINTED.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn sleepers_wake_for_a_job() {
        let mut pool = Pool::new(Some(4)).expect("threads start");
        for _ in 0..20 {
            std::thread::sleep(2 * SPIN);
            // Every task waits for all four threads, so it ends only if the sleepers came.
            let arrived = AtomicUsize::new(0);
            pool.run(4, |_| {
                arrived.fetch_add(1, Ordering::SeqCst);
                while arrived.load(Ordering::SeqCst) < 4 {
                    std::thread::yield_now();
                }
            });
        }
    }
}
