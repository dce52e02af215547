//! The settings file, and names of settings that do not exist.

use std::path::Path;

use clap::CommandFactory as _;
use toml::de::{DeTable, DeValue};

use super::{Cli, Settings};
use crate::error::StartError;

/// Settings that only flags and the environment have.
const NOT_IN_FILES: [&str; 5] = ["config", "log", "log-json", "help", "version"];
/// What every environment variable of a setting begins with.
const VARIABLE: &str = "LUNCHROOM_";
/// Variables of the tests and of the other programs.
const VARIABLES_OF_OTHERS: &str = "LUNCHROOM_TEST_";
/// Longest name that is compared with the settings. Comparing costs the product of the lengths.
const MAX_NAME: usize = 64;
/// Fewest letters that are taken for the beginning of a name.
const SHORTEST_BEGINNING: usize = 3;

/// Reads a file.
pub(super) fn read(path: &Path) -> Result<Settings, StartError> {
    let wrong = |text: String| StartError::Config(text);
    let text = std::fs::read_to_string(path)
        .map_err(|error| wrong(format!("cannot read the settings in {}: {error}", path.display())))?;
    let misnamed = misnamed(&text);
    if !misnamed.is_empty() {
        return Err(wrong(format!("in {}: {}", path.display(), misnamed.join("\n"))));
    }
    // The error of `toml` names the line and quotes it.
    toml::from_str(&text).map_err(|error| wrong(format!("in {}: {error}", path.display())))
}

/// A sentence about each environment variable that looks like a setting and is none.
pub fn misnamed_variables<'a>(variables: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let command = Cli::command();
    let known: Vec<&str> = command.get_arguments().filter_map(|arg| arg.get_env()?.to_str()).collect();
    let ours = |name: &&str| name.starts_with(VARIABLE) && !name.starts_with(VARIABLES_OF_OTHERS);
    let unknown = variables.into_iter().filter(ours).filter(|name| !known.contains(name));
    unknown.map(|name| sentence("the environment has", name, nearest(name, &known))).collect()
}

/// A sentence about each name in the text that is no setting. Empty if the text is no TOML: its parser says more.
fn misnamed(text: &str) -> Vec<String> {
    let Ok(table) = DeTable::parse(text) else { return Vec::new() };
    let command = Cli::command();
    let known: Vec<&str> =
        command.get_arguments().filter_map(|arg| arg.get_long()).filter(|name| !NOT_IN_FILES.contains(name)).collect();
    let mut found: Vec<(usize, String)> = Vec::new();
    for (name, value) in table.get_ref() {
        if known.contains(&name.get_ref().as_ref()) {
            continue;
        }
        let at = name.span().start;
        let place = format!("line {}", text[..at].matches('\n').count() + 1);
        found.push((at, about(&place, name.get_ref(), value.get_ref(), &known)));
    }
    found.sort();
    found.into_iter().map(|(_, text)| text).collect()
}

fn about(place: &str, name: &str, value: &DeValue<'_>, known: &[&str]) -> String {
    if matches!(value, DeValue::Table(_)) {
        return format!("{place}: the file has no sections; write the settings of [{name}] without it");
    }
    if NOT_IN_FILES.contains(&name) {
        return format!("{place}: {name} is only a flag, or an environment variable: --{name}");
    }
    sentence(&format!("{place} has"), name, nearest(name, known))
}

fn sentence(place: &str, name: &str, nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!("{place} {name:?}, which is no setting; did you mean {nearest}?"),
        None => format!("{place} {name:?}, which is no setting; lunchroom-server --help lists all"),
    }
}

/// The setting that was probably meant: the name with the fewest letters changed, at most a third of them, or else the
/// shortest one that begins with it, or ends with the same words.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let same_kind = known.first().is_some_and(|name| name.starts_with(VARIABLE));
    let name = if same_kind { name.to_uppercase() } else { name.to_lowercase().replace('_', "-") };
    if name.len() > MAX_NAME {
        return None;
    }
    let distance = |candidate: &&str| strsim::damerau_levenshtein(&name, candidate);
    let close = known.iter().copied().min_by_key(distance).filter(|near| distance(near) * 3 <= near.len());
    let part = |candidate: &&&str| {
        let ends = candidate.strip_suffix(name.as_str()).is_some_and(|rest| rest.ends_with(['-', '_']));
        ends || (name.len() >= SHORTEST_BEGINNING && candidate.starts_with(&name))
    };
    close.or_else(|| known.iter().filter(part).min_by_key(|candidate| candidate.len()).copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misnamed_setting_is_named_with_its_line_and_the_nearest_one() {
        for (text, line, near) in [
            ("listen = '127.0.0.1:1'\n# more\nmax-romms = 3", "line 3", "max-rooms"),
            ("max_rooms = 3", "line 1", "max-rooms"),
            ("Member-Secret = 'x'", "line 1", "member-secret"),
            ("\n\ntls-cert = 'x'", "line 3", "tls-certificate"),
            ("tls-private-key = 'x'", "line 1", "--help"),
            ("certificate = 'x'", "line 1", "tls-certificate"),
            ("rooms = 7", "line 1", "max-rooms"),
            ("[turn]\nports = '1-2'", "line 1", "no sections"),
            ("log = 'debug'", "line 1", "--log"),
        ] {
            let found = misnamed(text);
            let [found] = found.as_slice() else { panic!("{text}: {found:?}") };
            assert!(found.contains(line) && found.contains(near), "{text}: {found}");
        }
    }

    #[test]
    fn every_misnamed_setting_is_named_in_the_order_of_the_file() {
        let found = misnamed("zonne = 'UTC'\nmax-rooms = 3\nlissten = 'x'");
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("did you mean zone?") && found[1].contains("did you mean listen?"), "{found:?}");
    }

    #[test]
    fn a_name_like_no_setting_gets_no_suggestion() {
        assert_eq!(nearest("colour", &["listen", "zone"]), None);
        assert_eq!(nearest(&"x".repeat(100_000), &["listen"]), None);
    }

    #[test]
    fn a_misnamed_variable_is_noticed() {
        let found = misnamed_variables(["PATH", "LUNCHROOM_LISTNE", "LUNCHROOM_LISTEN", "LUNCHROOM_TEST_ROLE"]);
        let [found] = found.as_slice() else { panic!("{found:?}") };
        assert!(found.contains("LUNCHROOM_LISTNE") && found.contains("did you mean LUNCHROOM_LISTEN?"), "{found}");
    }
}
