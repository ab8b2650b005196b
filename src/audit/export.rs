//! Reading, filtering, verifying and exporting the trail.
