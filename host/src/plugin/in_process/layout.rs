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
    let differences =
        || errors.errors.iter().flat_map(|error| error.errs.iter().map(|what| (&error.stack_trace, what)));
    let telling = |what: &AbiInstability| !matches!(what, AbiInstability::FieldCountMismatch(_));
    let (trace, what) = differences()
        .find(|(_, what)| !is_only_version(what) && telling(what))
        .or_else(|| differences().find(|(_, what)| !is_only_version(what)))?;
    let mut path: Vec<_> = trace.iter().map(|at| name(&at.expected)).collect();
    // Fields of tuples and nameless parameters say nothing.
    path.retain(|name| name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_'));
    path.dedup();
    let place = if path.is_empty() { "its module".to_owned() } else { format!("`{}`", path.join(".")) };
    Some(format!("{place} {}", describe(what)))
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

#[cfg(test)]
#[allow(unsafe_code, non_camel_case_types, dead_code)] // what the derives write
mod tests {
    use abi_stable::StableAbi;

    use super::*;

    /// The same two types at several ages: a module that takes something which the host lends.
    macro_rules! interface {
        ($age:ident, [$($later:ident)?], [$($lent_later:ident)?], $argument:ty) => {
            mod $age {
                use abi_stable::StableAbi;

                #[repr(C)]
                #[derive(StableAbi)]
                #[sabi(kind(Prefix(prefix_ref = Module_Ref)))]
                pub(super) struct Module {
                    pub(super) open: extern "C" fn(Lent_Ref) -> u8,
                    #[sabi(last_prefix_field)]
                    pub(super) create: extern "C" fn($argument) -> u64,
                    $(pub(super) $later: extern "C" fn() -> u64,)?
                }

                #[repr(C)]
                #[derive(StableAbi)]
                #[sabi(kind(Prefix(prefix_ref = Lent_Ref)))]
                pub(super) struct Lent {
                    #[sabi(last_prefix_field)]
                    pub(super) log: extern "C" fn(u8),
                    $(pub(super) $lent_later: extern "C" fn(u8),)?
                }
            }
        };
    }

    interface!(older, [], [], u32);
    interface!(newer, [later], [clock], u32);
    interface!(other, [later], [clock], u64);

    #[test]
    fn an_older_and_a_newer_side_understand_each_other_either_way() {
        check(older::Module_Ref::LAYOUT, older::Module_Ref::LAYOUT).unwrap();
        check(older::Module_Ref::LAYOUT, newer::Module_Ref::LAYOUT).unwrap();
        check(newer::Module_Ref::LAYOUT, older::Module_Ref::LAYOUT).unwrap();
    }

    #[test]
    fn abi_stable_alone_refuses_an_older_plugin() {
        let refusal = one_way(newer::Module_Ref::LAYOUT, older::Module_Ref::LAYOUT).unwrap_err();
        assert!(
            refusal.contains("fields instead of"),
            "if this fails, the second check has become needless: {refusal}"
        );
    }

    #[test]
    fn a_field_of_another_type_is_refused_in_a_few_words() {
        for (host, plugin) in [
            (older::Module_Ref::LAYOUT, other::Module_Ref::LAYOUT),
            (other::Module_Ref::LAYOUT, older::Module_Ref::LAYOUT),
        ] {
            let refusal = check(host, plugin).unwrap_err();
            assert!(refusal.starts_with("`create` is of type u") && refusal.len() < 120, "{refusal}");
        }
    }
}
