//! Links libvpx statically where the system has it so, and refuses to build H.264 and MJPEG without their assembly: that
//! would work, three times slower.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=NASM");
    link_vpx();
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

/// The archive, if there is one, comes before the shared library that `env-libvpx-sys` asks for, and leaves that nothing to
/// resolve, so that the linker drops it. One program then runs on every release of a system, whose shared libvpx each has
/// another name, and libvpx takes its memory from `src/vpx/memory.rs`. `VPX_DYNAMIC` and `VPX_LIB_DIR` leave the choice to
/// who builds, as they do in `env-libvpx-sys`.
fn link_vpx() {
    println!("cargo:rustc-check-cfg=cfg(static_vpx)");
    println!("cargo:rerun-if-env-changed=VPX_DYNAMIC");
    println!("cargo:rerun-if-env-changed=VPX_LIB_DIR");
    let chosen = ["VPX_DYNAMIC", "VPX_LIB_DIR"].iter().any(|name| env::var_os(name).is_some());
    if chosen || env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os != "linux") {
        return;
    }
    if let Some(folder) = vpx_folders().into_iter().find(|folder| folder.join("libvpx.a").is_file()) {
        println!("cargo:rustc-link-search=native={}", folder.display());
        println!("cargo:rustc-link-lib=static=vpx");
        println!("cargo:rustc-cfg=static_vpx");
    }
}

/// Where the archive may lie: Debian's `vpx.pc` names a folder above the right one, but lies in a folder of that.
fn vpx_folders() -> Vec<PathBuf> {
    let said = |name| pkg_config::get_variable("vpx", name).ok().map(PathBuf::from);
    let beside = said("pcfiledir").and_then(|folder| folder.parent().map(Path::to_owned));
    beside.into_iter().chain(said("libdir")).collect()
}

fn nasm_answers() -> bool {
    let nasm = env::var_os("NASM").unwrap_or_else(|| "nasm".into());
    Command::new(nasm).arg("-v").output().is_ok_and(|output| output.status.success())
}
