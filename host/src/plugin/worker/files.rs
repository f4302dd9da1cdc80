//! Landlock: which files a plugin's process may see, and that it reaches nothing outside.

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

use crate::plugin::charter::{Charter, Work};

/// The newest interface whose rights are known here; a kernel that knows fewer enforces those.
const NEWEST: ABI = ABI::V7;

/// Where the dynamic loader looks for libraries.
const LIBRARIES: [&str; 6] =
    ["/etc/ld.so.cache", "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib"];
/// Where interpreters and what they need lie.
const PROGRAMS: [&str; 6] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"];
/// What almost every program reads; nothing of it is secret.
const COMMON: [&str; 7] = [
    "/dev/null",
    "/dev/random",
    "/dev/urandom",
    "/proc/self",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/ssl/openssl.cnf",
];
/// What it takes to find a host by name and to trust it.
const NAMES: [&str; 9] = [
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/ssl/certs",
    "/etc/pki/tls/certs",
    "/etc/ca-certificates",
];

/// Restricts this process, for good. `false` if the kernel did not.
pub(super) fn restrict(charter: &Charter) -> Result<bool, RulesetError> {
    let mut rules = ruleset(charter)?;
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    match charter.work {
        Work::Library { more_libraries: true, .. } => rules = allow(rules, &LIBRARIES, read)?,
        Work::Library { .. } => {}
        Work::Program => {
            rules = allow(rules, &PROGRAMS, read | AccessFs::Execute)?;
            rules = allow(rules, &COMMON, read)?;
            rules = allow(rules, &["/dev/null"], AccessFs::ReadFile | AccessFs::WriteFile)?;
        }
    }
    if charter.rights.connect {
        rules = allow(rules, &NAMES, read)?;
    }
    // Whoever can read a program can have it interpreted, so that a program may as well execute it.
    let granted = if charter.work == Work::Program { read | AccessFs::Execute } else { read };
    rules = rules.add_rules(path_beneath_rules(&charter.rights.read, granted))?;
    Ok(rules.restrict_self()?.ruleset != RulesetStatus::NotEnforced)
}

fn ruleset(charter: &Charter) -> Result<RulesetCreated, RulesetError> {
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?;
    let ruleset = if charter.rights.connect {
        ruleset.handle_access(AccessNet::BindTcp)?
    } else {
        ruleset.handle_access(AccessNet::from_all(NEWEST))?
    };
    ruleset.create()
}

fn allow(
    rules: RulesetCreated,
    paths: &[&str],
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    rules.add_rules(path_beneath_rules(paths, access))
}
