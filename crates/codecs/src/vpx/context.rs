//! The codec instance that libvpx's encoders and decoders share.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::raw::c_int;
use vpx_sys as vpx;

/// Owns a `vpx_codec_ctx_t`. Boxed, because libvpx may keep pointers into it.
pub(super) struct Context {
    raw: Box<vpx::vpx_codec_ctx_t>,
}

// SAFETY: libvpx does not bind an instance to a thread; it only forbids concurrent use, and every use of `raw` requires
// `&mut self`.
unsafe impl Send for Context {}

impl Context {
    /// Opens an encoder.
    pub(super) fn encoder(
        iface: *const vpx::vpx_codec_iface_t,
        config: &vpx::vpx_codec_enc_cfg_t,
    ) -> Result<Self, String> {
        let mut raw = Box::new(blank());
        // SAFETY: `raw` and `config` live through the call, `iface` is one of libvpx's own statics.
        let code =
            unsafe { vpx::vpx_codec_enc_init_ver(&mut *raw, iface, config, 0, vpx::VPX_ENCODER_ABI_VERSION as c_int) };
        Self::opened(raw, code)
    }

    /// Opens a decoder.
    pub(super) fn decoder(iface: *const vpx::vpx_codec_iface_t, threads: u32) -> Result<Self, String> {
        let mut raw = Box::new(blank());
        let config = vpx::vpx_codec_dec_cfg_t { threads, w: 0, h: 0 };
        // SAFETY: as above; libvpx copies `config`.
        let code =
            unsafe { vpx::vpx_codec_dec_init_ver(&mut *raw, iface, &config, 0, vpx::VPX_DECODER_ABI_VERSION as c_int) };
        Self::opened(raw, code)
    }

    /// The instance, to pass to libvpx.
    pub(super) fn raw(&mut self) -> *mut vpx::vpx_codec_ctx_t {
        &mut *self.raw
    }

    /// Sets a control that takes an `int` or `unsigned int`.
    pub(super) fn control(&mut self, id: impl ControlId, value: c_int) -> Result<(), String> {
        // SAFETY: `ControlId` is implemented for encoder controls only, and all that this module passes take one int.
        let code = unsafe { vpx::vpx_codec_control_(self.raw(), id.id(), value) };
        self.check(code)
    }

    /// Converts a result code to libvpx's error message.
    pub(super) fn check(&mut self, code: vpx::vpx_codec_err_t) -> Result<(), String> {
        match code {
            vpx::vpx_codec_err_t::VPX_CODEC_OK => Ok(()),
            other => Err(self.message(other)),
        }
    }

    fn opened(raw: Box<vpx::vpx_codec_ctx_t>, code: vpx::vpx_codec_err_t) -> Result<Self, String> {
        let mut context = Context { raw };
        match code {
            vpx::vpx_codec_err_t::VPX_CODEC_OK => Ok(context),
            other => Err(context.message(other)), // libvpx has freed its memory; destroying it again is harmless
        }
    }

    fn message(&mut self, code: vpx::vpx_codec_err_t) -> String {
        // SAFETY: both return static or instance-owned C strings, or null. They are copied before any other call.
        let (text, detail) =
            unsafe { (text(vpx::vpx_codec_err_to_string(code)), text(vpx::vpx_codec_error_detail(self.raw()))) };
        match detail.is_empty() {
            true => text,
            false => format!("{text}: {detail}"),
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: the instance is initialised, or zeroed, for which libvpx returns an error.
        unsafe { vpx::vpx_codec_destroy(&mut *self.raw) };
    }
}

/// A control that takes one int.
pub(super) trait ControlId {
    fn id(self) -> c_int;
}

impl ControlId for vpx::vp8e_enc_control_id {
    fn id(self) -> c_int {
        self as c_int
    }
}

/// The encoder's default configuration.
pub(super) fn default_config(iface: *const vpx::vpx_codec_iface_t) -> Result<vpx::vpx_codec_enc_cfg_t, String> {
    let mut config = MaybeUninit::<vpx::vpx_codec_enc_cfg_t>::zeroed();
    // SAFETY: libvpx fills the whole structure, or fails.
    let code = unsafe { vpx::vpx_codec_enc_config_default(iface, config.as_mut_ptr(), 0) };
    match code {
        // SAFETY: filled by the call.
        vpx::vpx_codec_err_t::VPX_CODEC_OK => Ok(unsafe { config.assume_init() }),
        other => Err(format!("no default configuration ({other:?})")),
    }
}

fn blank() -> vpx::vpx_codec_ctx_t {
    // SAFETY: a plain C structure of pointers, integers and an enum whose zero value is VPX_CODEC_OK.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

/// # Safety
/// `text` is null or a C string.
unsafe fn text(text: *const std::os::raw::c_char) -> String {
    match text.is_null() {
        true => String::new(),
        // SAFETY: guaranteed by the caller.
        false => unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned(),
    }
}
