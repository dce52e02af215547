//! `--name value` options, all with defaults.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use anyhow::{Context, Result, anyhow, bail};

/// The parsed options.
#[derive(Debug)]
pub(crate) struct Options {
    values: BTreeMap<String, String>,
}

impl Options {
    /// Parses the known options. An unknown option is an error that lists them.
    pub(crate) fn parse(arguments: &[String], known: &[(&str, &str)]) -> Result<Options> {
        let mut values: BTreeMap<String, String> =
            known.iter().map(|(name, default)| ((*name).to_owned(), (*default).to_owned())).collect();
        let mut left = arguments.iter();
        while let Some(argument) = left.next() {
            let name = argument.strip_prefix("--").unwrap_or(argument);
            let (name, attached) = match name.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (name, None),
            };
            let Some(slot) = values.get_mut(name).filter(|_| argument.starts_with("--")) else {
                bail!("no such option: {argument}; the options are {}", listed(known));
            };
            *slot = attached.or_else(|| left.next().cloned()).with_context(|| format!("{argument} needs a value"))?;
        }
        Ok(Options { values })
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    pub(crate) fn number<T: FromStr>(&self, name: &str) -> Result<T>
    where
        T::Err: Display,
    {
        let text = self.text(name);
        text.parse().map_err(|error| anyhow!("--{name} {text}: {error}"))
    }
}

fn listed(known: &[(&str, &str)]) -> String {
    known.iter().map(|(name, default)| format!("--{name} [{default}]")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[(&str, &str)] = &[("seconds", "30"), ("codec", "auto")];

    fn parse(arguments: &[&str]) -> Result<Options> {
        Options::parse(&arguments.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>(), KNOWN)
    }

    #[test]
    fn missing_options_have_defaults() {
        let options = parse(&["--seconds", "5"]).unwrap();
        assert_eq!(options.number::<u64>("seconds").unwrap(), 5);
        assert_eq!(options.text("codec"), "auto");
        assert_eq!(parse(&["--codec=vp9"]).unwrap().text("codec"), "vp9");
    }

    #[test]
    fn invalid_options_are_refused() {
        for bad in [&["--second", "5"][..], &["seconds", "5"], &["--seconds"], &["5"]] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
        assert!(parse(&["--seconds", "many"]).unwrap().number::<u64>("seconds").is_err());
    }
}
