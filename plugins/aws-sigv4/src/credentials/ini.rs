use std::collections::BTreeMap;

use countersign::Secret;

/// The settings of a profile; keys are among them.
pub(super) type Settings = BTreeMap<String, Secret>;

/// The profiles of an AWS configuration file: names to settings.
///
/// Sections are `[NAME]`, and `[profile NAME]` in `config`; lines are `name = value`; comments begin with `#` or `;`, at the
/// beginning of a line, or behind white space. Nested settings (indented lines below a setting without a value) are left out.
/// What is no such line is left out as well, as the AWS SDKs do.
pub(super) fn profiles(text: &str) -> BTreeMap<String, Settings> {
    let mut profiles: BTreeMap<String, Settings> = BTreeMap::new();
    let mut current: Option<String> = None;
    for line in text.lines() {
        if line.starts_with(char::is_whitespace) || line.starts_with(['#', ';']) || line.is_empty() {
            continue;
        }
        if let Some(section) =
            line.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(name, _)| name)
        {
            let section = section.trim();
            current = match section.split_once(char::is_whitespace) {
                Some(("profile", name)) => Some(name.trim().to_owned()),
                Some(_) => None,
                None => Some(section.to_owned()),
            };
            if let Some(name) = &current {
                profiles.entry(name.clone()).or_default();
            }
        } else if let (Some(name), Some((key, value))) = (&current, line.split_once('=')) {
            let value = [" #", " ;", "\t#", "\t;"]
                .iter()
                .fold(value, |value, comment| value.split_once(comment).map_or(value, |(before, _)| before));
            let settings = profiles.entry(name.clone()).or_default();
            settings.insert(key.trim().to_ascii_lowercase(), value.trim().into());
        }
    }
    profiles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_and_settings_are_read_and_the_rest_is_left_out() {
        let text = "ignored = 1\n# a comment\n[default]\naws_access_key_id = A # behind\nAWS_Secret_Access_Key=a=b#c\n\
                    s3 =\n  max = 3\nno setting\n[profile dev]\nregion = x\n[sso-session corp]\nregion = y\n[default]\nmore = 1\n";
        let profiles = profiles(text);
        assert_eq!(profiles.keys().collect::<Vec<_>>(), ["default", "dev"]);
        let default = &profiles["default"];
        assert_eq!(default["aws_access_key_id"].expose(), "A");
        assert_eq!(default["aws_secret_access_key"].expose(), "a=b#c");
        assert_eq!(
            (default["more"].expose().as_str(), profiles["dev"]["region"].expose().as_str()),
            ("1", "x")
        );
        assert!(!default.contains_key("max"));
    }
}
