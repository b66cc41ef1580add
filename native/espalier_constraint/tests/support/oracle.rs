//! What an independent validator needs to give exact verdicts.

use serde_json::Value;

use super::spelling::Spelling;

/// The value with its numbers spelled in the way that the validator compares exactly.
pub(crate) fn with_plain_numbers(value: &Value) -> Value {
    serde_json::from_str(&Spelling::Compact.write(value)).expect("JSON again")
}

/// Whether some number has more digits in its exponent than the validator takes in good time.
pub(crate) fn has_huge_exponent(text: &str) -> bool {
    let digits_after = |rest: &str| {
        let rest = rest.trim_start_matches(['+', '-']).trim_start_matches('0');
        rest.bytes().take_while(u8::is_ascii_digit).count()
    };
    text.split(['e', 'E']).skip(1).any(|rest| digits_after(rest) > 3)
}
