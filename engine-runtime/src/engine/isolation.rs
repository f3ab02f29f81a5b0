//! Finding the item that makes a batch fail.

use super::Failure;
use crate::backend::DeviceError;
use crate::guard::guard;

/// Runs `attempt` on all `items` together. If it panics or the device fails, on each half alone, and so on down to the
/// single items that fail by themselves: they have then failed at least once alone. Returns what came of each item.
///
/// `attempt` can be repeated, and depends for none of the items on the others. A device that is lost ends the search.
pub fn isolate<T>(
    items: &[T],
    attempt: &mut impl FnMut(&[T]) -> Result<(), DeviceError>,
) -> Result<Vec<Result<(), Failure>>, DeviceError> {
    if items.is_empty() {
        return Ok(Vec::new());
    }
    match attempt_once(|| attempt(items)) {
        Ok(()) => Ok(items.iter().map(|_| Ok(())).collect()),
        Err(Failure::Device(lost @ DeviceError::Lost { .. })) => Err(lost),
        Err(failure) if items.len() == 1 => Ok(vec![Err(failure)]),
        Err(_) => {
            let (front, back) = items.split_at(items.len() / 2);
            let mut outcomes = isolate(front, attempt)?;
            outcomes.extend(isolate(back, attempt)?);
            Ok(outcomes)
        }
    }
}

/// A panic or an error of the device as a failure. What `attempt` has changed must not matter after one.
pub fn attempt_once<T>(attempt: impl FnOnce() -> Result<T, DeviceError>) -> Result<T, Failure> {
    match guard(attempt) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Failure::Device(error)),
        Err(panicked) => Err(Failure::Panicked(panicked)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::Panicked;

    fn launch_error() -> DeviceError {
        DeviceError::Launch {
            op: "matmul",
            reason: "a fault".to_owned(),
        }
    }

    #[test]
    fn only_the_culprits_fail() {
        for culprits in [vec![], vec![0], vec![4], vec![2, 3], (0..5).collect()] {
            let mut done = Vec::new();
            let outcomes = isolate(&[0, 1, 2, 3, 4], &mut |items| {
                let culprit = items.iter().find(|item| culprits.contains(*item));
                assert!(culprit.is_none_or(|item| item % 2 == 1), "{culprit:?}");
                if culprit.is_some() {
                    return Err(launch_error());
                }
                done.extend_from_slice(items);
                Ok(())
            });
            for (item, outcome) in outcomes.unwrap().into_iter().enumerate() {
                let expected = match culprits.contains(&item) {
                    true if item % 2 == 1 => Err(Failure::Device(launch_error())),
                    true => Err(Failure::Panicked(Panicked {
                        message: format!("Some({item})"),
                    })),
                    false => Ok(()),
                };
                assert_eq!(outcome, expected);
                assert_eq!(done.contains(&item), !culprits.contains(&item));
            }
        }
    }

    #[test]
    fn a_lost_device_ends_the_search() {
        let lost = DeviceError::Lost {
            backend: "test",
            reason: "unplugged".to_owned(),
        };
        let mut attempts = 0;
        let outcomes = isolate(&[1, 2], &mut |_| {
            attempts += 1;
            Err(lost.clone())
        });
        assert_eq!((outcomes, attempts), (Err(lost), 1));
    }
}
