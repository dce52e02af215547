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
    /// The certificate or its key cannot be used.
    #[error("cannot use {}: {reason}", path.display())]
    Certificate {
        /// The file of the certificate or the key.
        path: PathBuf,
        /// The error, and what to do.
        reason: String,
    },
    /// The folder for generated secrets cannot be used.
    #[error("cannot keep data in {}: {source}; choose another folder with --data-dir", path.display())]
    Data {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file of the board cannot be used.
    #[error("cannot use the board in {}: {reason}; if another server uses it, stop that server; otherwise move the file away to start with an empty board", path.display())]
    Store {
        /// The file of the board.
        path: PathBuf,
        /// The error.
        reason: String,
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

impl StartError {
    /// A stable code for programs and translations.
    pub fn code(&self) -> &'static str {
        match self {
            StartError::Listen { .. } => "server_listen",
            StartError::TurnListen { .. } | StartError::TurnStreamListen { .. } => "server_turn_listen",
            StartError::Certificate { .. } => "server_certificate",
            StartError::Data { .. } => "server_data",
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
        io::ErrorKind::PermissionDenied => {
            format!("not allowed (ports below 1024 need privileges); choose another with {setting}")
        }
        _ => format!("{error}; choose another address with {setting}"),
    }
}
