//! Which video layer goes to whom on one shared uplink.
