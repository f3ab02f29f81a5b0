//! What a profile comes to: answers to every question, and what they are worth.
//!
//! Three types hold answers. [`Answers`] is what a profile asks for, right or wrong: rules judge it. A [`Preview`] has
//! nothing wrong with it, but asks for parts that this engine does not have yet: it can be shown. A [`Plan`] can be
//! built. Only [`crate::plan()`] and the doors beside it make the last two, and everything after a plan is infallible.

mod answers;
mod ask;
mod budget;
mod decision;
mod identity;
mod kernels;
mod limits;
mod memory;
mod resolve;

use std::ops::Deref;

use serde::Serialize;

use crate::diagnostics::Diagnostics;

pub use answers::{Accepted, Answers, Backend, Isa, Model};
pub(crate) use ask::Ask;
pub use budget::{Budget, Kv, Line};
pub use decision::{Decision, Origin};
pub use engine_model::Kernel;
pub use limits::Limits;
pub use memory::KvMemory;
pub(crate) use resolve::resolve;

/// What will be built: answers that no rule has anything against.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Plan(Answers);

/// What would be built if this engine had all of its parts: answers with nothing wrong in them.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Preview(Answers);

impl Deref for Plan {
    type Target = Answers;

    fn deref(&self) -> &Answers {
        &self.0
    }
}

impl Deref for Preview {
    type Target = Answers;

    fn deref(&self) -> &Answers {
        &self.0
    }
}

impl From<Plan> for Preview {
    fn from(Plan(answers): Plan) -> Preview {
        Preview(answers)
    }
}

/// What came of checking a profile. There is a plan, or there are findings that say why not.
#[derive(Clone, Debug)]
pub enum Checked {
    Plan(Plan),
    /// Nothing is wrong, but these parts are not built yet.
    Preview(Preview, Diagnostics),
    Refused(Diagnostics),
}

impl Checked {
    /// What is to be said of answers about which this was found.
    pub(crate) fn judged(answers: Answers, found: Diagnostics) -> Checked {
        match (found.is_empty(), found.only_not_built()) {
            (true, _) => Checked::Plan(Plan(answers)),
            (false, true) => Checked::Preview(Preview(answers), found),
            (false, false) => Checked::Refused(found),
        }
    }

    /// No answers at all: the profile could not be read so far.
    pub(crate) fn unread(found: Diagnostics) -> Checked {
        assert!(
            !found.is_empty(),
            "a profile that cannot be read has a finding that says why"
        );
        Checked::Refused(found)
    }

    /// What will be built, or everything that stands in its way.
    pub fn plan(self) -> Result<Plan, Diagnostics> {
        match self {
            Checked::Plan(plan) => Ok(plan),
            Checked::Preview(_, found) | Checked::Refused(found) => Err(found),
        }
    }

    /// What would be built, whether or not this engine has all of its parts, with what it lacks; or what is wrong.
    pub fn preview(self) -> Result<(Preview, Diagnostics), Diagnostics> {
        match self {
            Checked::Plan(plan) => Ok((plan.into(), Diagnostics::default())),
            Checked::Preview(preview, found) => Ok((preview, found)),
            Checked::Refused(found) => Err(found),
        }
    }

    /// All that was found: nothing for a plan.
    pub fn found(self) -> Diagnostics {
        self.plan().err().unwrap_or_default()
    }
}
