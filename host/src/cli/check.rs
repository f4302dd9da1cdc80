use std::path::Path;
use std::time::SystemTime;

use super::Failure;
use super::output::{Paint, print};
use crate::Setup;

/// Checks all that can be known without a network.
pub(super) fn run(config: &Path) -> Result<(), Failure> {
    let setup = Setup::read(config)?;
    let mut found = setup.ending(SystemTime::now());
    found.extend(setup.serve_faults());
    found.extend(setup.warnings().iter().cloned());
    found.sort();
    if found.has_errors() {
        return Err(found.into());
    }
    for warning in found.iter() {
        print(format_args!("{warning}\n"))?;
    }
    let count = |n: usize, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
    let paint = Paint::stdout();
    if setup.refused_plugins() > 0 {
        let refused = format!("{} refused", count(setup.refused_plugins(), "plugin file"));
        print(format_args!("{}: {}: see above\n", config.display(), paint.bad(&refused)))?;
        return Err(Failure::Status(1));
    }
    print(format_args!(
        "{}: {}, {}, {}: {}\n",
        config.display(),
        count(setup.connectors().len(), "connector"),
        count(setup.profiles().len(), "profile"),
        count(setup.plugins().len(), "plugin"),
        paint.good("no problems found"),
    ))?;
    Ok(())
}
