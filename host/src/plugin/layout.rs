//! Whether host and plugin mean the same by the interface's types, whichever of the two is older.

use abi_stable::abi_stability::abi_checking::{
    AbiInstability, AbiInstabilityErrors, CheckingGlobals, check_layout_compatibility_with_globals,
};
use abi_stable::type_layout::{TLFieldOrFunction, TypeLayout};

/// Compares the interface as the host knows it with the plugin's.
///
/// # Errors
/// The first difference that matters, in a few words.
pub(super) fn check(host: &'static TypeLayout, plugin: &'static TypeLayout) -> Result<(), String> {
    let Err(newer_host) = one_way(host, plugin) else { return Ok(()) };
    // The check wants the second to have at least the fields of the first: an older plugin has fewer. Nothing of the
    // host uses a later field without asking whether it is there.
    one_way(plugin, host).map_err(|_| newer_host)
}

fn one_way(interface: &'static TypeLayout, implementation: &'static TypeLayout) -> Result<(), String> {
    // Its memory of earlier checks would make one plugin's layout another's concern.
    let memory = CheckingGlobals::new();
    match check_layout_compatibility_with_globals(interface, implementation, &memory) {
        Ok(()) => Ok(()),
        Err(errors) => first_difference(&errors).map_or(Ok(()), Err),
    }
}

fn first_difference(errors: &AbiInstabilityErrors) -> Option<String> {
    errors.errors.iter().find_map(|error| {
        let what = error.errs.iter().find(|what| !is_only_version(what))?;
        let path: Vec<_> = error.stack_trace.iter().map(|at| name(&at.expected)).collect();
        let place = if path.is_empty() { "its module".to_owned() } else { format!("`{}`", path.join(".")) };
        Some(format!("{place} {}", describe(what)))
    })
}

/// The interface has a version of its own; that of the crate which defines it says nothing about it.
fn is_only_version(what: &AbiInstability) -> bool {
    matches!(what, AbiInstability::PackageVersion(_))
}

fn name(at: &TLFieldOrFunction) -> String {
    match at {
        TLFieldOrFunction::Field(field) => field.name().to_owned(),
        TLFieldOrFunction::Function(function) => function.name.as_str().to_owned(),
    }
}

fn describe(what: &AbiInstability) -> String {
    use AbiInstability as Is;
    match what {
        Is::Name(types) => format!("is of type {} instead of {}", types.found, types.expected),
        Is::Package(crates) => format!("is of crate {} instead of {}", crates.found, crates.expected),
        Is::FieldCountMismatch(count) => format!("has {} fields instead of {}", count.found, count.expected),
        Is::MismatchedPrefixSize(count) => {
            format!("has {} first fields instead of {}", count.found, count.expected)
        }
        Is::UnexpectedField(fields) => {
            format!("has a field `{}` where `{}` is expected", fields.found.name(), fields.expected.name())
        }
        Is::Size(size) => format!("has {} bytes instead of {}", size.found, size.expected),
        Is::Alignment(size) => format!("is aligned to {} instead of {}", size.found, size.expected),
        Is::MismatchedPrimitive(types) => format!("is {:?} instead of {:?}", types.found, types.expected),
        _ => "differs".to_owned(),
    }
}
