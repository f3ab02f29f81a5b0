//! Dates as `strftime_now` writes them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use minijinja::{Error, ErrorKind};

const DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// As Python's `strftime` in the C locale, of the directives that dates in prompts are made of.
pub(super) fn strftime(now: SystemTime, format: &str) -> Result<String, Error> {
    let elapsed = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let seconds = elapsed.as_secs();
    let date = Date::of(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let short = |name: &str| name.chars().take(3).collect::<String>();
    let mut out = String::new();
    let mut characters = format.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            out.push(character);
            continue;
        }
        let directive = characters.next();
        let text = match directive {
            Some('d') => format!("{:02}", date.day),
            Some('m') => format!("{:02}", date.month),
            Some('Y') => format!("{:04}", date.year),
            Some('y') => format!("{:02}", date.year % 100),
            Some('B') => date.month_name().to_owned(),
            Some('b') => short(date.month_name()),
            Some('A') => date.day_name().to_owned(),
            Some('a') => short(date.day_name()),
            Some('H') => format!("{hour:02}"),
            Some('I') => format!("{:02}", (hour + 11) % 12 + 1),
            Some('p') => if hour < 12 { "AM" } else { "PM" }.to_owned(),
            Some('M') => format!("{minute:02}"),
            Some('S') => format!("{second:02}"),
            Some('%') => "%".to_owned(),
            _ => {
                let directive = directive.map(String::from).unwrap_or_default();
                let detail = format!("strftime_now does not know `%{directive}`");
                return Err(Error::new(ErrorKind::InvalidOperation, detail));
            }
        };
        out.push_str(&text);
    }
    Ok(out)
}

/// A day of the Gregorian calendar.
struct Date {
    year: u64,
    /// From 1.
    month: usize,
    /// From 1.
    day: u64,
    /// From 0, Monday.
    weekday: usize,
}

impl Date {
    /// Of days since 1 January 1970, a Thursday (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    fn of(days: u64) -> Self {
        // Years begin in March here, so that a leap day is a year's last, and are counted in eras of 400.
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let month = if march_month < 10 {
            march_month + 3
        } else {
            march_month - 9
        };
        Self {
            year: era * 400 + year_of_era + u64::from(month <= 2),
            month: month as usize,
            day: day_of_year - (153 * march_month + 2) / 5 + 1,
            weekday: ((days + 3) % 7) as usize,
        }
    }

    fn month_name(&self) -> &'static str {
        MONTHS.get(self.month - 1).copied().unwrap_or_default()
    }

    fn day_name(&self) -> &'static str {
        DAYS.get(self.weekday).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_the_calendars() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let all = "%A %a %d %B %b %m %Y %y %H %I %p %M %S %%";
        for (seconds, expected) in [
            (0, "Thursday Thu 01 January Jan 01 1970 70 00 12 AM 00 00 %"),
            (
                951_782_400 + 45_296,
                "Tuesday Tue 29 February Feb 02 2000 00 12 12 PM 34 56 %",
            ),
            (
                1_721_999_999,
                "Friday Fri 26 July Jul 07 2024 24 13 01 PM 19 59 %",
            ),
        ] {
            assert_eq!(strftime(at(seconds), all).unwrap(), expected);
        }
        assert!(strftime(at(0), "%Q").is_err());
    }
}
