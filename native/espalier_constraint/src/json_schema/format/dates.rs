//! Dates, times and durations.

use super::one_of;

const HOUR: &str = "(?:[01][0-9]|2[0-3])";
const MINUTE: &str = "[0-5][0-9]";
const FRACTION: &str = r"(?:\.[0-9]+)?";

pub(super) fn date_time() -> String {
    format!("{}[Tt]{}", full_date(), full_time())
}

pub(super) fn full_date() -> String {
    const DAY_TO_28: &str = "(?:0[1-9]|1[0-9]|2[0-8])";
    const MONTH: &str = "(?:0[1-9]|1[0-2])";
    const MONTH_OF_31_DAYS: &str = "(?:0[13578]|1[02])";
    const NOT_FEBRUARY: &str = "(?:0[13-9]|1[0-2])";
    /// Divisible by 4, and by 400 if by 100.
    const LEAP_YEAR: &str =
        "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)";
    let days = one_of([
        format!("{MONTH}-{DAY_TO_28}"),
        format!("{NOT_FEBRUARY}-(?:29|30)"),
        format!("{MONTH_OF_31_DAYS}-31"),
    ]);
    one_of([format!("[0-9]{{4}}-{days}"), format!("{LEAP_YEAR}-02-29")])
}

pub(super) fn full_time() -> String {
    let ordinary = format!("{HOUR}:{MINUTE}:[0-5][0-9]{FRACTION}(?:[Zz]|[+-]{HOUR}:{MINUTE})");
    one_of([ordinary, leap_second()])
}

/// The second after 23:59:59 in UTC, by clocks ahead of UTC by whole quarters of an hour.
fn leap_second() -> String {
    const MINUTES_OF_A_DAY: u32 = 24 * 60;
    let clock = |minutes: u32| format!("{:02}:{:02}", minutes / 60, minutes % 60);
    let at_offset = |ahead: u32| {
        let local = clock((ahead + MINUTES_OF_A_DAY - 1) % MINUTES_OF_A_DAY);
        let behind = clock((MINUTES_OF_A_DAY - ahead) % MINUTES_OF_A_DAY);
        let utc = if ahead == 0 { "|[Zz]" } else { "" };
        format!(r"{local}:60{FRACTION}(?:\+{}|-{behind}{utc})", clock(ahead))
    };
    one_of((0..MINUTES_OF_A_DAY).step_by(15).map(at_offset))
}

pub(super) fn duration() -> String {
    let time = "T(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S)";
    let date = "(?:[0-9]+Y(?:[0-9]+M(?:[0-9]+D)?)?|[0-9]+M(?:[0-9]+D)?|[0-9]+D)";
    format!("P(?:{date}(?:{time})?|{time}|[0-9]+W)")
}
