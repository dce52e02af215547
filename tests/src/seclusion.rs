//! A network of the test's own: browsers gather every address they find, and none of this machine's is to be found.
//!
//! A test runs itself anew in new network, process and mount namespaces, where there is one interface beside `lo`, with
//! a private address and multicast, so that `.local` names (RFC 6762) are asked for and answered.

use crate::scratch::Scratch;
use crate::skip::{find, skip, skip_unless};
use std::process::{Command, Output};
use std::sync::Mutex;

/// Tells the inner process that it is one.
const INSIDE: &str = "LUNCHROOM_TEST_NETWORK";
/// The interface and its address. RFC 1918.
const SETUP: [&str; 5] = [
    "link set lo up",
    "link add lan type veth peer name far",
    "address add 10.77.0.1/24 dev lan",
    "link set far up",
    "link set lan up multicast on",
];
/// Multicast leaves by it, and it is the way to everywhere else, where nobody answers.
const ROUTE: &str = "route add default dev lan";

/// One at a time: two browsers on a small machine would measure each other.
static TURN: Mutex<()> = Mutex::new(());

/// Runs `body` in a network of its own, or says why that cannot be and is false. `test` is the test's name.
pub fn within(test: &str, body: impl FnOnce()) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        body();
        return true;
    }
    if !["unshare", "ip", "node"].into_iter().all(skip_unless) || !may_unshare() {
        return false;
    }
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    // Profiles of browsers go here, and with it.
    let scratch = Scratch::new("browser-test");
    let mut command = unshare();
    command.arg(std::env::current_exe().expect("this program"));
    command.args(["--exact", test, "--nocapture"]).env(INSIDE, "1").env("TMPDIR", scratch.path());
    let output = command.output().expect("unshare runs");
    tell(&output);
    assert!(output.status.success(), "{test} failed, see above");
    true
}

/// Sets the interface up. Called once, inside.
pub fn set_up() {
    let ip = find("ip").expect("found outside");
    for line in SETUP.iter().chain([&ROUTE]) {
        let status = Command::new(&ip).args(line.split(' ')).status().expect("ip runs");
        assert!(status.success(), "ip {line}");
    }
}

/// Everything inside ends with the test: no browser outlives it. Propagation is left alone: in a chroot "/" is no mount.
fn unshare() -> Command {
    let mut command = Command::new(find("unshare").expect("found"));
    command.args([
        "--net",
        "--mount",
        "--propagation",
        "unchanged",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "--",
    ]);
    command
}

fn may_unshare() -> bool {
    let tried = unshare().arg(find("ip").expect("found")).args(SETUP[1].split(' ')).output();
    match tried {
        Ok(output) if output.status.success() => true,
        Ok(output) => skip(&format!("no network of our own: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => skip(&format!("no network of our own: {error}")),
    }
}

/// Into this test's own captured output.
fn tell(output: &Output) {
    print!("{}", String::from_utf8_lossy(&output.stdout));
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
}
