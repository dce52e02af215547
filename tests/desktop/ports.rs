//! Ports on which a program listens (proc_pid_fd(5), proc_net_tcp(5)).

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// TCP_LISTEN in the kernel.
const LISTENS: &str = "0A";

/// Ports of all running processes of the program on the loopback of this network, except the one through which the
/// page is driven (WebKitGTK's `WEBKIT_INSPECTOR_SERVER`).
pub(crate) fn of(program: &str) -> Vec<u16> {
    let program = fs::canonicalize(program).expect("the program");
    let processes = fs::read_dir("/proc").expect("/proc").flatten().map(|entry| entry.path());
    let ours = processes.filter(|process| fs::read_link(process.join("exe")).is_ok_and(|exe| exe == program));
    let ours: Vec<_> = ours.collect();
    let driven: Vec<u16> = ours.iter().filter_map(|process| driven(process)).collect();
    let sockets: BTreeSet<String> = ours.iter().flat_map(|process| sockets(process)).collect();
    let table = fs::read_to_string("/proc/net/tcp").expect("/proc/net/tcp");
    let ports = table.lines().skip(1).filter_map(|line| listened(line, &sockets));
    ports.filter(|port| !driven.contains(port)).collect()
}

fn driven(process: &Path) -> Option<u16> {
    let environment = fs::read(process.join("environ")).ok()?;
    let environment = String::from_utf8_lossy(&environment).into_owned();
    let server = environment.split('\0').find_map(|line| line.strip_prefix("WEBKIT_INSPECTOR_SERVER="))?;
    server.rsplit_once(':')?.1.parse().ok()
}

/// Inodes of a process's sockets.
fn sockets(process: &Path) -> Vec<String> {
    let open = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    let links = open.filter_map(|entry| fs::read_link(entry.path()).ok());
    links.filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())).collect()
}

fn listened(line: &str, sockets: &BTreeSet<String>) -> Option<u16> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
    let (_, port) = local.split_once(':')?;
    (*state == LISTENS && sockets.contains(*inode)).then(|| u16::from_str_radix(port, 16).ok()).flatten()
}
