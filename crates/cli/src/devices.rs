//! `lunchroom-cli devices`.

use anyhow::Result;
use engine::{DeviceKind, devices_now};
use serde_json::json;

pub(crate) async fn run(as_json: bool) -> Result<()> {
    for device in tokio::task::spawn_blocking(devices_now).await? {
        let kind = match device.kind {
            DeviceKind::Camera => "camera",
            DeviceKind::Microphone => "microphone",
            DeviceKind::Speaker => "speaker",
        };
        if as_json {
            let line = json!({"kind": kind, "id": device.id, "name": device.name, "default": device.default,
                "synthetic": device.synthetic});
            println!("{line}");
        } else {
            let mark = if device.default { "*" } else { " " };
            println!("{mark} {kind:<11} {:<40} {}", device.name, device.id);
        }
    }
    Ok(())
}
