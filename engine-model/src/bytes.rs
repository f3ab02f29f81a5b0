//! A number of bytes as people read it: the one way in which messages, plans and reports write sizes.

use std::fmt;

/// Writes `1.2 GiB`, `60.0 KiB` or `512 bytes`: one decimal, rounded to the nearest, half upwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

const UNITS: [(u32, &str); 4] = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];

impl fmt::Display for Bytes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = u128::from(self.0);
        let tenths = |shift: u32| (bytes * 10 + (1 << (shift - 1))) >> shift;
        // A size that rounds up to 1024 of a unit is 1 of the next.
        let unit = UNITS.iter().find(|(shift, _)| tenths(*shift) >= 10);
        match unit {
            Some((shift, name)) => {
                let tenths = tenths(*shift);
                out.pad(&format!("{}.{} {name}", tenths / 10, tenths % 10))
            }
            None => out.pad(&format!("{bytes} bytes")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_to_one_decimal() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (900, "900 bytes"),
            (1023, "1.0 KiB"),
            (1024, "1.0 KiB"),
            (1 << 20, "1.0 MiB"),
            ((1 << 30) - 1, "1.0 GiB"),
            (16_060_522_496, "15.0 GiB"),
            (3 << 29, "1.5 GiB"),
            (u64::MAX, "16777216.0 TiB"),
        ] {
            assert_eq!(Bytes(bytes).to_string(), text);
        }
        assert_eq!(format!("{:>9}|", Bytes(1 << 30)), "  1.0 GiB|");
    }
}
