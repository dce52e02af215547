//! The window's commands for the person's account on the server with the current session.

use super::TheEngine;
use super::tables::server;
use crate::sign_in::{Code, Failed, SignIn};
use crate::state::CommandError;
use engine::signaling::account::{AccountDevice, AccountRequest};
use engine::{BoardAnswer, Engine};
use tauri::State;
use tokio::sync::watch;

type Answer = Result<(), CommandError>;

/// Counts the sign-ins: a new one ends the one before, whose browser window is lost.
#[derive(Debug)]
pub(crate) struct SignIns(watch::Sender<u64>);

impl Default for SignIns {
    fn default() -> SignIns {
        SignIns(watch::Sender::new(0))
    }
}

/// Opens the browser, waits until the person has signed in there, and adds this device to the account.
#[tauri::command]
pub(crate) async fn account_sign_in(engine: TheEngine<'_>, sign_ins: State<'_, SignIns>) -> Answer {
    let server = server(&engine)?;
    sign_ins.0.send_modify(|number| *number += 1);
    let mut others = sign_ins.0.subscribe();
    let failed = |error: std::io::Error| CommandError { code: "browser_not_opened".into(), message: error.to_string() };
    let sign_in = SignIn::listen().await.map_err(failed)?;
    let address = sign_in.address(&server.url).ok_or_else(|| failed(std::io::Error::other("no address")))?;
    let opened = tokio::task::spawn_blocking(move || open::that_detached(String::from(address))).await;
    opened.map_err(std::io::Error::other).and_then(|opened| opened).map_err(failed)?;
    let returned = tokio::select! {
        returned = sign_in.wait() => returned,
        _ = others.changed() => return Ok(()),
    };
    match returned {
        Ok(code) => add_device(&engine, code).await,
        Err(Failed::Server(code)) => {
            Err(CommandError { code, message: "the server could not sign the person in".into() })
        }
        Err(Failed::TooLate) => {
            Err(CommandError { code: "sign_in_expired".into(), message: "the browser did not come back".into() })
        }
    }
}

async fn add_device(engine: &Engine, Code { code, verifier }: Code) -> Answer {
    let name = format!("Lunchroom, {}", system());
    let request = AccountRequest::AddDevice { code, verifier: Some(verifier), name };
    Ok(engine.account(request).await.map(drop)?)
}

/// The system's name, for the list of devices. The machine's own name is nobody's business.
fn system() -> &'static str {
    match std::env::consts::OS {
        "macos" => "Mac",
        "windows" => "Windows",
        "linux" => "Linux",
        other => other,
    }
}

/// Returns the devices of the account.
#[tauri::command]
pub(crate) async fn account_devices(engine: TheEngine<'_>) -> Result<Vec<AccountDevice>, CommandError> {
    match engine.account(AccountRequest::Devices).await? {
        BoardAnswer::Devices(devices) => Ok(devices),
        BoardAnswer::Done
        | BoardAnswer::Invite { .. }
        | BoardAnswer::AboutMe(_)
        | BoardAnswer::Photo(_)
        | BoardAnswer::OrderBook(_)
        | BoardAnswer::Calendar { .. } => {
            Err(CommandError { code: "internal".into(), message: "the server sent no devices".into() })
        }
    }
}

/// Removes a device from the account.
#[tauri::command]
pub(crate) async fn remove_device(engine: TheEngine<'_>, key: String) -> Answer {
    Ok(engine.account(AccountRequest::RemoveDevice { key }).await.map(drop)?)
}
