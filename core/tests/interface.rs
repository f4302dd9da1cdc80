//! The binary interface as it was promised to plugins that exist: `docs/interface.layout` says what crosses, type by type, and
//! a change of the code that those plugins would feel fails here.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;
use std::path::Path;

use abi_stable::StableAbi;
use abi_stable::std_types::utypeid::UTypeId;
use abi_stable::type_layout::{TLData, TLField, TypeLayout};
use countersign::abi::{PluginModule_Ref, VERSION};

const SNAPSHOT: &str = "../docs/interface.layout";
const RENEW: &str = "COUNTERSIGN_UPDATE=1 cargo test -p countersign --test interface";

/// What old plugins make of a change.
#[derive(Debug, PartialEq)]
enum Verdict {
    Same,
    /// They do not notice it: what has been added.
    Grown(Vec<String>),
    /// They would feel it: what is no longer as it was.
    Broken(Vec<String>),
}

#[test]
fn the_interface_is_the_one_that_was_promised() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(SNAPSHOT);
    let (promised, is) = (std::fs::read_to_string(&path).unwrap_or_default(), written());
    let renew = std::env::var_os("COUNTERSIGN_UPDATE").is_some();
    let verdict = if promised.is_empty() || major(&promised) != major(&is) {
        Verdict::Grown(vec!["another major version".to_owned()])
    } else {
        compare(&promised, &is)
    };
    match verdict {
        Verdict::Same => assert_eq!(promised, is, "only words differ; renew them: {RENEW}"),
        Verdict::Grown(_) if renew => std::fs::write(&path, is).unwrap(),
        Verdict::Grown(what) => panic!(
            "the interface has grown, which plugins that exist do not notice:\n  {}\nraise the minor version in \
             core/src/abi/mod.rs if it is not raised yet, and renew the snapshot: {RENEW}",
            what.join("\n  ")
        ),
        Verdict::Broken(what) => panic!(
            "plugins that exist would feel this change of the interface:\n  {}\ntake it back, or add a new entry beside \
             the old one (docs/src/versions.md)",
            what.join("\n  ")
        ),
    }
}

/// The interface's major version, as the snapshot's first line says.
fn major(text: &str) -> Option<&str> {
    text.lines().next()?.split_whitespace().last()?.split('.').next()
}

/// All types that cross, each with what the other side relies on. Types of one name and several parameters stand there several
/// times.
fn written() -> String {
    let (mut seen, mut types) = (HashSet::new(), BTreeSet::new());
    walk(PluginModule_Ref::LAYOUT, &mut seen, &mut types);
    let mut text = format!("The binary interface of plugin files, version {VERSION}\n");
    for body in types {
        write!(text, "\n{body}").unwrap();
    }
    text
}

fn walk(layout: &'static TypeLayout, seen: &mut HashSet<UTypeId>, types: &mut BTreeSet<String>) {
    if !seen.insert(layout.get_utypeid()) {
        return;
    }
    let fields = layout.get_fields().map(|fields| fields.to_vec()).unwrap_or_default();
    let kind = match layout.data() {
        // It may grow, and so its size is no promise.
        TLData::PrefixType(prefix) => {
            format!("growing, of which {} fields are in every version", prefix.first_suffix_field)
        }
        other => {
            let kind = match other {
                TLData::Primitive(primitive) => format!("{primitive:?}"),
                TLData::Enum(variants) => {
                    format!("enum of {}", variants.variant_names_iter().collect::<Vec<_>>().join(", "))
                }
                TLData::Struct { .. } => "struct".to_owned(),
                TLData::Union { .. } => "union".to_owned(),
                _ => "opaque".to_owned(),
            };
            format!("{kind}, {} bytes, aligned to {}", layout.size(), layout.alignment())
        }
    };
    let mut body = format!("{}: {kind}\n", name(layout));
    for field in &fields {
        writeln!(body, "  {}: {}", field.name(), type_of(field)).unwrap();
    }
    types.insert(body);
    for field in fields.into_iter().chain(layout.phantom_fields().to_vec()) {
        for function in field.function_range().iter() {
            function.param_type_layouts.iter().for_each(|parameter| walk(parameter(), seen, types));
            if let Some(returned) = function.return_type_layout() {
                walk(returned(), seen, types);
            }
        }
        walk(field.layout(), seen, types);
    }
}

/// A type's name with its crate, and its module where names repeat: each object's table is a `VTable`.
fn name(layout: &'static TypeLayout) -> String {
    let (package, name) = (layout.package(), layout.full_type().to_string());
    let name = name.trim_end();
    if layout.name() == "VTable" {
        let module = format!("{:?}", layout.mod_path()).replace("ModPath(\"", "").replace("\")", "");
        format!("{module}::{name}")
    } else {
        format!("{package}::{name}")
    }
}

fn type_of(field: &TLField) -> String {
    let sized = |layout: &'static TypeLayout| format!("{} ({})", name(layout), layout.size());
    let functions = field.function_range().iter().map(|function| {
        let parameters: Vec<_> =
            function.param_type_layouts.iter().map(|parameter| sized(parameter())).collect();
        let returned =
            function.return_type_layout().map_or_else(|| "()".to_owned(), |returned| sized(returned()));
        format!("fn({}) -> {returned}", parameters.join(", "))
    });
    let functions: Vec<String> = functions.collect();
    if functions.is_empty() { sized(field.layout()) } else { functions.join("; ") }
}

/// What was promised against what is: both as [`written`].
fn compare(promised: &str, is: &str) -> Verdict {
    let (old, new) = (types(promised), types(is));
    let (mut broken, mut grown) = (Vec::new(), Vec::new());
    for (name, before) in &old {
        let after = new.get(name).map(Vec::as_slice).unwrap_or_default();
        for promised in before {
            let kept =
                after.iter().map(|after| follow(name, promised, after)).min_by_key(|outcome| match outcome {
                    Ok(added) => added.len(),
                    Err(_) => usize::MAX,
                });
            match kept {
                Some(Ok(added)) => grown.extend(added),
                Some(Err(what)) => broken.push(what),
                None => broken.push(format!("{name} is gone")),
            }
        }
        if after.len() > before.len() {
            grown.push(format!("{name}, for other parameters"));
        }
    }
    grown
        .extend(new.keys().filter(|name| !old.contains_key(*name)).map(|name| format!("{name}, a new type")));
    match (broken.is_empty(), grown.is_empty()) {
        (false, _) => Verdict::Broken(broken),
        (true, false) => Verdict::Grown(grown),
        (true, true) => Verdict::Same,
    }
}

/// A type's first line without its name, and its fields.
type Body<'t> = (&'t str, Vec<&'t str>);

/// What a type has gained, or what is no longer as it was.
fn follow(name: &str, before: &Body<'_>, after: &Body<'_>) -> Result<Vec<String>, String> {
    if before.0 != after.0 {
        return Err(format!("{name} was {}, and is {}", before.0, after.0));
    }
    for (index, field) in before.1.iter().enumerate() {
        match after.1.get(index) {
            Some(same) if same == field => {}
            Some(other) => return Err(format!("{name}: `{field}` was where `{other}` is")),
            None => return Err(format!("{name}: `{field}` is gone")),
        }
    }
    let added = after.1.iter().skip(before.1.len()).map(|field| format!("{name}: `{field}` at its end"));
    let added: Vec<String> = added.collect();
    match added.first() {
        Some(first) if !before.0.starts_with("growing") => Err(first.clone()),
        _ => Ok(added),
    }
}

fn types(text: &str) -> BTreeMap<&str, Vec<Body<'_>>> {
    let mut types: BTreeMap<&str, Vec<Body<'_>>> = BTreeMap::new();
    for paragraph in text.split("\n\n").skip(1) {
        let mut lines = paragraph.lines();
        let (name, what) = lines.next().unwrap().rsplit_once(": ").expect("a name and what it is");
        types.entry(name).or_default().push((what, lines.map(str::trim).collect()));
    }
    types
}

const MODULE: &str = "The binary interface of plugin files, version 1.0.0\n\nc::Module: growing, of which 2 fields are in every version\n\
                      \x20 open: fn(host: u8)->u32\n  create: fn(name: u8)->u32\n\n\
                      c::Started: struct, 16 bytes, aligned to 8\n  step: u64\n  flow: u64\n";

#[test]
fn growth_at_the_end_of_what_may_grow_is_permitted() {
    assert_eq!(compare(MODULE, MODULE), Verdict::Same);
    let later = MODULE.replace("\n\nc::S", "\n  later: fn()->u32\n\nc::S");
    let Verdict::Grown(what) = compare(MODULE, &later) else { panic!("it has grown") };
    assert_eq!(what, ["c::Module: `later: fn()->u32` at its end"]);
    let another = format!("{MODULE}\nc::Other: u8, 1 bytes, aligned to 1\n");
    assert_eq!(compare(MODULE, &another), Verdict::Grown(vec!["c::Other, a new type".to_owned()]));
}

#[test]
fn whatever_else_changes_breaks_the_promise() {
    for (what, from, to) in [
        ("removed", "  create: fn(name: u8)->u32\n", ""),
        ("renamed", "create:", "make:"),
        ("retyped", "name: u8", "name: u16"),
        ("put in front", "  open:", "  earlier: fn()->u32\n  open:"),
        ("in every version", "which 2 fields", "which 3 fields"),
        ("larger", "16 bytes", "24 bytes"),
        ("aligned", "aligned to 8", "aligned to 4"),
        ("grown where nothing may", "  flow: u64\n", "  flow: u64\n  more: u64\n"),
        ("another kind", "struct,", "union,"),
        ("gone", "c::Started", "c::Begun"),
    ] {
        let changed = MODULE.replace(from, to);
        assert_ne!(changed, MODULE, "{what}");
        assert!(matches!(compare(MODULE, &changed), Verdict::Broken(_)), "{what}");
    }
    let swapped = MODULE.replace("  step: u64\n  flow: u64\n", "  flow: u64\n  step: u64\n");
    assert!(matches!(compare(MODULE, &swapped), Verdict::Broken(_)), "reordered");
}
