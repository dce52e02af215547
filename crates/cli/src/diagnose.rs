//! `lunchroom-cli doctor`: what this network lets through to a server.

use crate::args::DoctorOptions;
use doctor::{Language, Options, Proxies, Target};
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
    let text = if json {
        doctor::json(&seen, &diagnosis, language).to_string()
    } else {
        doctor::lines(&seen, &diagnosis, language).join("\n")
    };
    // Whoever closed the pipe still gets the exit status.
    let _ = writeln!(std::io::stdout(), "{text}");
    ExitCode::from(diagnosis.verdict.exit_status())
}
