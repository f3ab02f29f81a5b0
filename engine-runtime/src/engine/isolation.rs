//! Finding the item that makes a batch panic.

use crate::guard::{Panicked, guard};

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
