//! Compiles the one function that Rust cannot express: ALSA's variadic error handler.

fn main() {
    println!("cargo:rerun-if-changed=src/audio/alsa_log.c");
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        cc::Build::new().file("src/audio/alsa_log.c").warnings(true).compile("lunchroom_alsa_log");
    }
}
