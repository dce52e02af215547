//! The server program.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Parser as _;
use server::Server;
use server::settings::Cli;
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// What is logged unless told otherwise: no address of a client is above debug.
const DEFAULT_LOG: &str = "info";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lunchroom-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let cli = Cli::parse();
    start_log(&cli)?;
    let config = cli.into_config()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    runtime.block_on(async {
        // Listened for before the address is told: whoever has read it may end us at once, and sessions still get `bye`.
        let stop = StopSignal::listen()?;
        let server = Server::start(config).await?;
        announce(&server)?;
        let signal = stop.received().await?;
        tracing::info!(signal, "stopping");
        server.stop().await;
        Ok(())
    })
}

fn start_log(cli: &Cli) -> anyhow::Result<()> {
    let text = cli.log.as_deref().unwrap_or(DEFAULT_LOG);
    let filter = EnvFilter::try_new(text).with_context(|| format!("--log {text:?}"))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let log = log.with_ansi(std::io::stderr().is_terminal());
    if cli.log_json {
        log.json().init()
    } else {
        log.init()
    }
    Ok(())
}

/// Tells on standard output, for people and for programs that wait for it.
fn announce(server: &Server) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on {}", server.url())?;
    if let Some(fingerprint) = server.fingerprint() {
        writeln!(out, "fingerprint {}", URL_SAFE_NO_PAD.encode(fingerprint))?;
    }
    if let Some(turn) = server.turn_addr() {
        writeln!(out, "turn on udp {turn}")?;
    }
    out.flush()?;
    tracing::info!(listen = %server.addr(), url = server.url(), "serving");
    Ok(())
}

/// What ends the program from outside.
#[cfg(unix)]
struct StopSignal {
    terminate: Signal,
    interrupt: Signal,
}

#[cfg(unix)]
impl StopSignal {
    /// From here on a signal waits to be received and does not kill the process.
    fn listen() -> anyhow::Result<StopSignal> {
        Ok(StopSignal { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn received(mut self) -> anyhow::Result<&'static str> {
        Ok(tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        })
    }
}

/// What ends the program from outside.
#[cfg(windows)]
struct StopSignal {
    interrupt: tokio::signal::windows::CtrlC,
}

#[cfg(windows)]
impl StopSignal {
    /// From here on Ctrl+C waits to be received and does not kill the process.
    fn listen() -> anyhow::Result<StopSignal> {
        Ok(StopSignal { interrupt: tokio::signal::windows::ctrl_c()? })
    }

    async fn received(mut self) -> anyhow::Result<&'static str> {
        self.interrupt.recv().await;
        Ok("Ctrl+C")
    }
}
