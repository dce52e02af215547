//! Video and audio codecs and pixel formats behind safe types.
