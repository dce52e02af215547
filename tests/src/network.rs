//! Separate networks: network namespaces with virtual cables between them, invisible to the rest of the machine.
//!
//! They have no names and live as long as something holds them open, so nothing is left over, however a test
//! ends.

use crate::skip::{skip, skip_unless};
use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};
use std::process::{Child, Command};
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};

/// A network namespace. Clones refer to the same one.
#[derive(Debug, Clone)]
pub struct Network(Arc<File>);

impl Network {
    /// Whether namespaces can be created here. Reports a skip if not.
    pub fn available() -> bool {
        // SAFETY: only reads the process's user id.
        let root = unsafe { libc::geteuid() } == 0;
        (root || skip("network namespaces need root")) && skip_unless("ip")
    }

    /// Creates a namespace with a loopback device.
    pub fn new() -> Network {
        let made = std::thread::spawn(|| {
            // SAFETY: moves only this thread into a new namespace, and the thread ends here.
            let done = unsafe { libc::unshare(libc::CLONE_NEWNET) };
            assert_eq!(done, 0, "unshare: {}", std::io::Error::last_os_error());
            File::open("/proc/thread-self/ns/net").expect("the namespace")
        });
        let network = Network(Arc::new(made.join().expect("a namespace")));
        network.ip("link set lo up");
        network
    }

    /// Runs `act` on a thread inside the namespace.
    pub fn inside<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let file = self.0.as_raw_fd();
        let inside = move || {
            enter(file);
            act()
        };
        std::thread::scope(|scope| scope.spawn(inside).join().expect("no panic inside"))
    }

    /// Starts a program inside the namespace.
    pub fn spawn(&self, command: &mut Command) -> Child {
        self.inside(|| command.spawn().expect("the program starts"))
    }

    /// Runs `ip` inside the namespace.
    pub fn ip(&self, arguments: &str) {
        self.run("ip", arguments);
    }

    /// Runs an administrator's tool inside the namespace and waits for it.
    pub fn run(&self, tool: &str, arguments: &str) {
        let file = crate::skip::find(tool).expect("installed");
        let mut command = Command::new(file);
        let output = self.inside(|| command.args(arguments.split(' ')).output().expect("it starts"));
        assert!(output.status.success(), "{tool} {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Creates a tokio runtime whose sockets are all inside the namespace.
    pub fn runtime(&self) -> Runtime {
        let network = self.clone();
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(2).enable_all().on_thread_start(move || enter(network.0.as_raw_fd()));
        builder.build().expect("a runtime")
    }

    /// Connects this network to another by a cable. Each end has a name and an IPv4 address with its prefix length.
    pub fn cable(&self, end: (&str, &str), other: &Network, far: (&str, &str)) {
        let to = format!("/proc/{}/fd/{}", std::process::id(), other.0.as_raw_fd());
        self.ip(&format!("link add {} type veth peer name {} netns {to}", end.0, far.0));
        for (network, (name, address)) in [(self, end), (other, far)] {
            network.ip(&format!("address add {address} dev {name}"));
            network.ip(&format!("link set {name} up"));
        }
    }
}

impl Default for Network {
    fn default() -> Network {
        Network::new()
    }
}

fn enter(file: RawFd) {
    // SAFETY: the file is open for as long as its network, and only the calling thread moves.
    let done = unsafe { libc::setns(file, libc::CLONE_NEWNET) };
    assert_eq!(done, 0, "setns: {}", std::io::Error::last_os_error());
}
