//! The signalling, STUN and TURN server.
