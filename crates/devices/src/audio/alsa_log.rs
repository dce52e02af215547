//! Redirects ALSA's messages to our log. Otherwise ALSA prints a dozen lines to the terminal for each absent device.

use std::ffi::CStr;
use std::os::raw::{c_char, c_int};
use std::sync::Once;

unsafe extern "C" {
    fn lunchroom_alsa_lines(to: extern "C" fn(*const c_char));
    fn lunchroom_alsa_error(
        file: *const c_char,
        row: c_int,
        function: *const c_char,
        error: c_int,
        format: *const c_char,
        ...
    );
}

/// Installs the handler. Must be called before any use of ALSA; later calls do nothing.
pub(super) fn redirect() {
    static REDIRECTED: Once = Once::new();
    REDIRECTED.call_once(|| {
        // SAFETY: the receiver of lines is set before ALSA gets the handler, and both live as long as the program. The
        // handler has the type that ALSA expects.
        let code = unsafe {
            lunchroom_alsa_lines(log_line);
            alsa_sys::snd_lib_error_set_handler(Some(lunchroom_alsa_error))
        };
        if code != 0 {
            tracing::debug!("cannot redirect ALSA's messages ({code})");
        }
    });
}

/// Called on any thread that uses ALSA, sometimes the audio thread. It is fast unless this log level is enabled.
extern "C" fn log_line(text: *const c_char) {
    if tracing::enabled!(target: "devices::alsa", tracing::Level::TRACE) {
        // SAFETY: the C side passes a terminated string that lives through the call.
        let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
        tracing::trace!(target: "devices::alsa", "{text}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alsa_messages_stay_out_of_the_terminal() {
        const ASKED: &str = "LUNCHROOM_TEST_ALSA_LINES";
        if std::env::var_os(ASKED).is_some() {
            crate::audio::list();
            redirect();
            // SAFETY: the format has one argument, of the right type.
            unsafe {
                let (file, format) = (c"x.c".as_ptr(), c"a line about %s".as_ptr());
                lunchroom_alsa_error(file, 1, file, 0, format, c"nothing".as_ptr());
                let mut pcm = std::ptr::null_mut();
                let absent = c"hw:CARD=no-such-card".as_ptr();
                assert!(alsa_sys::snd_pcm_open(&mut pcm, absent, alsa_sys::SND_PCM_STREAM_PLAYBACK, 0) < 0);
            }
            return;
        }
        let name = "audio::alsa_log::tests::alsa_messages_stay_out_of_the_terminal";
        let test = std::env::current_exe().unwrap();
        let output =
            std::process::Command::new(test).args([name, "--exact", "--nocapture"]).env(ASKED, "1").output().unwrap();
        assert!(output.status.success());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("ALSA lib"), "{said}");
    }
}
