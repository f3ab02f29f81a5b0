//! Steps on their way: launched, collected, and what happens when one of them fails.
//!
//! A failure shows at a launch or at a collection, and takes every step with it that is on its way. The oldest is done
//! again, in ever smaller parts until the turns that fail are found; the later ones are scheduled again. So each
//! failure costs at most one step's work twice, and ends with fewer requests or with none that fails.

use super::executor::Pending;
use super::isolation::{attempt_once, isolate};
use super::{Engine, Failure};
use crate::backend::DeviceError;
use crate::parts::Output;
use crate::recipe::Recipe;
use crate::sampler::Sampled;
use crate::scheduler::Turn;

/// A step that is launched and not collected.
pub(super) struct Flight<R: Recipe> {
    pub turns: Vec<Turn>,
    pending: Pending<R>,
}

/// What came of a step.
#[derive(Default)]
pub(super) struct Outcomes {
    pub turns: Vec<(Turn, Result<(), Failure>)>,
    /// What was chosen in the turns that came to something, in their order.
    pub sampled: Vec<Sampled>,
}

/// What came of an attempt to launch.
pub(super) enum Launched {
    /// There was nothing to do.
    Nothing,
    Step,
    Failed(Vec<Turn>, Failure),
}

impl<R: Recipe> Engine<R> {
    /// Launches a step of `turns` behind those on their way.
    pub(super) fn launch(&mut self, turns: Vec<Turn>) -> Launched {
        if turns.is_empty() {
            return Launched::Nothing;
        }
        let launch = || {
            self.stage(&turns);
            self.executor.launch()
        };
        match attempt_once(launch) {
            Ok(pending) => {
                self.flights.push_back(Flight { turns, pending });
                Launched::Step
            }
            Err(failure) => Launched::Failed(turns, failure),
        }
    }

    /// Waits for the oldest step if it is time to: when the device is as far ahead as it may be, or has nothing else.
    pub(super) fn collect(&mut self, launched: Launched) -> Result<Outcomes, DeviceError> {
        let (turns, failure) = match launched {
            Launched::Step if self.flights.len() <= R::Output::AHEAD => {
                return Ok(Outcomes::default());
            }
            Launched::Failed(turns, failure) => (turns, failure),
            Launched::Nothing | Launched::Step => {
                let Some(Flight { turns, pending }) = self.flights.pop_front() else {
                    return Ok(Outcomes::default());
                };
                let mut sampled = Vec::new();
                match attempt_once(|| self.executor.collect(pending, &mut sampled)) {
                    Ok(()) => {
                        let turns = turns.into_iter().map(|turn| (turn, Ok(())));
                        let turns = turns.collect();
                        return Ok(Outcomes { turns, sampled });
                    }
                    Err(failure) => {
                        // It is older than all that are on their way.
                        return self.recover(Some(turns), Vec::new(), failure);
                    }
                }
            }
        };
        self.recover(None, turns, failure)
    }

    /// Abandons all steps on their way, `front` before them and `back` behind them. Does the oldest again, and takes
    /// the others back.
    fn recover(
        &mut self,
        front: Option<Vec<Turn>>,
        back: Vec<Turn>,
        failure: Failure,
    ) -> Result<Outcomes, DeviceError> {
        let flights = std::mem::take(&mut self.flights);
        let steps = front.into_iter();
        let steps = steps.chain(flights.into_iter().map(|flight| flight.turns));
        let mut steps: Vec<_> = steps
            .chain(Some(back))
            .filter(|step| !step.is_empty())
            .collect();
        let oldest = steps.remove(0);
        for turn in steps.iter().rev().flatten() {
            self.scheduler.retract(turn);
        }
        // A sequence that was sent back to the queue meanwhile has lost the blocks that its turn wrote to.
        let (turns, stale): (Vec<_>, Vec<_>) = oldest
            .into_iter()
            .partition(|turn| self.scheduler.is_current(turn));
        stale.iter().for_each(|turn| self.scheduler.retract(turn));
        let mut sampled = Vec::new();
        let done = match failure {
            Failure::Device(lost @ DeviceError::Lost { .. }) => Err(lost),
            _ => isolate(&turns, &mut |turns| self.run(turns, &mut sampled)),
        };
        match done {
            Ok(outcomes) => {
                let turns = turns.into_iter().zip(outcomes).collect();
                Ok(Outcomes { turns, sampled })
            }
            Err(lost) => {
                turns.iter().for_each(|turn| self.scheduler.retract(turn));
                self.lost = Some(lost.clone());
                Err(lost)
            }
        }
    }

    /// Launches some turns and waits for them. Adds nothing to `sampled` unless all goes well.
    fn run(&mut self, turns: &[Turn], sampled: &mut Vec<Sampled>) -> Result<(), DeviceError> {
        self.stage(turns);
        let pending = self.executor.launch()?;
        self.executor.collect(pending, sampled)
    }

    /// Fills in the next step.
    fn stage(&mut self, turns: &[Turn]) {
        let staged = self.executor.stage();
        for turn in turns {
            let sequence = self.scheduler.running(turn.id);
            let sequence = sequence.expect("a turn is of a running sequence");
            let first = staged.batch.logits_rows.len();
            let place = staged.batch.seqs();
            turn.build(sequence, self.scheduler.block_size(), &mut staged.batch);
            sequence
                .output
                .write(turn, [place, first], &mut staged.table);
        }
    }
}
