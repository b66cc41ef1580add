//! [`Step`]: what all layers of a forward pass have in common.

use candle_core::Result;

use super::cached_attention::Place;
use super::compute::Compute;
use super::device::Views;
use super::rotary::{Angles, Rotary};
use super::transformer::Rows;

/// What all layers of a forward pass have in common.
pub(super) struct Step {
    /// The angles of all rows, for each kind that layers choose from.
    pub(super) angles: Vec<Angles>,
    /// The places of all rows.
    pub(super) places: Vec<Place>,
    /// Where these are on a device.
    pub(super) views: Option<Views>,
}

impl Step {
    /// The step of a batch whose caches have no rows of it yet. `windows` are those of all layers.
    pub(super) fn new(
        batch: &[Rows<'_>],
        rotaries: &[Rotary],
        windows: &[Option<usize>],
        compute: &Compute,
    ) -> Result<Self> {
        let places = places(batch);
        let positions = || places.iter().map(|place| place.position);
        let angles = rotaries.iter().map(|rotary| rotary.angles(positions(), compute.device()));
        let angles = angles.collect::<Result<_>>()?;
        let views = compute.is_on_device().then(|| Views::new(batch, windows)).transpose()?;
        Ok(Self { angles, places, views })
    }
}

fn places(batch: &[Rows<'_>]) -> Vec<Place> {
    let of_sequence = |(sequence, rows): (usize, &Rows<'_>)| {
        let start = rows.cache.len();
        (start..start + rows.tokens.len()).map(move |position| Place { sequence, position })
    };
    batch.iter().enumerate().flat_map(of_sequence).collect()
}
