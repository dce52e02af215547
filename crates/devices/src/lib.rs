//! Cameras, microphones and loudspeakers.
