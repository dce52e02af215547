//! Limits of the messages about accounts.

use super::require;
use crate::account::{AccountDevice, AccountInfo, AccountNews, AccountRequest};
use crate::board::AboutAccount;
use crate::limits::{MAX_DEVICE_NAME_CHARS, MAX_DEVICES, MAX_ID_BYTES, MAX_VERIFIER_CHARS, is_sign_in_code};
use crate::message::ErrorCode;
use crate::text::{clean_label, shown_label, shown_name};

pub(super) fn check_request(request: &mut AccountRequest) -> Result<(), ErrorCode> {
    match request {
        AccountRequest::AddDevice { code, verifier, name } => {
            require(is_sign_in_code(code), ErrorCode::Malformed)?;
            let is_verifier = |text: &String| text.len() <= MAX_VERIFIER_CHARS && text.is_ascii();
            require(verifier.as_ref().is_none_or(is_verifier), ErrorCode::Malformed)?;
            *name = clean_label(name, MAX_DEVICE_NAME_CHARS).map_err(|_| ErrorCode::BadName)?;
            Ok(())
        }
        AccountRequest::RemoveDevice { key } => check_key(key),
        AccountRequest::Devices => Ok(()),
    }
}

pub(super) fn check_news(news: &mut AccountNews) -> Result<(), ErrorCode> {
    match news {
        AccountNews::Devices { devices } => check_devices(devices),
        AccountNews::Done { .. } => Ok(()),
    }
}

pub(super) fn check_info(account: Option<&mut AccountInfo>) -> Result<(), ErrorCode> {
    let Some(AccountInfo { person, name }) = account else { return Ok(()) };
    *name = shown_name(name);
    check_key(person)
}

pub(super) fn check_about(account: &mut AboutAccount) -> Result<(), ErrorCode> {
    account.name = shown_name(&account.name);
    check_devices(&mut account.devices)
}

fn check_devices(devices: &mut Vec<AccountDevice>) -> Result<(), ErrorCode> {
    devices.truncate(MAX_DEVICES);
    for device in devices {
        device.name = shown_label(&device.name, MAX_DEVICE_NAME_CHARS);
        check_key(&device.key)?;
    }
    Ok(())
}

fn check_key(key: &str) -> Result<(), ErrorCode> {
    require(key.len() <= MAX_ID_BYTES, ErrorCode::TooLarge)
}
