//! A room in `lunchroom-server`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, Result};
use signaling::message::ParticipantId;
use str0m::crypto::dtls::DtlsCert;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::Options;
use crate::connection::{Connection, Lines, Place};
use crate::line::Line;

/// A running server. It ends when this is dropped.
pub(crate) struct Lunchroom {
    pub(crate) process: Child,
    folder: PathBuf,
    server: SocketAddr,
}

impl Lunchroom {
    pub(crate) async fn start(options: &Options) -> Result<Lunchroom> {
        let folder = std::env::temp_dir().join(format!("lunchroom-forward-load-{}", std::process::id()));
        let mut process = Command::new(&options.server)
            .args(["--listen", "127.0.0.1:0", "--no-turn", "--forward-from", "2", "--forward-listen"])
            .arg(SocketAddr::new(options.address, 0).to_string())
            .env("LUNCHROOM_DATA_DIR", &folder)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} does not start", options.server.display()))?;
        let mut lines = BufReader::new(process.stdout.take().context("piped")?).lines();
        let line = lines.next_line().await?.unwrap_or_default();
        let server = line.strip_prefix("listening on ws://").context("no address")?.parse()?;
        Ok(Lunchroom { process, folder, server })
    }

    /// Everybody joins, and has one connection for all.
    pub(crate) async fn connect(&self, options: &Options, certificate: &DtlsCert) -> Result<Vec<Connection>> {
        let mut lines = Vec::new();
        for n in 0..options.people {
            lines.push(Line::join(self.server, n).await?);
        }
        let cameras: Vec<ParticipantId> = lines.iter().take(options.cameras).map(|line| line.id.clone()).collect();
        let mut connections = Vec::new();
        for (n, mut line) in lines.into_iter().enumerate() {
            let author = u8::try_from(n).ok().filter(|_| n < options.cameras);
            let (voices, speaks) = (options.voices, n < options.voices);
            let lines = Lines { author, speaks, voices, pictures: options.cameras };
            let (mut connection, offer) =
                Connection::offer(&Place { ip: options.address, certificate, person: n }, lines)?;
            connection.accept(&line.answer(offer).await?)?;
            let others: Vec<ParticipantId> = cameras.iter().filter(|id| **id != line.id).cloned().collect();
            line.view(&others, options.tile).await?;
            tokio::spawn(line.stay());
            connections.push(connection);
        }
        Ok(connections)
    }
}

impl Drop for Lunchroom {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
