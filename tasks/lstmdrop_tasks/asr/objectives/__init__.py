"""What the network is trained for: phones of frames, or transcripts."""
