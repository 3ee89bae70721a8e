//! Numbers as people read them: as many digits as tell something, thousands apart, and a unit where one is due.

const KIB: f64 = 1024.0;
const DAY_MS: u64 = 86_400_000;

/// What stands where there is no number.
pub(super) const NONE: &str = "–";

/// `1234567` as `1,234,567`.
pub(super) fn whole(number: u64) -> String {
    grouped(&number.to_string())
}

/// Three digits that tell something, and all digits before the point.
pub(super) fn number(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if !value.is_finite() => NONE.to_owned(),
        _ if size < 0.0005 => "0".to_owned(),
        _ if size < 0.1 => format!("{value:.3}"),
        _ if size < 9.995 => format!("{value:.2}"),
        _ if size < 99.95 => format!("{value:.1}"),
        _ => grouped(&format!("{value:.0}")),
    }
}

/// The same, without a fraction where there is none: a count, or what was set.
pub(super) fn figure(value: f64) -> String {
    if value.is_finite() && value.fract() == 0.0 { grouped(&format!("{value:.0}")) } else { number(value) }
}

/// Bytes, in the unit that leaves few digits.
pub(super) fn bytes(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if !value.is_finite() => NONE.to_owned(),
        _ if size < KIB => format!("{} B", figure(value.round())),
        _ if size < KIB * KIB => format!("{} KiB", number(value / KIB)),
        _ if size < KIB * KIB * KIB => format!("{} MiB", number(value / KIB / KIB)),
        _ => format!("{} GiB", number(value / KIB / KIB / KIB)),
    }
}

/// How many times as much.
pub(super) fn times(value: f64) -> String {
    if value.is_finite() { format!("{} ×", number(value)) } else { NONE.to_owned() }
}

/// A count as something to divide by. What is counted here stays below 2⁵³.
#[expect(clippy::cast_precision_loss, reason = "nobody reads the sixteenth digit")]
pub(super) fn float(count: u64) -> f64 {
    count as f64
}

/// Milliseconds since 1970 as a date and a time of day, UTC.
pub(super) fn moment(millis: u64) -> String {
    let (year, month, day) = date(millis / DAY_MS);
    let second = millis % DAY_MS / 1_000;
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// Days since 1970 as year, month and day. A year is taken to begin in March, so that the leap day is its last and every
/// month's begin is a straight line of its number.
fn date(days: u64) -> (u64, u64, u64) {
    const TO_1970: u64 = 719_468;
    const FOUR_CENTURIES: u64 = 146_097;
    let days = days + TO_1970;
    let (era, day) = (days / FOUR_CENTURIES, days % FOUR_CENTURIES);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let march = (5 * day + 2) / 153;
    let month = if march < 10 { march + 3 } else { march - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day - (153 * march + 2) / 5 + 1)
}

/// Commas between the thousands of what comes before a point.
fn grouped(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
    let mut out = sign.to_owned();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_grouped() {
        let shown = [0.0, 0.0123, 0.5, 9.999, 42.0, 999.6, 1_234_567.8, -1_234.0].map(number);
        assert_eq!(shown, ["0", "0.012", "0.50", "10.0", "42.0", "1,000", "1,234,568", "-1,234"]);
        assert_eq!([whole(0), whole(999), whole(1_000_000)], ["0", "999", "1,000,000"]);
        assert_eq!([figure(12_000.0), figure(1.5), number(f64::NAN)], ["12,000", "1.50", "–"]);
    }

    #[test]
    fn bytes_have_the_unit_that_fits() {
        let shown = [0.0, 812.0, 5_530.0, 64.0 * 1024.0 * 1024.0, 3.5e9].map(bytes);
        assert_eq!(shown, ["0 B", "812 B", "5.40 KiB", "64.0 MiB", "3.26 GiB"]);
    }

    #[test]
    fn moments_know_leap_years() {
        assert_eq!(moment(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(moment(951_782_400_000), "2000-02-29 00:00:00 UTC");
        assert_eq!(moment(1_767_225_599_999), "2025-12-31 23:59:59 UTC");
        assert_eq!(moment(1_772_323_200_000), "2026-03-01 00:00:00 UTC");
    }
}
