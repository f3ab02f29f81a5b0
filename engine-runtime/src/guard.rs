//! Panics that become errors.
//!
//! Two kinds of code run behind a guard: what a request causes inside a step, and the tokenizers crate, which panics on
//! damaged files. Whoever guards reports the error in words of its own, so a program that calls
//! [`silence_guarded_panics`] first prints nothing else for it. All other panics are printed as ever.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The message of a caught panic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Panicked {
    pub message: String,
}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`, and turns a panic into an error. What `work` has changed must not matter after a panic.
pub fn guard<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    let guarded = Guarded::set(true);
    let outcome = catch_unwind(AssertUnwindSafe(work));
    drop(guarded);
    outcome.map_err(|payload| Panicked {
        message: message(&*payload),
    })
}

/// Makes the panics that a guard catches print nothing, for the rest of the process. Panics of other code go to the
/// hook that was there before.
pub fn silence_guarded_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !is_guarded() {
            before(panic);
        }
    }));
}

/// Whether a guard will catch what this thread panics with.
pub(crate) fn is_guarded() -> bool {
    GUARDED.get()
}

/// Work that a thread does for another, whose guard catches its panics too: `guarded` is what
/// [`is_guarded`] says there.
pub(crate) fn on_behalf<T>(guarded: bool, work: impl FnOnce() -> T) -> T {
    let _guarded = Guarded::set(guarded);
    work()
}

/// Puts the mark of this thread back when it goes, also when a panic passes.
struct Guarded {
    before: bool,
}

impl Guarded {
    fn set(guarded: bool) -> Self {
        Self {
            before: GUARDED.replace(guarded),
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        GUARDED.set(self.before);
    }
}

fn message(payload: &(dyn Any + Send)) -> String {
    match (
        payload.downcast_ref::<&str>(),
        payload.downcast_ref::<String>(),
    ) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        (None, None) => "a panic without a message".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message() {
        let text = |outcome: Result<(), Panicked>| outcome.unwrap_err().message;
        assert_eq!(text(guard(|| panic!("plain"))), "plain");
        assert_eq!(text(guard(|| panic!("key {}", 7))), "key 7");
        let odd = guard(|| std::panic::panic_any(7));
        assert_eq!(text(odd), "a panic without a message");
        assert_eq!(guard(|| 1), Ok(1));
    }

    #[test]
    fn the_mark_stands_exactly_while_a_guard_would_catch() {
        assert!(!is_guarded());
        let inner = guard(|| {
            assert!(guard(|| panic!("inner")).is_err() && is_guarded());
            on_behalf(false, || assert!(!is_guarded()));
            is_guarded()
        });
        assert_eq!(inner, Ok(true));
        assert!(guard(|| on_behalf(false, || panic!("in work for another"))).is_err());
        assert!(!is_guarded());
        let here = std::thread::spawn(is_guarded).join();
        assert!(
            !here.expect("the thread returns"),
            "marks are of one thread"
        );
    }
}
