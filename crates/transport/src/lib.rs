//! Sending and receiving RTP well: numbering, pacing, estimation, retransmission, assembly.
