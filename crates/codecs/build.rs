//! Refuses to build H.264 and MJPEG without their assembly: it would work, three times slower.

use std::env;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=NASM");
    let arch = env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    if !matches!(arch.as_str(), "x86" | "x86_64") || nasm_answers() {
        return ExitCode::SUCCESS;
    }
    eprintln!(
        "\nnasm was not found on PATH. Without it openh264 silently loses its assembly and encodes three times slower.\n\
         Install it (`cargo xtask setup`, `apt install nasm`, `brew install nasm`, `winget install nasm`), then run\n\
         `cargo clean -p openh264-sys2` so that what was built without it is built again.\n"
    );
    ExitCode::FAILURE
}

fn nasm_answers() -> bool {
    let nasm = env::var_os("NASM").unwrap_or_else(|| "nasm".into());
    Command::new(nasm).arg("-v").output().is_ok_and(|output| output.status.success())
}
