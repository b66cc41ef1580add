//! How a number that was begun is completed.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::NumberStyle;
use super::decimal::MAX_EXPONENT;
use super::number::{NumberPrefix, Phase, Spelling};
use super::number_range::NumberRange;
use crate::error::Error;
use crate::meter::Meter;

/// States that are searched for the shortest way where an exponent can follow: there they have no
/// end. Where that isn't enough, a way is made up.
const MAX_SEARCHED: usize = 5000;

/// One of the shortest spellings that turn what was read into a number of the range. Where an
/// exponent can follow, a longer one where the shortest isn't short.
pub(crate) fn shortest_suffix(
    prefix: &NumberPrefix,
    range: &NumberRange,
    style: NumberStyle,
    meter: &Meter,
) -> Result<Vec<u8>, Error> {
    // All first bytes are tried, each with a look ahead and a way to the end.
    meter.spend(24 * range.work())?;
    if let Some(suffix) = prefix.shortest_suffix_to_multiple(range, style) {
        return Ok(suffix);
    }
    if prefix.is_complete(range, style) {
        return Ok(Vec::new());
    }
    // Mostly a digit is enough.
    let completes = |byte: &u8| {
        prefix.step(*byte, range, style).is_some_and(|next| next.is_complete(range, style))
    };
    if let Some(digit) = (b'0'..=b'9').find(completes) {
        return Ok(vec![digit]);
    }
    let suffix = search(prefix, range, style, meter)?;
    Ok(suffix.unwrap_or_else(|| make_up(prefix, range, style)))
}

fn search(
    prefix: &NumberPrefix,
    range: &NumberRange,
    style: NumberStyle,
    meter: &Meter,
) -> Result<Option<Vec<u8>>, Error> {
    let is_endless = Spelling::new(range, style).has_exponent;
    let mut seen: Origins = FxHashMap::from_iter([(prefix.clone(), None)]);
    let mut queue = VecDeque::from([prefix.clone()]);
    while let Some(state) = queue.pop_front() {
        if state.is_complete(range, style) {
            return Ok(Some(retrace(&seen, state)));
        }
        if is_endless && seen.len() > MAX_SEARCHED {
            break;
        }
        meter.spend(12 * range.work())?;
        for byte in *b"0123456789.-e" {
            let Some(next) = state.step(byte, range, style) else { continue };
            if !seen.contains_key(&next) {
                seen.insert(next.clone(), Some((state.clone(), byte)));
                queue.push_back(next);
            }
        }
    }
    Ok(None)
}

type Origins = FxHashMap<NumberPrefix, Option<(NumberPrefix, u8)>>;

fn retrace(origins: &Origins, mut state: NumberPrefix) -> Vec<u8> {
    let mut suffix = Vec::new();
    while let Some((before, byte)) = origins[&state].clone() {
        suffix.push(byte);
        state = before;
    }
    suffix.reverse();
    suffix
}

/// Digits until some exponent makes a number of the range of them, and that exponent.
///
/// The greatest digit that is possible comes first: behind the digits of an upper bound, or before,
/// one is below it and not at a lower bound any more.
fn make_up(prefix: &NumberPrefix, range: &NumberRange, style: NumberStyle) -> Vec<u8> {
    let mut suffix = Vec::new();
    let mut state = prefix.clone();
    while !state.is_complete(range, style) {
        if let Some(exponent) = state.exponent_suffix(range, Spelling::new(range, style)) {
            suffix.extend(exponent.bytes());
            break;
        }
        let next = b"987654321.0-".iter().find_map(|&byte| {
            let next = state.step(byte, range, style)?;
            Some((byte, next))
        });
        let Some((byte, next)) = next else { unreachable!("every step keeps a completion") };
        suffix.push(byte);
        state = next;
    }
    suffix
}

impl NumberPrefix {
    /// The rest of an exponent, or all of it, that makes a number of the range of the digits.
    pub(super) fn exponent_suffix(
        &self,
        range: &NumberRange,
        spelling: Spelling,
    ) -> Option<String> {
        let within = range.magnitudes(self.is_negative)?;
        let (is_negative, read) = match self.phase {
            Phase::Whole | Phase::Fraction => {
                let exponent = self.exponent_in(&within, range, spelling)?;
                return Some(format!("e{}", exponent - self.exponent));
            }
            Phase::E | Phase::ExponentSign { .. } if self.is_zero() => return Some("0".to_owned()),
            Phase::E => {
                let exponent = self.exponent_in(&within, range, spelling)?;
                return Some((exponent - self.exponent).to_string());
            }
            Phase::ExponentSign { is_negative } => (is_negative, None),
            Phase::Exponent { is_negative } => (is_negative, Some(self.read_exponent.abs())),
            _ => return None,
        };
        let (from, to) = self.exact_exponents(&within, range, spelling);
        let relative =
            |exponent: Option<i64>| Some(i128::from(exponent?) - i128::from(self.exponent));
        let (from, to) = if is_negative {
            (relative(to).map(|to| -to), relative(from).map(|from| -from))
        } else {
            (relative(from), relative(to))
        };
        let first = u32::from(read.is_none());
        (first..20).find_map(|n| {
            let scale = 10i128.pow(n);
            let begun = i128::from(read.unwrap_or(0)) * scale;
            let (least, most) = (begun.max(from.unwrap_or(begun)), begun + scale - 1);
            let most = to.map_or(most, |to| most.min(to));
            let is_free = |read: &i128| {
                let read = if is_negative { -read } else { *read };
                let read = read.clamp(-i128::from(MAX_EXPONENT), MAX_EXPONENT.into()) as i64;
                !self.is_left_out_at(self.exponent + read, range)
            };
            let rest = (least..=most).take(range.left_out.len() + 1).find(is_free)? - begun;
            Some(if n == 0 {
                String::new()
            } else {
                format!("{rest:0>width$}", width = n as usize)
            })
        })
    }
}
