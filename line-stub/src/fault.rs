//! What can go wrong on the way to LINE and back.

use std::time::Duration;

/// How a request goes wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It is refused with this status, and `{"message": ..}`; nothing was done.
    Status {
        /// The status of the answer.
        status: u16,
        /// The `message` of its body.
        message: String,
    },
    /// It is looked at after so long, and then as ever, even if its client has gone by then.
    Slow(Duration),
    /// The connection is closed before anything was done.
    Hangup,
    /// All is done, then the connection is closed without an answer.
    LostAnswer,
    /// All is done, but the answer is this status.
    LostAnswerStatus(u16),
}

struct Planned {
    fault: Fault,
    times: usize,
    path_part: String,
}

/// What is to go wrong, in the order in which it was planned.
#[derive(Default)]
pub(crate) struct Faults(Vec<Planned>);

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault, times: usize, path_part: &str) {
        self.0.push(Planned { fault, times, path_part: path_part.into() });
    }

    /// The fault of this request: of the first plan that is not used up and fits.
    pub(crate) fn take(&mut self, path: &str) -> Option<Fault> {
        let planned = self.0.iter_mut().find(|planned| planned.times > 0 && path.contains(&planned.path_part))?;
        planned.times -= 1;
        Some(planned.fault.clone())
    }
}
