//! Finding the item that makes a batch panic.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The message of a caught panic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Panicked {
    pub message: String,
}

/// Runs `work`, and turns a panic into an error. What `work` has changed must not matter after a panic.
pub fn guard<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| Panicked {
        message: message(&*payload),
    })
}

/// Runs `attempt` on all `items` together. If it panics, on each half alone, and so on down to the single items that
/// panic by themselves. `attempt` returns one outcome for each item, can be repeated, and depends for none of them on
/// the others. An error ends the search.
pub fn isolate<T, O, E>(
    items: &[T],
    attempt: &mut impl FnMut(&[T]) -> Result<Vec<O>, E>,
) -> Result<Vec<Result<O, Panicked>>, E> {
    if items.is_empty() {
        return Ok(Vec::new());
    }
    match guard(|| attempt(items)) {
        Ok(outcomes) => Ok(outcomes?.into_iter().map(Ok).collect()),
        Err(panicked) if items.len() == 1 => Ok(vec![Err(panicked)]),
        Err(_) => {
            let (front, back) = items.split_at(items.len() / 2);
            let mut outcomes = isolate(front, attempt)?;
            outcomes.extend(isolate(back, attempt)?);
            Ok(outcomes)
        }
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
    fn only_the_culprits_fail() {
        for culprits in [vec![], vec![0], vec![4], vec![2, 3], (0..5).collect()] {
            let outcomes = isolate(&[0, 1, 2, 3, 4], &mut |items| {
                let culprit = items.iter().find(|item| culprits.contains(*item));
                assert!(culprit.is_none(), "{culprit:?}");
                Ok::<_, ()>(items.iter().map(|item| item * 10).collect())
            });
            for (item, outcome) in outcomes.unwrap().into_iter().enumerate() {
                let expected = match culprits.contains(&item) {
                    true => Err(Panicked {
                        message: format!("Some({item})"),
                    }),
                    false => Ok(item * 10),
                };
                assert_eq!(outcome, expected);
            }
        }
    }

    #[test]
    fn an_error_is_no_panic() {
        let outcomes = isolate(&[1, 2], &mut |_| Err::<Vec<()>, _>("device lost"));
        assert_eq!(outcomes, Err("device lost"));
    }
}
