//! How much of a checkpoint is loaded.

/// Tells the caller how much of the checkpoint is done.
pub(super) struct Progress<'a> {
    done: u64,
    total: u64,
    report: &'a mut dyn FnMut(u64, u64),
}

impl<'a> Progress<'a> {
    pub(super) fn new(total: u64, report: &'a mut dyn FnMut(u64, u64)) -> Self {
        report(0, total);
        Self {
            done: 0,
            total,
            report,
        }
    }

    pub(super) fn add(&mut self, bytes: u64) {
        self.done += bytes;
        (self.report)(self.done, self.total);
    }

    pub(super) fn finish(&mut self) {
        self.done = self.total;
        (self.report)(self.done, self.total);
    }
}
