//! Times as `strftime` of Python writes them, in English.

use std::fmt::Write;

const SECONDS_OF_DAY: i64 = 86_400;
const WEEKDAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
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

/// A time without a zone.
#[derive(Clone, Copy)]
pub(super) struct Time {
    year: i64,
    /// From 1, as the day.
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    /// From 0 for the first of January.
    day_of_year: i64,
    /// From 0 for Sunday.
    weekday: i64,
    seconds: i64,
}

impl Time {
    /// The time so many seconds after 1970 began.
    pub(super) fn new(seconds: i64) -> Self {
        let (days, of_day) =
            (seconds.div_euclid(SECONDS_OF_DAY), seconds.rem_euclid(SECONDS_OF_DAY));
        let (year, month, day) = date(days);
        Self {
            year,
            month,
            day,
            hour: of_day / 3600,
            minute: of_day / 60 % 60,
            second: of_day % 60,
            day_of_year: days - days_before(year, 1, 1),
            weekday: (days + 4).rem_euclid(7),
            seconds,
        }
    }

    pub(super) fn format(&self, format: &str) -> String {
        let mut out = String::new();
        let mut rest = format;
        while let Some(start) = rest.find('%') {
            out.push_str(&rest[..start]);
            let after = &rest[start + 1..];
            let directive = after.trim_start_matches(['-', '_', '0', '^', '#']);
            let flags = &after[..after.len() - directive.len()];
            let mut chars = directive.chars();
            match chars.next().and_then(|letter| self.directive(letter, flags)) {
                Some(text) => out.push_str(&text),
                // What isn't known stays as it is.
                None => out.push_str(&rest[start..rest.len() - chars.as_str().len()]),
            }
            rest = chars.as_str();
        }
        out + rest
    }

    fn directive(&self, letter: char, flags: &str) -> Option<String> {
        let hour_of_12 = (self.hour + 11) % 12 + 1;
        let half = if self.hour < 12 { "AM" } else { "PM" };
        let number = |number, width| Some(padded(number, width, '0', flags));
        let spaced = |number| Some(padded(number, 2, ' ', flags));
        let word = |text: &str| {
            Some(if flags.contains('^') { text.to_uppercase() } else { text.to_owned() })
        };
        let (iso_year, iso_week) = self.iso_week();
        match letter {
            'a' => word(&self.weekday_name()[..3]),
            'A' => word(self.weekday_name()),
            'b' | 'h' => word(&self.month_name()[..3]),
            'B' => word(self.month_name()),
            'c' => word(&self.format("%a %b %e %H:%M:%S %Y")),
            'C' => number(self.year.div_euclid(100), 2),
            'd' => number(self.day, 2),
            'D' | 'x' => word(&self.format("%m/%d/%y")),
            'e' => spaced(self.day),
            'f' => number(0, 6),
            'F' => word(&self.format("%Y-%m-%d")),
            'g' => number(iso_year.rem_euclid(100), 2),
            'G' => number(iso_year, 1),
            'H' => number(self.hour, 2),
            'I' => number(hour_of_12, 2),
            'j' => number(self.day_of_year + 1, 3),
            'k' => spaced(self.hour),
            'l' => spaced(hour_of_12),
            'm' => number(self.month, 2),
            'M' => number(self.minute, 2),
            'n' => word("\n"),
            'p' => word(if flags.contains('#') { half_lower(half) } else { half }),
            'P' => word(half_lower(half)),
            'r' => word(&self.format("%I:%M:%S %p")),
            'R' => word(&self.format("%H:%M")),
            's' => number(self.seconds, 1),
            'S' => number(self.second, 2),
            't' => word("\t"),
            'T' | 'X' => word(&self.format("%H:%M:%S")),
            'u' => number((self.weekday + 6) % 7 + 1, 1),
            'U' => number((self.day_of_year + 7 - self.weekday) / 7, 2),
            'V' => number(iso_week, 2),
            'w' => number(self.weekday, 1),
            'W' => number((self.day_of_year + 7 - (self.weekday + 6) % 7) / 7, 2),
            'y' => number(self.year.rem_euclid(100), 2),
            'Y' => number(self.year, 1),
            // There is no zone to name.
            'z' | 'Z' => Some(String::new()),
            '%' => word("%"),
            _ => None,
        }
    }

    fn weekday_name(&self) -> &'static str {
        WEEKDAYS[self.weekday as usize]
    }

    fn month_name(&self) -> &'static str {
        MONTHS[self.month as usize - 1]
    }

    /// The week by ISO 8601, and the year that it belongs to: that of its Thursday.
    fn iso_week(&self) -> (i64, i64) {
        let thursday = self.day_of_year - (self.weekday + 6) % 7 + 3;
        let length = |year| days_before(year + 1, 1, 1) - days_before(year, 1, 1);
        if thursday < 0 {
            return (self.year - 1, (thursday + length(self.year - 1)) / 7 + 1);
        }
        match thursday - length(self.year) {
            next if next >= 0 => (self.year + 1, next / 7 + 1),
            _ => (self.year, thursday / 7 + 1),
        }
    }
}

fn half_lower(half: &str) -> &'static str {
    if half == "AM" { "am" } else { "pm" }
}

/// A number with the padding that the flags ask for, or else its own.
fn padded(number: i64, width: usize, own: char, flags: &str) -> String {
    let padding = flags.chars().rev().find_map(|flag| match flag {
        '-' => Some(None),
        '_' => Some(Some(' ')),
        '0' => Some(Some('0')),
        _ => None,
    });
    let mut out = String::new();
    let _ = match padding.unwrap_or(Some(own)) {
        None => write!(out, "{number}"),
        Some(' ') => write!(out, "{number:width$}"),
        Some(_) => write!(out, "{number:0width$}"),
    };
    out
}

/// Year, month and day of so many days after 1970 began. Years are counted from March, so that the
/// day that not all have is their last.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// The days from 1970 to that one.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year - 719_468
}
