//! The server program.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Parser as _;
use server::Server;
use server::settings::{Cli, misnamed_variables};
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// The default log filter. Addresses of clients are logged at debug and below only.
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
    let variables: Vec<String> = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect();
    for misnamed in misnamed_variables(variables.iter().map(String::as_str)) {
        tracing::warn!("{misnamed}");
    }
    let config = cli.into_config()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    runtime.block_on(async {
        // Listen for signals before the address is printed: a program that reads it may stop us immediately, and
        // sessions must still receive `bye`.
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
    let mut filter = EnvFilter::try_new(text).with_context(|| format!("--log {text:?}"))?;
    // The WebSocket library writes whole messages at trace, and with them secrets of people.
    if filter.max_level_hint() == Some(LevelFilter::TRACE) {
        filter = filter.add_directive("tungstenite=debug".parse()?);
    }
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let log = log.with_ansi(std::io::stderr().is_terminal());
    if cli.log_json {
        log.json().init()
    } else {
        log.init()
    }
    Ok(())
}

/// Prints the addresses to standard output, for people and for programs that wait for them.
fn announce(server: &Server) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on {}", server.url())?;
    if let Some(fingerprint) = server.fingerprint() {
        writeln!(out, "fingerprint {}", URL_SAFE_NO_PAD.encode(fingerprint))?;
    }
    if let Some(turn) = server.turn_addr() {
        writeln!(out, "turn on udp {turn}")?;
    }
    for turn in server.turn_stream_addrs() {
        writeln!(out, "turn on tcp {turn}")?;
    }
    if let Some(metrics) = server.metrics_addr() {
        writeln!(out, "metrics on http://{metrics}/metrics")?;
    }
    out.flush()?;
    tracing::info!(listen = %server.addr(), url = server.url(), "serving");
    Ok(())
}

/// The signals that stop the program.
#[cfg(unix)]
struct StopSignal {
    terminate: Signal,
    interrupt: Signal,
}

#[cfg(unix)]
impl StopSignal {
    /// From now on these signals are received and no longer kill the process.
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

/// The signals that stop the program.
#[cfg(windows)]
struct StopSignal {
    interrupt: tokio::signal::windows::CtrlC,
}

#[cfg(windows)]
impl StopSignal {
    /// From now on Ctrl+C is received and no longer kills the process.
    fn listen() -> anyhow::Result<StopSignal> {
        Ok(StopSignal { interrupt: tokio::signal::windows::ctrl_c()? })
    }

    async fn received(mut self) -> anyhow::Result<&'static str> {
        self.interrupt.recv().await;
        Ok("Ctrl+C")
    }
}
