use super::Failure;
use super::output::{Paint, print, width};
use super::paragraphs::blocks;
use super::settings::describe;
use crate::config::nearest;
use crate::registry::Registry;

/// Lists the profile types.
pub(super) fn list(types: &Registry, json: bool) -> Result<(), Failure> {
    if json {
        let all: Vec<_> = types.names().filter_map(|name| entry(types, name)).collect();
        return Ok(print(format_args!("{:#}\n", serde_json::Value::Array(all)))?);
    }
    let paint = Paint::stdout();
    let width = types.names().map(str::len).max().unwrap_or_default();
    for name in types.names() {
        let (Some(manifest), Some(home)) = (types.manifest(name), types.home(name)) else { continue };
        let pad = " ".repeat(width - name.len());
        print(format_args!(
            "{}{pad}  {}  {}\n",
            paint.bold(name),
            manifest.summary,
            paint.dim(format_args!("({home})"))
        ))?;
    }
    Ok(())
}

/// Shows a type's settings.
pub(super) fn show(types: &Registry, name: &str, json: bool) -> Result<(), Failure> {
    let (Some(manifest), Some(home)) = (types.manifest(name), types.home(name)) else {
        let names: Vec<_> = types.names().collect();
        let hint = nearest(name, names).map(|near| format!("; did you mean `{near}`?"));
        let hint = hint.unwrap_or_else(|| "; `countersign types` lists them".to_owned());
        return Err(Failure::Words(format!("there is no type `{name}`{hint}")));
    };
    if json {
        return Ok(print(format_args!("{:#}\n", entry(types, name).unwrap_or_default()))?);
    }
    let (paint, width) = (Paint::stdout(), width());
    let summary = blocks(&manifest.summary, width, 0);
    print(format_args!("{}  {}\n{summary}\n", paint.bold(name), paint.dim(format_args!("({home})"))))?;
    if let Some(about) = manifest.schema.get("description").and_then(serde_json::Value::as_str) {
        for paragraph in about.split("\n\n") {
            print(format_args!("{}\n", blocks(paragraph, width, 0)))?;
        }
    }
    let settings = describe(&manifest.schema, width, paint);
    print(format_args!("[profiles.NAME]\n  type = \"{name}\"\n{settings}{}", host_settings(width, paint)))?;
    Ok(())
}

/// What the host reads of a profile, whatever its type is.
fn host_settings(width: usize, paint: Paint) -> String {
    let about =
        "How long a credential is used whose issuer does not say for how long. Every type has this setting.";
    let lifetime = serde_json::json!({ "type": "string", "default": "5m", "description": about });
    describe(&serde_json::json!({ "properties": { "default_lifetime": lifetime } }), width, paint)
}

fn entry(types: &Registry, name: &str) -> Option<serde_json::Value> {
    let mut entry = serde_json::to_value(types.manifest(name)?).ok()?;
    entry["home"] = types.home(name)?.to_string().into();
    Some(entry)
}
