use super::refusal::Reason;
use super::settings::Isolation;
use super::worker::sys;

/// What of the sandbox the kernel can enforce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kernel {
    /// The version of Landlock's interface; 0 where there is none.
    pub(super) landlock: u32,
    /// Whether a process can have its system calls filtered.
    pub(super) filter: bool,
}

impl Kernel {
    /// The one that runs here.
    pub(super) fn here() -> Self {
        Self { landlock: sys::landlock_abi(), filter: sys::has_filters() }
    }

    /// Whether a plugin may be run on it.
    pub(super) fn suffices(self, isolation: Isolation) -> Result<(), Reason> {
        let missing = match (self.landlock, self.filter) {
            (0, true) => "Landlock, which keeps it from files (Linux 5.13, with `landlock` in `lsm=`)",
            (_, false) if self.landlock > 0 => {
                "filters of system calls (seccomp), which keep it from all else"
            }
            (_, false) => "Landlock and filters of system calls (seccomp)",
            _ => return Ok(()),
        };
        if isolation == Isolation::BestEffort {
            return Ok(());
        }
        Err(format!(
            "cannot be sandboxed: the kernel, or the container that this runs in, has no {missing}; mend that, or \
             set `isolation = \"best-effort\"` for this plugin if you trust it"
        )
        .into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Kernel = Kernel { landlock: 1, filter: true };

    #[test]
    fn what_the_kernel_cannot_enforce_is_refused_unless_best_effort_will_do() {
        assert_eq!(WHOLE.suffices(Isolation::Process), Ok(()));
        for (kernel, missing) in [
            (Kernel { landlock: 0, ..WHOLE }, "has no Landlock, which"),
            (Kernel { filter: false, ..WHOLE }, "has no filters of system calls"),
            (Kernel { landlock: 0, filter: false }, "has no Landlock and filters"),
        ] {
            let refusal = kernel.suffices(Isolation::Process).unwrap_err();
            assert!(refusal.contains(missing) && refusal.contains("best-effort"), "{refusal}");
            assert_eq!(kernel.suffices(Isolation::BestEffort), Ok(()));
        }
    }
}
