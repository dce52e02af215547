//! `lunchroom-cli devices`.

use anyhow::Result;
use engine::{DeviceKind, ScreenKind, devices_now, screens};
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
    // Without a display there is nothing to share, which is no error here.
    for screen in tokio::task::spawn_blocking(screens).await?.unwrap_or_default() {
        let kind = if screen.kind == ScreenKind::Window { "window" } else { "screen" };
        if as_json {
            println!("{}", json!({"kind": kind, "id": screen.id, "name": screen.name, "size": screen.size}));
        } else {
            println!("  {kind:<11} {:<40} {}", screen.name, screen.id);
        }
    }
    Ok(())
}
