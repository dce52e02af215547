//! Runs one test of this program in a process of its own.

use std::process::Command;

/// Set in the process of a test that runs [`alone`].
const ALONE: &str = "LUNCHROOM_TEST_ALONE";

/// Runs a test in a process of its own: threads that other tests have started are in other networks.
pub fn alone(module: &str, test: &str, body: impl FnOnce()) {
    if std::env::var_os(ALONE).is_some() {
        return body();
    }
    let output = only(module, test).env(ALONE, "1").output().expect("this program runs");
    print!("{}", String::from_utf8_lossy(&output.stdout));
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{test} failed, see above");
}

/// A command that runs only this test of the program. `module` is the `module_path!()` of the test.
pub fn only(module: &str, test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(arguments(module, test));
    command
}

/// The arguments of such a command. Names of tests begin below the crate.
pub fn arguments(module: &str, test: &str) -> [String; 3] {
    let name = match module.split_once("::") {
        Some((_, below)) => format!("{below}::{test}"),
        None => test.to_owned(),
    };
    ["--exact".to_owned(), name, "--nocapture".to_owned()]
}
