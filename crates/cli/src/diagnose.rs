//! `lunchroom-cli doctor`: what this network lets through to a server.

use crate::args::DoctorOptions;
use doctor::{Language, Options, Proxies, Report, Target};
use std::io::Write as _;
use std::process::ExitCode;

/// Prints the report. The exit status is the verdict.
pub(crate) async fn run(options: DoctorOptions) -> ExitCode {
    let DoctorOptions { target, fingerprint, secret, lang, json } = options;
    let target = Target { fingerprint: fingerprint.or(target.fingerprint), ..target };
    let client = concat!("lunchroom-cli ", env!("CARGO_PKG_VERSION")).into();
    let how = Options { proxies: Proxies::System, member_secret: secret, client };
    let seen = doctor::examine(&target, &how).await;
    let diagnosis = doctor::diagnose(&seen);
    let language = lang.map_or_else(|| Language::of_locale(sys_locale::get_locale().as_deref()), Language::from);
    let report = Report::new(&seen, &diagnosis, language);
    let text = match json {
        true => serde_json::to_string(&report).unwrap_or_default(), // it has no map, so it cannot fail
        false => report.lines(language).join("\n"),
    };
    // Whoever closed the pipe still gets the exit status.
    let _ = writeln!(std::io::stdout(), "{text}");
    ExitCode::from(diagnosis.verdict.exit_status())
}
