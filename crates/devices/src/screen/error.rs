//! Why a screen cannot be shared.

/// Why a screen or window cannot be shared. The message tells the person what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScreenError {
    /// There is no way yet to share a screen on this system.
    #[error("Sharing a screen is not possible on this system yet. Share it from a browser instead.")]
    Unsupported,
    /// The desktop runs on Wayland.
    #[error("Sharing a screen is not possible on Wayland yet. Log in to an X11 session, or share it from a browser.")]
    Wayland,
    /// There is no X11 display, or it refused the connection.
    #[error("The X11 display cannot be reached. Start the app on the desktop whose screen you want to share.")]
    NoDisplay,
    /// The display lacks an extension or has an unusual pixel format.
    #[error("The X11 display lacks {0}. Share from another computer.")]
    Lacks(&'static str),
    /// There is no such screen or window, or no longer.
    #[error("The window or screen is not there any more. Choose another one.")]
    NotFound,
    /// The shared window was closed, or the monitor unplugged.
    #[error("The shared window was closed. Choose another one.")]
    Closed,
    /// Any other error, with the display's message.
    #[error("The screen cannot be captured: {0}. Choose another screen or window.")]
    Backend(String),
}

impl ScreenError {
    /// A stable code, which user interfaces translate.
    pub fn code(&self) -> &'static str {
        match self {
            ScreenError::Unsupported => "screen_unsupported",
            ScreenError::Wayland => "screen_wayland",
            ScreenError::NoDisplay => "screen_no_display",
            ScreenError::Lacks(_) => "screen_lacks",
            ScreenError::NotFound => "screen_not_found",
            ScreenError::Closed => "screen_closed",
            ScreenError::Backend(_) => "screen_failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_own_code_and_a_remedy() {
        let all = [
            ScreenError::Unsupported,
            ScreenError::Wayland,
            ScreenError::NoDisplay,
            ScreenError::Lacks("x"),
            ScreenError::NotFound,
            ScreenError::Closed,
            ScreenError::Backend("x".into()),
        ];
        let codes: std::collections::HashSet<_> = all.iter().map(ScreenError::code).collect();
        assert_eq!(codes.len(), all.len());
        assert!(all.iter().all(|error| error.to_string().contains(". ")), "a second sentence says what to do");
    }
}
