//! A separate network for one test. Browsers gather every address of the machine, and must not find the real ones.
//!
//! A test runs itself again in new network, process and mount namespaces. These have one interface beside `lo`, with
//! a private address and multicast, so that `.local` names (RFC 6762) can be resolved.

use crate::scratch::Scratch;
use crate::skip::{find, skip, skip_unless};
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// Marks the inner process.
const INSIDE: &str = "LUNCHROOM_TEST_NETWORK";
/// The interface and its address (RFC 1918). No automatic address appears on it later.
const SETUP: [&str; 7] = [
    "link set lo up",
    "link add lan type veth peer name far",
    "link set lan addrgenmode none",
    "link set far addrgenmode none",
    "address add 10.77.0.1/24 dev lan",
    "link set far up",
    "link set lan up multicast on",
];
/// The route for multicast and for all other addresses, from which no answer comes.
const ROUTE: &str = "route add default dev lan";

/// Longest wait until both ends of the interface have a carrier.
const SETTLES: Duration = Duration::from_secs(120);

/// Runs `body` in a separate network. Returns false, and reports why, if that is impossible. `test` is the test's
/// name.
pub fn within(test: &str, body: impl FnOnce()) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        body();
        return true;
    }
    if !["unshare", "ip", "node"].into_iter().all(skip_unless) || !may_unshare() {
        return false;
    }
    // Browsers create their profiles here, so these are removed too.
    let scratch = Scratch::new("browser-test");
    let mut command = unshare();
    command.arg(std::env::current_exe().expect("this program"));
    command.args(["--exact", test, "--nocapture"]).env(INSIDE, "1").env("TMPDIR", scratch.path());
    let output = command.output().expect("unshare runs");
    tell(&output);
    assert!(output.status.success(), "{test} failed, see above");
    true
}

/// Sets up the interface and waits until it is stable: a browser aborts loading when its network changes. Called
/// once, inside the network.
pub fn set_up() {
    let ip = find("ip").expect("found outside");
    for line in SETUP.iter().chain([&ROUTE]) {
        let status = Command::new(&ip).args(line.split(' ')).status().expect("ip runs");
        assert!(status.success(), "ip {line}");
    }
    let start = Instant::now();
    while carrying(&ip) < 2 {
        assert!(start.elapsed() < SETTLES, "the test's own interface gets no carrier");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Number of interfaces beside `lo` that the kernel reports as up. The report may come up to a second after setup.
fn carrying(ip: &Path) -> usize {
    let output = Command::new(ip).args(["-o", "link", "show", "up"]).output().expect("ip runs");
    String::from_utf8_lossy(&output.stdout).lines().filter(|line| line.contains(" state UP ")).count()
}

/// Everything inside ends with the test, so no browser outlives it. Propagation is unchanged, because "/" in a
/// chroot is not a mount.
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
        Ok(output) => skip(&format!("no separate network: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => skip(&format!("no separate network: {error}")),
    }
}

/// Prints the output into this test's own captured output.
fn tell(output: &Output) {
    print!("{}", String::from_utf8_lossy(&output.stdout));
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
}
