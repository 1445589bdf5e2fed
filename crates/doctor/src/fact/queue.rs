//! A sample of a host's queues and latencies for one device.

/// Counters of one device over one interval; those that the source does not have are `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Queue {
    /// Time in the device and on the way to it, in milliseconds a command (DAVG).
    pub device_ms: Option<f64>,
    /// Time in the host's kernel (KAVG).
    pub kernel_ms: Option<f64>,
    /// Time in the host's queue, which is a part of the kernel's (QAVG).
    pub queue_ms: Option<f64>,
    /// Time until a guest has its answer: the device's and the kernel's together (GAVG).
    pub guest_ms: Option<f64>,
    /// Commands that the device works on (ACTV).
    pub active: Option<f64>,
    /// Commands a second (CMDS/s): an average over less than one says little.
    pub commands: Option<f64>,
    /// How long the sample lasted, in seconds.
    pub seconds: Option<f64>,
    /// Commands that wait in the host (QUED).
    pub queued: Option<f64>,
    /// How many the host sends at once (LQLEN).
    pub length: Option<f64>,
    /// ATS a second.
    pub ats: Option<f64>,
    /// False or failed ATS a second (ATSF).
    pub ats_failed: Option<f64>,
    /// Aborts a second.
    pub aborts: Option<f64>,
    /// Resets a second.
    pub resets: Option<f64>,
    /// Reservation conflicts a second (CONS).
    pub conflicts: Option<f64>,
}

impl Queue {
    /// Whether so few commands are sent that a slow disk keeps up with them: the medium that a host starts from is asked now and then, for a moment
    /// each, and is none of those that volumes lie on. Nothing was given up.
    #[must_use]
    pub fn has_little_to_do(&self) -> bool {
        const COMMANDS: f64 = 10.0;
        let none = |value: Option<f64>| value.is_none_or(|value| value <= 0.0);
        self.commands.is_some_and(|commands| commands < COMMANDS)
            && self.active.is_none_or(|active| active <= 2.0)
            && self.queued.is_none_or(|queued| queued <= 2.0)
            && none(self.aborts)
            && none(self.resets)
            || self.is_of_an_idle_device()
    }

    /// Whether next to nothing was sent to the device: the average of one command in some seconds is that command's, and a disk that sleeps, or a
    /// USB stick, takes its time. Commands that wait and do not end are another matter.
    #[must_use]
    pub fn is_of_an_idle_device(&self) -> bool {
        self.commands.is_some_and(|commands| commands < 1.0)
            && self.active.is_none_or(|active| active <= 2.0)
            && self.queued.is_none_or(|queued| queued < 1.0)
    }
}
