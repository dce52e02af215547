//! Links libvpx statically if the system has the archive, and refuses to build H.264 and MJPEG without their assembly,
//! because they would work, but three times slower.

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

/// The archive, if there is one, precedes the shared library that `env-libvpx-sys` links. It resolves every symbol, so
/// the linker drops the shared library. The program then runs on every release of a system, although each has a
/// different soname for libvpx, and libvpx uses the memory functions of `src/vpx/memory.rs`. As in `env-libvpx-sys`,
/// `VPX_DYNAMIC` and `VPX_LIB_DIR` override this choice.
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

/// Folders that may contain the archive: Debian's `vpx.pc` names a folder above the right one, but lies in a subfolder
/// of that.
fn vpx_folders() -> Vec<PathBuf> {
    let said = |name| pkg_config::get_variable("vpx", name).ok().map(PathBuf::from);
    let beside = said("pcfiledir").and_then(|folder| folder.parent().map(Path::to_owned));
    beside.into_iter().chain(said("libdir")).collect()
}

fn nasm_answers() -> bool {
    let nasm = env::var_os("NASM").unwrap_or_else(|| "nasm".into());
    Command::new(nasm).arg("-v").output().is_ok_and(|output| output.status.success())
}
