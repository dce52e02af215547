//! Why a server cannot start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a server cannot start, and how to fix it.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The TCP address cannot be listened on.
    #[error("cannot listen on {address}: {}", listen_advice(.source, "--listen"))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// The UDP address of STUN and TURN cannot be listened on.
    #[error("cannot serve STUN and TURN on UDP {address}: {}", listen_advice(.source, "--turn-listen, or disable both with --no-turn"))]
    TurnListen {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// The TCP address of TURN cannot be listened on.
    #[error("cannot serve TURN on TCP {address}: {}", listen_advice(.source, "--turn-listen or --turn-stream-listen"))]
    TurnStreamListen {
        /// The address or file.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The UDP address of the forwarder cannot be listened on.
    #[error("cannot forward media on UDP {address}: {}", listen_advice(.source, "--forward-listen"))]
    ForwardListen {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// The TCP address of metrics cannot be listened on.
    #[error("cannot serve metrics on TCP {address}: {}", listen_advice(.source, "--metrics-listen"))]
    MetricsListen {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// The certificate or its key cannot be used.
    #[error("cannot use {}: {reason}", path.display())]
    Certificate {
        /// The file of the certificate or the key.
        path: PathBuf,
        /// The error, and what to do.
        reason: String,
    },
    /// The folder for generated secrets cannot be used.
    #[error("cannot keep data in {}: {}", path.display(), folder_advice(.source))]
    Data {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file of the board cannot be used.
    #[error("cannot use the board in {}: {fault}", path.display())]
    Store {
        /// The file of the board.
        path: PathBuf,
        /// Why, and what to do.
        fault: StoreFault,
    },
    /// The operating system cannot start a thread.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
    /// The settings are invalid or contradict each other.
    #[error("{0}")]
    Config(String),
    /// The operating system cannot provide random numbers.
    #[error("the operating system cannot provide random numbers: {0}")]
    Random(getrandom::Error),
}

/// Why the file of the board cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreFault {
    /// A newer version of the server has written it.
    #[error(
        "a newer version of the server has written it (format {found}; this version knows up to {known}); install that \
         version or a later one, or put back a backup of the data folder that this version made"
    )]
    Newer {
        /// The format of the file.
        found: i64,
        /// The newest format that this version knows.
        known: i64,
    },
    /// Another process has it open.
    #[error("another server uses it; stop that server, or choose another folder with --data-dir")]
    InUse,
    /// There is no room to write.
    #[error("the disk is full; free some space, or choose a folder on another disk with --data-dir")]
    DiskFull,
    /// This user may not read or write it.
    #[error("this user may not write there; give the data folder to this user, or choose another with --data-dir")]
    NotAllowed,
    /// It is no file of a board, or is damaged.
    #[error(
        "it is damaged ({0}); put back a backup of the data folder, or move the file away to start with an empty board"
    )]
    Damaged(String),
    /// Anything else.
    #[error("{0}; check the disk, or choose another folder with --data-dir")]
    Other(String),
}

impl StartError {
    /// A stable code for programs and translations.
    pub fn code(&self) -> &'static str {
        match self {
            StartError::Listen { .. } => "server_listen",
            StartError::TurnListen { .. } | StartError::TurnStreamListen { .. } => "server_turn_listen",
            StartError::ForwardListen { .. } => "server_forward_listen",
            StartError::MetricsListen { .. } => "server_metrics_listen",
            StartError::Certificate { .. } => "server_certificate",
            StartError::Data { .. } => "server_data",
            StartError::Store { fault: StoreFault::Newer { .. }, .. } => "server_store_newer",
            StartError::Store { .. } => "server_store",
            StartError::Thread(_) => "server_thread",
            StartError::Config(_) => "server_config",
            StartError::Random(_) => "server_random",
        }
    }
}

fn listen_advice(error: &io::Error, setting: &str) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("another program uses it; stop that program, or choose another address with {setting}")
        }
        io::ErrorKind::AddrNotAvailable => format!("this machine has no such address; choose another with {setting}"),
        io::ErrorKind::PermissionDenied => format!(
            "this user may not use ports below 1024; allow it (systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE; \
             otherwise: setcap cap_net_bind_service=+ep on the program), or choose another port with {setting}"
        ),
        _ => format!("{error}; choose another address with {setting}"),
    }
}

fn folder_advice(error: &io::Error) -> String {
    let other = "or choose another folder with --data-dir";
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            format!("the disk is full; free some space, {other}")
        }
        io::ErrorKind::PermissionDenied => {
            format!("this user may not write there; give the folder to this user, {other}")
        }
        io::ErrorKind::ReadOnlyFilesystem => format!("the disk is read-only; make it writable, {other}"),
        _ => format!("{error}; repair that, {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_below_1024_without_the_right_says_how_to_get_it() {
        let source = io::Error::from(io::ErrorKind::PermissionDenied);
        let text = StartError::Listen { address: ([0, 0, 0, 0], 443).into(), source }.to_string();
        for word in ["0.0.0.0:443", "below 1024", "CAP_NET_BIND_SERVICE", "setcap", "--listen"] {
            assert!(text.contains(word), "{text}");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_written_says_what_to_do() {
        for (kind, word) in [
            (io::ErrorKind::StorageFull, "free some space"),
            (io::ErrorKind::PermissionDenied, "give the folder to this user"),
            (io::ErrorKind::ReadOnlyFilesystem, "make it writable"),
            (io::ErrorKind::NotADirectory, "repair that"),
        ] {
            let text = StartError::Data { path: "/var/lib/lunchroom".into(), source: kind.into() }.to_string();
            assert!(text.contains(word) && text.contains("--data-dir") && text.contains("/var/lib"), "{text}");
        }
    }
}
