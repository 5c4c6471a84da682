//! Numbers as SQL compares them exactly: floats as decimals, and as bounds of whole numbers.

use cacheness_storage::Comparison;

/// The exact value of a finite float in decimal digits: every float has one.
pub(crate) fn decimal(float: f64) -> String {
    const MANTISSA: u64 = (1 << 52) - 1;
    if float == 0.0 {
        return "0".into();
    }
    let bits = float.to_bits();
    let exponent = (bits >> 52) & 0x7ff;
    let mantissa = if exponent == 0 { bits & MANTISSA } else { bits & MANTISSA | (MANTISSA + 1) };
    // The value is the mantissa by two to the power of the exponent less 1075; each binary digit behind the point is one
    // decimal digit behind it.
    let behind = 1075_u64.saturating_sub(exponent.max(1)).saturating_sub(mantissa.trailing_zeros().into());
    format!("{float:.*}", usize::try_from(behind).unwrap_or(0))
}

/// What a comparison of whole numbers with a float means for them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// The same for each of them.
    Always(bool),
    /// A comparison with a whole number.
    Whole(Comparison, i64),
}

/// Compares signed 64-bit numbers with a float.
pub(crate) fn bound(comparison: Comparison, float: f64) -> Bound {
    use Comparison::{Eq, Ge, Gt, Le, Lt};
    /// The first float above them all.
    const END: f64 = 9_223_372_036_854_775_808.0;
    if float.is_nan() {
        return Bound::Always(false);
    }
    let rounded = match comparison {
        Eq if float.fract() != 0.0 => return Bound::Always(false),
        Gt | Le | Eq => float.floor(),
        Ge | Lt => float.ceil(),
    };
    match comparison {
        Eq if !(-END..END).contains(&rounded) => Bound::Always(false),
        Gt | Ge if rounded >= END => Bound::Always(false),
        Lt | Le if rounded >= END => Bound::Always(true),
        Gt | Ge if rounded < -END => Bound::Always(true),
        Lt | Le if rounded < -END => Bound::Always(false),
        _ => Bound::Whole(comparison, rounded as i64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_is_the_float_and_nothing_but_it() {
        for (float, expected) in [
            (0.5, "0.5"),
            (-0.0, "0"),
            (0.1, "0.1000000000000000055511151231257827021181583404541015625"),
            (9_223_372_036_854_775_808.0, "9223372036854775808"),
            (-1.25, "-1.25"),
            (1e22, "10000000000000000000000"),
        ] {
            assert_eq!(decimal(float), expected);
        }
        assert_eq!(decimal(5e-324).len(), 2 + 1074);
        assert!(decimal(f64::MAX).starts_with("179769313486231570814527423731704356798070"));
    }

    #[test]
    fn a_bound_means_what_the_float_means() {
        let floats =
            [0.0, 0.5, -0.5, 1.0, -1.0, 1e300, -1e300, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 9.3e18, -9.3e18];
        let exact = [9_223_372_036_854_775_808.0, -9_223_372_036_854_775_808.0, 9_223_372_036_854_774_784.0];
        for float in floats.into_iter().chain(exact) {
            for whole in [i64::MIN, i64::MIN + 1, -1, 0, 1, 9_223_372_036_854_774_784, i64::MAX] {
                // Where both are far apart, the cast rounds to the right side; where they are near, it is exact.
                let value = i128::from(whole);
                let floor = float.floor() as i128;
                for comparison in [Comparison::Eq, Comparison::Gt, Comparison::Ge, Comparison::Lt, Comparison::Le] {
                    let is_whole = float.fract() == 0.0 || float.is_infinite();
                    let expected = !float.is_nan()
                        && match comparison {
                            Comparison::Eq => is_whole && value == floor,
                            Comparison::Gt => value > floor,
                            Comparison::Ge => value > floor || is_whole && value == floor,
                            Comparison::Lt => value < floor || !is_whole && value == floor,
                            Comparison::Le => value <= floor,
                        };
                    let told = match bound(comparison, float) {
                        Bound::Always(always) => always,
                        Bound::Whole(Comparison::Eq, bound) => whole == bound,
                        Bound::Whole(Comparison::Gt, bound) => whole > bound,
                        Bound::Whole(Comparison::Ge, bound) => whole >= bound,
                        Bound::Whole(Comparison::Lt, bound) => whole < bound,
                        Bound::Whole(Comparison::Le, bound) => whole <= bound,
                    };
                    assert_eq!(told, expected, "{whole} {comparison:?} {float}");
                }
            }
        }
    }
}
